/** consensus.md, "Checkpoint": when a leader orders one, and which headers name it. */
import { describe, expect, it } from "vitest";
import { height } from "../../../src/base/brands.ts";
import { Scenario, blockOn } from "./scenario.ts";
import { GENESIS, digest } from "./values.ts";

const a = blockOn(GENESIS, 1, { bundles: ["a"] });
/** Block 1 is final and executed; `self` leads view 2. */
const afterOne = (self = 2) => {
  const one = new Scenario({ self }).hold("a").finalise(a);
  const root = one.executed(a);
  return { one, root };
};
const provable = (at: number) => ({ type: "checkpointProvable", height: height(at) }) as const;

describe("checkpoints: the leader", () => {
  it("proves a state of which q equal statements are held in a block of its own, before any bundles", () => {
    const { one } = afterOne();
    one.take(provable(1)).forget().hold("b");
    expect(one.asked("requestProposal")).toMatchObject([{ checkpoint: 1, bundles: [], lastCheckpoint: 0 }]);
  });

  it("proves none that it has not executed", () => {
    const { one } = afterOne();
    one.take(provable(2)).forget().hold("b");
    expect(one.asked("requestProposal")).toMatchObject([{ checkpoint: null, bundles: [digest("b")] }]);
  });

  it("proves none that the newest checkpoint block already lies above", () => {
    const one = new Scenario({ self: 3 }).hold("a").finalise(a);
    const executedRoot = one.executed(a);
    const c = blockOn(a, 2, { executedHeight: a.height, executedRoot, checkpoint: height(2) });
    one.finalise(c);
    one.executed(c);
    one.take(provable(1)).take(provable(2)).forget().hold("d");
    expect(one.asked("requestProposal")).toMatchObject([{ checkpoint: null, lastCheckpoint: 2 }]);
  });

  it("writes no block for it while nothing else is to be done: want of work is quiet", () => {
    const { one } = afterOne();
    one.forget().take(provable(1));
    expect(one.standing).toBe("quiet");
    expect(one.asked("requestProposal")).toEqual([]);
    expect(one.asked("setTimer")).toEqual([]);
  });

  it("knows of no statement after a restart: they come again with each peer", () => {
    const { one } = afterOne();
    one.take(provable(1)).restart();
    expect(one.context.provable).toBe(0);
  });
});

describe("checkpoints: rule 3, what headers name", () => {
  const checkpointed = () => {
    const { one, root } = afterOne(0);
    const c = blockOn(a, 2, { executedHeight: a.height, executedRoot: root, checkpoint: height(2) });
    one.hold("b").finalise(c);
    return { one, c, root: one.executed(c) };
  };

  it("the child of a checkpoint block names it, and so do those after", () => {
    const { one, c, root } = checkpointed();
    const d = blockOn(c, 3, { bundles: ["b"], executedHeight: c.height, executedRoot: root });
    expect(d.lastCheckpoint).toBe(2);
    one.propose(d);
    expect(one.votes).toContain("notarize 3");
  });

  it.each([0, 1, 3])("a header that names height %d instead is nullified", (lastCheckpoint) => {
    const { one, c, root } = checkpointed();
    one.forget();
    one.propose(
      blockOn(c, 3, {
        bundles: ["b"],
        executedHeight: c.height,
        executedRoot: root,
        lastCheckpoint: height(lastCheckpoint),
      }),
    );
    expect(one.votes).toEqual(["nullify 3"]);
  });

  it("and refused when others notarized it: no honest quorum did", () => {
    const { one, c, root } = checkpointed();
    const wrong = blockOn(c, 3, { executedHeight: c.height, executedRoot: root, lastCheckpoint: height(1) });
    one.hold("b").propose(wrong).certificate("notarization", 3, wrong);
    expect(one.context.verdicts[3]).toBe("refused");
  });
});

describe("checkpoints: whoever began with one", () => {
  it("drops bundles that older blocks hold when those come, and nothing else changes (simulator, seed 9013)", () => {
    const { one } = afterOne();
    one.hold("b").hold("z").forget();
    const { final, view } = one.context;
    const older = { ...final, height: GENESIS.height };
    one.take({ type: "logSynchronised", final: older, finalizedView: view, bundles: [digest("b")] });
    expect(one.context.mempool).toEqual([digest("z")]);
    expect([one.context.final, one.context.view]).toEqual([final, view]);
  });
});
