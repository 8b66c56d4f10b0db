/** Directories for what a command needs while it runs. Copies of logs are not left behind, however the command ends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../../src/base/errors.ts";

export interface TemporaryDirectory {
  readonly path: string;
  readonly remove: () => void;
}

/** Where TMPDIR says; removed with the process at the latest (a closed pipe, a second Ctrl-C). Throws: Fault TEMPORARY_FAILED. */
export function temporaryDirectory(prefix: string): TemporaryDirectory {
  const path = made(prefix);
  const clear = (): void => rmSync(path, { recursive: true, force: true });
  process.once("exit", clear);
  const remove = (): void => {
    process.removeListener("exit", clear);
    clear();
  };
  return { path, remove };
}

function made(prefix: string): string {
  try {
    return mkdtempSync(join(tmpdir(), prefix));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `No temporary directory can be made in ${tmpdir()} (${why}); name another place by TMPDIR.`;
    throw new Fault("TEMPORARY_FAILED", message, { cause: error });
  }
}
