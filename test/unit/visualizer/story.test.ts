import { describe, expect, test } from "vitest";
import type { Entry, MachineName } from "../../../src/host/inspector/contract.ts";
import { Api } from "../../../tools/visualizer/page/model/api.ts";
import { stepsBefore, waysTaken } from "../../../tools/visualizer/page/model/steps.ts";
import { Store } from "../../../tools/visualizer/page/model/store.ts";
import { storyOf } from "../../../tools/visualizer/page/model/story.ts";
import { timelineOf } from "../../../tools/visualizer/page/model/timeline.ts";
import { lineOf, shortened, spanOf, timeOf } from "../../../tools/visualizer/page/model/words.ts";
import { Life, source } from "./entries.ts";

function storeOf(...lives: readonly Life[]): Store {
  const store = new Store(new Api(() => Promise.reject(new Error("nothing is asked here"))));
  store.describe(source());
  for (const { entries } of lives) store.add(entries);
  return store;
}

const running = (...nodes: readonly string[]): readonly Life[] =>
  nodes.map((node) => new Life(node).booted().step({ type: "started" }, [], { view: 6 }));

function told(store: Store): { readonly now: readonly string[]; readonly before: readonly string[] } {
  const { now, before } = storyOf(store, store.moment);
  return { now: now.map(({ text }) => text), before: before.map(({ text }) => text) };
}

describe("what happened, in sentences", () => {
  test("who leads, the last block and how long ago, and that all run", () => {
    const [first, ...others] = running("n1", "n2", "n3", "n4");
    const store = storeOf(
      first?.at(100).finalised(5).at(1_400).step({ type: "bundleHeld" }) ?? new Life("n1"),
      ...others,
    );
    expect(told(store).now).toEqual([
      "n3 leads view 6, with nothing to order",
      "last block 5, 1.3 s ago",
      "all 4 nodes run",
    ]);
  });

  test("of copied logs nobody can say who ran: the last block only", () => {
    const [first, ...others] = running("n1", "n2", "n3", "n4");
    const store = storeOf(first?.at(100).finalised(5) ?? new Life("n1"), ...others);
    store.source = { ...source(), kind: "directory", live: false };
    expect(told(store).now.filter((sentence) => /run|down|seen/.test(sentence))).toEqual([]);
  });

  test("a node that died: when and why, whether the others can go on, and that a view is lost to it", () => {
    const lives = running("n1", "n2", "n3", "n4");
    lives[2]?.at(5_000).ended("killed by signal 9");
    const store = storeOf(...lives);
    expect(told(store)).toEqual({
      now: [
        "View 6 belongs to n3, which is not running: the others give it up as soon as there is work",
        "n3 is down; 3 of 4 are enough to go on",
      ],
      before: ["5.000 s n3 ended: killed by signal 9"],
    });
  });

  test("a live page whose connection is lost says that what it shows is old", () => {
    const store = new Store(new Api(() => Promise.reject(new Error("nothing is asked here"))), () => 90_000);
    store.describe({ ...source(), live: true });
    store.add(new Life("n1", 0, 4_000).booted().entries);
    store.setConnection("open");
    expect(told(store).now).toEqual(["1 of 4 nodes seen"]);
    store.setConnection("lost");
    expect(told(store).now[0]).toBe("not connected: this is how it was at 4.000 s");
    store.pause();
    expect(told(store).now).toEqual(["1 of 4 nodes seen"]);
  });

  test("a node that is sealed, and no longer once it is unsealed", () => {
    const life = new Life("n1");
    const store = storeOf();
    store.add([{ node: "n1", life: 0, n: 0, at: 1, kind: "booted", states: { ceremony: ["ceremony.collecting"] } }]);
    expect(told(store).now).toEqual(["1 of 4 nodes seen", "n1 is sealed until enough operators give their shares"]);
    store.add(life.at(2).booted().step({ type: "started" }).entries.slice(1));
    store.add([{ node: "n1", life: 0, n: 2, at: 3, kind: "booted", states: { ceremony: ["ceremony.unsealed"] } }]);
    expect(told(store).now).toEqual(["1 of 4 nodes seen"]);
  });

  test("more dead than can be borne: nothing can be decided", () => {
    const lives = running("n1", "n2", "n3", "n4");
    for (const life of lives.slice(2)) life.at(9).ended();
    expect(told(storeOf(...lives)).now.at(-1)).toBe("n3 and n4 are down: more than 1 of 4, so nothing can be decided");
  });

  test("all that a member did wrong in one view is one sentence, whoever saw it", () => {
    const [first, second, ...others] = running("n1", "n2", "n3", "n4");
    first?.at(50).evidence("n2", 5);
    second?.at(60).evidence("n2", 5);
    const { before } = told(storeOf(first ?? new Life("n1"), second ?? new Life("n2"), ...others));
    expect(before).toEqual(["0.050 s n2 lied: it proposed two blocks in view 5, as n1 can prove"]);
  });

  test("what comes after the cursor is not told", () => {
    const life = new Life("n1").booted().at(10).ended();
    const store = storeOf(life);
    store.goToPosition(0);
    expect(told(store).before).toEqual([]);
    store.follow();
    expect(told(store).before).toHaveLength(1);
  });
});

