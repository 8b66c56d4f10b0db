/**
 * Numbers the commits of a log from outside: after each one the digest of everything in the file, and where the write-ahead log
 * ends. Nothing in the product counts commits. A number in the file would prove less: that a transaction's number is there says
 * nothing of its other rows, while equal digests say that a reopened file is the state after commit k and no mixture. Nor would a
 * node act on it: SQLite's frames number the commits already (wal-damage.ts reads them), and the checksum that goes with every
 * commit tells one state of the journal from another (integrity.ts).
 */
import { createHash } from "node:crypto";
import Database from "better-sqlite3";
import type { Log } from "../../../src/events/store/log.ts";
import { INTEGRITY_MARK } from "../../../src/events/store/integrity.ts";
import { LOST_COMMITS_MARK } from "../../../src/events/store/log-database.ts";

/**
 * Digest of every row of every table of a database that is open elsewhere, but for the one mark that reopening may leave, and the
 * checksum that follows from the rows (see LogDatabase.defect).
 */
export class StateReader {
  readonly #db: Database.Database;
  readonly #tables: readonly Database.Statement<[], unknown[]>[];

  constructor(path: string) {
    this.#db = new Database(path, { fileMustExist: true });
    const names = this.#db.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    this.#tables = names
      .pluck()
      .all()
      .map((name) => {
        const but = name === "marks" ? `WHERE name NOT IN ('${LOST_COMMITS_MARK}', '${INTEGRITY_MARK}')` : "";
        return this.#db.prepare<[], unknown[]>(`SELECT * FROM ${name} NOT INDEXED ${but}`).raw();
      });
  }

  digest(): string {
    const hash = createHash("sha256");
    for (const [i, rows] of this.#tables.entries()) {
      hash.update(`table ${i}\n`);
      for (const row of rows.iterate()) for (const value of row) update(hash, value);
    }
    return hash.digest("hex");
  }

  /** Moves everything into the database file; the next commit begins the write-ahead log anew, with stale frames behind it. */
  checkpoint(): void {
    const [result] = this.#db.pragma("wal_checkpoint(RESTART)") as [{ readonly busy: number }];
    if (result.busy !== 0) throw new Error("the checkpoint found the log busy");
  }

  close(): void {
    this.#db.close();
  }
}

function update(hash: ReturnType<typeof createHash>, value: unknown): void {
  if (value instanceof Uint8Array) hash.update(`blob ${value.length} `).update(value);
  else hash.update(`${typeof value} ${String(value).length} ${String(value)} `);
}

/** Calls back around every write of a log, until then unnumbered. */
export function wrapWrites(log: Log, write: (doWrite: () => void) => void): void {
  const target = log as { -readonly [K in keyof Log]: Log[K] };
  const { commit, dropBundles } = log;
  target.commit = (batch) => write(() => commit.call(log, batch));
  target.dropBundles = (digests) => write(() => dropBundles.call(log, digests));
}
