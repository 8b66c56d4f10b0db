/** Steps of one machine of one node, found backwards from the cursor. */
import type { MachineName } from "../../../../src/host/inspector/contract.ts";
import type { Stepped } from "./entries.ts";
import type { History } from "./history.ts";

/** Entries looked at: enough for the last minutes, quick enough for every frame of a drag. */
const LOOK_BACK = 3_000;

/** Newest first. */
export function stepsBefore(
  history: History,
  position: number,
  node: string,
  machine: MachineName,
  max: number,
): readonly Stepped[] {
  const steps: Stepped[] = [];
  for (let at = position; at >= 0 && at > position - LOOK_BACK && steps.length < max; at -= 1) {
    const entry = history.at(at);
    if (entry?.kind === "stepped" && entry.node === node && entry.machine === machine) steps.push(entry);
  }
  return steps;
}

/** How often each way from one state to another was taken, by `source target`. */
export function waysTaken(steps: readonly Stepped[]): ReadonlyMap<string, number> {
  const ways = new Map<string, number>();
  for (const { transitions } of steps)
    for (const { source, targets } of transitions)
      for (const target of targets)
        if (target !== source) ways.set(`${source} ${target}`, (ways.get(`${source} ${target}`) ?? 0) + 1);
  return ways;
}
