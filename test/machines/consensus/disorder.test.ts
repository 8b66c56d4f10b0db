/** Safety always, liveness after calm: whole committees under seeded disorder, with the Byzantine members they tolerate. */
import { describe, expect, it } from "vitest";
import { BYZANTINE } from "./byzantine.ts";
import { runDisorder } from "./disorder.ts";

const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

describe("seeded disorder", () => {
  it.each(seeds(1, 80))("seed %i breaks no rule and recovers", (seed) => {
    expect(() => runDisorder({ seed })).not.toThrow();
  });
});

describe("a committee that tolerates its", () => {
  it.each(Object.keys(BYZANTINE))("%s", (kind) => {
    for (const seed of seeds(1000, 5)) runDisorder({ seed, byzantine: [kind] });
  });
});
