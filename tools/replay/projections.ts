/** Every projection built again from nothing beside a replay, and compared with a node's projection.db at its height. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { Projector, type ProjectionRoots, TABLE_SETS } from "../../src/actors/projector/projector.ts";
import { type Sqlite, openSqlite } from "../../src/events/store/sqlite.ts";
import { compareProjections } from "../../src/host/projector/compare.ts";
import { expectSoundIndexes } from "../../src/host/projector/database.ts";
import type { Height } from "../../src/base/brands.ts";
import { Fault } from "../../src/base/errors.ts";
import { Checkpoints } from "./checkpoints.ts";
import { ReplayFailure } from "./failure.ts";
import type { ReplayedBlock } from "./replayed.ts";
import { temporaryDirectory } from "./temporary.ts";

/** Blocks of one transaction. */
const BLOCKS_PER_TRANSACTION = 64;
/** Facts of one transaction: what waits for it is in memory. */
const BYTES_PER_TRANSACTION = 8 * 1024 * 1024;

const PART = { part: "projection" } as const;

export class Projections {
  readonly #directory = temporaryDirectory("sky-projection-");
  readonly #db: Sqlite;
  readonly #projector: Projector;
  readonly #checkpoints: Checkpoints;
  readonly #serving: ServingProjection | undefined;
  #waiting: ReplayedBlock[] = [];
  #bytes = 0;
  #compared = false;

  /** `serving` is compared when its height is reached; it stays its caller's. `checkpointed`: heights whose state is compared with checkpoints'. */
  constructor(serving: ServingProjection | undefined, checkpointed: ReadonlySet<Height> = new Set()) {
    this.#serving = serving;
    this.#db = openSqlite(join(this.#directory.path, "projection.db"), { store: "PROJECTION", synchronous: "normal" });
    this.#db.pragma("synchronous = OFF"); // thrown away when this process ends
    this.#projector = new Projector(this.#db);
    this.#checkpoints = new Checkpoints(this.#db, checkpointed);
  }

  /** Checkpoints whose segments were compared. */
  get checkpoints(): number {
    return this.#checkpoints.compared;
  }

  /** Whether the serving projection was compared, and is equal. */
  get compared(): boolean {
    return this.#compared;
  }

  /** Throws: ReplayFailure PROJECTION_DIFFERS, CHECKPOINT_INVALID. */
  add(block: ReplayedBlock): void {
    this.#checkpoints.take(block);
    this.#waiting.push(block);
    this.#bytes += block.factBytes.length;
    const isAtServing = block.height === this.#serving?.roots.height;
    const isCheckpointed = this.#checkpoints.isDue(block.height);
    if (
      !isAtServing &&
      !isCheckpointed &&
      this.#waiting.length < BLOCKS_PER_TRANSACTION &&
      this.#bytes < BYTES_PER_TRANSACTION
    )
      return;
    this.flush();
    if (isCheckpointed) this.#checkpoints.note(block.height);
    if (isAtServing) this.#compare(this.#serving);
  }

  /** Throws: Fault TEMPORARY_FAILED. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const blocks = this.#waiting.map(({ height, hash, root, time, event, factBytes }) => ({
      height,
      hash,
      root,
      time,
      block: event.block,
      facts: factBytes,
    }));
    try {
      this.#projector.apply(blocks);
    } catch (error) {
      throw isFull(error) ? noRoom(this.#directory.path, error) : error;
    }
    this.#waiting = [];
    this.#bytes = 0;
  }

  roots(): ProjectionRoots {
    return this.#projector.roots();
  }

  close(): void {
    this.#db.close();
    this.#directory.remove();
  }

  #compare({ roots, db }: ServingProjection): void {
    const mine = this.roots();
    const different = TABLE_SETS.filter((set) => mine.rows[set] !== roots.rows[set]);
    const isSameRoot = mine.executed === roots.executed;
    const tables = different.length === 0 ? [] : differences(db, this.#db);
    if (isSameRoot && tables.length === 0) {
      this.#compared = true;
      return;
    }
    const reason = isSameRoot
      ? `its tables differ from those that follow from the log: ${tables.join("; ")}`
      : `it says that the height executes to root ${roots.executed ?? "none"}, and it executes to ${mine.executed ?? "none"}`;
    throw new ReplayFailure("PROJECTION_DIFFERS", mine.height, PART, reason);
  }
}

const isFull = (error: unknown): boolean =>
  (error instanceof Fault || error instanceof Database.SqliteError) && error.code.endsWith("_FULL");

const noRoom = (directory: string, cause: unknown): Fault =>
  new Fault(
    "TEMPORARY_FAILED",
    `There is no room for the tables in ${directory}; free space there, or name another place by TMPDIR.`,
    { cause },
  );

/** In words; a projection that was filled from a checkpoint lacks old blocks, which is no difference. */
function differences(serving: Sqlite, built: Sqlite): readonly string[] {
  const rows = compareProjections(serving, built);
  let step = rows.next();
  while (step.done !== true) step = rows.next();
  return step.value.map(({ table, missing, added, changed, examples }) => {
    const counts = `${missing} rows too many, ${added} missing, ${changed} changed`;
    return `${table}: ${counts} (${examples[0] ?? "none shown"})`;
  });
}

/** A node's projection database as it stood when it was opened. */
export class ServingProjection {
  readonly roots: ProjectionRoots;
  readonly db: Sqlite;

  private constructor(db: Sqlite, roots: ProjectionRoots) {
    this.db = db;
    this.roots = roots;
  }

  /**
   * A running node's stands still for this reader alone: its write-ahead log cannot be cut back before `close`, so that its rows are not read
   * again one by one. Throws: ReplayFailure PROJECTION_DAMAGED.
   */
  static open(path: string, isLive: boolean): ServingProjection {
    let db: Sqlite | undefined;
    try {
      db = openSqlite(path, { store: "PROJECTION", synchronous: "normal", readonly: true });
      db.exec("BEGIN");
      if (!isLive) expectSoundIndexes(db);
      const projector = new Projector(db);
      const judged = isLive ? undefined : projector.verify();
      if (judged?.ok === false)
        throw new ReplayFailure("PROJECTION_DAMAGED", null, PART, judged.refusal.message.replace(/\.$/, ""));
      return new ServingProjection(db, projector.roots());
    } catch (error) {
      db?.close();
      throw error instanceof ReplayFailure ? error : damaged(error);
    }
  }

  close(): void {
    this.db.close();
  }
}

function damaged(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const isOfTheDisk = error instanceof Fault && !/_(?:CORRUPT|DAMAGED)$/.test(error.code);
  return isOfTheDisk ? error : new ReplayFailure("PROJECTION_DAMAGED", null, PART, error.message.replace(/\.$/, ""));
}
