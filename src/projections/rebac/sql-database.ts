/** The part of a database handle that projections use; better-sqlite3's fits it. Statements are prepared once and run hot. */
export type SqlValue = number | string | Uint8Array | null;
export type SqlParameters = { readonly [name: string]: SqlValue };

/** Parameters are SqlValues by position, or one SqlParameters; `unknown` because that is how better-sqlite3 types them. */
export interface SqlStatement {
  run(...parameters: unknown[]): unknown;
  get(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): unknown[];
  iterate(...parameters: unknown[]): Iterable<unknown>;
}

export interface SqlDatabase {
  prepare(sql: string): SqlStatement;
  exec(sql: string): unknown;
  /** Wraps work in a transaction that is rolled back when it throws. */
  transaction<T>(work: () => T): () => T;
}
