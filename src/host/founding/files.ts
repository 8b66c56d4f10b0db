/** Files that hold keys, or what keys rest on: written whole or not at all, readable by their owner alone. */
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { Fault } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";

export type FileRefusal = Refusal<"FILE_MISSING" | "FILE_LOOSE" | "FILE_TOO_LARGE" | "FILE_MALFORMED">;

const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;
const OTHERS = 0o077;

/** Creates the directory (and its parents), readable by its owner alone. Throws: Fault FILE_WRITE_FAILED. */
export function makePrivateDirectory(path: string): void {
  faulting(path, () => {
    makeDirectories(resolve(path));
    chmodSync(path, PRIVATE_DIRECTORY); // mkdir leaves an existing directory, and the mask, as they are
  });
}

/** Not by mkdir's own recursion, which never ends where a directory that is there takes no other, as in /proc. */
function makeDirectories(path: string): void {
  const isThere = (): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (isThere()) return;
  makeDirectories(dirname(path));
  try {
    mkdirSync(path, { mode: PRIVATE_DIRECTORY });
  } catch (error) {
    if (!isThere()) throw error; // else another process was first
  }
}

/** Replaces the file in one step, durable when this returns. Throws: Fault FILE_WRITE_FAILED, DISK_FULL; then the old file stands. */
export function writeAtomic(path: string, content: Uint8Array | string, mode: number = PRIVATE_FILE): void {
  const target = resolve(path);
  const temporary = `${target}.new`;
  faulting(target, () => {
    const file = openSync(temporary, "w", mode);
    try {
      writeAll(file, typeof content === "string" ? Buffer.from(content) : content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    chmodSync(temporary, mode); // a leftover of a crash keeps the mode it was made with
    renameSync(temporary, target);
    syncDirectory(dirname(target));
  });
}

/** Reads a file of keys. Bounds: `maxBytes`. Refuses: what is missing, too large, or open to other users. */
export function readPrivate(path: string, maxBytes: number): Result<Uint8Array, FileRefusal> {
  return readBounded(path, maxBytes, true);
}

/** Reads a file that anyone may see. Bounds: `maxBytes`. */
export function readPublic(path: string, maxBytes: number): Result<Uint8Array, FileRefusal> {
  return readBounded(path, maxBytes, false);
}

export function fileExists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function readBounded(path: string, maxBytes: number, keepPrivate: boolean): Result<Uint8Array, FileRefusal> {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe that nobody writes to would be waited for
  } catch (error) {
    if (isMissing(error)) return refuse("FILE_MISSING", `${path} does not exist; check the path.`);
    throw new Fault("FILE_READ_FAILED", `${path} cannot be read: ${reason(error)}`, { cause: error });
  }
  try {
    const stat = fstatSync(file); // of the opened file, so that nothing can change between the check and the reading
    if (!stat.isFile()) return refuse("FILE_MALFORMED", `${path} is not a file.`);
    if (keepPrivate && (stat.mode & OTHERS) !== 0) {
      return refuse(
        "FILE_LOOSE",
        `${path} is open to other users (mode ${(stat.mode & 0o777).toString(8)}); run: chmod 600 ${path}`,
      );
    }
    if (stat.size > maxBytes)
      return refuse("FILE_TOO_LARGE", `${path} has ${stat.size} bytes; at most ${maxBytes} are read.`);
    return ok(Uint8Array.from(readFileSync(file)));
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, content: Uint8Array): void {
  for (let at = 0; at < content.length; ) at += writeSync(file, content, at);
}

/** A rename survives a power cut only when its directory is synced too. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function faulting(path: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (isDiskFull(error)) throw diskFull(path, error);
    throw new Fault("FILE_WRITE_FAILED", `${path} cannot be written: ${reason(error)}`, { cause: error });
  }
}

/** Whether a write failed since the disk, or this user's share of it, is full. */
export const isDiskFull = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");

export const diskFull = (path: string, cause: unknown): Fault =>
  new Fault("DISK_FULL", `${path}: the disk is full; free disk space, then start the node again.`, { cause });

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";
const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
