/** Queries of the log database. Everything that names its own digest is checked against it on every read. */
import { type Digest, type Epoch, type Height, type View, height as asHeight } from "../../base/brands.ts";
import { digestBytes } from "../../base/bytes.ts";
import { decode, integer } from "../../base/codec.ts";
import { Fault } from "../../base/errors.ts";
import type { Executed, LogEvent } from "../facts/block.ts";
import { LogDamage, type LogHashing, judgeBlock, storedDigest } from "./damage.ts";
import { type CheckedEvent, EventTable, type Head, type PageLimits } from "./event-table.ts";
import { rootOf } from "./executed-row.ts";
import type { Candidate, StoredBundle, StoredRecord } from "./log-batch.ts";
import type { Gap, ReadableLog } from "./log.ts";
import { type BundleRow, type CandidateRow, type JournalRow, prepareReads } from "./log-statements.ts";
import { SCHEMA_VERSION, schemaVersion } from "./schema.ts";
import { type Sqlite, guarded, openSqlite, ownBytes } from "./sqlite.ts";

/** Of a log that goes on from a checkpoint whose older blocks are not all here: the checkpoint's height. */
export const BEGINS_MARK = "begins";

/** The stream that holds the cluster's own log. */
export const LOG_STREAM = "log";

/**
 * Read side of the log database.
 * Throws: LogDamage (code LOG_DAMAGED) where a record is not what its digest says; Fault LOG_CORRUPT, LOG_READ_FAILED.
 */
export class LogReader implements ReadableLog {
  readonly path: string;
  readonly #connection: Sqlite;
  protected readonly table: EventTable;
  protected readonly reads: ReturnType<typeof prepareReads>;
  protected readonly hashing: LogHashing;

  constructor(connection: Sqlite, path: string, hashing: LogHashing) {
    this.path = path;
    this.#connection = connection;
    this.hashing = hashing;
    [this.table, this.reads] = guarded("LOG", path, "open", () => [
      new EventTable(connection, hashing, path),
      prepareReads(connection),
    ]);
  }

  /** Last event of the log; undefined before genesis. */
  head(stream: string = LOG_STREAM): Head | undefined {
    return this.#read(() => this.table.head(stream));
  }

  /** Height of the last event, without looking at the event itself: known even when that one is damaged. */
  lastHeight(): Height | undefined {
    return this.#read(() => this.table.lastHeight(LOG_STREAM));
  }

  event(height: Height): LogEvent | undefined {
    return this.#read(() => this.table.event(LOG_STREAM, height));
  }

  eventByHash(hash: Digest): LogEvent | undefined {
    return this.#read(() => this.table.eventByHash(LOG_STREAM, hash));
  }

  /** Hash of the block at a height as it was stored, without reading the block: a leaf of the log's Merkle tree. */
  hashAt(height: Height): Digest | undefined {
    return this.#read(() => this.table.hashAt(LOG_STREAM, height));
  }

  /** Consecutive events from a height on, as many as the limits allow, the first one whatever its size. */
  events(from: Height, limits: PageLimits): readonly LogEvent[] {
    return this.eventsWithHeaders(from, limits).map(({ event }) => event);
  }

  /** As `events`, of any stream, with the headers that checking them has decoded. */
  eventsWithHeaders(from: Height, limits: PageLimits, stream: string = LOG_STREAM): readonly CheckedEvent[] {
    const gap = stream === LOG_STREAM ? this.gap() : undefined;
    if (gap === undefined || from > gap.begins) return this.#read(() => this.table.page(stream, from, limits));
    if (from > gap.below) return [];
    const limit = Math.min(limits.limit, gap.below - from + 1);
    return this.#read(() => this.table.page(stream, from, { ...limits, limit }));
  }

  /** Where blocks are still to come that a checkpoint stood in for; undefined when the log is whole. */
  gap(): Gap | undefined {
    const stored = this.mark(BEGINS_MARK);
    const begins = stored && decode(integer<Height>(), stored, 16);
    if (begins === undefined || !begins.ok) return undefined;
    const below = this.#read(() => this.table.lastBelow(LOG_STREAM, begins.value));
    return { begins: begins.value, below: below ?? asHeight(0) };
  }

