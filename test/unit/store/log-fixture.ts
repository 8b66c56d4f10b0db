/** What the tests of the log database share: a directory for each, runs of a check, records to compare. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import type { PageLimits } from "../../../src/events/store/event-table.ts";
import type { JournalRecord, StoredRecord } from "../../../src/events/store/log-batch.ts";
import { type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import type { LogReader } from "../../../src/events/store/log-reader.ts";
import { type Verdict, type VerifyRange, verifyRange } from "../../../src/events/store/log-verify.ts";
import { hashing } from "../../contract/chain.ts";

/** Path of a log in a directory of its own, removed when the test ends. */
export function logPath(): string {
  const directory = mkdtempSync(join(tmpdir(), "sky-log-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return join(directory, "log.db");
}

/** Opens a log that is closed when the test ends, if not before. */
export function openLog(path: string): LogDatabase {
  const log = openLogDatabase(path, hashing);
  onTestFinished(() => log.close());
  return log;
}

/** Runs a check to its end. */
export function verdictOf(
  log: LogReader,
  range: VerifyRange<MerkleFrontier>,
  slice?: PageLimits,
): Verdict<MerkleFrontier> {
  const check = slice === undefined ? verifyRange(log, range) : verifyRange(log, range, slice);
  for (;;) {
    const step = check.next();
    if (step.done === true) return step.value;
  }
}

/** Records as they were given to be recorded. */
export const withoutSeq = (records: readonly StoredRecord[]): JournalRecord[] =>
  records.map(({ epoch, view, kind, key, bytes }) => ({ epoch, view, kind, key, bytes }));
