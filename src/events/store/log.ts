/**
 * What a consensus worker keeps, whoever keeps it: log, bundles, candidates, journal, executed roots and marks. SQLite keeps it
 * in a node (log-database.ts), memory with a seeded disk in the simulator; one contract suite runs against each.
 */
import type { Digest, Epoch, Height } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import type { Executed, LogEvent } from "../facts/block.ts";
import type { AppendRefusal, CheckedEvent, Head, PageLimits } from "./event-table.ts";
import type { Candidate, LogBatch, Mark, StoredBundle, StoredRecord } from "./log-batch.ts";

/** Queries. Throws: LogDamage (code LOG_DAMAGED) where a record is not what its digest says; Fault LOG_CORRUPT, LOG_READ_FAILED. */
export interface ReadableLog {
  /** Names it in messages. */
  readonly path: string;
  /** Last event of a stream, the log unless told otherwise; undefined before genesis. */
  readonly head: (stream?: string) => Head | undefined;
  readonly event: (height: Height) => LogEvent | undefined;
  readonly eventByHash: (hash: Digest) => LogEvent | undefined;
  /** Hash of the block at a height as it was stored, without reading the block: a leaf of the log's Merkle tree. */
  readonly hashAt: (height: Height) => Digest | undefined;
  /** Consecutive events from a height on, as many as the limits allow, the first one whatever its size. */
  readonly events: (from: Height, limits: PageLimits) => readonly LogEvent[];
  /** As `events`, of any stream, with the headers that checking them has decoded. */
  readonly eventsWithHeaders: (from: Height, limits: PageLimits, stream?: string) => readonly CheckedEvent[];
  readonly bundle: (digest: Digest) => StoredBundle | undefined;
  /** Bundles that no final block names yet, in order of arrival: the mempool after a restart. */
  readonly bundlesUnordered: () => readonly StoredBundle[];
  /** Journal of an epoch, in order of recording. */
  readonly journal: (epoch: Epoch) => readonly StoredRecord[];
  /** Journal of all epochs, in order of recording. */
  readonly journalAll: () => readonly StoredRecord[];
  /** Candidates of an epoch, by view. */
  readonly candidates: (epoch: Epoch) => readonly Candidate[];
  readonly candidate: (hash: Digest) => Candidate | undefined;
  readonly executedRoot: (height: Height) => Digest | undefined;
  /** Highest executed height with its root. */
  readonly executedHead: () => Executed | undefined;
  readonly mark: (name: string) => Uint8Array | undefined;
  readonly close: () => void;
}

export interface Log extends ReadableLog {
  /**
   * Writes all of a batch or nothing, synced to disk when it returns.
   * Throws: AppendDefect (WRONG_EXPECTED_POSITION, BROKEN_CHAIN), Defect, both with nothing written; Fault LOG_FULL,
   * LOG_WRITE_FAILED, LOG_CORRUPT: the process should end, every later commit is refused with LOG_WRITE_FAILED.
   */
  readonly commit: (batch: LogBatch) => void;
  /**
   * Appends events to a stream, all or none, synced to disk when it returns.
   * Refuses: WRONG_EXPECTED_POSITION, BROKEN_CHAIN. Throws: as `commit`.
   */
  readonly append: (stream: string, expected: Height, events: readonly LogEvent[]) => Result<void, AppendRefusal>;
  /** Forgets bundles that no final block names, synced like a commit; ordered ones are kept whatever is asked. */
  readonly dropBundles: (digests: readonly Digest[]) => void;
  /** Calls back after each append, with the name of the stream that grew, until the function it returns is called. */
  readonly onAppend: (listener: (stream: string) => void) => () => void;
}

/** Events that take the place of those at their heights, with every bundle that they name. */
export interface Repair {
  readonly events: readonly LogEvent[];
  readonly bundles: readonly (StoredBundle & { readonly height: Height })[];
}

/** Blocks that a log lacks between two parts of it. */
export interface Gap {
  /** The checkpoint's height: its block is here without its bundles, everything after it is whole. */
  readonly begins: Height;
  /** The last height below it that is here, with everything from genesis on. */
  readonly below: Height;
}

/** A log that can go on from a checkpoint, and get the blocks before it later (consensus.md, "Catch-up"; ADR 0018). */
export interface BeginningLog extends HealableLog {
  /** Undefined when the log is whole. Events within a gap are not given. */
  readonly gap: () => Gap | undefined;
  /**
   * Goes on from a checkpoint's block, which lies above the head, synced to disk when it returns: what is appended next follows it.
   * Throws: Defect when the block is not above the head; as `commit`.
   */
  readonly beginAt: (event: LogEvent, pruneBelow: NonNullable<LogBatch["pruneBelow"]>, marks: readonly Mark[]) => void;
  /** The blocks before the checkpoint are all here (put there by `repair`): the log is whole. */
  readonly join: () => void;
}

/** A log whose damaged records can be put right, or given up (ADR 0017). */
export interface HealableLog extends Log {
  /** Height of the last event, without looking at the event itself: known even when that one is damaged. */
  readonly lastHeight: () => Height | undefined;
  /** Where the log ends as it was committed, whatever the event there says now; undefined when that is not known. */
  readonly committedHead: () => Head | undefined;
  /** Why what no peer can restore (journal, marks, candidates, where the log ends) is not what was written; undefined when it is. */
  readonly defect: () => string | undefined;
  /**
   * Puts proven events with their bundles where damaged or missing ones stand, all or none, synced to disk when it returns.
   * Refuses: BROKEN_CHAIN. Throws: as `commit`.
   */
  readonly repair: (repair: Repair) => Result<void, AppendRefusal>;
  /**
   * Forgets what is not in a final block and took damage or rests on what did: journal, candidates, damaged bundles, unreadable
   * roots, and events beyond the last one that was appended. Votes are gone then: `marks` say so in the same commit.
   */
  readonly forgetUnsettled: (marks: readonly Mark[]) => void;
}
