/**
 * Which event a witness signed for each place of a log. The order of the cluster's log says which came first; what a node signed stays
 * signed, also when the event expired from the log's escrows and a rival comes later.
 */
import type { Aid, Said } from "../../base/brands.ts";
import { type Sqlite, guarded, openSqlite } from "../../events/store/sqlite.ts";
import { textOf } from "../../projections/rebac/table-rows.ts";

const SCHEMA = `CREATE TABLE IF NOT EXISTS witnessed (aid TEXT NOT NULL, sn INTEGER NOT NULL, said TEXT NOT NULL, PRIMARY KEY (aid, sn)) STRICT, WITHOUT ROWID`;

export interface WitnessedEvent {
  readonly aid: Aid;
  readonly sn: number;
  readonly said: Said;
}

export class WitnessJournal {
  readonly #path: string;
  readonly #db: Sqlite;

  /** Throws: Fault WITNESS_OPEN_FAILED, WITNESS_CORRUPT and the like. */
  constructor(path: string) {
    this.#path = path;
    this.#db = openSqlite(path, { store: "WITNESS", synchronous: "full" });
    this.#db.exec(SCHEMA);
  }

  /** What was signed for the place. Throws: Fault WITNESS_…. */
  signed(aid: Aid, sn: number): Said | undefined {
    const row = guarded("WITNESS", this.#path, "read", () =>
      this.#db.prepare("SELECT said FROM witnessed WHERE aid = ? AND sn = ?").get(aid, sn),
    );
    return row === undefined ? undefined : (textOf(row, "said") as Said);
  }

  /** Synced when it returns: only then may they be signed. Throws: Fault WITNESS_…. */
  record(events: readonly WitnessedEvent[]): void {
    const insert = this.#db.prepare("INSERT OR REPLACE INTO witnessed (aid, sn, said) VALUES (?, ?, ?)");
    const all = this.#db.transaction(() => {
      for (const { aid, sn, said } of events) insert.run(aid, sn, said);
    });
    guarded("WITNESS", this.#path, "write", all);
  }

  /** Forgets events of which the log itself says what came of their place: those that were accepted. */
  forget(isAccepted: (said: Said) => boolean): void {
    const rows = this.#db.prepare("SELECT aid, sn, said FROM witnessed").all();
    const drop = this.#db.prepare("DELETE FROM witnessed WHERE said = ?");
    const all = this.#db.transaction(() => {
      for (const row of rows) if (isAccepted(textOf(row, "said") as Said)) drop.run(textOf(row, "said"));
    });
    guarded("WITNESS", this.#path, "write", all);
  }

  close(): void {
    this.#db.close();
  }
}
