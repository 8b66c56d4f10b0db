/** Rules 2 and 3 of consensus.md, and "Time": what a leader builds on, and what its followers accept. */
import { describe, expect, it } from "vitest";
import { view } from "../../../src/base/brands.ts";
import { GENESIS, digest, rootAfter } from "./values.ts";
import { Scenario, blockOn } from "./scenario.ts";

const a = blockOn(GENESIS, 1, { bundles: ["a"] });

describe("rule 2: the leader", () => {
  it("builds on the highest certified block when every view between is nullified", () => {
    const one = new Scenario({ self: 3 }).hold("b").propose(a).certificate("notarization", 1, a);
    one.certificate("nullification", 2, null);
    expect(one.asked("requestProposal")).toMatchObject([{ view: 3, parent: a.hash, parentView: 1 }]);
  });

  it("asks everybody for what is missing between, once, and stays eligible", () => {
    const one = new Scenario({ self: 3 }).hold("b").certificate("nullification", 2, null);
    expect(one.asked("requestProposal")).toEqual([]);
    one.hold("c").hold("d");
    expect(one.notices.filter(({ kind }) => kind === "ancestryRequest")).toEqual([
      { kind: "ancestryRequest", view: 1 },
    ]);
    one.certificate("nullification", 1, null);
    expect(one.asked("requestProposal")).toMatchObject([{ view: 3, parent: GENESIS.hash }]);
  });

  it("records the block and the proposal before the signature that is its vote is asked for", () => {
    const one = new Scenario({ self: 1 }).hold("a").forget().built(a);
    expect(one.effects.map(({ type }) => type).filter((type) => type !== "clearTimer")).toEqual([
      "recordCandidate",
      "recordProposal",
      "recordVote",
      "requestSignature",
    ]);
    one.forget().take({ type: "voteSigned", kind: "notarize", view: view(1), hash: a.hash });
    expect(one.notices).toEqual([{ kind: "proposal", hash: a.hash }]);
  });

  it("names no bundle that an ancestor above the final block names", () => {
    const one = new Scenario({ self: 2 }).hold("a").hold("b").propose(a).certificate("notarization", 1, a);
    one.fires("propose");
    expect(one.asked("requestProposal")).toMatchObject([{ bundles: [digest("b")] }]);
  });

  it("lets its parent become final first, for a tenth of Δ at most", () => {
    const leader = () => new Scenario({ self: 2 }).hold("a").hold("b").propose(a).certificate("notarization", 1, a);
    expect(leader().asked("requestProposal")).toEqual([]);
    expect(leader().asked("setTimer")).toContainEqual({ type: "setTimer", timer: "propose", ms: 25 });
    const named = [{ view: 2, parent: a.hash, bundles: [digest("b")] }];
    expect(leader().fires("propose").asked("requestProposal")).toMatchObject(named);
    expect(leader().certificate("finalization", 1, a).asked("requestProposal")).toMatchObject(named);
  });

  it("waits no longer than that when its first bundle comes while it waits to propose an empty block", () => {
    const one = new Scenario({ self: 2 }).hold("a").propose(a).certificate("notarization", 1, a);
    expect(one.asked("setTimer")).toContainEqual({ type: "setTimer", timer: "propose", ms: 250 });
    one.forget().hold("b");
    expect(one.asked("setTimer")).toEqual([{ type: "setTimer", timer: "propose", ms: 25 }]);
  });

  it("proposes empty blocks while it lags more than 8 behind in execution, and bundles again afterwards", () => {
    const one = new Scenario({ self: 2 });
    let parent = a;
    one.finalise(a);
    for (let at = 2; at <= 9; at++) {
      const next = blockOn(parent, at, { bundles: [`b${at}`] });
      if (at % 4 === 2) one.certificate("nullification", at, null);
      else {
        one.finalise(next);
        parent = next;
      }
    }
    const later = [blockOn(parent, 11, { bundles: ["x"] })];
    one.certificate("nullification", 10, null);
    for (const block of later) one.finalise(block);
    parent = later[0] ?? parent;
    for (let at = 12; at <= 13; at++) {
      const next = blockOn(parent, at, { bundles: [`b${at}`] });
      one.finalise(next);
      parent = next;
    }
    expect(parent.height).toBeGreaterThan(8);
    one.forget().hold("mine");
    expect(one.context.view).toBe(14);
    expect(one.asked("requestProposal")).toEqual([]);
    one.fires("propose");
    expect(one.asked("requestProposal")).toMatchObject([{ view: 14, executedHeight: 0, bundles: [] }]);
  });

  it("drops a block that was built for a view that is over", () => {
    const one = new Scenario({ self: 1 }).hold("a").certificate("nullification", 1, null).forget().built(a);
    expect(one.votes).toEqual([]);
    expect(one.refusals).toEqual(["proposal built for a view that is over"]);
  });
});

