/**
 * The database of the consensus worker: log, bundles, candidates, journal, executed roots and marks in one file.
 * One process opens it for writing; each commit is one transaction and one sync, and what it returned from is durable.
 */
import type { Digest, Height } from "../../base/brands.ts";
import { digestBytes, utf8 } from "../../base/bytes.ts";
import { encode, integer } from "../../base/codec.ts";
import { Defect, Fault, assert } from "../../base/errors.ts";
import { type Result, ok } from "../../base/result.ts";
import type { Executed, LogEvent } from "../facts/block.ts";
import { LogDamage, type LogHashing, judgeBlock, storedDigest } from "./damage.ts";
import type { AppendRefusal, Head } from "./event-table.ts";
import { rootOf, storedRoot } from "./executed-row.ts";
import { type CoveredRow, INTEGRITY_MARK, Integrity } from "./integrity.ts";
import type { LogBatch, Mark } from "./log-batch.ts";
import type { BeginningLog, Repair } from "./log.ts";
import { BEGINS_MARK, LOG_STREAM, LogReader } from "./log-reader.ts";
import { type CandidateKey, type JournalRow, prepareRepairs, prepareWrites } from "./log-statements.ts";
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

/** How long a reader may keep us from leaving one whole file behind. Units: ms. */
const CLOSE_MS = 200;

export class LogDatabase extends LogReader implements BeginningLog {
  readonly #writes: ReturnType<typeof prepareWrites>;
  readonly #repairs: ReturnType<typeof prepareRepairs>;
  readonly #atomically: (work: () => void) => void;
  readonly #release: () => void;
  readonly #toOneFile: () => void;
  readonly #listeners = new Set<(stream: string) => void>();
  /** First write that failed: after it the file's state in memory is not what is on disk, so nothing more is written. */
  #failed: Fault | undefined;
  /** What its mark says; undefined when the mark is not what was written: then `defect` says so until `forgetUnsettled`. */
  #integrity: Integrity | undefined;

  constructor(connection: Sqlite, path: string, hashing: LogHashing, release: () => void) {
    super(connection, path, hashing);
    this.#writes = guarded("LOG", path, "open", () => prepareWrites(connection));
    this.#repairs = guarded("LOG", path, "open", () => prepareRepairs(connection));
    const transaction = connection.transaction((work: () => void) => work());
    this.#atomically = (work) => transaction.immediate(work);
    this.#release = release;
    this.#toOneFile = () => {
      connection.pragma(`busy_timeout = ${CLOSE_MS}`);
      connection.pragma("wal_checkpoint(TRUNCATE)");
    };
    const mark = this.mark(INTEGRITY_MARK);
    if (mark !== undefined) this.#integrity = Integrity.decode(mark);
    else if (this.lastHeight() === undefined && this.#countCovered().hasSumOf(Integrity.empty()))
      this.#integrity = Integrity.empty();
  }

