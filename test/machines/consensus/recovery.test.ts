/** "Durable before sending", "Lost journal", roots and halting, of consensus.md and DESIGN §4. */
import { describe, expect, it } from "vitest";
import { height, memberIndex, view } from "../../../src/base/brands.ts";
import { GENESIS, GENESIS_ROOT, digest } from "./values.ts";
import { Scenario, blockOn } from "./scenario.ts";

const a = blockOn(GENESIS, 1, { bundles: ["a"] });

describe("restart", () => {
  it("loads the flags, then asks for the signatures of its votes above the last finalised view again", () => {
    const one = new Scenario().propose(a).certificate("notarization", 1, a).forget().restart();
    expect(one.context.view).toBe(2);
    expect(one.asked("requestSignature").map(({ kind, view: at }) => `${kind} ${at}`)).toEqual([
      "notarize 1",
      "finalize 1",
    ]);
    expect(one.votes).toEqual([]);
  });

  it("asks for a notarized block that had not arrived before the crash", () => {
    const one = new Scenario().certificate("notarization", 1, a).forget().restart();
    expect(one.asked("requestBlock")).toEqual([{ type: "requestBlock", hash: a.hash, view: 1 }]);
    one.fetch(a);
    expect(one.context.view).toBe(2);
    expect(one.votes).toEqual(["finalize 1"]);
  });

  it("goes on with a finalization whose block had not arrived", () => {
    const one = new Scenario().certificate("finalization", 1, a).forget().restart();
    expect(one.asked("requestSynchronisation")).toHaveLength(1);
    expect(one.context.view).toBe(2);
  });

  it("still builds on a block that it certified and did not vote for", () => {
    const one = new Scenario({ self: 2 }).hold("x").fires("leader").certificate("notarization", 1, a).fetch(a);
    one.forget().restart().hold("b").fires("propose");
    expect(one.asked("requestProposal")).toMatchObject([{ view: 2, parent: a.hash }]);
  });

  it("takes the union of its journal's records, not the last one", () => {
    const b = blockOn(a, 2, { bundles: ["b"] });
    const one = new Scenario({ self: 0 }).propose(a).certificate("notarization", 1, a).propose(b);
    one.restart();
    expect(one.context.own).toMatchObject({ 1: { notarize: a.hash, finalize: a.hash }, 2: { notarize: b.hash } });
    expect(one.context.notarizations).toMatchObject({ 1: a.hash });
  });

  it("sends no finalize for the other of two proposals, though it forgot that it saw both (rule 4)", () => {
    const twin = blockOn(GENESIS, 1, { bundles: ["twin"] });
    const one = new Scenario().propose(a).propose(twin).forget().restart();
    expect(one.context.own).toMatchObject({ 1: { notarize: a.hash } });
    one.forget().certificate("notarization", 1, twin).fetch(twin);
    expect(one.context.view).toBe(2); // it goes on, and another member's finalize may make the twin final
    expect(one.votes).toEqual([]);
  });

  it("casts no vote at a view that pruning has settled", () => {
    const one = new Scenario().hold("a").fires("leader").finalise(a).forget();
    one.vote("nullify", 1, null, 1, 2, 3).vote("notarize", 1, a, 1, 2, 3).vote("finalize", 1, a, 1, 2, 3);
    one.certificate("notarization", 1, a).fires("repeat");
    expect(one.votes).toEqual([]);
    expect(one.asked("recordFinal")).toEqual([]);
  });
});

