/**
 * The ledger's tables in the projection database: blocks with their roots, identifiers, and settled commands while they are
 * remembered. As with the graph's tables, a sum over the digests of all rows goes with them in the same transaction.
 */
import type { Aid, Digest, Height } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { ZERO_DIGEST, digestBytes, digestOf } from "../../base/bytes.ts";
import { type Shape, decodeSequence, encodeSequence, integer, record } from "../../base/codec.ts";
import { assert } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { domainDigest } from "../../crypto/hash.ts";
import { type OutcomeFact, factDataShape } from "../../events/facts/fact.ts";
import { parseInception } from "../../keri/inception.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { SqlDatabase } from "../rebac/sql-database.ts";
import { RowSum, blobOf, numberOf, textOf } from "../rebac/table-rows.ts";
import { type SettledCommand, isRemembered, rememberedSince } from "./duplicates.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS ledger_meta (id INTEGER PRIMARY KEY CHECK (id = 1), height INTEGER NOT NULL, sum BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS ledger_blocks (height INTEGER PRIMARY KEY, hash BLOB NOT NULL, root BLOB NOT NULL, time INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS ledger_identifiers (aid TEXT PRIMARY KEY, icp BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS ledger_outcomes (height INTEGER PRIMARY KEY, not_after INTEGER NOT NULL, outcomes BLOB NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS ledger_outcomes_not_after ON ledger_outcomes (not_after);
`;

/** One block as the tables take it. */
export interface LedgerRow {
  readonly height: Height;
  readonly hash: Digest;
  readonly root: Digest;
  readonly time: number;
  readonly identifiers: readonly { readonly aid: Aid; readonly icp: Uint8Array }[];
  readonly settled: readonly { readonly index: number; readonly outcome: OutcomeFact }[];
}

/** One row for each block, since one for each command costs as much as the graph's own rows. */
interface OutcomesRow {
  readonly height: number;
  /** The latest of its commands. */
  readonly notAfter: number;
  /** Encodings of what is remembered, one after the other, in the order of the block. */
  readonly outcomes: Uint8Array;
}
const settledShape = record<LedgerRow["settled"][number]>("settled", {
  index: integer(),
  // Only outcomes are written here; whatever else an edited row holds is found by its digest.
  outcome: factDataShape as Shape<OutcomeFact>,
});

const outcomesDigest = ({ height, notAfter, outcomes }: OutcomesRow): Digest =>
  domainDigest("ledger-outcomes", Buffer.from(`${height}/${notAfter}/`), outcomes);
const blockDigest = (height: number, hash: Uint8Array, root: Uint8Array, time: number): Digest =>
  domainDigest("ledger-block", Buffer.from(`${height}/${time}/`), hash, root);
const identifierDigest = (aid: string, icp: Uint8Array): Digest =>
  domainDigest("ledger-identifier", Buffer.from(aid), icp);

const outcomesRowOf = (row: unknown): OutcomesRow => ({
  height: numberOf(row, "height"),
  notAfter: numberOf(row, "not_after"),
  outcomes: blobOf(row, "outcomes"),
});

export class LedgerTables {
  readonly #statements;
  #height = -1;
  #sum = new RowSum();

  constructor(db: SqlDatabase) {
    db.exec(SCHEMA);
    this.#statements = {
      meta: db.prepare("SELECT height, sum FROM ledger_meta WHERE id = 1"),
      writeMeta: db.prepare("INSERT OR REPLACE INTO ledger_meta (id, height, sum) VALUES (1, ?, ?)"),
      block: db.prepare("INSERT INTO ledger_blocks (height, hash, root, time) VALUES (?, ?, ?, ?)"),
      identifier: db.prepare("INSERT INTO ledger_identifiers (aid, icp) VALUES (?, ?)"),
      outcomes: db.prepare("INSERT INTO ledger_outcomes (height, not_after, outcomes) VALUES (?, ?, ?)"),
      expired: db.prepare("SELECT * FROM ledger_outcomes WHERE not_after < ? ORDER BY height"),
      expire: db.prepare("DELETE FROM ledger_outcomes WHERE not_after < ?"),
      allBlocks: db.prepare("SELECT * FROM ledger_blocks ORDER BY height"),
      blockAt: db.prepare("SELECT * FROM ledger_blocks WHERE height = ?"),
      allIdentifiers: db.prepare("SELECT * FROM ledger_identifiers ORDER BY aid"),
      allOutcomes: db.prepare("SELECT * FROM ledger_outcomes ORDER BY height"),
    };
    this.reload();
  }

  /** Last block applied; −1 before genesis. */
  get height(): number {
    return this.#height;
  }

  /** Applies one block within the caller's transaction, which ends with `flush` (or, when it fails, with `reload`). */
  applyBlock({ height, hash, root, time, identifiers, settled }: LedgerRow): void {
    assert(height === this.#height + 1, "blocks are applied in order, once");
    this.#height = height;
    const { block, identifier } = this.#statements;
    block.run(height, digestBytes(hash), digestBytes(root), time);
    this.#sum.add(blockDigest(height, digestBytes(hash), digestBytes(root), time));
    for (const { aid, icp } of identifiers) {
      identifier.run(aid, icp);
      this.#sum.add(identifierDigest(aid, icp));
    }
    this.#applyOutcomes(
      height,
      settled.filter(({ outcome }) => isRemembered(outcome)),
    );
  }

  #applyOutcomes(height: number, settled: LedgerRow["settled"]): void {
    if (settled.length === 0) return;
    const notAfter = settled.reduce((latest, { outcome }) => Math.max(latest, outcome.notAfter), 0);
    const row: OutcomesRow = { height, notAfter, outcomes: encodeSequence(settledShape, settled) };
    this.#statements.outcomes.run(row.height, row.notAfter, row.outcomes);
    this.#sum.add(outcomesDigest(row));
  }

  /** Forgets blocks of which no command is remembered at this log time, and writes height and sum beside the rows. */
  flush(time: number): void {
    const since = rememberedSince(time);
    for (const row of this.#statements.expired.all(since)) this.#sum.subtract(outcomesDigest(outcomesRowOf(row)));
    this.#statements.expire.run(since);
    this.#statements.writeMeta.run(this.#height, this.#sum.bytes());
  }

  /** Forgets what was not committed. */
  reload(): void {
    const row = this.#statements.meta.get();
    this.#height = row === undefined ? -1 : numberOf(row, "height");
    this.#sum = row === undefined ? new RowSum() : RowSum.of(blobOf(row, "sum"));
  }

  /** Whether the rows are those that were written. Refuses: PROJECTION_DAMAGED. */
  verifyRows(): Result<void, Refusal<"PROJECTION_DAMAGED">> {
    const sum = new RowSum();
    let blocks = 0;
    for (const row of this.#statements.allBlocks.iterate()) {
      blocks += 1;
      sum.add(blockDigest(numberOf(row, "height"), blobOf(row, "hash"), blobOf(row, "root"), numberOf(row, "time")));
    }
    for (const row of this.#statements.allIdentifiers.iterate())
      sum.add(identifierDigest(textOf(row, "aid"), blobOf(row, "icp")));
    for (const row of this.#statements.allOutcomes.iterate()) sum.add(outcomesDigest(outcomesRowOf(row)));
    if (digestOf(sum.bytes()) === digestOf(this.#sum.bytes()) && blocks === this.#height + 1) return ok(undefined);
    return refuse(
      "PROJECTION_DAMAGED",
      `The ledger's tables at height ${this.#height} are not those that were written; rebuild them.`,
      "none",
    );
  }

  /** Hash and root of an executed height. */
  blockAt(height: Height): { readonly hash: Digest; readonly root: Digest } | undefined {
    const row = this.#statements.blockAt.get(height);
    return row === undefined ? undefined : { hash: digestOf(blobOf(row, "hash")), root: digestOf(blobOf(row, "root")) };
  }

  /** Log time of the last block applied. */
  #time(): number {
    const row = this.#statements.blockAt.get(this.#height);
    return row === undefined ? 0 : numberOf(row, "time");
  }

  /** What the ledger starts from at this height. */
  load(): {
    readonly height: Height | -1;
    readonly root: Digest;
    readonly keyStates: ReadonlyMap<Aid, KeyState>;
    readonly settled: readonly SettledCommand[];
  } {
    const keyStates = new Map<Aid, KeyState>();
    for (const row of this.#statements.allIdentifiers.iterate()) {
      const inception = parseInception(blobOf(row, "icp"));
      assert(inception.ok, "an identifier's inception was judged when it was admitted");
      keyStates.set(inception.value.aid, inception.value);
    }
    const settled: SettledCommand[] = [];
    const since = rememberedSince(this.#time());
    for (const row of this.#statements.allOutcomes.iterate()) {
      const { height, outcomes } = outcomesRowOf(row);
      const opened = decodeSequence(settledShape, outcomes);
      const blockHash = this.blockAt(heightOf(height))?.hash;
      assert(opened.ok && blockHash !== undefined, "outcomes were encoded here, and have their block");
      for (const { index, outcome } of opened.value) {
        if (outcome.notAfter < since) continue;
        settled.push({ author: outcome.author, id: outcome.id, height: heightOf(height), index, blockHash, outcome });
      }
    }
    const root = this.#height < 0 ? ZERO_DIGEST : (this.blockAt(heightOf(this.#height))?.root ?? ZERO_DIGEST);
    return { height: this.#height < 0 ? -1 : heightOf(this.#height), root, keyStates, settled };
  }
}