  /**
   * Writes all of a batch or nothing, synced to disk when it returns.
   * Throws: AppendDefect (WRONG_EXPECTED_POSITION, BROKEN_CHAIN), Defect, both with nothing written; Fault LOG_FULL,
   * LOG_WRITE_FAILED, LOG_CORRUPT: the process should end, every later commit is refused with LOG_WRITE_FAILED.
   */
  commit(batch: LogBatch): void {
    this.#covered((integrity) => this.#apply(batch, integrity));
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
      this.#covered((integrity) => {
        this.table.insert(stream, admitted.value);
        const last = events.at(-1);
        if (stream === LOG_STREAM && last !== undefined) integrity.endsAt(last);
      });
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

  /**
   * Why what no peer can restore (journal, marks, candidates, where the log ends) is not what was written; undefined when it is.
   * Whoever voted with such a log must not trust it to remember (consensus.md, "Lost journal").
   */
  defect(): string | undefined {
    const known = this.#integrity;
    if (known === undefined) return "the checksum over journal and marks is not what was written";
    if (!this.#countCovered().hasSumOf(known))
      return "a record of the journal, a mark or a candidate is not what was written";
    const last = this.lastHeight();
    if ((last ?? -1) < (known.head?.height ?? -1)) return `the events above height ${last ?? "none"} are missing`;
    if ((last ?? -1) > (known.head?.height ?? -1))
      return `events stand above height ${known.head?.height ?? "none"} that were never appended`;
    return undefined;
  }

  /**
   * Puts proven events with their bundles where damaged or missing ones stand, all or none, synced to disk when it returns.
   * Refuses: BROKEN_CHAIN. Throws: as `commit`.
   */
  repair({ events, bundles }: Repair): Result<void, AppendRefusal> {
    const admitted = guarded("LOG", this.path, "read", () => this.table.admitInPlace(LOG_STREAM, events));
    if (!admitted.ok) return admitted;
    this.#transact(() => {
      const writes = this.#writes;
      for (const { height } of events) this.#repairs.removeBundlesOf.run({ height });
      this.table.replace(LOG_STREAM, admitted.value);
      for (const { digest, bytes } of bundles) this.#repairs.restoreBundle.run({ digest: digestBytes(digest), bytes });
      for (const { digest, height } of bundles) writes.bundleHeight.run({ digest: digestBytes(digest), height });
    });
    return ok(undefined);
  }

  /**
   * Goes on from a checkpoint's block, which lies above the head, synced to disk when it returns: what is appended next follows it.
   * Throws: Defect when the block is not above the head; as `commit`.
   */
  beginAt(event: LogEvent, pruneBelow: NonNullable<LogBatch["pruneBelow"]>, marks: readonly Mark[]): void {
    const judged = judgeBlock(this.hashing, event.hash, event.block);
    const head = this.lastHeight() ?? -1;
    assert(judged.ok && judged.value.height === event.height, "a checkpoint's block is the one its hash says");
    assert(event.height > head, `the log ends at ${head}, a checkpoint of ${event.height} adds nothing`);
    const gap = this.gap();
    const begins = { name: BEGINS_MARK, value: encode(integer<Height>(), event.height) };
    this.#covered((integrity) => {
      if (gap !== undefined) this.table.removeAbove(LOG_STREAM, gap.below); // one gap at a time
      this.table.insert(LOG_STREAM, [{ event, header: judged.value }]);
      integrity.endsAt(event);
      this.#apply({ pruneBelow, marks: [...marks, begins] }, integrity);
    });
    this.#announce(LOG_STREAM);
  }

  /** The blocks before the checkpoint are all here (put there by `repair`): the log is whole. */
  join(): void {
    const gap = this.gap();
    assert(gap !== undefined && gap.below === gap.begins - 1, "the blocks before the checkpoint are here");
    this.commit({ marks: [{ name: BEGINS_MARK, value: null }] });
  }

  /**
   * Forgets everything that is not in a final block and took damage or rests on what did: journal, candidates, damaged bundles,
   * unreadable roots, and events beyond the last one that was appended. Votes are gone then: `marks` say so in the same commit.
   */
  forgetUnsettled(marks: readonly Mark[]): void {
    const known = this.#integrity;
    this.#transact(() => {
      const writes = this.#writes;
      this.#repairs.removeJournal.run({});
      this.#repairs.removeCandidates.run({});
      for (const row of this.reads.executedAll.all({}))
        if (rootOf(row) === undefined) this.#repairs.removeRoot.run({ height: row.height });
      for (const { id, digest, bytes } of this.reads.bundlesOpen.all({}))
        if (storedDigest(digest) !== this.hashing.bundle(bytes)) this.#repairs.removeBundle.run({ id });
      if (known?.head) this.table.removeAbove(LOG_STREAM, known.head.height);
      this.#restoreBegins();
      for (const mark of marks) this.#putMark(mark);
      const sum = this.#countCovered();
      const last = this.lastHeight();
      if (last !== undefined) {
        const hash = last === known?.head?.height ? known.head.hash : this.#storedHash(last);
        if (hash !== undefined) sum.endsAt({ height: last, hash });
      }
      writes.mark.run({ name: INTEGRITY_MARK, value: sum.encode() });
      this.#integrity = sum;
    });
  }

  /** The mark of where the log begins may be what took damage; the heights of the events say the same. */
  #restoreBegins(): void {
    if (this.mark(BEGINS_MARK) === undefined) return;
    const begins = this.table.firstAfterGap(LOG_STREAM);
    this.#putMark({ name: BEGINS_MARK, value: begins === undefined ? null : encode(integer<Height>(), begins) });
  }

  /** Where the log ends as it was committed, whatever the event there says now; undefined when that is not known. */
  committedHead(): Head | undefined {
    return this.#integrity?.head ?? undefined;
  }

  /** Changes whenever a vote or an event is recorded: tells this state of the journal from an older one. */
  fingerprint(): Uint8Array {
    return this.#integrity?.encode() ?? new Uint8Array(0);
  }

  /** Calls back after each append, with the name of the stream that grew, until the function it returns is called. */
  onAppend(listener: (stream: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Gives the file and its lock back. SQLite writes its write-ahead log into the file only when the last connection closes, and only if that
   * one may write: with readers beside us the file alone, which people copy, would lack what was written last.
   */
  override close(): void {
    try {
      if (this.#failed === undefined) this.#toOneFile();
    } catch {
      // what cannot be moved now is read from the write-ahead log when it is opened again
    }
    super.close();
    this.#release();
  }

  #announce(stream: string): void {
    for (const listener of this.#listeners) listener(stream);
  }

  /** Of the rows as they are. */
  #countCovered(): Integrity {
    return guarded("LOG", this.path, "read", () => {
      const sum = Integrity.empty();
      for (const row of this.reads.journalAll.all({})) sum.toggle(journalRowOf(row));
      for (const row of this.reads.candidateKeys.all({})) sum.toggle(candidateRowOf(row));
      for (const { name, value } of this.reads.marks.all({}))
        if (name !== INTEGRITY_MARK) sum.toggle(markRowOf(name, value));
      return sum;
    });
  }

  /** Undefined where the stored hash itself is damaged. */
  #storedHash(height: Height): Digest | undefined {
    try {
      return this.hashAt(height);
    } catch (error) {
      if (error instanceof LogDamage) return undefined;
      throw error;
    }
  }

  /** A transaction whose changes the checksum follows. */
  #covered(work: (integrity: Integrity) => void): void {
    const next = this.#integrity?.copy();
    this.#transact(() => {
      work(next ?? Integrity.empty());
      // What is unknown stays unknown, and is told as a defect.
      if (next?.changed) this.#writes.mark.run({ name: INTEGRITY_MARK, value: next.encode() });
    });
    this.#integrity = next;
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

  #apply(batch: LogBatch, integrity: Integrity): void {
    const writes = this.#writes;
    if (batch.pruneBelow !== undefined) this.#prune(batch.pruneBelow, integrity);
    for (const { digest, bytes } of batch.bundles ?? []) writes.bundle.run({ digest: digestBytes(digest), bytes });
    for (const { hash, epoch, view, block } of batch.candidates ?? []) {
      const row = { hash: digestBytes(hash), epoch, view, header: block.header, body: block.body };
      if (writes.candidate.run(row).changes === 1) integrity.toggle(candidateRowOf(row));
    }
    if (batch.append !== undefined) this.#append(batch.append, integrity);
    for (const { digest, height } of batch.bundleHeights ?? []) {
      const { changes } = writes.bundleHeight.run({ digest: digestBytes(digest), height });
      assert(changes === 1, `block ${height} names bundle ${digest}, which is not stored`);
    }
    for (const executed of batch.executed ?? []) this.#recordRoot(executed);
    for (const { epoch, view, kind, key, bytes } of batch.journal ?? []) {
      const { lastInsertRowid } = writes.journal.run({ epoch, view, kind, key, bytes });
      integrity.toggle(journalRowOf({ seq: Number(lastInsertRowid), epoch, view, kind, key, bytes }));
    }
    for (const mark of batch.marks ?? []) {
      const { name, value } = mark;
      const before = this.reads.mark.get({ name });
      if (before !== undefined) integrity.toggle(markRowOf(name, before.value));
      if (value !== null) integrity.toggle(markRowOf(name, value));
      this.#putMark(mark);
    }
  }

  #putMark({ name, value }: Mark): void {
    if (value === null) this.#writes.dropMark.run({ name });
    else this.#writes.mark.run({ name, value });
  }

  #prune(below: NonNullable<LogBatch["pruneBelow"]>, integrity: Integrity): void {
    for (const row of this.reads.journalBelow.all(below)) integrity.toggle(journalRowOf(row));
    for (const row of this.reads.candidateKeysBelow.all(below)) integrity.toggle(candidateRowOf(row));
    this.#writes.pruneJournal.run(below);
    this.#writes.pruneCandidates.run(below);
  }

  #append({ expected, events }: NonNullable<LogBatch["append"]>, integrity: Integrity): void {
    const admitted = this.table.admit(LOG_STREAM, expected, events);
    if (!admitted.ok) throw new AppendDefect(admitted.refusal);
    this.table.insert(LOG_STREAM, admitted.value);
    const last = events.at(-1);
    if (last !== undefined) integrity.endsAt(last);
  }

  /** A height executes to one root for ever: another one means that `decide` is not deterministic. */
  #recordRoot({ height, root }: Executed): void {
    const { changes } = this.#writes.executed.run({ height, root: storedRoot({ height, root }) });
    if (changes === 1) return;
    assert(this.executedRoot(height) === root, `height ${height} was executed before with another root`);
  }
}

const journalRowOf = ({ seq, epoch, view, kind, key, bytes }: JournalRow): CoveredRow => ({
  table: "journal",
  fields: [seq, epoch, view, kind, key],
  bytes,
});
const candidateRowOf = ({ hash, epoch, view }: CandidateKey): CoveredRow => ({
  table: "candidates",
  fields: [epoch, view],
  bytes: hash,
});
const markRowOf = (name: string, bytes: Uint8Array): CoveredRow => ({ table: "marks", fields: [name], bytes });

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
