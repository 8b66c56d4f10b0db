/**
 * The database of the consensus worker: log, bundles, candidates, journal, executed roots and marks in one file.
 * One process opens it for writing; each commit is one transaction and one sync, and what it returned from is durable.
 */
import type { Digest, Height } from "../../base/brands.ts";
import { digestBytes, utf8 } from "../../base/bytes.ts";
import { Defect, Fault, assert } from "../../base/errors.ts";
import { type Result, ok } from "../../base/result.ts";
import type { Executed, LogEvent } from "../facts/block.ts";
import type { LogHashing } from "./damage.ts";
import type { AppendRefusal } from "./event-table.ts";
import type { LogBatch } from "./log-batch.ts";
import type { Log } from "./log.ts";
import { LOG_STREAM, LogReader } from "./log-reader.ts";
import { prepareWrites } from "./log-statements.ts";
import { migrate } from "./schema.ts";
import { type Sqlite, guarded, lockForWriting, openSqlite } from "./sqlite.ts";
import { lostCommits } from "./wal-damage.ts";

/**
 * Stands, with the reason, in a log that was opened and did not hold every commit it had synced: whoever voted with it must not
 * trust it to remember (consensus.md, "Lost journal"). Its reader takes it away once it has acted on it durably.
 */
export const LOST_COMMITS_MARK = "lost-commits";

/** A batch wanted to append what does not follow the head: our own code is wrong, since nobody else writes. */
export class AppendDefect extends Defect {
  readonly refusal: AppendRefusal;
  constructor(refusal: AppendRefusal) {
    super(`${refusal.code}: ${refusal.message}`);
    this.refusal = refusal;
  }
}

export class LogDatabase extends LogReader implements Log {
  readonly #writes: ReturnType<typeof prepareWrites>;
  readonly #atomically: (work: () => void) => void;
  readonly #release: () => void;
  readonly #listeners = new Set<(stream: string) => void>();
  /** First write that failed: after it the file's state in memory is not what is on disk, so nothing more is written. */
  #failed: Fault | undefined;

  constructor(connection: Sqlite, path: string, hashing: LogHashing, release: () => void) {
    super(connection, path, hashing);
    this.#writes = guarded("LOG", path, "open", () => prepareWrites(connection));
    const transaction = connection.transaction((work: () => void) => work());
    this.#atomically = (work) => transaction.immediate(work);
    this.#release = release;
  }

  /**
   * Writes all of a batch or nothing, synced to disk when it returns.
   * Throws: AppendDefect (WRONG_EXPECTED_POSITION, BROKEN_CHAIN), Defect, both with nothing written; Fault LOG_FULL,
   * LOG_WRITE_FAILED, LOG_CORRUPT: the process should end, every later commit is refused with LOG_WRITE_FAILED.
   */
  commit(batch: LogBatch): void {
    this.#transact(() => this.#apply(batch));
    if (batch.append !== undefined && batch.append.events.length > 0) this.#announce(LOG_STREAM);
  }

  /**
   * Appends events to a stream, all or none, synced to disk when it returns.
   * Refuses: WRONG_EXPECTED_POSITION, BROKEN_CHAIN. Throws: as `commit`.
   */
  append(stream: string, expected: Height, events: readonly LogEvent[]): Result<void, AppendRefusal> {
    const admitted = guarded("LOG", this.path, "read", () => this.table.admit(stream, expected, events));
    if (!admitted.ok) return admitted;
    if (events.length > 0) {
      this.#transact(() => this.table.insert(stream, admitted.value));
      this.#announce(stream);
    }
    return ok(undefined);
  }

