/** A disk that holds the real log database, on SQLite in memory: the node's own store runs in the simulation. */
import Database from "better-sqlite3";
import { Fault } from "../../src/base/errors.ts";
import type { LogHashing } from "../../src/events/store/damage.ts";
import type { LogEvent } from "../../src/events/facts/block.ts";
import type { LogBatch, Mark } from "../../src/events/store/log-batch.ts";
import { LogDatabase } from "../../src/events/store/log-database.ts";
import type { Log } from "../../src/events/store/log.ts";
import { migrate } from "../../src/events/store/schema.ts";
import type { Result } from "../../src/base/result.ts";
import type { AppendRefusal } from "../../src/events/store/event-table.ts";
import type { Repair } from "../../src/events/store/log.ts";
import { Disk, type Durable, withFlippedBit } from "./disk.ts";
import { PowerCut } from "./power-cut.ts";
import type { Random } from "./random.ts";

/** Columns whose bytes some digest or checksum stands for. */
const COVERED = [
  { table: "events", column: "header", where: "position > 0" },
  { table: "events", column: "body", where: "position > 0" },
  { table: "bundles", column: "bytes", where: "1" },
  { table: "candidates", column: "header", where: "1" },
  { table: "journal", column: "bytes", where: "length(bytes) > 0" },
  { table: "marks", column: "value", where: "1" },
  { table: "executed", column: "root", where: "1" },
] as const;

interface Row {
  readonly rowid: number;
  readonly bytes: Uint8Array;
}

export class SqliteDisk extends Disk {
  readonly connection = new Database(":memory:");
  readonly #random: Random;

  constructor(random: Random) {
    super();
    this.#random = random;
    migrate(this.connection, "memory");
  }

  override get height(): number {
    const row = this.connection.prepare("SELECT max(position) AS height FROM events WHERE stream = 'log'").get();
    return (row as { height: number | null }).height ?? -1;
  }

  override flipBit(): string | undefined {
    const { table, column, where } = this.#random.pick(COVERED);
    const rows = this.connection
      .prepare(`SELECT rowid, ${column} AS bytes FROM ${table} WHERE ${where} ORDER BY rowid`)
      .all() as Row[];
    if (rows.length === 0) return undefined;
    const { rowid, bytes } = this.#random.pick(rows);
    const flipped = Buffer.from(withFlippedBit(bytes, this.#random));
    this.connection.prepare(`UPDATE ${table} SET ${column} = ? WHERE rowid = ?`).run(flipped, rowid);
    return `${table}.${column}`;
  }

  /** Whether a write that power or sync failed in the middle of is there: SQLite's own recovery knows all or nothing. */
  lands(): boolean {
    return this.#random.chance(0.3);
  }

  override open(path: string, hashing: LogHashing, written: (write: Durable) => void): Log {
    return new SimulatedDatabase(this, path, hashing, written);
  }

  override close(): void {
    this.connection.close();
  }
}

class SimulatedDatabase extends LogDatabase {
  readonly #disk: SqliteDisk;
  readonly #written: (write: Durable) => void;
  #hasFailed = false;

  constructor(disk: SqliteDisk, path: string, hashing: LogHashing, written: (write: Durable) => void) {
    super(disk.connection, path, hashing, () => {});
    this.#disk = disk;
    this.#written = written;
  }

  override commit(batch: LogBatch): void {
    this.#write(() => {
      super.commit(batch);
      this.#written({ kind: "commit", batch });
    });
  }

  override repair(repair: Repair): Result<void, AppendRefusal> {
    return this.#write(() => {
      const repaired = super.repair(repair);
      if (repaired.ok) this.#written({ kind: "repair", ...repair });
      return repaired;
    });
  }

  override beginAt(event: LogEvent, pruneBelow: NonNullable<LogBatch["pruneBelow"]>, marks: readonly Mark[]): void {
    this.#write(() => {
      super.beginAt(event, pruneBelow, marks);
      this.#written({ kind: "begin", event, batch: { pruneBelow, marks } });
    });
  }

  #write<T>(work: () => T): T {
    if (this.#hasFailed) throw new Fault("LOG_WRITE_FAILED", `${this.path} takes no more writes since one failed.`);
    const fate = this.#disk.begin();
    switch (fate) {
      case "full":
        this.#hasFailed = true;
        throw new Fault("LOG_FULL", `${this.path}: no room is left.`);
      case "crashBefore":
        throw new PowerCut("before a write");
      case "torn":
      case "syncFailed":
        this.#hasFailed = true;
        if (this.#disk.lands()) work();
        if (fate === "torn") throw new PowerCut("within a write");
        throw new Fault("LOG_WRITE_FAILED", `${this.path}: the disk did not sync.`);
      case "crashAfter":
        work();
        throw new PowerCut("after a write");
      case "done":
        return work();
    }
  }

  /** The database stays open: the next life of this node goes on with it. */
  override close(): void {}
}
