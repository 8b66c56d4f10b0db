/** What clients of simulated clusters were told has one order, is true at its height, and never runs against time. */
import { describe, expect, it } from "vitest";
import { checkHistory } from "../../tools/linearizability/check.ts";
import { runSeed } from "../../tools/sim/simulation.ts";

describe("histories of the simulator", () => {
  it.each([
    [4001, "safety"],
    [4002, "liveness"],
    [4003, "safety"],
    [4004, "liveness"],
    [4005, "safety"],
    [4006, "liveness"],
  ] as const)("seed %i in %s mode is linearizable", (seed, mode) => {
    const { history } = runSeed({ seed, mode, nodes: 4, minutes: 0.3 });
    expect(checkHistory(history)).toMatchObject({ ok: true, judged: { calls: history.length } });
  });

  it("are judged by calls of every kind, and one answer turned round is found", () => {
    const history = runSeed({ seed: 4100, nodes: 4, byzantine: 0, faults: [], mode: "liveness", minutes: 0.4 }).history;
    const { judged } = checkHistory(history);
    expect(judged.writes).toBeGreaterThan(10);
    expect(judged.ordered).toBeGreaterThan(3);
    expect(judged.plain).toBeGreaterThan(3);
    const victim = history.findLast(({ outcome }) => outcome.kind === "written");
    if (victim?.outcome.kind !== "written") throw new Error("nothing was written");
    const outcome = { ...victim.outcome, changed: !victim.outcome.changed };
    const turned = history.map((entry) => (entry === victim ? { ...entry, outcome } : entry));
    expect(checkHistory(turned)).toMatchObject({ ok: false, violation: { entry: { outcome } } });
  });
});
