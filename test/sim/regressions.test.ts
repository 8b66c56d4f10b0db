/** Seeds that found bugs in the product, kept for ever. Each says what it was. */
import { expect, test } from "vitest";
import { type SimOptions, runSeed } from "../../tools/sim/simulation.ts";

const FOUND: readonly (SimOptions & { readonly bug: string })[] = [
  {
    seed: 19,
    mode: "liveness",
    bug: "a fetch that ended while it was about to ask set its timer again, for ever (src/actors/consensus/fetching.ts)",
  },
];

test.each(FOUND)("seed $seed: $bug", ({ bug: _bug, ...options }) => {
  expect(runSeed(options).violation).toBeUndefined();
});
