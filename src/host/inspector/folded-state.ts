/** Executed blocks folded into tables of our own, which then answer for every height: what recordings and copied logs are asked from. */
import Database from "better-sqlite3";
import { type ProjectedBlock, Projector } from "../../actors/projector/projector.ts";
import type { SqlDatabase } from "../../projections/rebac/sql-database.ts";

/** Blocks of one transaction. */
const BATCH_BLOCKS = 256;

/** A private database without a name: SQLite keeps it in memory while it is small, on disk when it grows, and deletes it at the end. */
export class FoldedState {
  readonly #db = new Database("");
  readonly #projector: Projector;
  #waiting: ProjectedBlock[] = [];

  constructor() {
    this.#db.pragma("journal_mode = off");
    this.#db.pragma("synchronous = off");
    this.#projector = new Projector(this.#db);
  }

  get db(): SqlDatabase {
    return this.#db;
  }

  /** Last block applied; −1 before genesis. */
  get height(): number {
    return this.#projector.height;
  }

  /** Blocks follow one another. */
  add(block: ProjectedBlock): void {
    this.#waiting.push(block);
    if (this.#waiting.length >= BATCH_BLOCKS) this.flush();
  }

  flush(): void {
    if (this.#waiting.length > 0) this.#projector.apply(this.#waiting);
    this.#waiting = [];
  }

  close(): void {
    this.#db.close();
  }
}
