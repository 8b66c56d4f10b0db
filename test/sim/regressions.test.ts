/** Seeds that found bugs in the product, kept for ever. Each bug has several, so that a simulator that changes still has one that finds it. */
import { describe, expect, test } from "vitest";
import { type SimOptions, runSeed } from "../../tools/sim/simulation.ts";

interface Found {
  readonly bug: string;
  readonly seeds: readonly number[];
  readonly options: Omit<SimOptions, "seed">;
}

const FOUND: readonly Found[] = [
  {
    bug: "a fetch that ended while it was about to ask set its timer again, for ever (src/actors/consensus/fetching.ts)",
    seeds: [100, 101, 109, 111],
    options: { mode: "liveness", nodes: 4, byzantine: 0, minutes: 0.2 },
  },
  {
    bug: "a member with genesis alone could not give up a damaged journal (src/events/store/log-database.ts)",
    seeds: [6],
    options: { byzantine: 0, faults: ["bitFlip", "crash"], minutes: 0.1 },
  },
  {
    bug: "a checkpoint that the log had overtaken while it was fetched was adopted (src/actors/consensus/catch-up.ts)",
    seeds: [9305],
    options: { extras: ["checkpoints"], minutes: 0.3 },
  },
  {
    bug: "two members that were behind asked each other for ever, since both distrusted the others (src/actors/consensus/fetching.ts)",
    seeds: [695],
    options: { extras: ["keys"], minutes: 1 },
  },
];

describe.each(FOUND)("$bug", ({ seeds, options }) => {
  test.each(seeds)("seed %i", (seed) => {
    expect(runSeed({ ...options, seed }).violation).toBeUndefined();
  });
});
