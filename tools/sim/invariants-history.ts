/** What clients were told, judged when the run is over (tools/linearizability). */
import { checkHistory } from "../linearizability/check.ts";
import type { History } from "../linearizability/history.ts";
import { Violation } from "./violation.ts";

/**
 * What is wrong with a history; undefined when it holds. Where disks may be lost a node may begin anew with lower heights: then those
 * are left to the invariant that knows of it (invariants.ts, "heights never fall").
 */
export function historyViolation(history: History, mayLoseDisks: boolean): Violation | undefined {
  const verdict = checkHistory(history);
  if (verdict.ok) return undefined;
  const { rule, message, entry } = verdict.violation;
  if (rule === "sessions" && mayLoseDisks) return undefined;
  return new Violation(`histories: ${rule}`, `${message} ${JSON.stringify(entry)}`);
}