describe("a lost journal", () => {
  const survey = (one: Scenario, reports: Record<number, number>): Scenario => {
    for (const [member, at] of Object.entries(reports))
      one.take({ type: "highestCertificateReported", member: memberIndex(Number(member)), view: view(at) });
    return one;
  };

  it("keeps a member from voting until q other members have sent their highest certificate", () => {
    const one = new Scenario({ votesAbove: "unknown" });
    expect(one.notices).toEqual([{ kind: "surveyRequest" }]);
    one.propose(a).hold("x").fires("leader").certificate("notarization", 1, a);
    survey(one, { 1: 4, 2: 7 });
    survey(one, { 0: 9, 2: 8 }); // itself, and one of them again
    expect(one.votes).toEqual([]);
    expect(one.standing).toBe("surveying");
    survey(one, { 3: 0 });
    expect(one.context.votesAbove).toBe(10);
    expect(one.votes).toEqual([]);
  });

  it("lets it vote above w + 2 only", () => {
    const one = survey(new Scenario({ votesAbove: "unknown" }), { 1: 4, 2: 7, 3: 5 }).hold("x");
    for (const at of [6, 7, 8]) one.certificate("nullification", at, null).fires("leader");
    expect(one.context.view).toBe(9);
    expect(one.votes).toEqual([]);
    one.certificate("nullification", 9, null).fires("leader");
    expect(one.votes).toEqual(["nullify 10"]);
  });

  it("is not forgotten by a restart before the survey is over", () => {
    const one = survey(new Scenario({ votesAbove: "unknown" }), { 1: 4 })
      .forget()
      .restart()
      .hold("x")
      .fires("leader");
    expect(one.votes).toEqual([]);
    expect(one.standing).toBe("surveying");
  });

  it("is not forgotten by a restart after the survey: the bound is durable before the first vote", () => {
    const one = survey(new Scenario({ votesAbove: "unknown" }), { 1: 4, 2: 7, 3: 5 });
    expect(one.asked("recordVotesAbove")).toEqual([{ type: "recordVotesAbove", view: 9 }]);
    one.restart().hold("x").certificate("nullification", 7, null).fires("leader");
    expect(one.context.view).toBe(8);
    expect(one.votes).toEqual([]);
  });
});

describe("executed roots", () => {
  const attest = (one: Scenario, at: number, root: string, ...members: number[]): Scenario => {
    for (const member of members)
      one.take({ type: "rootAttested", member: memberIndex(member), height: height(at), root: digest(root) });
    return one;
  };

  it("a replica halts when f+1 others agree on another root for a height it has executed", () => {
    const one = new Scenario().finalise(a);
    const mine = one.executed(a);
    attest(one, 1, "theirs", 1);
    expect(one.asked("halt")).toEqual([]);
    attest(one, 1, "theirs", 2);
    expect(one.asked("halt")).toEqual([{ type: "halt", height: 1, root: mine, theirs: digest("theirs") }]);
    expect(one.standing).toBe("halted");
  });

  it("f+1 others who disagree among themselves halt nobody", () => {
    const one = new Scenario().finalise(a);
    one.executed(a);
    attest(attest(one, 1, "x", 1), 1, "y", 2);
    expect(one.standing).not.toBe("halted");
  });

  it("a halted replica votes, sends and remembers nothing more", () => {
    const one = new Scenario().finalise(a);
    one.executed(a);
    one.hold("x");
    attest(one, 1, "theirs", 1, 2).forget();
    const before = JSON.stringify(one.context);
    const b = blockOn(a, 2);
    one.propose(b).vote("nullify", 2, null, 1, 2, 3).certificate("notarization", 2, b).connected(3);
    one.fires("advance").fires("standstill").hold("y").vote("nullify", 1, null, 3);
    one.take({ type: "voteSigned", kind: "nullify", view: view(2), hash: null });
    expect(one.effects).toEqual([]);
    expect(JSON.stringify(one.context)).toBe(before);
  });

  it("a halted replica is halted after a restart, whatever it hears", () => {
    const one = new Scenario().finalise(a);
    const root = one.executed(a);
    attest(one, 1, "theirs", 1, 2).forget().restart();
    expect(one.standing).toBe("halted");
    expect(one.context.halted).toEqual({ height: 1, root, theirs: digest("theirs") });
    one
      .hold("x")
      .propose(blockOn(a, 2, { bundles: ["x"] }))
      .connected(3)
      .fires("leader")
      .fires("standstill");
    expect(one.effects).toEqual([]);
  });

  it("only the newest executed heights keep their roots, though a restarted executor tells of all of them", () => {
    const one = new Scenario();
    for (let at = 1; at <= 2000; at++)
      one.take({ type: "executionReached", height: height(at), root: digest(`root ${at}`) });
    one.finalise(blockOn(GENESIS, 1, { bundles: ["a"] }));
    const again = new Scenario().finalise(a);
    again.take({ type: "executionReached", height: height(1900), root: digest("root 1900") });
    for (let at = 1; at <= 1900; at++)
      again.take({ type: "executionReached", height: height(at), root: digest(`root ${at}`) });
    const kept = Object.keys(again.context.roots).map(Number);
    expect(kept).toContain(0); // the final block names height 0
    expect(kept).toContain(1900);
    expect(kept.length).toBeLessThan(1900 + 2);
    expect(GENESIS_ROOT).toBe(again.context.roots[0]);
  });
});
