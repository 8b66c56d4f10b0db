/** Rules 4, 5, 6, 8 and 10 of consensus.md: counting votes, certifying, finalising. */
import { describe, expect, it } from "vitest";
import { view } from "../../../src/base/brands.ts";
import { GENESIS, GENESIS_ROOT, digest } from "./values.ts";
import { Scenario, blockOn } from "./scenario.ts";

const a = blockOn(GENESIS, 1, { bundles: ["a"] });

describe("rule 4: notarization and certification", () => {
  it.each([
    [4, 3],
    [5, 4],
    [6, 5],
    [7, 5],
    [10, 7],
  ])("with n = %i it takes %i distinct members: one less is nothing, one of them twice is nothing", (size, quorum) => {
    const one = new Scenario({ self: 0, size });
    const members = Array.from({ length: quorum }, (_, i) => i + 1).map((i) => (i === quorum ? 0 : i));
    const [last = 0, ...others] = [...members].reverse();
    one.vote("notarize", 1, a, ...others, ...others, ...others);
    expect(one.asked("recordCertificate")).toEqual([]);
    one.vote("notarize", 1, a, last);
    expect(one.asked("recordCertificate")).toMatchObject([{ kind: "notarization", view: 1, hash: a.hash }]);
    expect(one.asked("recordCertificate")[0]?.signers).toHaveLength(quorum);
  });

  it("votes for different blocks do not add up", () => {
    const b = blockOn(GENESIS, 1, { bundles: ["b"] });
    const one = new Scenario().vote("notarize", 1, a, 1, 2).vote("notarize", 1, b, 3, 0);
    expect(one.asked("recordCertificate")).toEqual([]);
  });

  it("is passed on before the block is even here, and the block is asked for", () => {
    const one = new Scenario().certificate("notarization", 1, a);
    expect(one.certificates).toEqual(["notarization 1"]);
    expect(one.asked("requestBlock")).toEqual([{ type: "requestBlock", hash: a.hash, view: 1 }]);
    expect(one.context.verdicts[1]).toBeUndefined();
    expect(one.context.view).toBe(1);
  });

  it("once certified: the next view is entered and finalize is sent", () => {
    const one = new Scenario().propose(a).forget().certificate("notarization", 1, a);
    expect(one.context.view).toBe(2);
    expect(one.votes).toEqual(["finalize 1"]);
    expect(one.asked("recordVerdict")).toMatchObject([{ view: 1, verdict: "certified" }]);
  });

  it("a notarization is not a finalization: nothing becomes final by it", () => {
    const one = new Scenario().propose(a).certificate("notarization", 1, a);
    one.vote("notarize", 1, a, 1, 2, 3);
    expect(one.asked("recordFinal")).toEqual([]);
    expect(one.context.final.height).toBe(0);
  });

  it("stays open until its parent is certified, with t_a still armed", () => {
    const b = blockOn(a, 2, { bundles: ["b"] });
    const one = new Scenario().certificate("nullification", 1, null).forget();
    one.certificate("notarization", 2, b).fetch(b);
    expect(one.context.verdicts[2]).toBeUndefined();
    expect(one.asked("clearTimer")).not.toContainEqual({ type: "clearTimer", timer: "advance" });
    one.certificate("notarization", 1, a).fetch(a).judge(b);
    expect(one.context.verdicts).toMatchObject({ 1: "certified", 2: "certified" });
  });

  it("stays open until one has executed the height it names, then its root decides", () => {
    const one = new Scenario().finalise(a);
    const b = blockOn(a, 2, { executedHeight: a.height, executedRoot: digest("not known yet") });
    one.propose(b).forget().certificate("notarization", 2, b);
    expect(one.context.verdicts[2]).toBeUndefined();
    one.executed(a);
    expect(one.context.verdicts[2]).toBe("refused");
    expect(one.votes).toEqual(["nullify 2"]);
  });

  it("a wrong root only refuses that block: nobody builds on it, the view is nullified", () => {
    const wrong = blockOn(GENESIS, 1, { executedRoot: digest("wrong") });
    const one = new Scenario({ self: 2 }).hold("b").propose(wrong).forget().certificate("notarization", 1, wrong);
    expect(one.votes).toEqual(["nullify 1"]);
    one.certificate("nullification", 1, null);
    expect(one.asked("requestProposal")).toMatchObject([{ view: 2, parent: GENESIS.hash }]);
    expect(one.standing).not.toBe("halted");
  });

  it("a child of a refused block is refused", () => {
    const wrong = blockOn(GENESIS, 1, { executedRoot: digest("wrong") });
    const child = blockOn(wrong, 2, { executedRoot: GENESIS_ROOT });
    const one = new Scenario().propose(wrong).certificate("notarization", 1, wrong);
    one.certificate("nullification", 1, null).propose(child).certificate("notarization", 2, child);
    expect(one.context.verdicts).toMatchObject({ 1: "refused", 2: "refused" });
    expect(one.votes).toContain("nullify 2");
  });

  it("only a finalization at or above the view abandons certification", () => {
    const one = new Scenario().certificate("notarization", 1, a).certificate("nullification", 1, null);
    one.forget().fetch(a);
    expect(one.context.verdicts[1]).toBe("certified");
    expect(one.votes).toEqual(["finalize 1"]);
  });

  it("every certified block is on this disk, voted for or not: what is built on it may need it after a restart", () => {
    const one = new Scenario().hold("x").fires("leader").certificate("notarization", 1, a).forget().fetch(a);
    expect(one.context.verdicts[1]).toBe("certified");
    expect(one.votes).toEqual([]);
    expect(one.asked("recordCandidate")).toEqual([{ type: "recordCandidate", hash: a.hash }]);
  });
});

