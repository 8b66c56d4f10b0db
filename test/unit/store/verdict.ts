import type { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import type { PageLimits } from "../../../src/events/store/event-table.ts";
import type { LogReader } from "../../../src/events/store/log-reader.ts";
import { type Verdict, type VerifyRange, verifyRange } from "../../../src/events/store/log-verify.ts";

/** Runs a check to its end. */
export function verdictOf(log: LogReader, range: VerifyRange<MerkleFrontier>, slice?: PageLimits): Verdict<MerkleFrontier> {
  const check = slice === undefined ? verifyRange(log, range) : verifyRange(log, range, slice);
  for (;;) {
    const step = check.next();
    if (step.done === true) return step.value;
  }
}
