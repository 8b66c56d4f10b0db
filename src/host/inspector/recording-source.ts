/** A recording of the simulator as something to inspect: everything that happened, from its file; nothing live. */
import { resolve } from "node:path";
import { Fault } from "../../base/errors.ts";
import { ok } from "../../base/result.ts";
import type {
  BlockRow,
  DifferencePage,
  DivergencePage,
  Entry,
  GraphPicture,
  MemberRow,
  SourceDescription,
} from "./contract.ts";
import { type Positions, advanced, cursorOf, readCursor } from "./cursor.ts";
import { firstDivergence } from "./queries-divergence.ts";
import { RecordedChains } from "./recorded-chains.ts";
import { RecordedContexts } from "./recorded-contexts.ts";
import { entriesOf } from "./recorded-entries.ts";
import { RecordingFile } from "./recording-file.ts";
import { type RecordedChain, RecordingIndex } from "./recording-index.ts";
import { consensusContext } from "./redaction.ts";
import { no } from "./refusals.ts";
import { type Answer, ENTRIES_PAGE_MAX, type EntryPage, type InspectorSource } from "./source.ts";
import { type NamedState, answerCheck, answerDifference, answerGraph } from "./state-answers.ts";

const NO_CEREMONY = "A simulation has no ceremony: its members are born unsealed.";

/** Opens a file that `sky simulate --record` wrote. Throws: Fault NOT_A_RECORDING, RECORDING_DAMAGED, RECORDING_UNREADABLE. */
export function openRecording(path: string, progress?: (done: number, total: number) => void): RecordingSource {
  const file = new RecordingFile(resolve(path));
  const notARecording = (why: string): Fault =>
    new Fault(
      "NOT_A_RECORDING",
      `${path} is no recording of the simulator: ${why}. Make one: sky simulate --seed 1 --record FILE.`,
    );
  try {
    const total = file.bytes;
    return new RecordingSource(new RecordingIndex(file, notARecording, (done) => progress?.(done, total)));
  } catch (error) {
    file.close();
    throw error;
  }
}

export class RecordingSource implements InspectorSource {
  readonly #index: RecordingIndex;
  readonly #chains: RecordedChains;
  readonly #contexts: RecordedContexts;

  constructor(index: RecordingIndex) {
    this.#index = index;
    this.#chains = new RecordedChains(index);
    this.#contexts = new RecordedContexts(index);
  }

  readonly describe = async (): Promise<SourceDescription> => {
    const { began, members, outcome } = this.#index;
    const liars = members.filter(({ role }) => role !== "honest").map(({ name, role }) => `${name} ${role}`);
    const parts = [
      `Simulation of seed ${String(began["seed"])}`,
      ...(liars.length > 0 ? [`Byzantine: ${liars.join(", ")}`] : []),
      ...(outcome === undefined ? ["stopped before its end"] : outcome["ok"] === false ? ["a rule was broken"] : []),
    ];
    return {
      kind: "simulation",
      title: parts.join("; "),
      dev: true,
      live: false,
      cluster: String(began["cluster"]),
      nodes: members.map(({ name, aid, role, seat }) => ({ name, aid, index: seat, role })),
      absent: { ceremony: NO_CEREMONY },
    };
  };

  readonly entries = (after: string | null, signal: AbortSignal): AsyncIterable<EntryPage> =>
    this.#pages(after, signal);

  async *#pages(after: string | null, signal: AbortSignal): AsyncGenerator<EntryPage> {
    const index = this.#index;
    let positions: Positions = (after === null ? undefined : readCursor(after)) ?? new Map();
    const skipped = positions;
    let row = this.#firstRow(positions);
    while (row < index.rows && !signal.aborted) {
      const entries: Entry[] = [];
      while (row < index.rows && (entries.length === 0 || entries.length + index.countOf(row) <= ENTRIES_PAGE_MAX)) {
        entries.push(...this.#entriesOf(row).filter((entry) => isAfter(entry, skipped)));
        row += 1;
      }
      // A line of many entries is cut into pages of its own.
      for (let from = 0; from < entries.length; from += ENTRIES_PAGE_MAX) {
        const page = entries.slice(from, from + ENTRIES_PAGE_MAX);
        positions = advanced(positions, page);
        yield { kind: "entries", entries: page, cursor: cursorOf(positions) };
      }
    }
    if (!signal.aborted) yield { kind: "end" };
  }

