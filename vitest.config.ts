import { defineConfig } from "vitest/config";

/** One project per layer of DESIGN §10. `order`: the quick ones first; those with processes and sockets alone at the end. */
const layer = (
  name: string,
  order: number,
  options: { readonly testTimeout?: number; readonly fileParallelism?: boolean } = {},
) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    exclude: ["test/lint/fixtures/**"],
    testTimeout: 20_000,
    hookTimeout: 30_000,
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
      layer("e2e", 2, { testTimeout: 120_000, fileParallelism: false }),
    ],
  },
});
