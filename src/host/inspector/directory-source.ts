/** Copied data directories as something to inspect: what their logs prove, block by block. What machines did in between is in no log. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { Fault } from "../../base/errors.ts";
import { ok } from "../../base/result.ts";
import type { BlockRow, Entry, MemberRow, SourceDescription } from "./contract.ts";
import { type Positions, advanced, cursorOf, readCursor } from "./cursor.ts";
import { firstDivergence } from "./queries-divergence.ts";
import { no } from "./refusals.ts";
import { ReplayedLog, type ReplayedLogOptions } from "./replayed-log.ts";
import { type Answer, BLOCKS_PAGE_MAX, ENTRIES_PAGE_MAX, type EntryPage, type InspectorSource } from "./source.ts";
import { type NamedState, answerCheck, answerDifference, answerGraph } from "./state-answers.ts";

/** Logs shown side by side. */
const LOGS_MAX = 32;
/** Two entries a block: it became final, and it was executed. */
const PER_BLOCK = 2;

const NO_STEPS =
  "A log holds what became final, not how: steps of machines and messages are seen on a live node, or in a recording.";
const ABSENT = {
  states: NO_STEPS,
  sequence: NO_STEPS,
  ring: "A log does not say who was connected or suspected; see a live node.",
  ceremony: "A log holds nothing of the ceremony, and no share.",
};

/** Directories with a log: the one given, or those of a cluster's nodes in it (`nodes/NAME`, or `NAME`). Throws: Fault NO_LOG. */
export function logsIn(path: string): readonly string[] {
  const hasLog = (directory: string): boolean => existsSync(join(directory, "log.db"));
  if (statSync(path).isFile() || hasLog(path)) return [path];
  for (const parent of [join(path, "nodes"), path]) {
    if (!existsSync(parent)) continue;
    const found = readdirSync(parent)
      .sort()
      .map((name) => join(parent, name))
      .filter(hasLog);
    if (found.length > 0) return found.slice(0, LOGS_MAX);
  }
  throw new Fault(
    "NO_LOG",
    `${path} holds no log: name a node's data directory, a copy of one, or a directory of several.`,
  );
}

export type DirectoryOptions = Omit<ReplayedLogOptions, "progress"> & {
  readonly progress?: (log: string, height: number, last: number) => void;
};

/** Verifies and executes every log. Throws: Fault NO_LOG, LOG_DOES_NOT_HOLD when nothing can be shown, SOURCE_*, LOG_*. */
export async function openDirectory(path: string, options: DirectoryOptions = {}): Promise<CopiedLogs> {
  const logs = new Map<string, ReplayedLog>();
  try {
    for (const directory of logsIn(resolve(path))) {
      const name = nameOf(directory);
      const { progress, ...rest } = options;
      const told = { ...rest, ...(progress && { progress: (at: number, last: number) => progress(name, at, last) }) };
      logs.set(name, await ReplayedLog.open(directory, told));
    }
    const [first] = logs.values();
    if ([...logs.values()].every(({ height }) => height < 0))
      throw new Fault("LOG_DOES_NOT_HOLD", `${path}: nothing of its log holds: ${first?.failure ?? "it is empty."}`);
    return new CopiedLogs(path, logs);
  } catch (error) {
    for (const log of logs.values()) await log.close();
    throw error;
  }
}

/** A directory is called like its node; a bare log like the directory that it lies in. */
const nameOf = (path: string): string => {
  const name = basename(path) === "log.db" ? basename(dirname(path)) : basename(path);
  return name.replaceAll(/[^\w.-]/g, "_").slice(0, 64) || "log";
};

export class CopiedLogs implements InspectorSource {
  readonly #path: string;
  readonly #logs: ReadonlyMap<string, ReplayedLog>;

  constructor(path: string, logs: ReadonlyMap<string, ReplayedLog>) {
    this.#path = path;
    this.#logs = logs;
  }

  /** Founders of the cluster, and beside them logs that are called like none of them. */
  #nodes(): SourceDescription["nodes"] {
    const founders = this.#founded?.founders ?? [];
    const strangers = [...this.#logs.keys()].filter((name) => !founders.some((founder) => founder.name === name));
    return [
      ...founders.map(({ name, aid }, index) => ({ name, aid, index, role: "honest" })),
      ...strangers.map((name) => ({ name, aid: "", index: -1, role: "honest" })),
    ];
  }

  get #founded(): ReplayedLog["founded"] {
    return [...this.#logs.values()].find(({ founded }) => founded !== undefined)?.founded;
  }

