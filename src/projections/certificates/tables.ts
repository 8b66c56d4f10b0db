/**
 * Certificates in the projection database: one row for each that the log knows and that has not ended. A sum over the digests of all
 * rows goes with them in the same transaction, as with the graph's tables.
 */
import type { Aid, Digest } from "../../base/brands.ts";
import { digestOf } from "../../base/bytes.ts";
import { type Shape, integer, nullable, oneOf, record, withEncoding } from "../../base/codec.ts";
import { assert } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { domainOf, sha256Digest } from "../../crypto/hash.ts";
import {
  type CertificateFact,
  type CertificateRecord,
  RECORDED_ROLES,
  REVOCATION_REASONS,
  certificateRecordShape,
} from "../../events/facts/certificate.ts";
import type { SqlDatabase } from "../rebac/sql-database.ts";
import { RowSum, blobOf, numberOf, textOf } from "../rebac/table-rows.ts";
import {
  type KnownCertificate,
  LiveCertificates,
  type Revocation,
  type RevokedKey,
  afterFact,
  certificateName,
} from "./live-certificates.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS certificates_meta (id INTEGER PRIMARY KEY CHECK (id = 1), height INTEGER NOT NULL, sum BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS certificates (name TEXT PRIMARY KEY, aid TEXT NOT NULL, issuer TEXT NOT NULL, serial TEXT NOT NULL, role INTEGER NOT NULL,
    spki_hash TEXT NOT NULL, not_before INTEGER NOT NULL, not_after INTEGER NOT NULL, height INTEGER NOT NULL,
    reason INTEGER, revoked_height INTEGER, revoked_at INTEGER) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS certificates_not_after ON certificates (not_after);