describe("rule 3: the first proposal", () => {
  it("stops t_l and gets a vote when its body is valid", () => {
    const one = new Scenario().hold("a").forget().propose(a, { judged: false });
    expect(one.asked("clearTimer")).toContainEqual({ type: "clearTimer", timer: "leader" });
    expect(one.asked("requestJudgement")).toEqual([{ type: "requestJudgement", hash: a.hash }]);
    expect(one.votes).toEqual([]);
    one.judge(a);
    expect(one.votes).toEqual(["notarize 1"]);
  });

  it("makes the block durable in the same step as the vote for it, and before it", () => {
    const one = new Scenario().propose(a, { judged: false }).forget().judge(a);
    const types = one.effects.map(({ type }) => type);
    expect(types.indexOf("recordCandidate")).toBeGreaterThanOrEqual(0);
    expect(types.indexOf("recordCandidate")).toBeLessThan(types.indexOf("recordVote"));
    expect(types.indexOf("recordVote")).toBeLessThan(types.indexOf("requestSignature"));
  });

  it.each([
    ["a body that is not valid", a, (one: Scenario) => one.propose(a, { judged: false }).judge(a, false)],
    ["a height that is not its parent's plus one", blockOn(GENESIS, 1, { height: 7 as never }), undefined],
    ["a time that does not grow", blockOn(GENESIS, 1, { time: 0 }), undefined],
    ["a claim to have executed itself", blockOn(GENESIS, 1, { executedHeight: 1 as never }), undefined],
    ["a parent's view that is its own", blockOn(GENESIS, 1, { parentView: view(1) }), undefined],
  ])("nullifies for %s", (_what, block, happens) => {
    const one = new Scenario();
    if (happens === undefined) one.propose(block);
    else happens(one);
    expect(one.votes).toEqual(["nullify 1"]);
  });

  it("asks that leader for the first missing nullification, looks again at each delivery, and never calls it invalid", () => {
    const late = blockOn(GENESIS, 4, { bundles: ["a"] });
    const one = new Scenario({ self: 1 }).certificate("nullification", 3, null).forget().propose(late);
    expect(one.asked("send")).toEqual([{ type: "send", to: 0, notice: { kind: "ancestryRequest", view: 1 } }]);
    one.forget().certificate("nullification", 1, null);
    expect(one.asked("send")).toEqual([{ type: "send", to: 0, notice: { kind: "ancestryRequest", view: 2 } }]);
    one.forget().certificate("nullification", 2, null).judge(late);
    expect(one.votes).toEqual(["notarize 4"]);
  });

  it("asks that leader for a parent that it does not hold notarized", () => {
    const child = blockOn(a, 2, { bundles: ["b"] });
    const one = new Scenario({ self: 3 }).propose(child);
    one
      .certificate("nullification", 1, null)
      .forget()
      .propose(blockOn(a, 2, { bundles: ["b"] }));
    expect(one.context.view).toBe(2);
    expect(one.asked("send")).toEqual([]); // the same request is open
    one.certificate("notarization", 1, a);
    expect(one.asked("requestBlock")).toEqual([{ type: "requestBlock", hash: a.hash, view: 1 }]);
    one.fetch(a).judge(child);
    expect(one.votes).toContain("notarize 2");
  });

  it("while a finalization waits for its chain, one missing thing of a proposal is still one request", () => {
    const far = blockOn(a, 2);
    const one = new Scenario({ self: 0 }).certificate("finalization", 2, far);
    const lost = blockOn(blockOn(far, 3), 5);
    one.certificate("nullification", 4, null).propose(lost).forget();
    for (let i = 0; i < 20; i++) one.hold(`bundle ${i}`);
    expect(one.notices.filter(({ kind }) => kind === "ancestryRequest").length).toBeLessThanOrEqual(1);
    expect(one.asked("requestSynchronisation").length).toBeLessThanOrEqual(1);
  });

  it("takes no proposal of a member that does not lead its view, and none beyond the next view", () => {
    const one = new Scenario().propose(a, { from: 2 as never, judged: false });
    one.propose(blockOn(GENESIS, 3), { judged: false });
    expect(one.context.proposals).toEqual({});
    expect(one.context.candidates).toEqual({});
    expect(one.refusals).toHaveLength(2);
  });

  it("votes for the first of two proposals only, and keeps the evidence, once", () => {
    const b = blockOn(GENESIS, 1, { bundles: ["b"] });
    const one = new Scenario().propose(a).propose(b).propose(b).propose(a).propose(b);
    expect(one.asked("recordVote")).toMatchObject([{ kind: "notarize", view: 1, hash: a.hash }]);
    const kinds = one.asked("recordEvidence").map(({ evidence }) => evidence.kind);
    expect([...kinds].sort()).toEqual(["twoNotarizeVotes", "twoProposals"]);
  });

  it("certifies the other proposal of a leader that made two, when others notarized it, and does not finalise it", () => {
    const b = blockOn(GENESIS, 1, { bundles: ["b"] });
    const one = new Scenario().propose(a).propose(b).forget().certificate("notarization", 1, b);
    if (one.asked("requestBlock").length > 0) one.fetch(b);
    else one.judge(b);
    expect(one.context.verdicts[1]).toBe("certified");
    expect(one.context.view).toBe(2);
    expect(one.votes).toEqual([]);
  });

  it("does not finalise what a leader voted for beside another block, either", () => {
    const b = blockOn(GENESIS, 1, { bundles: ["b"] });
    const one = new Scenario().propose(a).vote("notarize", 1, b, 1).forget().certificate("notarization", 1, a);
    expect(one.context.verdicts[1]).toBe("certified");
    expect(one.votes).toEqual([]);
  });
});

