/**
 * The ledger's tables in the projection database: blocks with their roots, and settled commands while they are
 * remembered. As with the graph's tables, a sum over the digests of all rows goes with them in the same transaction.
 */
import type { Digest, Height } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { ZERO_DIGEST, digestBytes, digestOf } from "../../base/bytes.ts";
import {
  type Shape,
  decode,
  decodeSequence,
  encode,
  encodeSequence,
  integer,
  nullable,
  record,
} from "../../base/codec.ts";
import { Fault, assert, present } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { domainDigest } from "../../crypto/hash.ts";
import { type FrontierState, MerkleFrontier } from "../../crypto/merkle.ts";
import { BODY_BYTES_MAX, type Block, HEADER_BYTES_MAX, blockShape, headerShape } from "../../events/facts/block.ts";
import { frontierShape } from "../../events/facts/checkpoint.ts";
import { digestShape } from "../../events/facts/command.ts";
import { type OutcomeFact, factDataShape } from "../../events/facts/fact.ts";
import { blockHash } from "../../events/facts/hashing.ts";
import type { BlockEntry, OutcomeEntry } from "../checkpoint/segment.ts";
import type { LiveCertificates } from "../certificates/live-certificates.ts";
import { CertificateTables } from "../certificates/tables.ts";
import type { LiveKerl } from "../kerl/live-kerl.ts";
import { loadLiveKerl } from "../kerl/load-live-kerl.ts";
import type { SqlDatabase } from "../rebac/sql-database.ts";
import { RowSum, blobOf, numberOf } from "../rebac/table-rows.ts";
import { type SettledCommand, isRemembered, rememberedSince } from "./duplicates.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS ledger_meta (id INTEGER PRIMARY KEY CHECK (id = 1), height INTEGER NOT NULL, sum BLOB NOT NULL, blocks INTEGER NOT NULL, position BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS ledger_blocks (height INTEGER PRIMARY KEY, hash BLOB NOT NULL, root BLOB NOT NULL, time INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS ledger_outcomes (height INTEGER PRIMARY KEY, not_after INTEGER NOT NULL, outcomes BLOB NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS ledger_outcomes_not_after ON ledger_outcomes (not_after);
`;

/** One block as the tables take it. */
export interface LedgerRow {
  readonly height: Height;
  readonly hash: Digest;
  readonly root: Digest;
  readonly time: number;
  /** Null where nobody writes checkpoints. */
  readonly block: Block | null;
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

/** Where the log stands after the last block: what a checkpoint says of it. */
interface LogPosition {
  readonly hash: Digest;
  readonly block: Block | null;
  /** Tree over the blocks before it. */
  readonly before: FrontierState;
}
const positionShape = record<LogPosition>("position", {
  hash: digestShape,
  block: nullable(blockShape),
  before: frontierShape,
});
const POSITION_BYTES_MAX = HEADER_BYTES_MAX + BODY_BYTES_MAX + 8192;

/** Heights whose roots a checkpoint carries beside those that remembered commands need: proposals and attestations still name them. */
const ROOTS_IN_CHECKPOINT = 128;

const outcomesDigest = ({ height, notAfter, outcomes }: OutcomesRow): Digest =>
  domainDigest("ledger-outcomes", Buffer.from(`${height}/${notAfter}/`), outcomes);
const blockDigest = (height: number, hash: Uint8Array, root: Uint8Array, time: number): Digest =>
  domainDigest("ledger-block", Buffer.from(`${height}/${time}/`), hash, root);

const outcomesRowOf = (row: unknown): OutcomesRow => ({
  height: numberOf(row, "height"),
  notAfter: numberOf(row, "not_after"),
  outcomes: blobOf(row, "outcomes"),
});

export class LedgerTables {
  readonly #db: SqlDatabase;
  readonly #statements;
  #height = -1;
  #sum = new RowSum();
  /** Rows of blocks: one for each height, or fewer when the tables began with a checkpoint. */
  #blocks = 0;
  #tree = MerkleFrontier.empty;
  #restoring: { readonly height: number; readonly settled: LedgerRow["settled"][number][] } | undefined;
  #last: (Pick<LogPosition, "hash" | "block"> & { readonly before: MerkleFrontier }) | undefined;

  constructor(db: SqlDatabase) {
    this.#db = db;
    db.exec(SCHEMA);
    this.#statements = {
      meta: db.prepare("SELECT height, sum, blocks, position FROM ledger_meta WHERE id = 1"),
      writeMeta: db.prepare(
        "INSERT OR REPLACE INTO ledger_meta (id, height, sum, blocks, position) VALUES (1, ?, ?, ?, ?)",
      ),
      block: db.prepare("INSERT INTO ledger_blocks (height, hash, root, time) VALUES (?, ?, ?, ?)"),
      outcomes: db.prepare("INSERT INTO ledger_outcomes (height, not_after, outcomes) VALUES (?, ?, ?)"),
      expired: db.prepare("SELECT * FROM ledger_outcomes WHERE not_after < ? ORDER BY height"),
      expire: db.prepare("DELETE FROM ledger_outcomes WHERE not_after < ?"),
      allBlocks: db.prepare("SELECT * FROM ledger_blocks ORDER BY height"),
      blockAt: db.prepare("SELECT * FROM ledger_blocks WHERE height = ?"),
      checkpointBlocks: db.prepare(
        "SELECT * FROM ledger_blocks WHERE height > ? OR height IN (SELECT height FROM ledger_outcomes) ORDER BY height",
      ),
      allOutcomes: db.prepare("SELECT * FROM ledger_outcomes ORDER BY height"),
    };
    this.reload();
  }

  /** Last block applied; −1 before genesis. */
  get height(): number {
    return this.#height;
  }

  /** Sum of all rows' digests, as it was kept while they changed. */
  get rowsRoot(): Digest {
    return digestOf(this.#sum.bytes());
  }

  /** Applies one block within the caller's transaction, which ends with `flush` (or, when it fails, with `reload`). */
  applyBlock({ height, hash, root, time, block, settled }: LedgerRow): void {
    assert(height === this.#height + 1, "blocks are applied in order, once");
    this.#height = height;
    this.#last = { hash, block, before: this.#tree };
    this.#tree = this.#tree.appended(hash);
    this.#insertBlock(height, digestBytes(hash), digestBytes(root), time);
    this.#applyOutcomes(
      height,
      settled.filter(({ outcome }) => isRemembered(outcome)),
    );
  }

  #insertBlock(height: number, hash: Uint8Array, root: Uint8Array, time: number): void {
    this.#statements.block.run(height, hash, root, time);
    this.#sum.add(blockDigest(height, hash, root, time));
    this.#blocks += 1;
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
    this.#writeMeta();
  }

  #writeMeta(): void {
    if (this.#last === undefined) return;
    const { hash, block, before } = this.#last;
    const position = encode(positionShape, { hash, block, before: before.state });
    this.#statements.writeMeta.run(this.#height, this.#sum.bytes(), this.#blocks, position);
  }

  /** Forgets what was not committed. */
  reload(): void {
    const row = this.#statements.meta.get();
    this.#height = row === undefined ? -1 : numberOf(row, "height");
    this.#sum = row === undefined ? new RowSum() : RowSum.of(blobOf(row, "sum"));
    this.#blocks = row === undefined ? 0 : numberOf(row, "blocks");
    this.#tree = MerkleFrontier.empty;
    this.#last = undefined;
    if (row === undefined) return;
    const position = decode(positionShape, blobOf(row, "position"), POSITION_BYTES_MAX);
    if (!position.ok)
      throw new Fault("PROJECTION_DAMAGED", "The ledger's position cannot be read; rebuild the projection.");
    const { hash, block, before } = position.value;
    this.#last = { hash, block, before: MerkleFrontier.from(before) };
    this.#tree = this.#last.before.appended(hash);
  }

  /** Whether the rows are those that were written. Refuses: PROJECTION_DAMAGED. */
  verifyRows(): Result<void, Refusal<"PROJECTION_DAMAGED">> {
    const sum = new RowSum();
    let blocks = 0;
    for (const row of this.#statements.allBlocks.iterate()) {
      blocks += 1;
      sum.add(blockDigest(numberOf(row, "height"), blobOf(row, "hash"), blobOf(row, "root"), numberOf(row, "time")));
    }
    for (const row of this.#statements.allOutcomes.iterate()) sum.add(outcomesDigest(outcomesRowOf(row)));
    if (digestOf(sum.bytes()) === digestOf(this.#sum.bytes()) && blocks === this.#blocks) return ok(undefined);
    return refuse(
      "PROJECTION_DAMAGED",
      `The ledger's tables at height ${this.#height} are not those that were written; rebuild them.`,
      "none",
    );
  }

  /** The last block applied, and the tree over those before it. Throws: Defect when it was not given. */
  position(): { readonly block: Block; readonly before: MerkleFrontier } {
    const { block, before } = present(this.#last, "a block is applied");
    assert(block !== null, "whoever writes checkpoints gives the projector its blocks");
    return { block, before };
  }

  /** The last blocks, and those of remembered commands; by height. */
  *blockEntries(): Generator<BlockEntry> {
    for (const row of this.#statements.checkpointBlocks.iterate(this.#height - ROOTS_IN_CHECKPOINT))
      yield {
        height: heightOf(numberOf(row, "height")),
        hash: digestOf(blobOf(row, "hash")),
        root: digestOf(blobOf(row, "root")),
        time: numberOf(row, "time"),
      };
  }

  /** Remembered commands, by height and place in the block. */
  *outcomeEntries(): Generator<OutcomeEntry> {
    for (const row of this.#statements.allOutcomes.iterate()) {
      const { height, outcomes } = outcomesRowOf(row);
      const opened = decodeSequence(settledShape, outcomes);
      assert(opened.ok, "outcomes were encoded here");
      for (const { index, outcome } of opened.value) yield { height: heightOf(height), index, outcome };
    }
  }

  restoreBlocks(entries: readonly BlockEntry[]): string | undefined {
    for (const { height, hash, root, time } of entries)
      this.#insertBlock(height, digestBytes(hash), digestBytes(root), time);
    return undefined;
  }

  /** A block's outcomes may stand in two segments. */
  restoreOutcomes(entries: readonly OutcomeEntry[]): string | undefined {
    for (const { height, index, outcome } of entries) {
      if (outcome.kind !== "commandExecuted" && outcome.kind !== "commandRefused")
        return "a remembered fact is no outcome";
      if (this.#restoring?.height !== height) this.#endRestoring();
      this.#restoring ??= { height, settled: [] };
      this.#restoring.settled.push({ index, outcome });
    }
    return undefined;
  }

  #endRestoring(): void {
    if (this.#restoring !== undefined) this.#applyOutcomes(this.#restoring.height, this.#restoring.settled);
    this.#restoring = undefined;
  }

  /** Ends a restore: height and sum stand beside the rows. Refuses: CHECKPOINT_UNREADABLE when they do not fit the block. */
  restorePosition(block: Block, before: FrontierState): Result<{ readonly height: Height; readonly root: Digest }> {
    this.#endRestoring();
    const header = decode(headerShape, block.header, HEADER_BYTES_MAX);
    if (!header.ok) return header;
    const { height } = header.value;
    const row = this.blockAt(height);
    if (row === undefined || row.hash !== blockHash(block.header))
      return refuse("CHECKPOINT_UNREADABLE", "the rows are not those after its block", "peer");
    this.#height = height;
    this.#last = { hash: row.hash, block, before: MerkleFrontier.from(before) };
    this.#tree = this.#last.before.appended(row.hash);
    this.#writeMeta();
    return ok({ height, root: row.root });
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

  /** What the ledger starts from at this height. Its logs read the database as long as they are asked (`seed`: LiveKerlOptions). */
  load(seed?: number): {
    readonly height: Height | -1;
    readonly root: Digest;
    readonly kerl: LiveKerl;
    readonly certificates: LiveCertificates;
    readonly settled: readonly SettledCommand[];
  } {
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
    return {
      height: this.#height < 0 ? -1 : heightOf(this.#height),
      root,
      kerl: loadLiveKerl(this.#db, seed),
      certificates: new CertificateTables(this.#db).load(),
      settled,
    };
  }
}
