/** The checker against its own definitions: what a correct run can show is accepted, what no order explains is refused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkHistory } from "../../../tools/linearizability/check.ts";
import type { HistoryEntry } from "../../../tools/linearizability/history.ts";
import { type Timed, firstWithoutPlace } from "../../../tools/linearizability/search.ts";
import { firstUntrue } from "../../../tools/linearizability/timeline.ts";
import { hasOrder, hasPlaces } from "./brute-force.ts";
import { executions } from "./executions.ts";

const entry: HistoryEntry = {
  session: "s",
  node: "n0",
  call: { kind: "check", edge: "e", atLeast: 0 },
  startMs: 0,
  endMs: 1,
  outcome: { kind: "unknown" },
};

/** Any calls on one edge, sensible or not; times are few, so that many are equal. */
const anyCalls = (maxLength: number): fc.Arbitrary<readonly Timed[]> => {
  const when = { startMs: fc.nat(12), lasts: fc.nat(8) };
  const told = fc
    .record({ ...when, found: fc.boolean(), makes: fc.constantFrom(true, false, undefined) })
    .map(({ startMs, lasts, found, makes }): Timed => ({ entry, startMs, endMs: startMs + lasts, found, makes }));
  const lost = fc
    .record({ startMs: when.startMs, makes: fc.boolean() })
    .map(({ startMs, makes }): Timed => ({ entry, startMs, endMs: Infinity, found: undefined, makes }));
  return fc.array(fc.oneof({ weight: 3, arbitrary: told }, { weight: 1, arbitrary: lost }), { maxLength });
};

describe("the search for an order", () => {
  it("agrees with trying every order, of any seven calls", () => {
    let refused = 0;
    fc.assert(
      fc.property(anyCalls(7), (calls) => {
        const order = hasOrder(calls);
        if (!order) refused += 1;
        expect(firstWithoutPlace(calls) === undefined).toBe(order);
      }),
      { numRuns: 3_000, seed: 1 },
    );
    expect(refused).toBeGreaterThan(500);
    expect(refused).toBeLessThan(2_500);
  });

  it("names the first answer that leaves no order, and no earlier one", () => {
    fc.assert(
      fc.property(anyCalls(6), (calls) => {
        const failed = firstWithoutPlace(calls);
        if (failed === undefined) return;
        const begun = calls.filter(({ startMs }) => startMs <= failed.endMs);
        expect(hasOrder(begun)).toBe(false);
        const before = begun.map((call) => (call.endMs < failed.endMs ? call : opened(call)));
        expect(hasOrder(before.filter(isUsable))).toBe(true);
      }),
      { numRuns: 2_000, seed: 2 },
    );
  });
});

/** A call that has not ended: a check is worth nothing then, a write may take effect whatever it would have found. */
const opened = (call: Timed): Timed => ({ ...call, endMs: Infinity, found: undefined });
const isUsable = ({ endMs, makes }: Timed): boolean => endMs !== Infinity || makes !== undefined;

describe("the placing of writes in the log", () => {
  const sighting = fc
    .record({
      height: fc.integer({ min: 1, max: 4 }),
      write: fc.option(fc.record({ index: fc.nat(2), makes: fc.boolean() }), { nil: undefined }),
      found: fc.boolean(),
    })
    .map(({ height, write, found }) => ({
      entry,
      height,
      found,
      index: write?.index ?? Infinity,
      leaves: write?.makes ?? found,
    }));
  const sightings = fc.uniqueArray(sighting, {
    maxLength: 5,
    selector: ({ height, index, found }) => `${height}/${index}/${index === Infinity ? found : ""}`,
  });
  const loose = fc.array(fc.record({ makes: fc.boolean(), above: fc.nat(3) }), { maxLength: 2 });

  it("agrees with trying every place for every write of unknown outcome", () => {
    let refused = 0;
    fc.assert(
      fc.property(sightings, loose, (seen, open) => {
        const explained = hasPlaces(seen, open, 4);
        if (!explained) refused += 1;
        expect(firstUntrue(seen, open) === undefined).toBe(explained);
      }),
      { numRuns: 2_000, seed: 3 },
    );
    expect(refused).toBeGreaterThan(300);
    expect(refused).toBeLessThan(1_900);
  });
});

