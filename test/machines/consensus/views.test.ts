/** Rules 1, 7 and 9 of consensus.md: entering views, quiet, timers, nullifying, standstill. */
import { describe, expect, it } from "vitest";
import { GENESIS, digest } from "./values.ts";
import { Scenario, blockOn } from "./scenario.ts";

const first = blockOn(GENESIS, 1, { bundles: ["a"] });

describe("rule 1: quiet", () => {
  it("a member that has nothing to order sets no timer", () => {
    const one = new Scenario();
    expect(one.standing).toBe("quiet");
    expect(one.effects).toEqual([]);
  });

  it.each([
    ["a bundle", (one: Scenario) => one.hold("a")],
    ["a proposal of the leader", (one: Scenario) => one.propose(first, { judged: false })],
    ["a notarization", (one: Scenario) => one.certificate("notarization", 1, first)],
    ["a nullification", (one: Scenario) => one.certificate("nullification", 1, null)],
    ["a finalization whose block is not here", (one: Scenario) => one.certificate("finalization", 1, first)],
    ["votes of f+1 members", (one: Scenario) => one.vote("nullify", 1, null, 2, 3)],
  ])("%s ends it and arms the timers", (_what, happens) => {
    const one = new Scenario();
    happens(one);
    expect(one.standing).not.toBe("quiet");
    expect(one.timers).toEqual(expect.arrayContaining(["advance", "standstill"]));
  });

  it("votes of f members do not end it, not even the leader's nullify", () => {
    const one = new Scenario();
    one.vote("nullify", 1, null, 1).vote("notarize", 1, first, 1);
    expect(one.standing).toBe("quiet");
    expect(one.timers).toEqual([]);
    expect(one.votes).toEqual([]);
  });

  it("finality of everything brings it back, and every timer is cleared", () => {
    const one = new Scenario().hold("a").finalise(first);
    expect(one.standing).toBe("quiet");
    expect(one.context.timersArmed).toBe(false);
    const live = new Set<string>();
    for (const effect of one.effects) {
      if (effect.type === "setTimer") live.add(effect.timer);
      if (effect.type === "clearTimer") live.delete(effect.timer);
    }
    expect([...live]).toEqual([]);
  });

  it("a leader without a bundle waits Δ for an outstanding finalization, then proposes an empty block", () => {
    const one = new Scenario({ self: 2 });
    one.propose(first).certificate("notarization", 1, first);
    expect(one.context.view).toBe(2);
    expect(one.asked("requestProposal")).toEqual([]);
    expect(one.asked("setTimer")).toContainEqual({ type: "setTimer", timer: "propose", ms: 250 });
    one.fires("propose");
    expect(one.asked("requestProposal")).toMatchObject([{ view: 2, parent: first.hash, bundles: [] }]);
    expect(one.votes).not.toContain("nullify 2");
  });

  it("a bundle that is not ordered within t_l is sent on to all members", () => {
    const one = new Scenario().hold("a").forget();
    one.fires("leader");
    expect(one.asked("broadcast")).toContainEqual({
      type: "broadcast",
      notice: { kind: "bundles", digests: [digest("a")] },
    });
  });

  it("a vote below the last finalised view is answered with that finalization", () => {
    const one = new Scenario().finalise(first).forget();
    one.vote("nullify", 1, null, 3);
    expect(one.asked("send")).toEqual([
      {
        type: "send",
        to: 3,
        notice: { kind: "certificate", certificate: "finalization", view: 1, hash: first.hash },
      },
    ]);
  });

  it("sends its finalization to a peer whose stream is new", () => {
    const one = new Scenario().finalise(first).forget().connected(2);
    expect(one.certificates).toEqual(["finalization 1"]);
  });

  it("views only grow", () => {
    const one = new Scenario().certificate("nullification", 5, null);
    expect(one.context.view).toBe(6);
    one.certificate("nullification", 3, null);
    expect(one.context.view).toBe(6);
  });
});

describe("rule 1: silent leaders", () => {
  /** A scenario in which nobody heard member 3 for `views` views that a quorum (0, 1, 2) nullified, before the next view it leads. */
  function unheard(views: number): Scenario {
    const one = new Scenario().hold("a");
    for (let at = 1; at <= views; at++) one.certificate("nullification", at, null);
    return one.forget();
  }

  it("nullifies the view of a leader that no vote came from in 2n views in which a quorum spoke, at once", () => {
    const one = unheard(9).certificate("nullification", 10, null);
    expect(one.context.view).toBe(11); // led by member 3
    expect(one.votes).toEqual(["nullify 11"]);
  });

  it("waits for a leader that was silent for fewer views", () => {
    const one = unheard(6).certificate("nullification", 6, null);
    expect(one.context.view).toBe(7);
    expect(one.votes).toEqual([]);
  });

  it("waits again as soon as one vote of that leader came", () => {
    const one = unheard(10);
    one.vote("nullify", 10, null, 3).forget();
    one.certificate("nullification", 11, null);
    one.certificate("nullification", 14, null);
    expect(one.context.view).toBe(15);
    expect(one.votes).toEqual([]);
  });

  it("never skips anybody while quiet", () => {
    const one = new Scenario().hold("a");
    for (let at = 1; at <= 9; at++) one.certificate("nullification", at, null);
    const block = blockOn(GENESIS, 10, { bundles: ["a"] });
    one.propose(block).certificate("finalization", 10, block).forget();
    expect(one.standing).toBe("quiet");
    expect(one.context.view).toBe(11);
    one.connected(1);
    expect(one.votes).toEqual([]);
  });
});

