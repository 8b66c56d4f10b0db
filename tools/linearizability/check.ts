/**
 * Judges a history of grants, revocations and checks of edges.
 *
 * - Writes, and the checks that carry the newest height that any answer named before they began, are linearizable: some one order of
 *   them explains every answer and keeps to the order in time. Found by search over the answers alone (search.ts), without a look at
 *   the heights.
 * - Every answer is true at the height it names, receipts are the writes' places in one log that never runs against time, and the
 *   heights that one node names to one session never fall (timeline.ts, order.ts).
 *
 * A check that carries the newest *acknowledged* receipt and no more sees every acknowledged write (freshness and truth say so), but
 * two of them at two nodes can see a write come and go before it is acknowledged: no store does better without asking a quorum for
 * every read. `ordered: "acknowledged"` asks for that all the same.
 *
 * Writes of unknown outcome stay open: they may take effect at any time after they were sent, once, or never.
 */
import type { History, HistoryEntry } from "./history.ts";
import { type Check, type Operations, type Write, operationsOf } from "./operations.ts";
import { type Breach, Shown, againstTime, fallingHeight, sharedPlace, staleAnswer } from "./order.ts";
import { type Timed, firstWithoutPlace } from "./search.ts";
import { type Sighting, firstUntrue } from "./timeline.ts";

export interface Violation {
  /** linearizable: no order explains the answers. truth: wrong at its height. The others: order.ts. */
  readonly rule: "linearizable" | "truth" | Breach["rule"];
  /** The call that has no place. */
  readonly entry: HistoryEntry;
  readonly message: string;
  /** linearizable: the smallest prefix without an order: the calls on that edge that had begun when the answer came, by start. */
  readonly prefix: History;
}

/** How much a verdict rests on. */
export interface Judged {
  readonly calls: number;
  readonly edges: number;
  readonly writes: number;
  /** Writes whose outcome nobody told. */
  readonly unknown: number;
  /** Checks that had to fit the order of the writes; the other ones are judged by their heights. */
  readonly ordered: number;
  readonly plain: number;
}

export type Verdict =
  | { readonly ok: true; readonly judged: Judged }
  | { readonly ok: false; readonly judged: Judged; readonly violation: Violation };

export interface CheckOptions {
  /** Which checks must fit the order of the writes: those that carry the newest height named, or acknowledged. */
  readonly ordered?: "named" | "acknowledged";
}

export function checkHistory(history: History, options: CheckOptions = {}): Verdict {
  const operations = operationsOf(history);
  const newest = new Shown(operations.writes, options.ordered === "acknowledged" ? [] : operations.checks);
  const ordered = operations.checks.filter(
    ({ atLeast, startMs }) => atLeast !== null && atLeast >= newest.before(startMs),
  );
  const judged: Judged = {
    calls: history.length,
    edges: new Set(history.map(({ call }) => call.edge)).size,
    writes: operations.writes.length,
    unknown: operations.writes.filter(({ settled }) => settled === undefined).length,
    ordered: ordered.length,
    plain: operations.checks.length - ordered.length,
  };
  const violation = notLinearizable(operations.writes, ordered) ?? untrue(operations) ?? breached(history, operations);
  return violation === undefined ? { ok: true, judged } : { ok: false, judged, violation };
}

/** The earliest answer, over all edges, that no order of its edge's calls explains. */
function notLinearizable(writes: readonly Write[], checks: readonly Check[]): Violation | undefined {
  let first: { readonly call: Timed; readonly calls: readonly Timed[] } | undefined;
  for (const calls of byEdge([...writes.map(timedWrite), ...checks.map(timedCheck)]).values()) {
    const call = firstWithoutPlace(calls);
    if (call !== undefined && (first === undefined || call.endMs < first.call.endMs)) first = { call, calls };
  }
  if (first === undefined) return undefined;
  const { endMs, entry } = first.call;
  const prefix = first.calls
    .filter(({ startMs }) => startMs <= endMs)
    .toSorted((a, b) => a.startMs - b.startMs)
    .map((call) => call.entry);
  return {
    rule: "linearizable",
    entry,
    message: `No order of the ${prefix.length} calls on ${entry.call.edge} until ${endMs} ms explains this answer.`,
    prefix,
  };
}

const timedWrite = ({ call, entry, startMs, endMs, settled }: Write): Timed => {
  const makes = call.change === "grant";
  return { entry, startMs, endMs, makes, found: settled === undefined ? undefined : settled.changed !== makes };
};

const timedCheck = ({ entry, startMs, endMs, result }: Check): Timed => ({
  entry,
  startMs,
  endMs,
  found: result,
  makes: undefined,
});

/** The first answer, by edge and place in the log, that is not what the edge was at the height it names. */
function untrue({ writes, checks }: Operations): Violation | undefined {
  const shown = new Shown(writes, checks);
  const sightings = byEdge([
    ...checks.map(
      ({ entry, height, result }): Sighting => ({
        entry,
        height,
        index: Number.POSITIVE_INFINITY,
        found: result,
        leaves: result,
      }),
    ),
    ...writes.flatMap(({ entry, call, settled }): readonly Sighting[] => {
      if (settled === undefined) return [];
      const leaves = call.change === "grant";
      const { height, index } = settled.receipt;
      return [{ entry, height, index, found: settled.changed !== leaves, leaves }];
    }),
  ]);
  for (const [edge, seen] of sightings) {
    const loose = writes
      .filter(({ call, settled }) => settled === undefined && call.edge === edge)
      .map(({ call, startMs }) => ({ makes: call.change === "grant", above: shown.before(startMs) }));
    const found = firstUntrue(seen, loose);
    if (found !== undefined)
      return {
        rule: "truth",
        entry: found.entry,
        message: `By the other answers, ${edge} was ${found.found ? "absent" : "present"} at height ${found.height}.`,
        prefix: seen.map(({ entry }) => entry),
      };
  }
  return undefined;
}

function breached(history: History, { writes, checks, contradiction }: Operations): Violation | undefined {
  const breach: Breach | undefined =
    contradiction === undefined
      ? (sharedPlace(writes) ??
        againstTime(writes, new Shown(writes, checks)) ??
        staleAnswer(checks) ??
        fallingHeight(history))
      : { rule: "ids", entry: contradiction, message: "The same id had another outcome before." };
  return breach === undefined ? undefined : { ...breach, prefix: [breach.entry] };
}

function byEdge<T extends { readonly entry: HistoryEntry }>(items: readonly T[]): ReadonlyMap<string, readonly T[]> {
  return Map.groupBy(items, ({ entry }) => entry.call.edge);
}
