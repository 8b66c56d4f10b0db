/** What receipts and heights promise: one place for each write, time never runs against the log, no session falls back. */
import type { History, HistoryEntry, Place } from "./history.ts";
import type { Check, Write } from "./operations.ts";

export interface Breach {
  readonly rule: "ids" | "receipts" | "time" | "freshness" | "sessions";
  readonly entry: HistoryEntry;
  readonly message: string;
}

const tell = ({ height, index }: Place): string => `${height}/${index}`;

/** No two writes share a place, and every height has one block. */
export function sharedPlace(writes: readonly Write[]): Breach | undefined {
  const places = new Map<string, Write>();
  const blocks = new Map<number, Place>();
  for (const write of writes) {
    if (write.settled === undefined) continue;
    const { receipt } = write.settled;
    const { entry } = write;
    const other = places.get(tell(receipt));
    if (other !== undefined)
      return { rule: "receipts", entry, message: `Its place ${tell(receipt)} is that of ${other.call.id} as well.` };
    places.set(tell(receipt), write);
    const block = blocks.get(receipt.height);
    if (block !== undefined && block.blockHash !== receipt.blockHash)
      return {
        rule: "receipts",
        entry,
        message: `Height ${receipt.height} is block ${receipt.blockHash} here and ${block.blockHash} elsewhere.`,
      };
    blocks.set(receipt.height, receipt);
  }
  return undefined;
}

/** The highest height that the answers of ended calls have named, as time goes on. */
export class Shown {
  readonly #marks: readonly { readonly endMs: number; readonly height: number }[];

  constructor(writes: readonly Write[], checks: readonly Check[]) {
    let highest = 0;
    const ended = [
      ...writes.flatMap(({ endMs, settled }) =>
        settled === undefined ? [] : [{ endMs, height: settled.receipt.height }],
      ),
      ...checks,
    ].toSorted((a, b) => a.endMs - b.endMs);
    this.#marks = ended.map(({ endMs, height }) => {
      highest = Math.max(highest, height);
      return { endMs, height: highest };
    });
  }

  /** By calls that had ended before this moment; 0 when there were none. */
  before(ms: number): number {
    let low = 0;
    let high = this.#marks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#marks[middle]?.endMs ?? Number.POSITIVE_INFINITY) < ms) low = middle + 1;
      else high = middle;
    }
    return this.#marks[low - 1]?.height ?? 0;
  }
}

/** What is sent after a height was named stands above it: that block was final. */
export function againstTime(writes: readonly Write[], shown: Shown): Breach | undefined {
  for (const { settled, startMs, entry } of writes) {
    if (settled === undefined) continue;
    const before = shown.before(startMs);
    if (settled.receipt.height <= before)
      return {
        rule: "time",
        entry,
        message: `It was sent when height ${before} was known to be final, and stands at ${tell(settled.receipt)}.`,
      };
  }
  return undefined;
}

/** A check answers at the height that it demanded, or above. */
export function staleAnswer(checks: readonly Check[]): Breach | undefined {
  for (const { atLeast, height, entry } of checks)
    if (atLeast !== null && height < atLeast)
      return { rule: "freshness", entry, message: `It demanded height ${atLeast} and was answered at ${height}.` };
  return undefined;
}

/** Within a session, the heights that a node names never fall; an acknowledgement counts as an answer at its height. */
export function fallingHeight(history: History): Breach | undefined {
  const floors = new Map<string, Map<string, number>>();
  const told = history
    .flatMap((entry) => (entry.endMs === null ? [] : [{ entry, endMs: entry.endMs }]))
    .sort((a, b) => a.entry.startMs - b.entry.startMs || a.endMs - b.endMs);
  for (const { entry } of told) {
    const { session, node, outcome } = entry;
    const nodes = floors.get(session) ?? new Map<string, number>();
    floors.set(session, nodes);
    const floor = nodes.get(node) ?? 0;
    if (outcome.kind === "checked") {
      if (outcome.height < floor)
        return {
          rule: "sessions",
          entry,
          message: `${node} answered at height ${outcome.height} after it had named ${floor} to this session.`,
        };
      nodes.set(node, outcome.height);
    } else if (outcome.kind === "written") nodes.set(node, Math.max(floor, outcome.receipt.height));
  }
  return undefined;
}
