/** Ports of a test in which others must know one before anybody listens there, or somebody listens there again. */
import { findPorts } from "../../../src/host/dev/ports.ts";

/** More workers than any run of the tests has at a time. */
const POOLS = 64;

/** Two free ports; each worker looks in a range of its own, so that none takes what another has just found. */
export const twoPorts = (): Promise<number> => {
  const pool = Number(process.env["VITEST_POOL_ID"] ?? 0) % POOLS;
  return findPorts(2, () => (pool + Math.random()) / POOLS);
};