describe("time", () => {
  const early = blockOn(GENESIS, 1, { time: 10_000 });

  it("a proposal more than 500 ms ahead waits until it is not, open and never invalid", () => {
    const one = new Scenario().propose(early, { aheadMs: 700 });
    expect(one.votes).toEqual([]);
    expect(one.asked("setTimer")).toContainEqual({ type: "setTimer", timer: "clock", ms: 200 });
    one.fires("clock");
    one.judge(early);
    expect(one.votes).toEqual(["notarize 1"]);
  });

  it("a proposal 500 ms ahead does not wait", () => {
    expect(new Scenario().propose(early, { aheadMs: 500 }).votes).toEqual(["notarize 1"]);
  });

  it("a proposal that arrives ahead of its view and of the clock waits in its view as well", () => {
    const one = new Scenario().hold("a");
    one.propose(blockOn(GENESIS, 2, { time: 1_000_000 }), { aheadMs: 900_000 });
    one.forget().certificate("nullification", 1, null);
    expect(one.context.view).toBe(2);
    expect(one.votes).toEqual([]);
    expect(one.context.own[2]).toBeUndefined();
  });

  it("a proposal of the next view does not end the wait of this view's", () => {
    const one = new Scenario({ size: 7 }).propose(early, { aheadMs: 60_000 });
    one.propose(blockOn(early, 2, { time: 2_000_000 }), { aheadMs: 2_000_000 });
    one.propose(blockOn(early, 2, { time: 2_000_000 }), { aheadMs: 2_000_000 });
    expect(one.votes).toEqual([]);
  });

  it("the timer of a view that is over does not end the wait of the next, when both were entered in one step", () => {
    const one = new Scenario();
    one.propose(blockOn(a, 2, { time: 10_000 }), { aheadMs: 3000, judged: false }).forget();
    // Fetched blocks end with view 1, and the finalization that proves them is of view 4.
    one.take({ type: "logSynchronised", final: a, finalizedView: view(4), bundles: a.bundles });
    expect(one.context.view).toBe(5);
    const clock = one.effects.filter((effect) => "timer" in effect && effect.timer === "clock");
    expect(clock.at(-1)?.type ?? "clearTimer").toBe("clearTimer");
  });

  it("certification checks only that it grows", () => {
    const one = new Scenario().propose(early, { aheadMs: 60_000 }).certificate("notarization", 1, early);
    one.judge(early);
    expect(one.context.verdicts[1]).toBe("certified");
    expect(rootAfter(GENESIS.hash, early.hash)).not.toBe(early.hash);
  });
});
