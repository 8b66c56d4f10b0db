/** A log database row by row, as it stands on the disk: for whoever checks everything itself and wants to say what is wrong where. */
import type { Digest, Height } from "../../base/brands.ts";
import { height as asHeight } from "../../base/brands.ts";
import { digestBytes } from "../../base/bytes.ts";
import { decode, integer } from "../../base/codec.ts";
import { Fault } from "../../base/errors.ts";
import { sql } from "kysely";
import { rootOf } from "./executed-row.ts";
import { INTEGRITY_MARK, Integrity } from "./integrity.ts";
import { BEGINS_MARK, LOG_STREAM } from "./log-reader.ts";
import { RowPlaces } from "./row-places.ts";
import { SCHEMA_VERSION, prepare, queries, schemaVersion } from "./schema.ts";
import { type Sqlite, guarded, openSqlite, ownBytes } from "./sqlite.ts";

/** An event as stored; nothing of it is checked. */
export interface RawEvent {
  readonly height: number;
  readonly hash: Uint8Array;
  readonly time: number;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  readonly proof: Uint8Array;
  /** What is wrong about where its row stands; undefined where nothing is. */
  readonly misplaced: string | undefined;
}

/** A bundle as stored, as an event is. */
export interface RawBundle {
  readonly bytes: Uint8Array;
  readonly height: number | null;
  readonly misplaced: string | undefined;
}

/** Rows of one read: it must not hold a live log's write-ahead log back for long. */
const PAGE_ROWS = 64;
const PAGE_BYTES = 4 * 1024 * 1024;

type EventColumns = Omit<RawEvent, "misplaced">;

function prepareRaw(connection: Sqlite) {
  const ofLog = queries.selectFrom("events").where("stream", "=", sql.lit(LOG_STREAM));
  return {
    last: prepare<object, { position: number | null }>(connection, () =>
      ofLog.select((column) => column.fn.max("position").as("position")),
    ),
    events: prepare<{ from: number; to: number }, EventColumns>(connection, (slot) =>
      ofLog
        .select(["position as height", "hash", "time", "header", "body", "proof"])
        .where("position", ">=", slot("from"))
        .where("position", "<=", slot("to"))
        .orderBy("position")
        .limit(sql.lit(PAGE_ROWS)),
    ),
    bundle: prepare<{ digest: Uint8Array }, { height: number | null; bytes: Uint8Array }>(connection, (slot) =>
      queries.selectFrom("bundles").select(["height", "bytes"]).where("digest", "=", slot("digest")),
    ),
    executed: prepare<{ height: number }, { height: number; root: Uint8Array }>(connection, (slot) =>
      queries.selectFrom("executed").selectAll().where("height", "=", slot("height")),
    ),
    mark: prepare<{ name: string }, { value: Uint8Array }>(connection, (slot) =>
      queries.selectFrom("marks").select("value").where("name", "=", slot("name")),
    ),
    below: prepare<{ height: number }, { position: number | null }>(connection, (slot) =>
      ofLog.select((column) => column.fn.max("position").as("position")).where("position", "<", slot("height")),
    ),
  };
}

/** SQLite holds values of any type in a table that a stranger made: what a statement gives is what its type says only when looked at. */
const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array;
const isNatural = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isEvent = ({ height, hash, time, header, body, proof }: EventColumns): boolean =>
  isNatural(height) && Number.isSafeInteger(time) && [hash, header, body, proof].every(isBytes);

/** Throws: Fault LOG_CORRUPT, LOG_READ_FAILED. */
export class RawLog {
  readonly path: string;
  readonly #connection: Sqlite;
  readonly #statements: ReturnType<typeof prepareRaw>;
  readonly #places: RowPlaces;

  constructor(connection: Sqlite, path: string) {
    this.path = path;
    this.#connection = connection;
    this.#statements = guarded("LOG", path, "open", () => prepareRaw(connection));
    this.#places = guarded("LOG", path, "open", () => new RowPlaces(connection));
  }

  lastHeight(): Height | undefined {
    return this.#read(() => this.#position(this.#statements.last.get({})?.position ?? null));
  }

  /** Rows from a height on, some of them: none when there is none up to `to`. */
  events(from: Height, to: Height): readonly RawEvent[] {
    return this.#readAtOnce(() => {
      const page: EventColumns[] = [];
      let bytes = 0;
      for (const row of this.#statements.events.iterate({ from, to })) {
        if (!isEvent(row)) {
          if (page.length > 0) break; // the next read says where
          throw this.#misshapen(`the event at height ${from}`);
        }
        bytes += row.header.length + row.body.length + row.proof.length;
        if (page.length > 0 && bytes > PAGE_BYTES) break;
        const { height, hash, time, header, body, proof } = row;
        page.push({ height, time, hash, header: ownBytes(header), body: ownBytes(body), proof: ownBytes(proof) });
      }
      return page.map((event) => ({ ...event, misplaced: this.#places.ofEvent(asHeight(event.height)) }));
    });
  }

  bundle(digest: Digest): RawBundle | undefined {
    return this.#readAtOnce(() => {
      const row = this.#statements.bundle.get({ digest: digestBytes(digest) });
      if (row === undefined) return undefined;
      if (!isBytes(row.bytes) || !(row.height === null || isNatural(row.height)))
        throw this.#misshapen(`the bundle ${digest}`);
      return { bytes: ownBytes(row.bytes), height: row.height, misplaced: this.#places.ofBundle(digest) };
    });
  }

