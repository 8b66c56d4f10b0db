import { defineConfig } from "vitest/config";

/**
 * What hangs is given up after so long; nothing that is only slow may fail, for a busy machine would then decide what passes. So
 * no test has a limit of its own, and what a test waits for is a condition. Units: ms.
 */
const PATIENCE_MS = 600_000;
/** Of one condition (`expect.poll`), so that what did not come is named before the test is given up. Units: ms. */
const CONDITION_MS = 120_000;

/** One project per layer of DESIGN §10. `order`: the quick ones first; those with processes and sockets alone at the end. */
const layer = (name: string, order: number, options: { readonly fileParallelism?: boolean } = {}) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    exclude: ["test/lint/fixtures/**"],
    testTimeout: PATIENCE_MS,
    hookTimeout: PATIENCE_MS,
    expect: { poll: { timeout: CONDITION_MS } },
    sequence: { groupOrder: order },
    ...options,
  },
});

export default defineConfig({
  test: {
    projects: [
      layer("lint", 0),
      layer("unit", 0),
      layer("machines", 0),
      layer("scenarios", 0),
      layer("contract", 0),
      layer("sim", 1),
      layer("interop", 1),
      // Real processes on two cores: one file at a time, or they would measure each other.
      layer("e2e", 2, { fileParallelism: false }),
    ],
  },
});
