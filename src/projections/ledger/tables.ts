/**
 * The ledger's tables in the projection database: blocks with their roots, identifiers, and settled commands while they are
 * remembered. As with the graph's tables, a sum over the digests of all rows goes with them in the same transaction.
 */
import type { Aid, CommandId, Digest, Height } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { ZERO_DIGEST, digestBytes, digestOf } from "../../base/bytes.ts";
import { decode, encode } from "../../base/codec.ts";
import { assert } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { domainDigest } from "../../crypto/hash.ts";
import { type OutcomeFact, factDataShape } from "../../events/facts/fact.ts";
import { parseInception } from "../../keri/inception.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { SqlDatabase } from "../rebac/sql-database.ts";
import { RowSum, blobOf, numberOf, textOf } from "../rebac/table-rows.ts";
import type { SettledCommand } from "./duplicates.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS ledger_meta (id INTEGER PRIMARY KEY CHECK (id = 1), height INTEGER NOT NULL, sum BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS ledger_blocks (height INTEGER PRIMARY KEY, hash BLOB NOT NULL, root BLOB NOT NULL, time INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS ledger_identifiers (aid TEXT PRIMARY KEY, icp BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS ledger_settled (
    not_after INTEGER NOT NULL, author TEXT NOT NULL, id BLOB NOT NULL, height INTEGER NOT NULL, idx INTEGER NOT NULL, outcome BLOB NOT NULL,
    PRIMARY KEY (not_after, author, id)) STRICT, WITHOUT ROWID;
`;

const OUTCOME_BYTES_MAX = 64 * 1024;

/** One block as the tables take it. */
export interface LedgerRow {
  readonly height: Height;
  readonly hash: Digest;
  readonly root: Digest;
  readonly time: number;
  readonly identifiers: readonly { readonly aid: Aid; readonly icp: Uint8Array }[];
  readonly settled: readonly { readonly index: number; readonly outcome: OutcomeFact }[];
}

interface SettledRow {
  readonly notAfter: number;
  readonly author: string;
  readonly id: Uint8Array;
  readonly height: number;
  readonly index: number;
  readonly outcome: Uint8Array;
}

const settledDigest = ({ notAfter, author, id, height, index, outcome }: SettledRow): Digest =>
  domainDigest("ledger-settled", Buffer.from(`${notAfter}/${author}/${height}/${index}/`), id, outcome);
const blockDigest = (height: number, hash: Uint8Array, root: Uint8Array, time: number): Digest =>
  domainDigest("ledger-block", Buffer.from(`${height}/${time}/`), hash, root);
const identifierDigest = (aid: string, icp: Uint8Array): Digest =>
  domainDigest("ledger-identifier", Buffer.from(aid), icp);

const settledRowOf = (row: unknown): SettledRow => ({
  notAfter: numberOf(row, "not_after"),
  author: textOf(row, "author"),
  id: blobOf(row, "id"),
  height: numberOf(row, "height"),
  index: numberOf(row, "idx"),
  outcome: blobOf(row, "outcome"),
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
      settled: db.prepare(
        "INSERT OR IGNORE INTO ledger_settled (not_after, author, id, height, idx, outcome) VALUES (?, ?, ?, ?, ?, ?)",
      ),
      expired: db.prepare("SELECT * FROM ledger_settled WHERE not_after < ? ORDER BY not_after, author, id"),
      expire: db.prepare("DELETE FROM ledger_settled WHERE not_after < ?"),
      allBlocks: db.prepare("SELECT * FROM ledger_blocks ORDER BY height"),
      blockAt: db.prepare("SELECT * FROM ledger_blocks WHERE height = ?"),
      allIdentifiers: db.prepare("SELECT * FROM ledger_identifiers ORDER BY aid"),
      allSettled: db.prepare("SELECT * FROM ledger_settled ORDER BY not_after, author, id"),
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
    const { block, identifier, settled: insert } = this.#statements;
    block.run(height, digestBytes(hash), digestBytes(root), time);
    this.#sum.add(blockDigest(height, digestBytes(hash), digestBytes(root), time));
    for (const { aid, icp } of identifiers) {
      identifier.run(aid, icp);
      this.#sum.add(identifierDigest(aid, icp));
    }
    for (const { index, outcome } of settled) {
      if (outcome.notAfter < time) continue;
      const bytes = encode(factDataShape, outcome);
      const row: SettledRow = {
        notAfter: outcome.notAfter,
        author: outcome.author,
        id: Buffer.from(outcome.id, "hex"),
        height,
        index,
        outcome: bytes,
      };
      const { changes } = insert.run(row.notAfter, row.author, row.id, row.height, row.index, row.outcome) as {
        changes: number;
      };
      if (changes === 1) this.#sum.add(settledDigest(row));
    }
  }

  /** Forgets expired commands, and writes height and sum beside the rows. */
  flush(time: number): void {
    for (const row of this.#statements.expired.all(time)) this.#sum.subtract(settledDigest(settledRowOf(row)));
    this.#statements.expire.run(time);
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
    for (const row of this.#statements.allSettled.iterate()) sum.add(settledDigest(settledRowOf(row)));
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
    for (const row of this.#statements.allSettled.all()) {
      const { author, id, height, index, outcome } = settledRowOf(row);
      const fact = decode(factDataShape, outcome, OUTCOME_BYTES_MAX);
      const block = this.blockAt(heightOf(height));
      assert(
        fact.ok && (fact.value.kind === "commandExecuted" || fact.value.kind === "commandRefused"),
        "an outcome was encoded here",
      );
      assert(block !== undefined, "a settled command has its block");
      const command = { author: author as Aid, id: Buffer.from(id).toString("hex") as CommandId };
      settled.push({ ...command, height: heightOf(height), index, blockHash: block.hash, outcome: fact.value });
    }
    const root = this.#height < 0 ? ZERO_DIGEST : (this.blockAt(heightOf(this.#height))?.root ?? ZERO_DIGEST);
    return { height: this.#height < 0 ? -1 : heightOf(this.#height), root, keyStates, settled };
  }
}
