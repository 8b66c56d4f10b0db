/**
 * One pass over a recording: where each line lies, whose it is and where its node stood before it, so that any page of entries is
 * read again from the file alone; and what is asked as a whole, blocks and roots by node and height. Memory: some 100 bytes a line.
 */
import type { Fault } from "../../base/errors.ts";
import type { BlockRow } from "./contract.ts";
import {
  type NodeStanding,
  NOT_STARTED,
  type RecordedLine,
  type RecordedMember,
  type RunFacts,
  isOfProcess,
  entriesOf,
  nodesOf,
  recordedCounts,
  recordedRow,
  writtenEvents,
} from "./recorded-entries.ts";
import type { Line, RecordingFile } from "./recording-file.ts";

/** Numbers of a row, one after the other in one array. */
const FIELDS = [
  "line",
  "offset",
  "length",
  "node",
  "life",
  "n",
  "count",
  "state",
  "epoch",
  "view",
  "finalHeight",
] as const;
type Field = (typeof FIELDS)[number];
const STRIDE = FIELDS.length;
const ROWS_AT_START = 4096;
/** How often progress is told. Units: lines. */
const PROGRESS_LINES = 20_000;

/** Where a line lies in the file. */
export interface Place {
  readonly line: number;
  readonly offset: number;
  readonly length: number;
}

/** What a node did to its chain, as far as the recording has it. */
export interface RecordedChain {
  readonly hashes: Map<number, string>;
  readonly roots: Map<number, string>;
  highest: number;
  executed: number;
  /** Whether its process runs at the end. */
  runs: boolean;
  /** Where its last life ended, or null. */
  lastView: number;
}

export class RecordingIndex {
  readonly file: RecordingFile;
  readonly began: RecordedLine;
  readonly members: readonly RecordedMember[];
  readonly run: RunFacts;
  /** What the last line says of the whole run; undefined when the run was stopped. */
  outcome: RecordedLine | undefined;
  /** By name of the node. */
  readonly chains = new Map<string, RecordedChain>();
  readonly rowsByHash = new Map<string, BlockRow>();
  /** Where the facts of a block are, by height and root. */
  readonly facts = new Map<string, Place>();
  readonly #counts = new Map<string, { readonly commands: number; readonly refused: number }>();
  readonly #states: string[] = [];
  readonly #rowsOfNode = new Map<string, number[]>();
  readonly #nodes: readonly string[];
  readonly #indexOfNode = new Map<string, number>();
  /** Nodes whose process ended and did not start again yet. */
  readonly #dead = new Set<string>();
  readonly #standings = new Map<string, NodeStanding>();
  #numbers = new Float64Array(ROWS_AT_START * STRIDE);
  #rows = 0;

  /** Throws: Fault NOT_A_RECORDING, RECORDING_DAMAGED, RECORDING_UNREADABLE. `progress` is told how much is read. Units: bytes. */
  constructor(file: RecordingFile, notARecording: (why: string) => Fault, progress: (done: number) => void = () => {}) {
    this.file = file;
    let began: RecordedLine | undefined;
    let members: readonly RecordedMember[] = [];
    let run: RunFacts | undefined;
    for (const line of file.lines()) {
      if (line.number % PROGRESS_LINES === 0) progress(line.offset);
      const record = this.#parse(line, began === undefined ? notARecording : undefined);
      if (record === undefined) break; // a half line at the end: the run was stopped
      if (run === undefined) {
        began = record;
        members = membersOf(record) ?? raise(notARecording("its first line does not begin one"));
        run = {
          members,
          seats: members.filter(({ name }) => !name.endsWith("'")).map(({ name }) => name),
          counts: (hash) => this.#counts.get(hash),
        };
        for (const { name } of members) this.#begin(name);
        continue;
      }
      try {
        this.#add(line, record, run);
      } catch (error) {
        if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
        throw file.damaged(line.number, error.message);
      }
    }
    if (began === undefined || run === undefined) throw notARecording("it is empty");
    this.began = began;
    this.members = members;
    this.run = run;
    this.#nodes = members.map(({ name }) => name);
    for (const [name, standing] of this.#standings) this.#chain(name).lastView = standing.view;
  }

  get rows(): number {
    return this.#rows;
  }

  #begin(name: string): void {
    this.#standings.set(name, NOT_STARTED);
    this.#rowsOfNode.set(name, []);
    this.#indexOfNode.set(name, this.#indexOfNode.size);
    const chain = { hashes: new Map(), roots: new Map(), highest: -1, executed: -1, runs: false, lastView: 0 };
    this.chains.set(name, chain);
  }