describe("histories of correct runs", () => {
  it("are accepted, whatever overlaps and whatever was lost", () => {
    let ordered = 0;
    fc.assert(
      fc.property(executions(60), (history) => {
        const verdict = checkHistory(history);
        expect(verdict).toMatchObject({ ok: true });
        ordered += verdict.judged.ordered;
      }),
      { numRuns: 500, seed: 4 },
    );
    expect(ordered).toBeGreaterThan(1_000);
  });

  it("are refused with one answer turned round, whenever trying every order refuses them", () => {
    let refused = 0;
    fc.assert(
      fc.property(executions(9), fc.nat(), (history, which) => {
        const answered = history.filter(({ outcome }) => outcome.kind === "checked" || outcome.kind === "written");
        const victim = answered[which % Math.max(answered.length, 1)];
        if (victim === undefined) return;
        const turned = history.map((one) => (one === victim ? turnedRound(one) : one));
        if (hasOrder(orderedCalls(turned, victim.call.edge))) return;
        refused += 1;
        const verdict = checkHistory(turned);
        expect(verdict).toMatchObject({ ok: false, violation: { rule: "linearizable" } });
      }),
      { numRuns: 2_000, seed: 5 },
    );
    expect(refused).toBeGreaterThan(200);
  });
});

function turnedRound(one: HistoryEntry): HistoryEntry {
  const { outcome } = one;
  if (outcome.kind === "checked") return { ...one, outcome: { ...outcome, result: !outcome.result } };
  if (outcome.kind === "written") return { ...one, outcome: { ...outcome, changed: !outcome.changed } };
  return one;
}

/** The writes and the demanding checks of one edge; executions() lets every demanding check carry the newest receipt. */
const orderedCalls = (history: readonly HistoryEntry[], edge: string): readonly Timed[] =>
  history.flatMap((one): readonly Timed[] => {
    const { call, startMs, endMs, outcome } = one;
    if (call.edge !== edge || endMs === null) return [];
    if (call.kind === "check")
      return call.atLeast === null || outcome.kind !== "checked"
        ? []
        : [{ entry: one, startMs, endMs, found: outcome.result, makes: undefined }];
    const makes = call.change === "grant";
    if (outcome.kind !== "written") return [{ entry: one, startMs, endMs: Infinity, found: undefined, makes }];
    return [{ entry: one, startMs, endMs, found: outcome.changed !== makes, makes }];
  });

describe("size", () => {
  it("10,000 calls over 100 edges and 10,000 on one are judged", () => {
    for (const edges of [100, 1]) {
      const history = alternating(10_000, edges);
      expect(checkHistory(history)).toMatchObject({ ok: true, judged: { calls: 10_000, edges } });
      const last = history.at(-1);
      if (last === undefined) throw new Error("a history has calls");
      expect(checkHistory([...history.slice(0, -1), turnedRound(last)])).toMatchObject({ ok: false });
    }
  });
});

/** Every edge granted and revoked in turn, eight calls at a time in flight, one write in fifty of unknown outcome. */
function alternating(calls: number, edges: number): readonly HistoryEntry[] {
  const present = new Map<string, boolean>();
  return Array.from({ length: calls }, (_, i) => {
    const edge = `edge ${i % edges}`;
    const startMs = i;
    const before = present.get(edge) ?? false;
    const where = { session: `session ${i % 8}`, node: "n0", startMs, endMs: startMs + 7.5 };
    // A moment of its own for each, in the middle of its call: height i + 10 is reached then.
    const height = i + 10;
    if (i % 3 === 0) {
      present.set(edge, !before);
      return {
        ...where,
        call: { kind: "write", id: `w${i}`, change: before ? "revoke" : "grant", edge },
        outcome:
          i % 50 === 0
            ? { kind: "unknown" }
            : { kind: "written", receipt: { height, index: 0, blockHash: `block ${height}` }, changed: true },
      };
    }
    return {
      ...where,
      call: { kind: "check", edge, atLeast: Math.max(height - 8, 0) },
      outcome: { kind: "checked", result: before, height },
    };
  });
}