describe("rule 5: nullification", () => {
  it("is sent on, and the next view is entered", () => {
    const one = new Scenario().vote("nullify", 1, null, 1, 2, 3);
    expect(one.context.view).toBe(2);
    expect(one.certificates).toEqual(["nullification 1"]);
    expect(one.asked("recordCertificate")).toMatchObject([{ kind: "nullification", view: 1 }]);
  });

  it("is taken for any view, recorded once and passed on once", () => {
    const one = new Scenario().certificate("nullification", 900, null).certificate("nullification", 900, null);
    expect(one.context.view).toBe(901);
    expect(one.certificates).toEqual(["nullification 900"]);
  });
});

describe("rule 6: finalization", () => {
  it("makes the block and its ancestors final, oldest first, whenever it comes", () => {
    const b = blockOn(a, 2, { bundles: ["b"] });
    const one = new Scenario().propose(a).certificate("notarization", 1, a).propose(b).forget();
    one.vote("finalize", 2, b, 1, 2, 3);
    expect(one.asked("recordFinal")).toEqual([{ type: "recordFinal", hashes: [a.hash, b.hash], view: 2 }]);
    expect(one.context.view).toBe(3);
    expect(one.certificates).toContain("finalization 2");
  });

  it("waits for the bodies it lacks: asks once, and finalises when they are here", () => {
    const b = blockOn(a, 2, { bundles: ["b"] });
    const one = new Scenario().propose(b).certificate("finalization", 2, b);
    one.hold("x").hold("y");
    expect(one.asked("requestSynchronisation")).toEqual([{ type: "requestSynchronisation", view: 2, hash: b.hash }]);
    expect(one.asked("recordFinal")).toEqual([]);
    expect(one.context.view).toBe(3);
    one.certificate("notarization", 1, a).fetch(a).judge(b);
    expect(one.asked("recordFinal")).toMatchObject([{ hashes: [a.hash, b.hash] }]);
  });

  it("a final block that this member judged invalid is fetched with its proof, not waited for in silence", () => {
    const one = new Scenario().propose(a, { judged: false }).judge(a, false).forget();
    one.certificate("finalization", 1, a);
    expect(one.asked("requestSynchronisation")).toHaveLength(1);
    expect(one.asked("recordFinal")).toEqual([]);
  });

  it("drops ordered bundles from the mempool and everything at or below its view from memory", () => {
    const one = new Scenario()
      .hold("a")
      .hold("z")
      .propose(a)
      .vote("notarize", 1, a, 1, 2, 3)
      .vote("finalize", 1, a, 1, 2, 3);
    expect(one.context.mempool).toEqual([digest("z")]);
    for (const store of [
      "candidates",
      "proposals",
      "notarizations",
      "verdicts",
      "own",
      "tallies",
      "equivocated",
    ] as const)
      expect(one.context[store]).toEqual({});
  });

  it("an older finalization changes nothing", () => {
    const b = blockOn(a, 2, { bundles: ["b"] });
    const one = new Scenario().finalise(a).finalise(b).forget().certificate("finalization", 1, a);
    expect(one.effects).toEqual([]);
    expect(one.context.final.height).toBe(2);
  });
});

