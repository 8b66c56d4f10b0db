/** Identifiers live in the simulator: keys rotate under writes, and every invariant about them bites. */
import { describe, expect, test } from "vitest";
import type { Said } from "../../src/base/brands.ts";
import { type SimOptions, type SimOutcome, runSeed } from "../../tools/sim/simulation.ts";

const CALM = { nodes: 4, byzantine: 0, faults: [], extras: ["keys"], minutes: 0.3 } as const;

function runs(options: SimOptions): SimOutcome {
  const outcome = runSeed(options);
  const how = `node tools/sim/main.ts --seeds 1 --from ${options.seed} --with keys`;
  expect(outcome.violation, how).toBeUndefined();
  return outcome;
}

describe("identifiers live", () => {
  test("events come into force, and writes come too late for their keys", () => {
    const all: Record<string, number> = {};
    for (const seed of [6001, 6003, 6004])
      for (const [kind, count] of Object.entries(runs({ seed, mode: "safety", ...CALM }).faults))
        all[kind] = (all[kind] ?? 0) + count;
    const kinds = ["icp", "rot", "ixn"].map((type) => `${type} ordered`);
    for (const kind of [...kinds, "batches by old keys"]) expect(all[kind], kind).toBeGreaterThan(0);
  });

  test("every write of a client whose keys rotate under it is settled, once", () => {
    const { history, faults } = runs({ seed: 6005, mode: "liveness", ...CALM });
    expect(faults["rot ordered"]).toBeGreaterThan(0);
    expect(faults["batches by old keys"]).toBeGreaterThan(0);
    const writes = history.filter(({ call }) => call.kind === "write");
    expect(writes.length).toBeGreaterThan(5);
    for (const { outcome } of writes) expect(outcome.kind).toBe("written");
  });

  test("beside an equivocator, crashes, tables and checkpoints, and with Ed25519 for every signature", () => {
    const { faults } = runs({
      seed: 6006,
      nodes: 4,
      byzantineKinds: ["equivocator"],
      faults: ["crash", "diskLost", "powerCut"],
      extras: ["keys", "checkpoints", "ed25519"],
      mode: "safety",
      minutes: 0.2,
    });
    expect(faults["rot ordered"]).toBeGreaterThan(0);
  });
});

describe("what is broken on purpose is found", () => {
  test("evidence against an identifier that one member alone has", () => {
    const { violation } = runSeed({
      ...CALM,
      seed: 6001,
      tamper: ({ replicas, scheduler, client, founding }) =>
        scheduler.at(6000, () => {
          const kerl = replicas[0]?.process?.service?.ledger.kerl;
          if (kerl === undefined) return;
          const layer = kerl.layer();
          for (const { aid } of [client, ...founding.founders]) layer.putFork(aid, { sn: 1, said: "nobody's" as Said });
          kerl.merge(1_000_000, layer); // above what tables will hold
        }),
    });
    expect(violation?.invariant).toBe("one log for each identifier");
  });
});
