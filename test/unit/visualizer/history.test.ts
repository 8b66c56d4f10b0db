import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Entry } from "../../../src/host/inspector/contract.ts";
import { nameOfKey } from "../../../tools/visualizer/page/model/entries.ts";
import { Folding, SNAPSHOT_EVERY } from "../../../tools/visualizer/page/model/folding.ts";
import { History } from "../../../tools/visualizer/page/model/history.ts";
import { nodesAfter, nothingYet } from "../../../tools/visualizer/page/model/moment.ts";
import { Life, source } from "./entries.ts";

const names = (history: History): readonly string[] => history.slice(0, history.length).map(nameOfKey);

describe("the history", () => {
  test("merges nodes by time, then by name", () => {
    const history = new History();
    history.add([
      ...new Life("n2", 0, 5).booted().step({ type: "started" }).entries,
      ...new Life("n1", 0, 6).booted().entries,
    ]);
    expect(names(history)).toEqual(["n2:0:0", "n1:0:0", "n2:0:1"]);
  });

  test("keeps one node's order when its clock was set back", () => {
    const history = new History();
    history.add(new Life("n1", 0, 100).booted().at(3).step({ type: "started" }).entries);
    history.add(new Life("n2", 0, 50).booted().entries);
    expect(names(history)).toEqual(["n2:0:0", "n1:0:0", "n1:0:1"]);
    expect(history.timeAt(2)).toBe(100);
  });

  test("takes an entry once, however often a resumed stream repeats it", () => {
    const history = new History();
    const { entries } = new Life("n1").booted().step({ type: "started" }).step({ type: "bundleHeld" });
    expect(history.add(entries.slice(0, 2)).added).toHaveLength(2);
    expect(history.add(entries).added).toHaveLength(1);
    expect(names(history)).toEqual(["n1:0:0", "n1:0:1", "n1:0:2"]);
  });

  test("is in the same order in whatever batches the nodes' entries arrive", () => {
    const lives = ["n1", "n2", "n3"].map((node) => {
      const life = new Life(node).booted();
      for (let n = 0; n < 20; n += 1) life.at((n * 7) % 11).step({ type: "started" });
      return life.entries;
    });
    const whole = new History();
    whole.add(lives.flat());
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 8 })), { maxLength: 30 }), (cuts) => {
        const history = new History();
        const rest = lives.map((entries) => [...entries]);
        for (const [which, count] of cuts) history.add(rest[which]?.splice(0, count) ?? []);
        for (const entries of rest) history.add(entries);
        expect(names(history)).toEqual(names(whole));
      }),
      { numRuns: 100 },
    );
  });

  test("finds an entry, or the nearest later one of its life that it holds", () => {
    const history = new History();
    const { entries } = new Life("n1").booted().step({ type: "started" }).step({ type: "started" });
    history.add(entries.slice(1));
    expect(history.positionOf({ node: "n1", life: 0, n: 2 })).toEqual({ position: 1, isExact: true });
    expect(history.positionOf({ node: "n1", life: 0, n: 0 })).toEqual({ position: 0, isExact: false });
    expect(history.positionOf({ node: "n1", life: 1, n: 0 }).position).toBe(-1);
  });

  test("after forgetting the oldest it still finds the others", () => {
    const history = new History();
    history.add([
      ...new Life("n1").booted().step({ type: "started" }).entries,
      ...new Life("n2", 0, 10).booted().entries,
    ]);
    history.forget(2);
    expect(names(history)).toEqual(["n2:0:0"]);
    expect(history.positionOf({ node: "n1", life: 0, n: 1 }).position).toBe(-1);
    expect(history.positionOf({ node: "n2", life: 0, n: 0 })).toEqual({ position: 0, isExact: true });
  });
});

/** Four nodes, each with steps that set, clear and fire timers, and one death. */
function longRun(count: number): readonly Entry[] {
  const lives = ["n1", "n2", "n3", "n4"].map((node) => new Life(node).booted());
  for (let n = 4; n < count; n += 1) {
    const life = lives[n % lives.length];
    life?.at(n).step({ type: "timerFired", timer: "leader" }, [{ type: "setTimer", timer: "advance", ms: n }], {
      view: n,
      finalHeight: n,
    });
  }
  return lives.flatMap(({ entries }) => entries);
}

describe("the fold", () => {
  test("any moment equals the fold of everything before it, however one jumps about", () => {
    const history = new History();
    history.add(longRun(1000));
    const expected = [nothingYet(source())];
    for (const entry of history.slice(0, history.length))
      expected.push(nodesAfter(expected.at(-1) ?? new Map(), entry));
    const folding = new Folding(history, source());
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1, max: 999 }), { minLength: 1, maxLength: 20 }), (positions) => {
        for (const position of positions) expect(folding.momentAt(position).nodes).toEqual(expected[position + 1]);
      }),
      { numRuns: 30 },
    );
  });

  test("after the first pass over 10,000 entries a jump folds less than one snapshot's distance, a step one entry", () => {
    const history = new History();
    history.add(longRun(10_000));
    const folding = new Folding(history, source());
    folding.momentAt(9_999);
    expect(folding.folded).toBe(10_000);
    const cost = (position: number): number => {
      const before = folding.folded;
      folding.momentAt(position);
      return folding.folded - before;
    };
    for (let n = 0; n < 1000; n += 1) expect(cost((n * 7919) % 10_000)).toBeLessThan(SNAPSHOT_EVERY);
    cost(5000);
    for (let position = 5001; position < 5100; position += 1) expect(cost(position)).toBeLessThanOrEqual(1);
  });

  test("entries that arrive late change the moments after them and no others", () => {
    const history = new History();
    history.add(longRun(600));
    const folding = new Folding(history, source());
    folding.momentAt(599);
    const { from } = history.add(new Life("n5", 0, 300).booted().entries);
    folding.changedFrom(from);
    expect(folding.momentAt(from - 1).nodes.has("n5")).toBe(false);
    expect(folding.momentAt(from).nodes.get("n5")?.standing).toBe("alive");
    expect(folding.momentAt(600).nodes.get("n5")?.standing).toBe("alive");
  });

  test("what was forgotten still counts", () => {
    const history = new History();
    history.add(longRun(500));
    const folding = new Folding(history, source());
    const before = folding.momentAt(499).nodes;
    const forgotten = 3 * SNAPSHOT_EVERY;
    folding.forget(forgotten);
    history.forget(forgotten);
    const folded = folding.folded;
    expect(folding.momentAt(499 - forgotten).nodes).toEqual(before);
    expect(folding.folded - folded).toBeLessThan(SNAPSHOT_EVERY);
  });
});
