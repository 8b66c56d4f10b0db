/** One process at a time changes a file that several use. */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { Fault } from "../../base/errors.ts";

/** A change of a file takes milliseconds; whoever holds the lock longer is stuck. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 5;
const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * Runs `change` while no other process runs one for the same file. The lock of a process that died is taken over.
 * Units: `patienceMs` in ms. Throws: Fault FILE_LOCKED, and what `change` throws.
 */
export function withFileLock<T>(path: string, change: () => T, patienceMs = PATIENCE_MS): T {
  const lock = `${path}.lock`;
  const end = Date.now() + patienceMs;
  while (!acquired(lock)) {
    if (Date.now() > end)
      throw new Fault(
        "FILE_LOCKED",
        `${path} is being changed by process ${holder(lock)}; if that is none of Sky's, remove ${lock}.`,
      );
    Atomics.wait(pause, 0, 0, PAUSE_MS);
  }
  try {
    return change();
  } finally {
    rmSync(lock, { force: true });
  }
}

function acquired(lock: string): boolean {
  try {
    const file = openSync(lock, "wx", 0o600);
    writeSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "EEXIST")
      throw new Fault("FILE_WRITE_FAILED", `${lock} cannot be written: ${String(error)}`, { cause: error });
    const pid = Number(holder(lock));
    if (pid > 0 && !isAlive(pid)) rmSync(lock, { force: true });
    return false;
  }
}

function holder(lock: string): string {
  try {
    return readFileSync(lock, "utf8");
  } catch {
    return ""; // given back meanwhile
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