  /** Null where the row is not what was written. */
  executedRoot(height: Height): Digest | null | undefined {
    return this.#read(() => {
      const row = this.#statements.executed.get({ height });
      return row && ((isBytes(row.root) && rootOf(row)) || null);
    });
  }

  /** A height for which a root is noted that stands in no order, or beyond the log's end; undefined where there is none. */
  strayRoot(): number | undefined {
    return this.#readAtOnce(() => {
      const found = this.#places.ofRoots();
      if ("stray" in found) return found.stray;
      return found.last !== undefined && found.last > (this.lastHeight() ?? -1) ? found.last : undefined;
    });
  }

  /** Height of the last event as its writer committed it; undefined where that is not known. */
  committedHeight(): Height | undefined {
    const mark = this.#mark(INTEGRITY_MARK);
    return (mark && Integrity.decode(mark))?.head?.height;
  }

  /** Where blocks are still to come that a checkpoint stood in for: the last height before them, the first one after. */
  gap(): { readonly below: Height; readonly begins: Height } | undefined {
    const stored = this.#mark(BEGINS_MARK);
    const begins = stored && decode(integer<Height>(), stored, 16);
    if (begins === undefined || !begins.ok) return undefined;
    const { value } = begins;
    const below = this.#read(() => this.#position(this.#statements.below.get({ height: value })?.position ?? null));
    return { begins: value, below: below ?? asHeight(0) };
  }

  /** Where the database's last page ends in its file, once its write-ahead log has been written to it. Units: bytes. */
  endsAt(): number {
    return this.#read(() => {
      const [pages, bytes] = ["page_count", "page_size"].map((name) => this.#connection.pragma(name, { simple: true }));
      return Number(pages) * Number(bytes);
    });
  }

  close(): void {
    this.#connection.close();
  }

  #mark(name: string): Uint8Array | undefined {
    return this.#read(() => {
      const row = this.#statements.mark.get({ name });
      if (row !== undefined && !isBytes(row.value)) throw this.#misshapen(`the mark ${name}`);
      return row && ownBytes(row.value);
    });
  }

  #position(position: unknown): Height | undefined {
    if (position === null) return undefined;
    if (!isNatural(position)) throw this.#misshapen("the height of an event");
    return asHeight(position);
  }

  #misshapen(what: string): Fault {
    return new Fault(
      "LOG_CORRUPT",
      `${this.path}: ${what} is not of its table's types; the file is damaged, or not a node's.`,
    );
  }

  /** Of one moment, also while a node writes. */
  #readAtOnce<T>(action: () => T): T {
    return this.#read(() => this.#connection.transaction(action).deferred());
  }

  #read<T>(action: () => T): T {
    return guarded("LOG", this.path, "read", action);
  }
}

/** A view under the name of a table computes its rows, perhaps without end. Throws: Fault LOG_CORRUPT. */
function demandTables(connection: Sqlite, path: string): void {
  const text =
    "SELECT name FROM sqlite_schema WHERE type NOT IN ('table', 'index') OR sql LIKE 'create virtual%' LIMIT 1";
  const other = guarded("LOG", path, "open", () => connection.prepare(text).get());
  if (other !== undefined)
    throw new Fault("LOG_CORRUPT", `${path} holds views, triggers or virtual tables, which no node writes.`);
}

/** A file of no bytes, or one whose tables stand in a write-ahead log that is not here. */
const isEmpty = (connection: Sqlite, path: string): boolean =>
  guarded("LOG", path, "open", () => connection.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get()) === undefined;

/** `name` is what messages call the file, where the one that is read is a copy. Throws: Fault LOG_OPEN_FAILED, LOG_CORRUPT, LOG_SCHEMA_UNKNOWN. */
export function openRawLog(path: string, name = path): RawLog {
  const connection = openSqlite(path, { store: "LOG", synchronous: "full", readonly: true, anyJournal: true });
  try {
    demandTables(connection, name);
    const version = guarded("LOG", name, "open", () => schemaVersion(connection, name));
    if (version === 0 && isEmpty(connection, name))
      throw new Fault(
        "LOG_EMPTY",
        `${name} holds nothing: if it is a copy, copy its write-ahead log (log.db-wal) with it, or stop the node first.`,
      );
    if (version !== SCHEMA_VERSION)
      throw new Fault(
        "LOG_SCHEMA_UNKNOWN",
        `${name} has schema ${version}, this version reads ${SCHEMA_VERSION}; use the version of Sky that wrote it.`,
      );
    return new RawLog(connection, name);
  } catch (error) {
    connection.close();
    throw error;
  }
}
