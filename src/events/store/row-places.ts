/**
 * What SQLite keeps twice: a row's columns, and the copies of them in the indexes that find it. A query reads one of the two, so that
 * whoever edited the other one in the file would not be found out by queries alone.
 */
import type { Digest, Height } from "../../base/brands.ts";
import { digestBytes, equalBytes } from "../../base/bytes.ts";
import { LOG_STREAM } from "./log-reader.ts";
import type { Sqlite } from "./sqlite.ts";

const EVENT_IN_INDEX = `SELECT rowid FROM events INDEXED BY sqlite_autoindex_events_1 WHERE stream = '${LOG_STREAM}' AND position = ?`;
const EVENT_IN_TABLE = "SELECT stream, position, hash FROM events NOT INDEXED WHERE rowid = ?";
const EVENT_BY_HASH = "SELECT count(*) FROM events INDEXED BY events_hash WHERE hash = ? AND +rowid = ?";
const BUNDLE_IN_INDEX = "SELECT id FROM bundles INDEXED BY sqlite_autoindex_bundles_1 WHERE digest = ?";
const BUNDLE_IN_TABLE = "SELECT digest FROM bundles NOT INDEXED WHERE id = ?";
const ROOTS = "SELECT height FROM executed NOT INDEXED ORDER BY height";
const ROOT_AT = "SELECT count(*) FROM executed NOT INDEXED WHERE height = ?";

interface EventRow {
  readonly stream: unknown;
  readonly position: unknown;
  readonly hash: unknown;
}

/** Every look is a search of its own, from the tree's root down: damaged keys on the way lead elsewhere. */
export class RowPlaces {
  readonly #statements: ReturnType<typeof prepareLooks>;

  constructor(connection: Sqlite) {
    this.#statements = prepareLooks(connection);
  }

  /** What is wrong about where a block's row stands, a clause; undefined where nothing is. */
  ofEvent(height: Height): string | undefined {
    const { eventInIndex, eventInTable, eventByHash } = this.#statements;
    const rowid = eventInIndex.get(height);
    if (rowid === undefined) return "the index of places does not find it";
    const row = eventInTable.get(rowid);
    if (row === undefined) return "its row is not found under its key";
    if (row.stream !== LOG_STREAM || row.position !== height) return "its row says another stream or place";
    return eventByHash.get(row.hash, rowid) === 1 ? undefined : "the index of hashes does not find it";
  }

  /** As of an event. */
  ofBundle(digest: Digest): string | undefined {
    const { bundleInIndex, bundleInTable } = this.#statements;
    const bytes = digestBytes(digest);
    const row = bundleInTable.get(bundleInIndex.get(bytes));
    return row instanceof Uint8Array && equalBytes(row, bytes) ? undefined : "its row says another digest";
  }

  /** First noted root that does not stand in order, or is not found at its height; with the last height where all are and do. */
  ofRoots(): { readonly stray: number } | { readonly last: number | undefined } {
    const { roots, rootAt } = this.#statements;
    let last: number | undefined;
    for (const height of roots.iterate()) {
      if ((last !== undefined && height <= last) || rootAt.get(height) !== 1) return { stray: height };
      last = height;
    }
    return { last };
  }
}

function prepareLooks(connection: Sqlite) {
  return {
    eventInIndex: connection.prepare<[number], unknown>(EVENT_IN_INDEX).pluck(),
    eventInTable: connection.prepare<[unknown], EventRow>(EVENT_IN_TABLE),
    eventByHash: connection.prepare<[unknown, unknown], number>(EVENT_BY_HASH).pluck(),
    bundleInIndex: connection.prepare<[Uint8Array], unknown>(BUNDLE_IN_INDEX).pluck(),
    bundleInTable: connection.prepare<[unknown], unknown>(BUNDLE_IN_TABLE).pluck(),
    roots: connection.prepare<[], number>(ROOTS).pluck(),
    rootAt: connection.prepare<[number], number>(ROOT_AT).pluck(),
  };
}