  readonly describe = async (): Promise<SourceDescription> => {
    const broken = [...this.#logs].filter(([, { failure }]) => failure !== null).map(([name]) => name);
    const title = `${this.#founded?.name ?? "cluster"}, copied: ${this.#path}`;
    return {
      kind: "directory",
      title: broken.length === 0 ? title : `${title}; the log of ${broken.join(", ")} does not hold`,
      dev: this.#founded?.dev ?? false,
      live: false,
      cluster: this.#founded?.cluster ?? "",
      nodes: this.#nodes(),
      absent: ABSENT,
    };
  };

  readonly entries = (after: string | null, signal: AbortSignal): AsyncIterable<EntryPage> =>
    this.#pages(after, signal);

  async *#pages(after: string | null, signal: AbortSignal): AsyncGenerator<EntryPage> {
    let positions: Positions = (after === null ? undefined : readCursor(after)) ?? new Map();
    const nextOf = (name: string): number => (positions.get(name)?.n ?? -1) + 1;
    for (;;) {
      if (signal.aborted) return;
      const behind = [...this.#logs].filter(([name, log]) => nextOf(name) < entryCount(log));
      if (behind.length === 0) break;
      // The logs go on together, height by height.
      const from = Math.min(...behind.map(([name]) => Math.floor(nextOf(name) / PER_BLOCK)));
      const blocks = Math.max(1, Math.floor(ENTRIES_PAGE_MAX / (PER_BLOCK * behind.length)));
      const entries: Entry[] = [];
      for (const [name, log] of behind) entries.push(...(await entriesOf(name, log, from, blocks, nextOf(name))));
      entries.sort((a, b) => Math.floor(a.n / PER_BLOCK) - Math.floor(b.n / PER_BLOCK));
      positions = advanced(positions, entries);
      yield { kind: "entries", entries, cursor: cursorOf(positions) };
    }
    yield { kind: "end" };
  }

  readonly context: InspectorSource["context"] = async () => no("NOT_SHOWN", NO_STEPS);

  readonly members: InspectorSource["members"] = async (): Promise<Answer<readonly MemberRow[]>> =>
    no("NOT_SHOWN", ABSENT.ring);

  #log(node: string | null): Answer<{ readonly name: string; readonly log: ReplayedLog }> {
    const [first] = this.#logs.keys();
    const name = node ?? first ?? "";
    const log = this.#logs.get(name);
    const names = [...this.#logs.keys()].join(", ");
    return log === undefined
      ? no("NOT_FOUND", `The log of ${name} is not here; there is that of ${names}.`)
      : ok({ name, log });
  }

  readonly blocks: InspectorSource["blocks"] = async ({ node, from, limit }): Promise<Answer<readonly BlockRow[]>> => {
    const found = this.#log(node);
    if (!found.ok) return found;
    const { log } = found.value;
    return ok(await log.rows(from ?? Math.max(0, log.height - limit + 1), Math.min(limit, BLOCKS_PAGE_MAX)));
  };

  #state(node: string | null, height: number | null): Answer<NamedState> {
    const found = this.#log(node);
    if (!found.ok) return found;
    const { name, log } = found.value;
    const at = height ?? log.height;
    if (at > log.height) return no("NOT_FOUND", `The log of ${name} ${whereItEnds(log)}.`);
    return ok({ node: name, db: log.state.db, height: at, root: log.rootAt(at) });
  }

  readonly graph: InspectorSource["graph"] = async ({ node, height, focus, limit }) => {
    const state = this.#state(node, height);
    return state.ok ? answerGraph(state.value, focus, limit) : state;
  };

  readonly check: InspectorSource["check"] = async ({ node, height, subject, object }) => {
    const state = this.#state(node, height);
    return state.ok ? answerCheck(state.value, subject, object) : state;
  };

  readonly difference: InspectorSource["difference"] = async (asked) => {
    const [left, right] = [this.#state(asked.left, asked.leftHeight), this.#state(asked.right, asked.rightHeight)];
    if (!left.ok) return left;
    if (!right.ok) return right;
    // Two logs that agree as far as both are asked are one: then only what changed between the heights is compared.
    const low = Math.min(left.value.height, right.value.height);
    const [one, other] = [this.#logs.get(left.value.node), this.#logs.get(right.value.node)];
    const isOne = one !== undefined && one.rootAt(low) === other?.rootAt(low);
    const { db } = left.value.height >= right.value.height ? left.value : right.value;
    return isOne
      ? answerDifference({ ...left.value, db }, { ...right.value, db })
      : answerDifference(left.value, right.value);
  };

  readonly divergence: InspectorSource["divergence"] = async (asked) => {
    const [left, right] = [this.#log(asked.left), this.#log(asked.right)];
    if (!left.ok) return left;
    if (!right.ok) return right;
    return ok(await firstDivergence(left.value.log.chain, right.value.log.chain));
  };

  readonly close = async (): Promise<void> => {
    for (const log of this.#logs.values()) await log.close();
  };
}

const whereItEnds = ({ height, failure }: ReplayedLog): string =>
  failure === null ? `ends at height ${height}` : `holds up to height ${height} only (${failure.replace(/\.$/, "")})`;

/** Entries of a log: two a block, and one that says where it does not hold. */
const entryCount = ({ height, failure }: ReplayedLog): number => PER_BLOCK * (height + 1) + (failure === null ? 0 : 1);

async function entriesOf(
  node: string,
  log: ReplayedLog,
  from: number,
  blocks: number,
  first: number,
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  let at = 0;
  for (const row of await log.rows(from, blocks)) {
    at = log.timeOf(row);
    const n = PER_BLOCK * row.height;
    entries.push({ node, life: 0, n, at, kind: "finalised", block: row });
    entries.push({ node, life: 0, n: n + 1, at, kind: "executed", height: row.height, root: row.root ?? "" });
  }
  const n = PER_BLOCK * (log.height + 1);
  if (log.failure !== null && from + blocks > log.height) {
    const [last] = await log.rows(log.height, 1);
    const fault = { type: "logDoesNotHold", height: log.height + 1, reason: log.failure };
    entries.push({ node, life: 0, n, at: last === undefined ? at : log.timeOf(last), kind: "fault", fault });
  }
  return entries.filter((entry) => entry.n >= first);
}
