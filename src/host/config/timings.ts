/** The waiting times of consensus, as configured. */
import type { Timings } from "../../machines/consensus/types.ts";
import type { NodeConfig } from "./schema.ts";

export const timingsOf = (config: NodeConfig): Timings => ({
  delta: config.deltaMs,
  leader: config.leaderTimeoutMs,
  advance: config.advanceTimeoutMs,
  repeat: config.repeatTimeoutMs,
  standstill: config.standstillTimeoutMs,
  growth: config.timeoutGrowth,
  cap: config.timeoutCapMs,
});
