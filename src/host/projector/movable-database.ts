/** A connection whose file may be exchanged for another one: statements that were prepared before go on with the new file. */
import { type Sqlite, openSqlite } from "../../events/store/sqlite.ts";
import type { SqlDatabase, SqlStatement } from "../../projections/rebac/sql-database.ts";

export class MovableDatabase implements SqlDatabase {
  readonly path: string;
  #db: Sqlite;
  /** How often the file was exchanged: statements of an earlier one are prepared anew when they are used. */
  #generation = 0;

  /** Throws: Fault PROJECTION_OPEN_FAILED and the like. */
  constructor(path: string) {
    this.path = path;
    this.#db = open(path);
  }

  prepare(sql: string): SqlStatement {
    let generation = this.#generation;
    let statement: SqlStatement = this.#db.prepare(sql);
    const current = (): SqlStatement => {
      if (generation === this.#generation) return statement;
      statement = this.#db.prepare(sql);
      generation = this.#generation;
      return statement;
    };
    return {
      run: (...parameters) => current().run(...parameters),
      get: (...parameters) => current().get(...parameters),
      all: (...parameters) => current().all(...parameters),
      iterate: (...parameters) => current().iterate(...parameters),
    };
  }

  exec(sql: string): unknown {
    return this.#db.exec(sql);
  }

  transaction<T>(work: () => T): () => T {
    return () => this.#db.transaction(work)();
  }

  /** Does something to the file while this connection is closed, and goes on with the file that stands there then. Synchronous. */
  whileClosed<T>(work: () => T): T {
    this.#db.close();
    try {
      return work();
    } finally {
      this.#db = open(this.path);
      this.#generation += 1;
    }
  }

  close(): void {
    this.#db.close();
  }
}

const open = (path: string): Sqlite => openSqlite(path, { store: "PROJECTION", synchronous: "normal" });