describe("the slider", () => {
  test("shows from when to when a node was down, and until the end while it is", () => {
    const store = storeOf(
      new Life("n1").booted().at(10).ended(),
      new Life("n1", 1, 20).booted(),
      new Life("n2", 0, 30).booted().at(40).ended(),
    );
    expect(timelineOf(store).absences).toEqual([
      { node: "n1", from: 1 / 4, to: 2 / 4 },
      { node: "n2", from: 1, to: 1 },
    ]);
  });

  test("the first start of a node is no return, whatever its life is called", () => {
    const store = storeOf(new Life("n1", 1_800_000_000).booted());
    expect(timelineOf(store).columns).toEqual([]);
  });

  test("a life that boots one machine after the other has not come back", () => {
    const life = new Life("n1").booted("ceremony.sealed").step({ type: "started" }).booted();
    expect(timelineOf(storeOf(life)).columns).toEqual([]);
  });

  test("a sealed node's next life is told as what it is: it was unsealed, or its worker began anew, or it came back", () => {
    const boot = (life: number, states: Partial<Record<MachineName, readonly string[]>>): Entry => ({
      node: "n1",
      life,
      n: 0,
      at: life,
      kind: "booted",
      states,
    });
    const sealed = { ceremony: ["ceremony.sealed"] };
    const voting = { ceremony: ["ceremony.unsealed"], consensus: ["consensus.quiet"] };
    const store = storeOf();
    store.add([boot(1, sealed), boot(2, voting), boot(3, voting), boot(4, sealed)]);
    store.add([{ node: "n1", life: 4, n: 1, at: 5, kind: "ended", reason: "killed" }, boot(6, sealed)]);
    expect(store.marks.all().map(({ text }) => text)).toEqual([
      "n1 was unsealed and takes part",
      "n1 began anew",
      "n1 ended: killed",
      "n1 came back",
    ]);
  });

  test("writes heights, at most so many", () => {
    const life = new Life("n1").booted();
    for (let height = 1; height <= 100; height += 1) life.finalised(height);
    const { heights } = timelineOf(storeOf(life));
    expect(heights.length).toBeLessThanOrEqual(8);
    expect(heights[0]).toMatchObject({ height: 1, share: 0.01 });
  });
});

describe("steps of a machine", () => {
  test("are found backwards from the cursor, of this node only, and counted by the ways they took", () => {
    const store = storeOf(
      new Life("n1").booted().step({ type: "a" }).step({ type: "b" }).step({ type: "c" }),
      new Life("n2").booted().step({ type: "other" }),
    );
    const { position } = store.history.positionOf({ node: "n1", life: 0, n: 2 });
    expect(stepsBefore(store.history, position, "n1", "consensus", 9).map(({ event }) => event.type)).toEqual([
      "b",
      "a",
    ]);
    const [step] = stepsBefore(store.history, position, "n1", "consensus", 1);
    if (step === undefined) throw new Error("there is a step");
    const moved = {
      ...step,
      transitions: [{ source: "consensus.quiet", targets: ["consensus.proposing"], guard: "proposing" }],
    };
    expect([...waysTaken([moved, step, moved])]).toEqual([["consensus.quiet consensus.proposing", 2]]);
  });
});

describe("words", () => {
  test("a simulation counts from its beginning, a real node by the clock", () => {
    expect(timeOf(12_345, source())).toBe("12.345 s");
    expect(timeOf(new Date(2026, 10, 22, 9, 5, 7, 42).getTime(), { ...source(), kind: "node" })).toBe("09:05:07.042");
  });

  test.each([
    [40, "40 ms"],
    [1_340, "1.3 s"],
    [42_000, "42 s"],
    [600_000, "10 min"],
    [8_000_000, "2 h"],
  ])("%i ms are %s", (ms, text) => expect(spanOf(ms)).toBe(text));

  test("an entry in one line shortens digests and leaves out what is not said", () => {
    const life = new Life("n1").sent("n2", {
      type: "vote",
      vote: "nullify",
      view: 3,
      hash: null,
      root: "ab".repeat(32),
    });
    expect(life.entries.map(lineOf)).toEqual([
      { what: "sent vote", detail: "to n2: vote nullify, view 3, root abababab" },
    ]);
  });
});

test("a long name is cut in its middle, to so many letters", () => {
  expect(shortened("n1", 8)).toBe("n1");
  for (const letters of [3, 4, 8, 16]) {
    const short = shortened("node-1.frankfurt.example.org", letters);
    expect(short).toHaveLength(letters);
    expect(short.startsWith("n") && short.endsWith("g")).toBe(true);
  }
});
