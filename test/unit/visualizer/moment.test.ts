import { describe, expect, test } from "vitest";
import { Api } from "../../../tools/visualizer/page/model/api.ts";
import { outcomeOf } from "../../../tools/visualizer/page/model/views-of-consensus.ts";
import { Store } from "../../../tools/visualizer/page/model/store.ts";
import { Life, source } from "./entries.ts";

const unasked = new Api(() => Promise.reject(new Error("nothing is asked here")));

function storeOf(lives: readonly Life[], roles: Readonly<Record<string, string>> = {}): Store {
  const store = new Store(unasked);
  store.describe(source(roles));
  for (const { entries } of lives) store.add(entries);
  return store;
}

describe("a moment", () => {
  test("tells who leads the highest view that a living node has entered", () => {
    const store = storeOf([
      new Life("n1").booted().step({ type: "started" }, [], { view: 6 }),
      new Life("n2").booted().step({ type: "started" }, [], { view: 7 }).ended(),
    ]);
    store.goToPosition(3);
    expect(store.moment).toMatchObject({ view: 7, leader: "n4" });
    store.follow();
    expect(store.moment).toMatchObject({ view: 6, leader: "n3" });
  });

  test("does not believe a Byzantine member's view while an honest one speaks", () => {
    const store = storeOf(
      [
        new Life("n1").booted().step({ type: "started" }, [], { view: 3 }),
        new Life("n2").booted().step({ type: "started" }, [], { view: 99 }),
      ],
      { n2: "equivocator" },
    );
    expect(store.moment).toMatchObject({ view: 3, leader: "n4" });
  });

  test("timers are pending from when they are set until they fire, are cleared, or the process ends", () => {
    const store = storeOf([
      new Life("n1")
        .booted()
        .at(100)
        .step({ type: "started" }, [
          { type: "setTimer", timer: "leader", ms: 500 },
          { type: "setTimer", timer: "advance", ms: 750 },
        ])
        .step({ type: "voteVerified" }, [{ type: "clearTimer", timer: "leader" }])
        .step({ type: "voteVerified" }, [{ type: "setTimer", timer: "advance", ms: 1000 }])
        .step({ type: "timerFired", timer: "advance" })
        .step({ type: "started" }, [{ type: "setTimer", timer: "repeat", ms: 1 }])
        .ended(),
    ]);
    const pending = [1, 2, 3, 4, 5, 6].map((position) =>
      store
        .momentAt(position)
        .nodes.get("n1")
        ?.timers.map(({ timer, due }) => [timer, due]),
    );
    expect(pending).toEqual([
      [
        ["leader", 600],
        ["advance", 850],
      ],
      [["advance", 850]],
      [["advance", 1102]],
      [],
      [["repeat", 105]],
      [],
    ]);
  });

  test("a frame dropped on its way to a dead node does not bring it back, its next boot does", () => {
    const store = storeOf([
      new Life("n1").booted().ended("kill -9").dropped("n2", { type: "vote" }),
      new Life("n1", 1, 50).booted(),
    ]);
    expect(store.momentAt(2).nodes.get("n1")).toMatchObject({ standing: "ended", reason: "kill -9", life: 0 });
    expect(store.momentAt(3).nodes.get("n1")).toMatchObject({ standing: "alive", reason: null, life: 1, since: 50 });
  });

  test("a machine that boots later in a life leaves the others as they are", () => {
    const life = new Life("n1")
      .booted()
      .step({ type: "started" }, [{ type: "setTimer", timer: "leader", ms: 5 }], { view: 3 });
    const store = storeOf([life]);
    store.add([{ node: "n1", life: 0, n: 2, at: 9, kind: "booted", states: { ceremony: ["ceremony.sealed"] } }]);
    const node = store.moment.nodes.get("n1");
    expect(node?.states).toEqual({ consensus: ["consensus.quiet"], ceremony: ["ceremony.sealed"] });
    expect(node).toMatchObject({ view: 3, timers: [{ timer: "leader" }] });
    store.add([{ node: "n1", life: 0, n: 3, at: 10, kind: "booted", states: { consensus: ["consensus.surveying"] } }]);
    expect(store.moment.nodes.get("n1")).toMatchObject({ timers: [], steps: {}, view: 3 });
  });

  test("a live page that follows goes on counting while nothing happens; one that stays does not", () => {
    const store = new Store(unasked, () => 5_000);
    store.describe({ ...source(), kind: "cluster", live: true });
    store.setConnection("open");
    store.add(new Life("n1", 0, 1_000).booted().entries);
    expect(store.now).toBe(5_000);
    store.pause();
    expect(store.now).toBe(1_000);
  });

  test("a node that starts again still knows the height its log has reached", () => {
    const store = storeOf([new Life("n1").booted().finalised(5).ended(), new Life("n1", 1, 50).booted()]);
    expect(store.moment.nodes.get("n1")).toMatchObject({ finalHeight: 5 });
  });
});

