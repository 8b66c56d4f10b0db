/** The event store on SQLite: the public, asynchronous face of the log database. */
import { type Height, height as asHeight } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import type { LogEvent } from "../facts/block.ts";
import type { LogHashing } from "./damage.ts";
import type { EventStore } from "./event-store.ts";
import type { AppendRefusal, Head, PageLimits } from "./event-table.ts";
import { openLogDatabase } from "./log-database.ts";
import type { Log } from "./log.ts";

/** What a reader holds at once: enough to spread a query's cost, and memory that stays small when readers are many. */
const PAGE: PageLimits = { limit: 64, bytesMax: 4 * 1024 * 1024 };

export class SqliteEventStore implements EventStore {
  readonly #log: Log;
  readonly #closing = new AbortController();

  /** Shares the database of a consensus worker: what that one commits is read and subscribed to here. */
  constructor(log: Log) {
    this.#log = log;
  }

  async append(stream: string, expected: Height, events: readonly LogEvent[]): Promise<Result<void, AppendRefusal>> {
    return this.#log.append(stream, expected, events);
  }

  async *read(stream: string, from: Height, limit: number): AsyncGenerator<LogEvent, void> {
    let left = limit;
    let next = from;
    while (left > 0) {
      const page = this.#page(stream, next, left);
      if (page.length === 0) return;
      yield* page;
      left -= page.length;
      next = asHeight(next + page.length);
    }
  }

  async head(stream: string): Promise<Head | undefined> {
    return this.#log.head(stream);
  }

  async *subscribe(stream: string, from: Height, signal: AbortSignal): AsyncGenerator<LogEvent, void> {
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    let next = from;
    while (!ended.aborted) {
      const page = this.#page(stream, next, PAGE.limit);
      if (page.length === 0) await this.#growth(stream, ended);
      for (const event of page) {
        if (ended.aborted) return;
        yield event;
        next = asHeight(next + 1);
      }
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#log.close();
  }

  #page(stream: string, from: Height, limit: number): readonly LogEvent[] {
    return this.#log
      .eventsWithHeaders(from, { ...PAGE, limit: Math.min(limit, PAGE.limit) }, stream)
      .map(({ event }) => event);
  }

  /** Resolves when the stream has grown or the signal is aborted. It listens before it returns, so that no append falls between. */
  #growth(stream: string, ended: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const stop = this.#log.onAppend((grown) => {
      if (grown === stream) wake();
    });
    ended.addEventListener("abort", wake);
    return promise.finally(() => {
      stop();
      ended.removeEventListener("abort", wake);
    });
  }
}

/** Opens (or makes) an event store in a file of its own. Throws: as `openLogDatabase`. */
export const openSqliteEventStore = (path: string, hashing: LogHashing): EventStore =>
  new SqliteEventStore(openLogDatabase(path, hashing));