describe("rule 8: what a member never says", () => {
  it("notarize after nullify", () => {
    const one = new Scenario().hold("a").fires("leader").forget().propose(a);
    expect(one.votes).toEqual([]);
  });

  it("finalize after nullify, across a restart", () => {
    const one = new Scenario().propose(a).fires("advance").restart().forget();
    one.certificate("notarization", 1, a);
    expect(one.context.verdicts[1]).toBe("certified");
    expect(one.context.view).toBe(2);
    expect(one.votes).toEqual([]);
  });

  it("nullify after finalize, across a restart", () => {
    const one = new Scenario().propose(a).certificate("notarization", 1, a).restart().forget();
    one.fires("advance").fires("leader").fires("repeat").vote("nullify", 1, null, 1, 2);
    expect(one.votes).not.toContain("nullify 1");
    expect(one.context.view).toBe(2);
  });

  it("notarize twice, across a restart in the middle of a view", () => {
    const b = blockOn(GENESIS, 1, { bundles: ["b"] });
    const one = new Scenario().propose(a).restart().forget().propose(b);
    expect(one.votes).toEqual([]);
    expect(one.asked("requestSignature")).toEqual([]);
  });

  it("a second proposal, after a restart", () => {
    const one = new Scenario({ self: 1 }).hold("a").built(a).restart().hold("b").fires("propose");
    expect(one.asked("recordProposal")).toHaveLength(1);
    expect(one.asked("requestProposal")).toHaveLength(1);
    expect(one.asked("requestSignature")).toHaveLength(2); // the same vote, asked for again
  });

  it("finalize below its last finalised view", () => {
    const b = blockOn(a, 2, { bundles: ["b"] });
    const one = new Scenario().propose(a, { judged: false }).propose(b, { judged: false });
    one.certificate("notarization", 1, a).certificate("notarization", 2, b).certificate("finalization", 2, b).forget();
    one.judge(a).judge(b);
    expect(one.context.final.height).toBe(2);
    expect(one.votes.filter((vote) => vote.startsWith("finalize"))).toEqual(
      one.votes.filter((vote) => vote === "finalize 1" || vote === "finalize 2"),
    );
    one.forget().certificate("notarization", 1, a).judge(a);
    expect(one.votes).toEqual([]);
  });
});

describe("rule 10: what is kept", () => {
  it("votes up to the current view + 1, none beyond", () => {
    const one = new Scenario().vote("nullify", 2, null, 1, 2).vote("nullify", 3, null, 1, 2);
    expect(Object.keys(one.context.tallies)).toEqual(["2"]);
    expect(one.refusals).toHaveLength(2);
  });

  it("a member that says a thousand things of a view takes no more room than one that says two", () => {
    const one = new Scenario();
    for (let i = 0; i < 1000; i++) one.vote("notarize", 1, blockOn(GENESIS, 1, { name: `${i}` }), 3);
    expect(JSON.stringify(one.context).length).toBeLessThan(3000);
  });

  it("evidence of a vote against itself", () => {
    const b = blockOn(GENESIS, 1, { bundles: ["b"] });
    const one = new Scenario().vote("notarize", 1, a, 3).vote("notarize", 1, b, 3);
    one.vote("nullify", 1, null, 2).vote("finalize", 1, a, 2);
    expect(one.asked("recordEvidence").map(({ evidence }) => evidence)).toEqual([
      { kind: "twoNotarizeVotes", member: 3, view: view(1) },
      { kind: "nullifyAndFinalize", member: 2, view: view(1) },
    ]);
  });
});
