/** The contract of every event store, whatever database is beneath; test/contract holds its suite. */
import type { Height } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import type { LogEvent } from "../facts/block.ts";
import type { AppendRefusal, Head } from "./event-table.ts";

/**
 * Named streams of blocks. A stream is one hash chain: the event at position p has height p, its header names the hash of
 * the event at p − 1 as its parent, and what is read was checked against those hashes. A cluster's own log is stream
 * "log"; others hold logs of other clusters (followers, audits).
 */
export interface EventStore {
  /**
   * Appends events, all or none and durable when it resolves, if the stream's next position is `expected` (0 for an empty one).
   * Refuses: WRONG_EXPECTED_POSITION, BROKEN_CHAIN. Throws: Fault LOG_*; a failed write is never retried.
   */
  append(stream: string, expected: Height, events: readonly LogEvent[]): Promise<Result<void, AppendRefusal>>;
  /** At most `limit` events in order, from a position on; ends early at the head as it stands when it is reached. Throws: LogDamage. */
  read(stream: string, from: Height, limit: number): AsyncIterable<LogEvent>;
  head(stream: string): Promise<Head | undefined>;
  /**
   * Every event from a position on, history first and then each as it is appended: no gap and no duplicate, since each is
   * read from the store when it is due. Holds one page in memory however slow its reader. Ends on abort and on close.
   * Throws: LogDamage.
   */
  subscribe(stream: string, from: Height, signal: AbortSignal): AsyncIterable<LogEvent>;
  /** Ends subscriptions and closes the database. */
  close(): Promise<void>;
}