describe("the views of consensus", () => {
  test("two proposals of one leader stand side by side, with the votes for each and the evidence", () => {
    const proposal = (hash: string) => ({ type: "proposalVerified", from: 1, view: 5, height: 4, hash });
    const vote = (member: number, hash: string | null, kind: string) => ({
      type: "voteVerified",
      kind,
      view: 5,
      hash,
      member,
    });
    const store = storeOf([
      new Life("n1")
        .booted()
        .step(proposal("aa"))
        .step(vote(2, "aa", "notarize"))
        .step(vote(3, "bb", "notarize"))
        .evidence("n2", 5),
      new Life("n3")
        .booted()
        .step(proposal("bb"))
        .step(vote(2, "aa", "notarize")),
    ]);
    const row = store.consensus.of(5);
    expect(row?.leader).toBe("n2");
    expect(row?.proposals.map(({ hash }) => hash).sort()).toEqual(["aa", "bb"]);
    expect(row?.votes.map(({ member, hash }) => `${member} ${String(hash)}`)).toEqual([
      "n2 aa",
      "n3 aa",
      "n4 bb",
      "n2 bb",
    ]);
    expect(row?.evidence).toHaveLength(1);
    expect(row && outcomeOf(row)).toBe("open");
  });

  test("a nullification certificate nullifies the view, a final block of it settles it", () => {
    const store = storeOf([
      new Life("n1")
        .booted()
        .step({ type: "timerFired" }, [
          { type: "recordCertificate", kind: "nullification", view: 2, signers: [0, 1, 2] },
        ])
        .finalised(1, 3),
    ]);
    const rows = store.consensus.all();
    expect(rows.map((row) => [row.view, outcomeOf(row)])).toEqual([
      [2, "nullified"],
      [3, "final"],
    ]);
    expect(rows[0]?.certificates[0]?.signers).toEqual(["n1", "n2", "n3"]);
    expect(store.marks.all().map(({ kind }) => kind)).toEqual(["nullified"]);
  });
});

describe("the cursor", () => {
  test("follows new entries until it is set, and stays at its entry when earlier ones arrive late", () => {
    const store = storeOf([new Life("n2", 0, 10).booted().step({ type: "started" })]);
    expect(store.position).toBe(1);
    store.pause();
    store.add(new Life("n1", 0, 0).booted().entries);
    expect(store.moment.entry).toMatchObject({ node: "n2", n: 1 });
    expect(store.isFollowing).toBe(false);
    store.follow();
    store.add(new Life("n3", 0, 99).booted().entries);
    expect(store.moment.entry).toMatchObject({ node: "n3" });
  });

  test("a link to a height stands where the first node saw it become final", () => {
    const store = storeOf([
      new Life("n1").booted().at(20).finalised(1).finalised(2),
      new Life("n2").booted().at(10).finalised(1).finalised(2),
    ]);
    store.go({ kind: "height", height: 2 });
    expect(store.moment.entry).toMatchObject({ node: "n2", n: 2 });
    store.stepHeight(-1);
    expect(store.moment.entry).toMatchObject({ node: "n2", n: 1 });
  });

  test("a link that comes before its entry shows the newest, and stands there once it has come", () => {
    const store = storeOf([]);
    const life = new Life("n1").booted().step({ type: "started" }).step({ type: "started" });
    store.go({ kind: "entry", key: { node: "n1", life: 0, n: 1 } });
    store.add(life.entries.slice(0, 1));
    expect(store.place).toEqual({ position: 0, isExact: false });
    store.add(life.entries);
    expect(store.place).toEqual({ position: 1, isExact: true });
  });
});
