/** A directory for one test's databases, removed when the test ends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { hashing } from "../../contract/chain.ts";
import { type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";

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
