/**
 * What a projection's file held when it was closed in order, as a digest beside it. A file that still holds the same bytes needs no
 * reading row by row before it serves: hashing it takes a thirtieth of that time. The seal finds damage and careless hands, as the sums
 * in the file do (docs/adr/0012); whoever can write both can make both.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { Sqlite } from "../../events/store/sqlite.ts";

const CHUNK_BYTES = 1024 * 1024;
const MODE = 0o600;

const sealOf = (path: string): string => `${path}.seal`;

/** Whether the file at `path` holds the bytes that it was sealed with; the seal is used up. */
export function takeSeal(path: string): boolean {
  try {
    const seal = readFileSync(sealOf(path), "utf8");
    rmSync(sealOf(path));
    return !hasUnwritten(path) && seal === digestOf(path);
  } catch {
    return false; // no seal, or nothing that can be read: then all rows are
  }
}

/** Closes the file; it is sealed unless somebody reads it or the disk fails: then the next start reads all rows. */
export function closeSealed(db: Sqlite, path: string): void {
  try {
    const isWhole = isWholeIn(db.pragma("wal_checkpoint(TRUNCATE)"));
    db.close();
    if (isWhole) writeFileSync(sealOf(path), digestOf(path), { mode: MODE });
  } catch {
    db.close();
  }
}

/** What `wal_checkpoint` answers when everything committed stands in the file itself. */
const isWholeIn = (answer: unknown): boolean =>
  Array.isArray(answer) && (answer[0] as { readonly busy?: unknown } | undefined)?.busy === 0;

/** Commits that stand only in the write-ahead log. */
function hasUnwritten(path: string): boolean {
  const wal = statSync(`${path}-wal`, { throwIfNoEntry: false });
  return wal !== undefined && wal.size > 0;
}

function digestOf(path: string): string {
  const hash = createHash("sha256");
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const file = openSync(path, "r");
  try {
    for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk)) hash.update(chunk.subarray(0, read));
  } finally {
    closeSync(file);
  }
  return hash.digest("hex");
}
