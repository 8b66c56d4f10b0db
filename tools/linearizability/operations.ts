/** Calls as the checker sees them: one for each request id, with the time in which it must have taken effect. */
import type { History, HistoryEntry, Place, WriteCall } from "./history.ts";

/** A write that may have had an effect. */
export interface Write {
  readonly call: WriteCall;
  /** The entry to be named: the one with the outcome. */
  readonly entry: HistoryEntry;
  readonly startMs: number;
  /** Infinity while nobody told the outcome: it may take effect at any later time, or never. */
  readonly endMs: number;
  readonly settled: { readonly receipt: Place; readonly changed: boolean } | undefined;
}

export interface Check {
  readonly edge: string;
  readonly entry: HistoryEntry;
  readonly startMs: number;
  readonly endMs: number;
  readonly atLeast: number | null;
  readonly result: boolean;
  readonly height: number;
}

export interface Operations {
  readonly writes: readonly Write[];
  readonly checks: readonly Check[];
  /** The second entry of an id whose outcomes contradict each other. */
  readonly contradiction: HistoryEntry | undefined;
}

/** Leaves out what has no effect: refused calls, and checks without an answer. */
export function operationsOf(history: History): Operations {
  const attempts = new Map<string, HistoryEntry[]>();
  const checks: Check[] = [];
  for (const entry of history) {
    const { call, outcome, startMs, endMs } = entry;
    if (call.kind === "write") {
      const known = attempts.get(call.id);
      if (known === undefined) attempts.set(call.id, [entry]);
      else known.push(entry);
    } else if (outcome.kind === "checked" && endMs !== null) {
      const { result, height } = outcome;
      checks.push({ edge: call.edge, entry, startMs, endMs, atLeast: call.atLeast, result, height });
    }
  }
  const writes: Write[] = [];
  let contradiction: HistoryEntry | undefined;
  for (const entries of attempts.values()) {
    contradiction ??= entries.find((entry, i) => entries.slice(0, i).some((earlier) => contradicts(earlier, entry)));
    const write = writeOf(entries);
    if (write !== undefined) writes.push(write);
  }
  return { writes, checks, contradiction };
}

function writeOf(entries: readonly HistoryEntry[]): Write | undefined {
  const told = entries.filter(({ outcome }) => outcome.kind !== "unknown");
  const [first] = told.length > 0 ? told.toSorted((a, b) => endOf(a) - endOf(b)) : entries;
  if (first === undefined || first.call.kind !== "write" || first.outcome.kind === "refused") return undefined;
  return {
    call: first.call,
    entry: first,
    startMs: Math.min(...entries.map(({ startMs }) => startMs)),
    endMs: endOf(first),
    settled: first.outcome.kind === "written" ? first.outcome : undefined,
  };
}

const endOf = ({ endMs, outcome }: HistoryEntry): number =>
  endMs === null || outcome.kind === "unknown" ? Number.POSITIVE_INFINITY : endMs;

function contradicts(earlier: HistoryEntry, later: HistoryEntry): boolean {
  const { call: a, outcome: first } = earlier;
  const { call: b, outcome: second } = later;
  if (a.kind !== "write" || b.kind !== "write" || a.edge !== b.edge || a.change !== b.change) return true;
  if (first.kind === "unknown" || second.kind === "unknown") return false;
  if (first.kind !== "written" || second.kind !== "written") return first.kind !== second.kind;
  return (
    first.changed !== second.changed ||
    first.receipt.height !== second.receipt.height ||
    first.receipt.index !== second.receipt.index ||
    first.receipt.blockHash !== second.receipt.blockHash
  );
}