describe("rule 7: nullify", () => {
  it.each(["leader", "advance"] as const)("when %s fires, and repeats it every t_r", (timer) => {
    const one = new Scenario().hold("a").forget().fires(timer);
    expect(one.votes).toEqual(["nullify 1"]);
    expect(one.asked("setTimer")).toContainEqual({ type: "setTimer", timer: "repeat", ms: 500 });
    one.forget().fires("repeat");
    expect(one.notices).toContainEqual({ kind: "vote", vote: "nullify", view: 1, hash: null });
    expect(one.timers).toContain("repeat");
  });

  it("when the leader itself nullifies", () => {
    const one = new Scenario().hold("a").forget().vote("nullify", 1, null, 1);
    expect(one.votes).toEqual(["nullify 1"]);
  });

  it("when the leader of a view nullified it before this member entered it", () => {
    const one = new Scenario().hold("a").vote("nullify", 2, null, 2).forget();
    one.certificate("nullification", 1, null);
    expect(one.votes).toEqual(["nullify 2"]);
  });

  it("when another member nullifies: not at all", () => {
    const one = new Scenario().hold("a").forget().vote("nullify", 1, null, 2);
    expect(one.votes).toEqual([]);
  });

  it("repeats it with the nullification of the view before, if that is how it entered", () => {
    const one = new Scenario().hold("a").certificate("nullification", 1, null).fires("leader").forget().fires("repeat");
    expect(one.certificates).toEqual(["nullification 1"]);
  });

  it("repeats it with the finalization of the view before rather than anything else", () => {
    const next = blockOn(first, 2, { bundles: ["b"] });
    const one = new Scenario().finalise(first).hold("b").propose(next).fires("advance").forget().fires("repeat");
    expect(one.certificates).toEqual(["finalization 1"]);
  });

  it("repeats it with the finalization of the view before, even while its block is not here", () => {
    const one = new Scenario().certificate("finalization", 1, first).fires("advance").forget().fires("repeat");
    expect(one.certificates).toEqual(["finalization 1"]);
  });

  it("goes on repeating after a restart", () => {
    const one = new Scenario().hold("a").fires("leader").forget().restart();
    expect(one.timers).toContain("repeat");
  });

  it("the leader nullifies its own view when it cannot build", () => {
    const one = new Scenario({ self: 1 }).hold("a");
    expect(one.asked("requestProposal")).toHaveLength(1);
    one.take({ type: "proposalFailed", view: one.context.view });
    expect(one.votes).toEqual(["nullify 1"]);
  });
});

describe("rule 9: standstill and back-off", () => {
  it("sends the last finalization, every later certificate and its own votes", () => {
    const one = new Scenario().finalise(first).hold("b");
    one.certificate("nullification", 2, null).fires("leader").forget().fires("standstill");
    expect(one.certificates).toEqual(["finalization 1", "nullification 2"]);
    expect(one.notices).toContainEqual({ kind: "vote", vote: "nullify", view: 3, hash: null });
    expect(one.timers).toContain("standstill");
  });

  it("sends a finalization whose block it lacks as well: it may be the only one that holds it", () => {
    const far = blockOn(first, 6);
    const one = new Scenario().finalise(first).certificate("finalization", 6, far).forget().fires("standstill");
    expect(one.certificates).toEqual(["finalization 1", "finalization 6"]);
  });

  it("timeouts grow by α per consecutive nullified view up to the cap, and return on progress", () => {
    const one = new Scenario().hold("a");
    const waits: number[] = [];
    for (let at = 1; at <= 12; at++) {
      one.forget().vote("nullify", at, null, 1, 2, 3);
      waits.push(one.asked("setTimer").find(({ timer }) => timer === "advance")?.ms ?? 0);
    }
    expect(waits.slice(0, 3)).toEqual([1125, 1688, 2531]);
    expect(waits.at(-1)).toBe(10_000);
    const block = blockOn(GENESIS, 13, { bundles: ["b"] });
    one.forget().propose(block).certificate("notarization", 13, block);
    expect(one.asked("setTimer")).toContainEqual({ type: "setTimer", timer: "advance", ms: 750 });
  });
});
