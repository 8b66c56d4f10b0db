/** Directories for files that are opened thousands of times: in memory where the system offers it, since no power is cut here. */
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const scratch = (prefix: string): string =>
  mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), prefix));
