/** Seeds of each mode and of each Byzantine actor: no invariant is broken, and what should happen did happen. */
import { describe, expect, test } from "vitest";
import { BYZANTINE_KINDS } from "../../tools/sim/profile.ts";
import { type SimOptions, type SimOutcome, runSeed } from "../../tools/sim/simulation.ts";

/** Says how to repeat a seed that fails. */
function runs(options: SimOptions): SimOutcome {
  const outcome = runSeed(options);
  expect(outcome.violation, `node tools/sim/main.ts --seeds 1 --from ${options.seed}`).toBeUndefined();
  return outcome;
}

const seedsFrom = (from: number, count: number): readonly number[] => Array.from({ length: count }, (_, i) => from + i);

describe("safety mode", () => {
  test.each(seedsFrom(1001, 10))("seed %i breaks no rule", (seed) => {
    expect(runs({ seed, mode: "safety", minutes: 0.4 }).simulatedMs).toBe(24_000);
  });

  test("a seed with Ed25519 for every signature breaks none either", () => {
    expect(runs({ seed: 1000, nodes: 4, mode: "safety", minutes: 0.1 }).profile.ed25519).toBe(true);
  });
});

describe("liveness mode", () => {
  test.each(seedsFrom(2000, 10))("seed %i settles every write after healing, then falls silent", (seed) => {
    const outcome = runs({ seed, mode: "liveness", minutes: 0.3 });
    expect(outcome.acknowledged).toBeGreaterThan(0);
    expect(outcome.blocks).toBeGreaterThan(0);
  });
});

describe("Byzantine members", () => {
  test.each(BYZANTINE_KINDS)("one %s among four changes nothing that matters", (kind) => {
    for (const seed of [3000, 3001])
      expect(
        runs({ seed, nodes: 4, byzantineKinds: [kind], mode: "liveness", minutes: 0.2 }).profile.byzantine,
      ).toEqual([kind]);
  });

  test("two different ones among seven change nothing either", () => {
    runs({ seed: 3100, nodes: 7, byzantineKinds: ["equivocator", "forger"], mode: "liveness", minutes: 0.2 });
    runs({ seed: 3101, nodes: 7, byzantineKinds: ["twins", "twins"], mode: "safety", minutes: 0.2 });
  });
});

test("damaged records are healed from peers, and a damaged journal is given up", () => {
  const found: Record<string, number> = {};
  for (const seed of [3205, 3215]) {
    const { faults } = runs({
      seed,
      nodes: 4,
      byzantine: 0,
      faults: ["bitFlip"],
      extras: ["sqlite"],
      mode: "liveness",
      minutes: 0.2,
    });
    for (const [kind, count] of Object.entries(faults)) found[kind] = (found[kind] ?? 0) + count;
  }
  expect(found["bitFlip"]).toBeGreaterThan(0);
  expect(found["log healed from peers"]).toBeGreaterThan(0);
  expect(found["journal given up"]).toBeGreaterThan(0);
});

test("a run without faults decides each view, and acknowledges every write", () => {
  const { history, viewsNullified, faults } = runs({ seed: 7, byzantine: 0, nodes: 4, faults: [], minutes: 0.2 });
  const network = Object.keys(faults).filter((kind) => !kind.startsWith("frames"));
  expect(network).toEqual([]);
  expect(viewsNullified).toBeLessThan(10);
  const writes = history.filter(({ call, endMs }) => call.kind === "write" && endMs !== null);
  expect(writes.length).toBeGreaterThan(5);
  for (const { outcome } of writes) expect(outcome.kind).toBe("written");
});
