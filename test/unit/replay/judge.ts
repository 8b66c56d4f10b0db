/** Logs in memory that tests may damage, and what `replay` says of them. */
import Database from "better-sqlite3";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "../../../src/base/codec.ts";
import { finalityProofShape, type FinalityProof } from "../../../src/events/facts/block.ts";
import { RawLog } from "../../../src/events/store/raw-log.ts";
import type { Digest } from "../../../src/base/brands.ts";
import { StoredSource } from "../../../tools/replay/directory.ts";
import { ReplayFailure } from "../../../tools/replay/failure.ts";
import { type MadeBlock, appendTo, openMadeLog } from "../../../tools/replay/made-log.ts";
import type { ReplayOptions } from "../../../tools/replay/replayed.ts";
import { replay } from "../../../tools/replay/replay.ts";

export interface Placed {
  readonly block: MadeBlock;
  readonly root: Digest;
}

/** The database of a node whose log these blocks are. */
export function stored(blocks: readonly Placed[]): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "sky-replay-test-"));
  try {
    const path = join(directory, "log.db");
    const log = openMadeLog(path);
    for (const { block, root } of blocks) appendTo(log, block, root);
    log.close();
    const file = new Database(path);
    file.pragma("journal_mode = DELETE"); // a database in memory has no write-ahead log
    const bytes = file.serialize();
    file.close();
    return bytes;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What does not hold, in short; "sound" when everything does. */
export async function verdictOf(database: Database.Database, options: ReplayOptions = {}): Promise<string> {
  try {
    const source = new StoredSource("memory", new RawLog(database, "memory"));
    for await (const _ of replay(source, options)) continue;
    return "sound";
  } catch (error) {
    if (error instanceof ReplayFailure) return `${error.code} ${error.height ?? "-"} ${error.where.part}`;
    throw error;
  }
}

/** The verdict on a log after statements of SQL. */
export async function verdictAfter(file: Buffer, ...statements: readonly string[]): Promise<string> {
  const database = new Database(file);
  try {
    for (const statement of statements) database.exec(statement);
    return await verdictOf(database);
  } finally {
    database.close();
  }
}

/** The verdict on a log whose event at a height carries another proof. */
export async function verdictWithProof(file: Buffer, height: number, proof: FinalityProof): Promise<string> {
  const database = new Database(file);
  try {
    const bytes = encode(finalityProofShape, proof);
    database.prepare("UPDATE events SET proof = ? WHERE position = ?").run(bytes, height);
    return await verdictOf(database);
  } finally {
    database.close();
  }
}