  #chain(name: string): RecordedChain {
    const chain = this.chains.get(name);
    if (chain === undefined) throw new TypeError(`it names ${JSON.stringify(name.slice(0, 40))}, which is no member`);
    return chain;
  }

  #parse(
    { bytes, number, isWhole }: Line,
    notARecording: ((why: string) => Fault) | undefined,
  ): RecordedLine | undefined {
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString("utf8"));
    } catch {
      if (!isWhole && notARecording === undefined) return undefined;
      throw notARecording?.("its first line is not JSON") ?? this.file.damaged(number, "it is not JSON");
    }
    if (isLine(value)) return value;
    throw notARecording?.("its first line has no kind") ?? this.file.damaged(number, "it has no kind or time");
  }

  #add(line: Line, record: RecordedLine, run: RunFacts): void {
    if (record.kind === "ended" && record["node"] === undefined) this.outcome = record;
    for (const node of nodesOf(record, run)) {
      const chain = this.#chain(node);
      let standing = this.#standings.get(node) ?? NOT_STARTED;
      // A process reads and writes its log before it says that it booted; what strikes a dead node belongs to the life that ended.
      if (this.#dead.has(node) && isOfProcess(record)) {
        standing = { ...standing, life: standing.life + 1, n: 0 };
        this.#dead.delete(node);
      }
      if (record.kind === "ended") this.#dead.add(node);
      const { bodies, after } = entriesOf(record, node, standing, run);
      if (bodies.length > 0) this.#push(line, node, standing, bodies.length);
      this.#standings.set(node, { ...after, life: standing.life, n: standing.n + bodies.length });
      this.#note(line, record, chain, run);
    }
  }

  /** Keeps what is asked by height. */
  #note(line: Line, record: RecordedLine, chain: RecordedChain, run: RunFacts): void {
    if (record.kind === "booted" || record.kind === "ended") chain.runs = record.kind === "booted";
    if (record.kind === "written")
      for (const event of writtenEvents(record["what"])) {
        chain.hashes.set(event.height, event.hash);
        chain.highest = Math.max(chain.highest, event.height);
        if (!this.rowsByHash.has(event.hash)) this.rowsByHash.set(event.hash, recordedRow(event, run));
      }
    if (record.kind !== "executed") return;
    const [height, root] = [Number(record["height"]), String(record["root"])];
    chain.roots.set(height, root);
    chain.executed = Math.max(chain.executed, height);
    const counts = recordedCounts(record);
    if (counts === undefined) return;
    this.#counts.set(counts.hash, { commands: counts.commands, refused: counts.refused });
    this.facts.set(factsKey(height, root), { line: line.number, offset: line.offset, length: line.bytes.length });
  }

  #push(line: Line, node: string, standing: NodeStanding, count: number): void {
    if ((this.#rows + 1) * STRIDE > this.#numbers.length) {
      const longer = new Float64Array(2 * this.#numbers.length);
      longer.set(this.#numbers);
      this.#numbers = longer;
    }
    let state = this.#states.indexOf(standing.state);
    if (state < 0) state = this.#states.push(standing.state) - 1;
    const { life, n, epoch, view, finalHeight } = standing;
    const nodeIndex = this.#indexOfNode.get(node) ?? 0;
    const values = [
      line.number,
      line.offset,
      line.bytes.length,
      nodeIndex,
      life,
      n,
      count,
      state,
      epoch,
      view,
      finalHeight,
    ];
    this.#numbers.set(values, this.#rows * STRIDE);
    this.#rowsOfNode.get(node)?.push(this.#rows);
    this.#rows += 1;
  }

  #at(row: number, field: Field): number {
    return this.#numbers[row * STRIDE + FIELDS.indexOf(field)] ?? 0;
  }

  nodeOf(row: number): string {
    return this.#nodes[this.#at(row, "node")] ?? "";
  }

  countOf(row: number): number {
    return this.#at(row, "count");
  }

  standingOf(row: number): NodeStanding {
    return {
      life: this.#at(row, "life"),
      n: this.#at(row, "n"),
      state: this.#states[this.#at(row, "state")] ?? "quiet",
      epoch: this.#at(row, "epoch"),
      view: this.#at(row, "view"),
      finalHeight: this.#at(row, "finalHeight"),
    };
  }

  /** The line of a row again. */
  lineOf(row: number): RecordedLine {
    return this.lineAt({
      line: this.#at(row, "line"),
      offset: this.#at(row, "offset"),
      length: this.#at(row, "length"),
    });
  }

  lineAt({ line, offset, length }: Place): RecordedLine {
    const value: unknown = JSON.parse(this.file.lineAt(offset, length).toString("utf8"));
    if (!isLine(value)) throw this.file.damaged(line, "it is another one than it was");
    return value;
  }

  /** Rows of a node, in order. */
  rowsOf(node: string): readonly number[] {
    return this.#rowsOfNode.get(node) ?? [];
  }

  /** Position in `rowsOf` of the first row with an entry after this one; its length when there is none. */
  after(node: string, life: number, n: number): number {
    const rows = this.rowsOf(node);
    let [from, to] = [0, rows.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      const row = rows[middle] ?? 0;
      const lastLife = this.#at(row, "life");
      const isAfter = lastLife > life || (lastLife === life && this.#at(row, "n") + this.#at(row, "count") - 1 > n);
      if (isAfter) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  close(): void {
    this.file.close();
  }
}

export const factsKey = (height: number, root: string): string => `${height} ${root}`;

const isLine = (value: unknown): value is RecordedLine =>
  typeof value === "object" &&
  value !== null &&
  "kind" in value &&
  typeof value.kind === "string" &&
  "at" in value &&
  typeof value.at === "number";

/** Members of the run, by what its first line says; undefined when it is none of a recording that can be shown. */
function membersOf({ kind, ...fields }: RecordedLine): readonly RecordedMember[] | undefined {
  const { members, cluster, aids } = fields as Readonly<Record<string, unknown>>;
  if (kind !== "began" || typeof cluster !== "string" || !Array.isArray(aids) || !Array.isArray(members))
    return undefined;
  const read: RecordedMember[] = [];
  for (const member of members as readonly unknown[]) {
    const { name, is } = (member ?? {}) as { readonly name?: unknown; readonly is?: unknown };
    const seat = typeof name === "string" ? /^n(\d{1,3})'?$/.exec(name)?.[1] : undefined;
    if (typeof name !== "string" || typeof is !== "string" || seat === undefined) return undefined;
    const aid: unknown = aids[Number(seat)];
    read.push({ name, role: is, seat: Number(seat), aid: typeof aid === "string" ? aid : "" });
  }
  return read.length > 0 && read.length <= 200 ? read : undefined;
}

function raise(fault: Fault): never {
  throw fault;
}
