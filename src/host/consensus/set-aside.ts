/** A log database that SQLite itself cannot read is put aside, never deleted: somebody may want to know what happened to it. */
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../../base/errors.ts";

export const logPath = (directory: string): string => join(directory, "log.db");

/** Whether the file is no database any more, or its pages contradict each other: no record of it can be mended in place. */
export const isCorrupt = (error: unknown): error is Fault => error instanceof Fault && error.code === "LOG_CORRUPT";

/**
 * Renames a closed log, with what SQLite keeps beside it, to `log.db.damaged-<time>`; returns the new path.
 * Throws: Fault FILE_WRITE_FAILED.
 */
export function setAside(directory: string, now: Date): string {
  const path = logPath(directory);
  const kept = `${path}.damaged-${now.toISOString().replaceAll(":", "")}`;
  try {
    for (const suffix of ["-wal", "-shm", ""]) if (existsSync(path + suffix)) renameSync(path + suffix, kept + suffix);
  } catch (cause) {
    throw new Fault("FILE_WRITE_FAILED", `${path} is damaged and cannot be put aside as ${kept}; move it by hand.`, {
      cause,
    });
  }
  return kept;
}
