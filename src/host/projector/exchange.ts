/**
 * Puts another projection in the place of the one that serves. At every instant, whatever ends the process or the machine, there is exactly
 * one whole file under the serving name: it is replaced by one rename. Steps, in order, each synced:
 *
 * 1. the serving file gets a second name, `projection.retired.db`;
 * 2. the candidate is renamed over the serving name: this is the switch;
 * 3. what was kept from before goes, and the retired file takes its name, `projection.previous.db`.
 *
 * SQLite finds a file's write-ahead log by the file's name, so nobody may have either file open meanwhile: the last connection that closes
 * removes its log, and as long as one is there nothing is exchanged.
 */
import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type No, type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { syncDirectory } from "../founding/files.ts";

export interface ProjectionFiles {
  /** The one that serves. */
  readonly serving: string;
  /** Being built; of no worth after a restart. */
  readonly rebuilt: string;
  /** What served before: what a roll back goes back to. */
  readonly previous: string;
  /** A second name for what served, for the length of an exchange. */
  readonly retired: string;
}

export function projectionFiles(directory: string): ProjectionFiles {
  const named = (name: string): string => join(directory, `projection.${name}`);
  return {
    serving: named("db"),
    rebuilt: named("rebuilt.db"),
    previous: named("previous.db"),
    retired: named("retired.db"),
  };
}

/** Called between steps, with what comes next; a test ends the process there. */
export type AtStep = (step: (typeof EXCHANGE_STEPS)[number]) => void;
export const EXCHANGE_STEPS = ["begin", "linked", "renamed", "cleared", "kept"] as const;

/**
 * Steps 1 and 2: puts a candidate (`rebuilt` or `previous`, synced) in the place of the serving file. `keepRetired` must follow.
 * Refuses: PROJECTION_IN_USE while any connection has one of the two open.
 */
export function exchange(
  files: ProjectionFiles,
  candidate: string,
  atStep: AtStep = () => {},
): Result<void, Refusal<"PROJECTION_IN_USE">> {
  const directory = dirname(files.serving);
  for (const path of [files.serving, candidate]) if (hasCompanions(path)) return inUse(path);
  atStep("begin");
  rmSync(files.retired, { force: true });
  linkSync(files.serving, files.retired);
  syncDirectory(directory);
  atStep("linked");
  renameSync(candidate, files.serving);
  syncDirectory(directory);
  atStep("renamed");
  return ok(undefined);
}

/** The last step of an exchange, with both files served again: to remove a large file takes time. */
export function keepRetired({ previous, retired }: ProjectionFiles, atStep: AtStep = () => {}): void {
  removeDatabase(previous);
  atStep("cleared");
  renameSync(retired, previous);
  syncDirectory(dirname(previous));
  atStep("kept");
}

/** Brings an exchange that was cut short to its end, and removes what was being built. Before any connection is opened. */
export function settleProjectionFiles(files: ProjectionFiles): void {
  removeDatabase(files.rebuilt);
  if (!existsSync(files.retired)) return;
  if (isSameFile(files.retired, files.serving)) rmSync(files.retired);
  else keepRetired(files);
}

/** Removes a database with what SQLite keeps beside it: the file first, since a log without its file is nothing. */
export function removeDatabase(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
}

export const hasCompanions = (path: string): boolean => existsSync(`${path}-wal`) || existsSync(`${path}-shm`);

function isSameFile(one: string, other: string): boolean {
  if (!existsSync(other)) return false;
  const [a, b] = [statSync(one), statSync(other)];
  return a.ino === b.ino && a.dev === b.dev;
}

function inUse(path: string): No<Refusal<"PROJECTION_IN_USE">> {
  return refuse(
    "PROJECTION_IN_USE",
    `Another program has ${path} open; close it (an inspector, sqlite3, a backup), then ask again.`,
    "none",
  );
}

/** The candidate is whole on the disk: to be called before the exchange, since it may take time. */
export function syncFile(path: string): void {
  const file = openSync(path, "r+");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
