/**
 * Rows of the tables of key event receipt logs. One list of columns says how each is read, written, hashed and carried by a
 * checkpoint; neither names nor their order ever change.
 */
import type { Digest } from "../../base/brands.ts";
import { type Shape, bytes, integer, nullable, record, text, withEncoding } from "../../base/codec.ts";
import { domainOf, sha256Digest } from "../../crypto/hash.ts";
import { blobOf, numberOf, textOf } from "../rebac/table-rows.ts";

const TABLES = {
  events: {
    id: "integer",
    aid: "text",
    sn: "integer",
    said: "text",
    type: "integer",
    from_height: "integer",
    from_index: "integer",
    to_height: "integer",
    to_index: "integer",
    anchor_sn: "integer?",
    anchor_said: "text?",
    /** Names with a space between them. */
    signers: "text",
    /** How many event seals it has. */
    seals: "integer",
    /** Of establishment events: the key state after it. */
    state: "blob?",
    event: "blob",
    attached: "blob",
  },
  seals: { event: "integer", n: "integer", delegator: "text", aid: "text", sn: "integer", said: "text" },
  receipts: {
    id: "integer",
    aid: "text",
    sn: "integer",
    said: "text",
    from_height: "integer",
    from_index: "integer",
    signers: "text",
    attached: "blob",
  },
  forks: {
    id: "integer",
    aid: "text",
    sn: "integer",
    said: "text",
    from_height: "integer",
    from_index: "integer",
    event: "blob",
    attached: "blob",
  },
  replies: {
    id: "integer",
    subject: "text",
    said: "text",
    signer: "text",
    signed_at: "integer",
    date: "text",
    from_height: "integer",
    from_index: "integer",
    to_height: "integer",
    to_index: "integer",
    reply: "blob",
    attached: "blob",
  },
  escrows: {
    name: "text",
    ord: "integer",
    aid: "text",
    sn: "integer",
    said: "text",
    reason: "integer",
    waits_for: "text",
    height: "integer",
    event: "blob",
    attached: "blob",
  },
} as const;

type Column = "integer" | "integer?" | "text" | "text?" | "blob" | "blob?";
interface Values {
  readonly integer: number;
  readonly "integer?": number | null;
  readonly text: string;
  readonly "text?": string | null;
  readonly blob: Uint8Array;
  readonly "blob?": Uint8Array | null;
}
export type KerlTable = keyof typeof TABLES;
export type KerlRow<T extends KerlTable> = {
  readonly [C in keyof (typeof TABLES)[T]]: (typeof TABLES)[T][C] extends Column
    ? Values[(typeof TABLES)[T][C]]
    : never;
};

export const KERL_TABLES = Object.keys(TABLES) as readonly KerlTable[];

const columns = Object.fromEntries(
  KERL_TABLES.map((table) => [table, Object.entries(TABLES[table]) as readonly (readonly [string, Column])[]]),
) as { readonly [T in KerlTable]: readonly (readonly [string, Column])[] };
const columnsOf = (table: KerlTable): readonly (readonly [string, Column])[] => columns[table];

export const columnNames = (table: KerlTable): readonly string[] => columnsOf(table).map(([name]) => name);

/** Signers of an event are at most 256 names of less than 200 characters; subjects and the rest are shorter. */
const TEXT_BYTES_MAX = 64 * 1024;
const BLOB_BYTES_MAX = 1024 * 1024;
const shapes: { readonly [C in Column]: Shape<unknown> } = {
  integer: integer() as Shape<unknown>,
  "integer?": nullable(integer()) as Shape<unknown>,
  text: text(TEXT_BYTES_MAX) as Shape<unknown>,
  "text?": nullable(text(TEXT_BYTES_MAX)) as Shape<unknown>,
  blob: bytes(0, BLOB_BYTES_MAX) as Shape<unknown>,
  "blob?": nullable(bytes(0, BLOB_BYTES_MAX)) as Shape<unknown>,
};

const shapeOf = <T extends KerlTable>(table: T): Shape<KerlRow<T>> =>
  record(
    `row of ${table}`,
    Object.fromEntries(columnsOf(table).map(([name, column]) => [name, shapes[column]])),
  ) as unknown as Shape<KerlRow<T>>;

export const kerlRowShapes: { readonly [T in KerlTable]: Shape<KerlRow<T>> } = {
  events: shapeOf("events"),
  seals: shapeOf("seals"),
  receipts: shapeOf("receipts"),
  forks: shapeOf("forks"),
  replies: shapeOf("replies"),
  escrows: shapeOf("escrows"),
};

const orNull =
  <T>(read: (row: unknown, column: string) => T) =>
  (row: unknown, column: string): T | null =>
    row !== null && typeof row === "object" && Reflect.get(row, column) === null ? null : read(row, column);
const readers: { readonly [C in Column]: (row: unknown, column: string) => Values[C] } = {
  integer: numberOf,
  "integer?": orNull(numberOf),
  text: textOf,
  "text?": orNull(textOf),
  blob: blobOf,
  "blob?": orNull(blobOf),
};

/** Throws: Fault PROJECTION_DAMAGED when a column is not there or of another type. */
export function kerlRowOf<T extends KerlTable>(table: T, row: unknown): KerlRow<T> {
  const read: Record<string, Values[Column]> = {};
  for (const [name, column] of columnsOf(table)) read[name] = readers[column](row, name);
  return read as KerlRow<T>;
}

/** In the order of the columns, as statements take them. */
export const valuesOf = <T extends KerlTable>(
  table: T,
  row: KerlRow<T>,
): readonly (number | string | Uint8Array | null)[] =>
  columnsOf(table).map(([name]) => Reflect.get(row, name) as number | string | Uint8Array | null);

const domains = Object.fromEntries(KERL_TABLES.map((table) => [table, domainOf(`kerl-${table}`)]));

export const kerlRowDigest = <T extends KerlTable>(table: T, row: KerlRow<T>): Digest =>
  withEncoding(domains[table] ?? domainOf(table), kerlRowShapes[table] as Shape<KerlRow<T>>, row, sha256Digest);

/** At most so many bytes does a row take in a segment. */
export function kerlRowBytes<T extends KerlTable>(table: T, row: KerlRow<T>): number {
  let size = 3;
  for (const value of valuesOf(table, row))
    size +=
      typeof value === "string" ? 5 + Buffer.byteLength(value) : value instanceof Uint8Array ? 5 + value.length : 9;
  return size;
}