  /** Forgets bundles that no final block names, synced like a commit; ordered ones are kept whatever is asked. */
  dropBundles(digests: readonly Digest[]): void {
    this.#transact(() => {
      for (const digest of digests) this.#writes.dropBundle.run({ digest: digestBytes(digest) });
    });
  }

  /** Calls back after each append, with the name of the stream that grew, until the function it returns is called. */
  onAppend(listener: (stream: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Gives the file and its lock back. */
  override close(): void {
    super.close();
    this.#release();
  }

  #announce(stream: string): void {
    for (const listener of this.#listeners) listener(stream);
  }

  #transact(work: () => void): void {
    if (this.#failed !== undefined) {
      const message = `${this.path} takes no more writes since one failed; restart the node.`;
      throw new Fault("LOG_WRITE_FAILED", message, { cause: this.#failed });
    }
    try {
      guarded("LOG", this.path, "write", () => this.#atomically(work));
    } catch (error) {
      if (error instanceof Fault) this.#failed = error;
      throw error;
    }
  }

  #apply(batch: LogBatch): void {
    const writes = this.#writes;
    if (batch.pruneBelow !== undefined) {
      writes.pruneJournal.run(batch.pruneBelow);
      writes.pruneCandidates.run(batch.pruneBelow);
    }
    for (const { digest, bytes } of batch.bundles ?? []) writes.bundle.run({ digest: digestBytes(digest), bytes });
    for (const { hash, epoch, view, block } of batch.candidates ?? []) {
      writes.candidate.run({ hash: digestBytes(hash), epoch, view, header: block.header, body: block.body });
    }
    if (batch.append !== undefined) this.#append(batch.append);
    for (const { digest, height } of batch.bundleHeights ?? []) {
      const { changes } = writes.bundleHeight.run({ digest: digestBytes(digest), height });
      assert(changes === 1, `block ${height} names bundle ${digest}, which is not stored`);
    }
    for (const executed of batch.executed ?? []) this.#recordRoot(executed);
    for (const { epoch, view, kind, key, bytes } of batch.journal ?? [])
      writes.journal.run({ epoch, view, kind, key, bytes });
    for (const { name, value } of batch.marks ?? []) {
      if (value === null) writes.dropMark.run({ name });
      else writes.mark.run({ name, value });
    }
  }

  #append({ expected, events }: NonNullable<LogBatch["append"]>): void {
    const admitted = this.table.admit(LOG_STREAM, expected, events);
    if (!admitted.ok) throw new AppendDefect(admitted.refusal);
    this.table.insert(LOG_STREAM, admitted.value);
  }

  /** A height executes to one root for ever: another one means that `decide` is not deterministic. */
  #recordRoot({ height, root }: Executed): void {
    const { changes } = this.#writes.executed.run({ height, root: digestBytes(root) });
    if (changes === 1) return;
    assert(this.executedRoot(height) === root, `height ${height} was executed before with another root`);
  }
}

/**
 * Opens the log for writing, making the file and its tables if there are none; its directory must exist. A write-ahead log that
 * was damaged gives back what was committed before the damage, and LOST_COMMITS_MARK.
 * Throws: Fault LOG_LOCKED when another process has it open, LOG_OPEN_FAILED, LOG_CORRUPT, LOG_SCHEMA_UNKNOWN, and
 * LOG_UNSAFE when SQLite would not sync every commit.
 */
export function openLogDatabase(path: string, hashing: LogHashing): LogDatabase {
  const lock = lockForWriting("LOG", path);
  let connection: Sqlite | undefined;
  try {
    const lost = lostCommits(path);
    const opened = openSqlite(path, { store: "LOG", synchronous: "full" });
    connection = opened;
    guarded("LOG", path, "open", () => migrate(opened, path));
    const log = new LogDatabase(opened, path, hashing, () => lock.release());
    if (lost !== undefined) {
      log.commit({ marks: [{ name: LOST_COMMITS_MARK, value: utf8(lost) }] });
      // What lies behind the damage would be found at the next start again.
      guarded("LOG", path, "open", () => opened.pragma("wal_checkpoint(TRUNCATE)"));
    }
    return log;
  } catch (error) {
    connection?.close();
    lock.release();
    throw error;
  }
}
