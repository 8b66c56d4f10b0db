import { describe, expect, test } from "vitest";
import { Api } from "../../../tools/visualizer/page/model/api.ts";
import { ENTRIES_MAX } from "../../../tools/visualizer/page/model/history.ts";
import { Store } from "../../../tools/visualizer/page/model/store.ts";
import { Life, source } from "./entries.ts";

describe("who can be asked", () => {
  const opened = (live: boolean): Store => {
    const store = new Store(new Api(() => Promise.reject(new Error("nothing is asked here"))));
    store.describe({ ...source(), live });
    store.add(new Life("n1").booted().ended("killed").entries);
    return store;
  };

  test("of a process that has ended nobody answers, of the one after it somebody does, but not for the lives before", () => {
    const store = opened(true);
    expect([store.answers("n1"), store.answers("n1", 0), store.answers("n2")]).toEqual([false, false, true]);
    store.add(new Life("n1", 7, 10).booted().entries);
    expect([store.answers("n1"), store.answers("n1", 0), store.answers("n1", 7)]).toEqual([true, false, true]);
  });

  test("of a recording or a log everything can be asked", () => {
    const store = opened(false);
    expect([store.answers("n1"), store.answers("n1", 0)]).toEqual([true, true]);
  });
});

describe("a page that is left open", () => {
  test("gaps that follow each other are one, and others are not", () => {
    const store = new Store(new Api(() => Promise.reject(new Error("nothing is asked here"))));
    const gap = (from: number, to: number | null, life = 0): void =>
      store.addGap({ node: "n1", life, from, to, reason: "let go" });
    for (let from = 0; from < 50; from += 10) gap(from, from + 10);
    gap(20, 30);
    gap(60, 70);
    gap(0, 5, 1);
    gap(70, null);
    gap(80, 90);
    expect(store.gaps.map(({ life, from, to }) => [life, from, to])).toEqual([
      [0, 0, 50],
      [1, 0, 5],
      [0, 60, null],
      [0, 80, 90],
    ]);
    for (let n = 0; n < 5_000; n += 1) gap(n * 10, n * 10 + 5, 2);
    expect(store.gaps.length).toBeLessThanOrEqual(1_000);
    expect(store.gaps.at(-1)).toMatchObject({ from: 49_990, to: 49_995 });
  });

  test("holds so many entries, forgets the oldest, says so once for each life, and still knows what they came to", () => {
    const store = new Store(new Api(() => Promise.reject(new Error("nothing is asked here"))));
    store.describe(source());
    store.add(new Life("n2").booted().finalised(7).ended("killed").entries);
    const life = new Life("n1", 0, 10).booted();
    const count = ENTRIES_MAX + 60_000;
    for (let n = 1; n < count; n += 1) life.sent("n3", { type: "vote", view: n });
    for (let from = 0; from < count; from += 5_000) store.add(life.entries.slice(from, from + 5_000));
    expect(store.history.length).toBeLessThanOrEqual(ENTRIES_MAX);
    expect(store.gaps.map(({ node, from, to }) => [node, from, to])).toEqual([
      ["n2", 0, 3],
      ["n1", 0, life.entries.length + 3 - store.history.length - 3],
    ]);
    expect(store.moment.nodes.get("n2")).toMatchObject({ standing: "ended", reason: "killed", finalHeight: 7 });
    expect(store.moment.entry).toMatchObject({ n: count - 1 });
  });
});