  bundle(digest: Digest): StoredBundle | undefined {
    return this.#read(() => {
      const row = this.reads.bundle.get({ digest: digestBytes(digest) });
      const bundle = row && this.#bundleOf(row);
      if (bundle !== undefined && bundle.digest !== digest) throw this.#misnamed(digest);
      return bundle;
    });
  }

  /** Bundles that no final block names yet, in order of arrival: the mempool after a restart. */
  bundlesUnordered(): readonly StoredBundle[] {
    return this.#read(() => this.reads.bundlesUnordered.all({}).map((row) => this.#bundleOf(row)));
  }

  /** Journal of an epoch, in order of recording. */
  journal(epoch: Epoch): readonly StoredRecord[] {
    return this.#read(() => this.reads.journal.all({ epoch }).map(recordOf));
  }

  /** Journal of all epochs, in order of recording. */
  journalAll(): readonly StoredRecord[] {
    return this.#read(() => this.reads.journalAll.all({}).map(recordOf));
  }

  /** Candidates of an epoch, by view. */
  candidates(epoch: Epoch): readonly Candidate[] {
    return this.#read(() => this.reads.candidates.all({ epoch }).map((row) => this.#candidateOf(row)));
  }

  candidate(hash: Digest): Candidate | undefined {
    return this.#read(() => {
      const row = this.reads.candidate.get({ hash: digestBytes(hash) });
      const candidate = row && this.#candidateOf(row);
      if (candidate !== undefined && candidate.hash !== hash) throw this.#misnamed(hash);
      return candidate;
    });
  }

  executedRoot(height: Height): Digest | undefined {
    return this.#read(() => {
      const row = this.reads.executed.get({ height });
      return row && this.#executedOf(row).root;
    });
  }

  /** Highest executed height with its root. */
  executedHead(): Executed | undefined {
    return this.#read(() => {
      const row = this.reads.executedHead.get({});
      return row && this.#executedOf(row);
    });
  }

  mark(name: string): Uint8Array | undefined {
    return this.#read(() => {
      const row = this.reads.mark.get({ name });
      return row && ownBytes(row.value);
    });
  }

  close(): void {
    this.#connection.close();
  }

  #read<T>(action: () => T): T {
    return guarded("LOG", this.path, "read", action);
  }

  /** The index led to a record of another name. */
  #misnamed(digest: Digest): LogDamage {
    return new LogDamage(this.path, undefined, `another record stands under the name ${digest}`);
  }

  #bundleOf(row: BundleRow): StoredBundle {
    const digest = storedDigest(row.digest);
    if (digest === undefined || this.hashing.bundle(row.bytes) !== digest) {
      const named = digest === undefined ? "" : ` ${digest}`;
      throw new LogDamage(
        this.path,
        (row.height ?? undefined) as Height | undefined,
        `bundle${named} does not hash to its digest`,
      );
    }
    return { digest, bytes: ownBytes(row.bytes) };
  }

  #candidateOf(row: CandidateRow): Candidate {
    const block = { header: ownBytes(row.header), body: ownBytes(row.body) };
    const hash = storedDigest(row.hash);
    if (hash === undefined) throw new LogDamage(this.path, undefined, "a candidate's hash is not 32 bytes");
    const judged = judgeBlock(this.hashing, hash, block);
    if (!judged.ok) throw new LogDamage(this.path, undefined, `candidate ${hash}: ${judged.refusal.message}`);
    return { hash, epoch: row.epoch as Epoch, view: row.view as View, block };
  }

  #executedOf(row: { readonly height: number; readonly root: Uint8Array }): Executed {
    const height = row.height as Height;
    const root = rootOf(row);
    if (root === undefined) throw new LogDamage(this.path, height, "the executed root is not what was written");
    return { height, root };
  }
}

const recordOf = (row: JournalRow): StoredRecord => ({
  seq: row.seq,
  epoch: row.epoch as Epoch,
  view: row.view as View,
  kind: row.kind,
  key: row.key,
  bytes: ownBytes(row.bytes),
});

/**
 * Opens a log for queries beside its writer (verification in another thread, audits, backups).
 * Throws: Fault LOG_OPEN_FAILED, LOG_SCHEMA_UNKNOWN when the file's schema is not this version's.
 */
export function openLogReader(path: string, hashing: LogHashing): LogReader {
  const connection = openSqlite(path, { store: "LOG", synchronous: "full", readonly: true });
  try {
    const version = guarded("LOG", path, "open", () => schemaVersion(connection, path));
    if (version !== SCHEMA_VERSION) {
      throw new Fault(
        "LOG_SCHEMA_UNKNOWN",
        `${path} has schema ${version}; let its node start once with this version (schema ${SCHEMA_VERSION}).`,
      );
    }
    return new LogReader(connection, path, hashing);
  } catch (error) {
    connection.close();
    throw error;
  }
}