`;

export const knownCertificateShape: Shape<KnownCertificate> = record<KnownCertificate>("known certificate", {
  record: certificateRecordShape,
  height: integer(),
  revocation: nullable(
    record<Revocation>("revocation", { reason: oneOf(...REVOCATION_REASONS), height: integer(), at: integer() }),
  ),
});

const DOMAIN = domainOf("certificates");
const rowDigest = (certificate: KnownCertificate): Digest =>
  withEncoding(DOMAIN, knownCertificateShape, certificate, sha256Digest);

/** What one block's facts say of certificates, in order. */
export interface CertificateBlock {
  readonly height: number;
  readonly time: number;
  readonly facts: readonly CertificateFact[];
}

export class CertificateTables {
  readonly #sql;
  #height = -1;
  #sum = new RowSum();

  constructor(db: SqlDatabase) {
    db.exec(SCHEMA);
    this.#sql = {
      readMeta: db.prepare("SELECT height, sum FROM certificates_meta WHERE id = 1"),
      writeMeta: db.prepare("INSERT OR REPLACE INTO certificates_meta (id, height, sum) VALUES (1, ?, ?)"),
      find: db.prepare("SELECT * FROM certificates WHERE name = ?"),
      put: db.prepare("INSERT OR REPLACE INTO certificates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      ended: db.prepare("SELECT * FROM certificates WHERE not_after < ?"),
      forget: db.prepare("DELETE FROM certificates WHERE not_after < ?"),
      all: db.prepare("SELECT * FROM certificates ORDER BY name"),
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
  applyBlock({ height, time, facts }: CertificateBlock): void {
    assert(height > this.#height, "blocks are applied in order, once");
    for (const fact of facts) {
      const row = this.#sql.find.get(certificateName(fact.record));
      const before = row === undefined ? undefined : knownOf(row);
      if (before !== undefined) this.#sum.subtract(rowDigest(before));
      // What ended is forgotten at the beginning of a block, also where its row stands until those of several blocks are written.
      const known = before === undefined || before.record.notAfter < time ? undefined : before;
      this.#put(afterFact(known, fact, { height, time }));
    }
    this.#height = height;
  }

  /** Forgets what ended before this log time, and writes height and sum beside the rows. */
  flush(time: number): void {
    for (const row of this.#sql.ended.all(time)) this.#sum.subtract(rowDigest(knownOf(row)));
    this.#sql.forget.run(time);
    this.#sql.writeMeta.run(this.#height, this.#sum.bytes());
  }

  /** Forgets what was not committed. */
  reload(): void {
    const row = this.#sql.readMeta.get();
    this.#height = row === undefined ? -1 : numberOf(row, "height");
    this.#sum = row === undefined ? new RowSum() : RowSum.of(blobOf(row, "sum"));
  }

  /** Whether the rows are those that were written. Refuses: PROJECTION_DAMAGED when any was edited, deleted or inserted; rebuild them. */
  verifyRows(): Result<void, Refusal<"PROJECTION_DAMAGED">> {
    const sum = new RowSum();
    for (const row of this.#sql.all.iterate()) sum.add(rowDigest(knownOf(row)));
    if (digestOf(sum.bytes()) === digestOf(this.#sum.bytes())) return ok(undefined);
    return refuse(
      "PROJECTION_DAMAGED",
      `The table of certificates at height ${this.#height} is not the one that was written; rebuild it.`,
      "none",
    );
  }

  /** In the order in which a checkpoint carries them. */
  *rows(): Generator<KnownCertificate> {
    for (const row of this.#sql.all.iterate()) yield knownOf(row);
  }

  /** Rows of a checkpoint, in the order of `rows`. Returns what is wrong with them. */
  restore(rows: readonly KnownCertificate[]): string | undefined {
    for (const row of rows) {
      if (this.#sql.find.get(certificateName(row.record)) !== undefined) return "a certificate comes twice";
      this.#put(row);
    }
    return undefined;
  }

  /** Ends a restore: height and sum stand beside the rows. */
  restorePosition(height: number): void {
    this.#height = height;
    this.#sql.writeMeta.run(this.#height, this.#sum.bytes());
  }

  /** The live ones of the newest height. */
  load(): LiveCertificates {
    const live = new LiveCertificates();
    for (const certificate of this.rows()) live.put(certificate);
    return live;
  }

  #put(certificate: KnownCertificate): void {
    const { record: of, height, revocation } = certificate;
    this.#sql.put.run(
      certificateName(of),
      of.aid,
      of.issuer,
      of.serial,
      RECORDED_ROLES.indexOf(of.role),
      of.spkiHash,
      of.notBefore,
      of.notAfter,
      height,
      revocation === null ? null : REVOCATION_REASONS.indexOf(revocation.reason),
      revocation?.height ?? null,
      revocation?.at ?? null,
    );
    this.#sum.add(rowDigest(certificate));
  }
}

/**
 * Keys of the revoked certificates in a database of these tables, whoever wrote them. Throws: SqliteError where there are no such tables.
 */
export const storedRevocations = (db: Pick<SqlDatabase, "prepare">): readonly RevokedKey[] =>
  db
    .prepare("SELECT * FROM certificates WHERE reason IS NOT NULL")
    .all()
    .map((row) => {
      const { aid, spkiHash, notAfter } = knownOf(row).record;
      return { aid, spkiHash, notAfter };
    });

/** A row that was edited into what is none is found by the sum: it reads as the first word. */
function knownOf(row: unknown): KnownCertificate {
  const of: CertificateRecord = {
    issuer: textOf(row, "issuer") as Digest,
    serial: textOf(row, "serial"),
    aid: textOf(row, "aid") as Aid,
    role: RECORDED_ROLES[numberOf(row, "role")] ?? "node",
    spkiHash: textOf(row, "spki_hash") as Digest,
    notBefore: numberOf(row, "not_before"),
    notAfter: numberOf(row, "not_after"),
  };
  const isRevoked = row !== null && typeof row === "object" && Reflect.get(row, "reason") !== null;
  return {
    record: of,
    height: numberOf(row, "height"),
    revocation: isRevoked
      ? {
          reason: REVOCATION_REASONS[numberOf(row, "reason")] ?? "unspecified",
          height: numberOf(row, "revoked_height"),
          at: numberOf(row, "revoked_at"),
        }
      : null,
  };
}
