/** In which rows two projections of the same height differ: what an operator sees before deciding which of them serves. */
import type { SqlDatabase } from "../../projections/rebac/sql-database.ts";

/** One table's differences; `examples` are the first of them, in words. */
export interface TableDifference {
  readonly table: string;
  /** Rows that only the serving projection has. */
  readonly missing: number;
  /** Rows that only the copy has. */
  readonly added: number;
  /** Rows of one key with other contents. */
  readonly changed: number;
  readonly examples: readonly string[];
}

/** Tables by their keys. Beside them stand heights and sums alone. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  ledger_blocks: ["height"],
  ledger_outcomes: ["height"],
  rebac_node: ["id"],
  rebac_edge: ["id"],
  kerl_events: ["id"],
  kerl_seals: ["event", "n"],
  kerl_receipts: ["id"],
  kerl_forks: ["id"],
  kerl_replies: ["id"],
  kerl_escrows: ["name"],
  certificates: ["name"],
};
const EXAMPLES_MAX = 5;
/** A row may hold 256 KiB of somebody's bytes. */
const CHARACTERS_MAX = 200;
/** Rows between two chances to pause. */
const ROWS_PER_TURN = 256;

type Row = Readonly<Record<string, unknown>>;

/**
 * Differences of the tables, none for tables that are alike; yields now and then so that the caller may pause. Both must stand still meanwhile.
 * Blocks below those that the serving projection began with (it was filled from a checkpoint) are no difference: the copy knows more of the past.
 */
export function* compareProjections(
  serving: SqlDatabase,
  copy: SqlDatabase,
): Generator<void, readonly TableDifference[]> {
  const found: TableDifference[] = [];
  for (const [table, key] of Object.entries(KEYS)) {
    const difference = yield* compareTable(serving, copy, table, key);
    if (difference.missing + difference.added + difference.changed > 0) found.push(difference);
  }
  return found;
}

function* compareTable(
  serving: SqlDatabase,
  copy: SqlDatabase,
  table: string,
  key: readonly string[],
): Generator<void, TableDifference> {
  const counts = { missing: 0, added: 0, changed: 0 };
  const examples: string[] = [];
  const query = `SELECT * FROM ${table} ORDER BY ${key.join(", ")}`;
  const note = (kind: keyof typeof counts, of: Row, other?: Row): void => {
    counts[kind] += 1;
    if (examples.length < EXAMPLES_MAX) examples.push(exampleOf(kind, key, of, other));
  };
  const left = (serving.prepare(query).iterate() as Iterable<Row>)[Symbol.iterator]();
  const right = (copy.prepare(query).iterate() as Iterable<Row>)[Symbol.iterator]();
  const began = table === "ledger_blocks" ? firstOfRun(serving) : undefined;
  let [a, b] = [left.next(), right.next()];
  for (let rows = 1; a.done !== true || b.done !== true; rows++) {
    if (rows % ROWS_PER_TURN === 0) yield;
    const order = a.done === true ? 1 : b.done === true ? -1 : compareKeys(key, a.value, b.value);
    if (order < 0) note("missing", a.value);
    else if (order > 0 && !(began !== undefined && Number(b.value["height"]) < began)) note("added", b.value);
    else if (order === 0 && textOf(a.value) !== textOf(b.value)) note("changed", a.value, b.value);
    if (order <= 0) a = left.next();
    if (order >= 0) b = right.next();
  }
  return { table, ...counts, examples };
}

/** Height from which on the serving projection has every block: below it, a checkpoint left only those of remembered commands. */
function firstOfRun(serving: SqlDatabase): number | undefined {
  const row = serving
    .prepare(
      "SELECT max(height) AS height FROM ledger_blocks AS one WHERE height > 0 AND NOT EXISTS (SELECT 1 FROM ledger_blocks AS before WHERE before.height = one.height - 1)",
    )
    .get() as Row | undefined;
  return typeof row?.["height"] === "number" ? row["height"] : undefined;
}

function compareKeys(key: readonly string[], a: Row, b: Row): number {
  for (const column of key) {
    const [x, y] = [a[column], b[column]];
    const order =
      typeof x === "number" && typeof y === "number"
        ? x - y
        : Buffer.compare(Buffer.from(String(x)), Buffer.from(String(y)));
    if (order !== 0) return order;
  }
  return 0;
}

const valueOf = (value: unknown): unknown => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value);
const textOf = (row: Row): string => JSON.stringify(Object.values(row).map(valueOf));

function exampleOf(kind: string, key: readonly string[], row: Row, other: Row | undefined): string {
  const at = key.map((column) => `${column} ${String(row[column])}`).join(", ");
  const columns =
    other === undefined
      ? Object.keys(row)
      : Object.keys(row).filter((column) => valueOf(row[column]) !== valueOf(other[column]));
  const shown = columns
    .filter((column) => !key.includes(column))
    .map((column) => {
      const value = shortOf(row[column]);
      return other === undefined
        ? `${column} = ${value}`
        : `${column}: ${value} in the serving one, ${shortOf(other[column])} in the copy`;
    });
  return `${kind}: ${at}: ${shown.join("; ")}`.slice(0, 3 * CHARACTERS_MAX);
}

function shortOf(value: unknown): string {
  const text = String(valueOf(value));
  return text.length > CHARACTERS_MAX ? `${text.slice(0, CHARACTERS_MAX)}…` : text;
}