  /** Lowest row that has an entry after its node's position. */
  #firstRow(positions: Positions): number {
    const index = this.#index;
    const firsts = index.members.map(({ name }) => {
      const position = positions.get(name);
      const at = position === undefined ? 0 : index.after(name, position.life, position.n);
      return index.rowsOf(name)[at] ?? index.rows;
    });
    return Math.min(...firsts);
  }

  #entriesOf(row: number): readonly Entry[] {
    const index = this.#index;
    const [line, node, standing] = [index.lineOf(row), index.nodeOf(row), index.standingOf(row)];
    const { bodies } = entriesOf(line, node, standing, index.run);
    return bodies.map((body, i) => ({ node, life: standing.life, n: standing.n + i, at: line.at, ...body }));
  }

  readonly context: InspectorSource["context"] = async ({ node, life, n, machine }) => {
    if (machine !== "consensus") return no("NOT_SHOWN", NO_CEREMONY);
    const context = this.#contexts.after(node, life, n);
    return context === undefined
      ? no("NOT_FOUND", "There is no such entry, or the machine had not started yet.")
      : ok(consensusContext(context));
  };

  readonly blocks: InspectorSource["blocks"] = async ({ node, from, limit }) => {
    const found = this.#chain(node);
    if (!found.ok) return found;
    const { chain } = found.value;
    const rows: BlockRow[] = [];
    for (let at = from ?? Math.max(0, chain.highest - limit + 1); at <= chain.highest && rows.length < limit; at++) {
      const row = this.#index.rowsByHash.get(chain.hashes.get(at) ?? "");
      if (row === undefined) continue; // a checkpoint stood in for it
      rows.push({ ...row, ...this.#index.run.counts(row.hash), root: chain.roots.get(at) ?? null });
    }
    return ok(rows);
  };

  #chain(node: string | null): Answer<{ readonly node: string; readonly chain: RecordedChain }> {
    const name = node ?? this.#index.members[0]?.name ?? "";
    const chain = this.#chains.chainOf(name);
    const names = this.#index.members.map((member) => member.name).join(", ");
    return chain === undefined
      ? no("NOT_FOUND", `There is no such node; there are ${names}.`)
      : ok({ node: name, chain });
  }

  #state(node: string | null, height: number | null): Answer<NamedState> {
    const found = this.#chain(node);
    if (!found.ok) return found;
    const { node: name, chain } = found.value;
    const at = height ?? chain.executed;
    if (at > chain.executed || at < 0)
      return no("NOT_FOUND", `${name} executed nothing beyond height ${chain.executed} in this recording.`);
    const state = this.#chains.stateOf(chain, at);
    if (state === undefined) return no("NOT_HELD", `The recording lacks what blocks up to ${at} did.`);
    return ok({ node: name, db: state.db, height: at, root: chain.roots.get(at) ?? null });
  }

  readonly graph: InspectorSource["graph"] = async ({ node, height, focus, limit }): Promise<Answer<GraphPicture>> => {
    const state = this.#state(node, height);
    return state.ok ? answerGraph(state.value, focus, limit) : state;
  };

  readonly check: InspectorSource["check"] = async ({ node, height, subject, object }) => {
    const state = this.#state(node, height);
    return state.ok ? answerCheck(state.value, subject, object) : state;
  };

  /** As they stand at the recording's end. */
  readonly members: InspectorSource["members"] = async ({ node }): Promise<Answer<readonly MemberRow[]>> => {
    const found = this.#chain(node);
    if (!found.ok) return found;
    const { members, chains } = this.#index;
    return ok(
      members.map(({ name, aid, seat }) => {
        const isSelf = name === found.value.node;
        const chain = chains.get(name);
        const standing = chain?.runs === true ? (isSelf ? "self" : "connected") : "ended";
        const lastHeard = chain?.lastView ?? null;
        return { name, aid, index: seat, endpoint: "", standing, keySn: 0, lastHeard };
      }),
    );
  };

  readonly difference: InspectorSource["difference"] = async (asked): Promise<Answer<DifferencePage>> => {
    const [left, right] = [this.#state(asked.left, asked.leftHeight), this.#state(asked.right, asked.rightHeight)];
    if (!left.ok) return left;
    return right.ok ? answerDifference(left.value, right.value) : right;
  };

  readonly divergence: InspectorSource["divergence"] = async (asked): Promise<Answer<DivergencePage>> => {
    const [left, right] = [this.#chain(asked.left), this.#chain(asked.right)];
    if (!left.ok) return left;
    if (!right.ok) return right;
    return ok(await firstDivergence(this.#chains.asked(left.value.chain), this.#chains.asked(right.value.chain)));
  };

  readonly close = async (): Promise<void> => {
    this.#chains.close();
    this.#index.close();
  };
}

function isAfter({ node, life, n }: Entry, positions: Positions): boolean {
  const position = positions.get(node);
  return position === undefined || life > position.life || (life === position.life && n > position.n);
}
