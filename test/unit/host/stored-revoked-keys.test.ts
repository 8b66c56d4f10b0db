/** A node that is sealed, or whose consensus begins before its ledger is open, refuses the keys that its projection knew to be revoked. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Aid, Digest } from "../../../src/base/brands.ts";
import type { CertificateFact, CertificateRecord } from "../../../src/events/facts/certificate.ts";
import { openSqlite } from "../../../src/events/store/sqlite.ts";
import { RevokedKeys } from "../../../src/host/cluster/revoked-keys.ts";
import { storedRevokedKeys } from "../../../src/host/node/stored-revoked-keys.ts";
import { CertificateTables } from "../../../src/projections/certificates/tables.ts";

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "sky-revoked-"))));
afterEach(() => rmSync(directory, { recursive: true }));
const path = (): string => join(directory, "projection.db");

const certificate = (byte: string, notAfter: number): CertificateRecord => ({
  issuer: "a1".repeat(32) as Digest,
  serial: `7f${byte}`,
  aid: `E${"A".repeat(43)}` as Aid,
  role: "operator",
  spkiHash: byte.repeat(32) as Digest,
  notBefore: 1_000,
  notAfter,
});

/** Tables as the projector writes them. */
function store(...facts: readonly CertificateFact[]): void {
  const db = openSqlite(path(), { store: "PROJECTION", synchronous: "normal" });
  const tables = new CertificateTables(db);
  db.transaction(() => {
    tables.applyBlock({ height: 1, time: 2_000, facts });
    tables.flush(2_000);
  })();
  db.close();
}

it("knows the keys of revoked certificates, and of no others, until they end", () => {
  const [good, revoked, short] = [certificate("b1", 50_000), certificate("b2", 50_000), certificate("b3", 9_000)];
  store(
    { kind: "certificateIssued", record: good },
    { kind: "certificateIssued", record: revoked },
    { kind: "certificateRevoked", record: revoked, reason: "keyCompromise" },
    { kind: "certificateRevoked", record: short, reason: "superseded" },
  );
  const { aid } = good;
  const stored = storedRevokedKeys(path());
  expect(stored.map(({ spkiHash }) => spkiHash)).toEqual([revoked.spkiHash, short.spkiHash]);
  const keys = new RevokedKeys();
  keys.add(stored, 5_000);
  const judged = (now: number): readonly boolean[] => {
    keys.add([], now);
    return [good, revoked, short].map(({ spkiHash }) => keys.isRevoked(aid, spkiHash));
  };
  expect(judged(5_000)).toEqual([false, true, true]);
  expect(keys.all()).toEqual(stored);
  expect(judged(9_001)).toEqual([false, true, false]);
});

it("knows none without a projection, with one of an older Sky, or with one that cannot be read", () => {
  expect(storedRevokedKeys(path())).toEqual([]);
  openSqlite(path(), { store: "PROJECTION", synchronous: "normal" }).close();
  expect(storedRevokedKeys(path())).toEqual([]);
  writeFileSync(path(), new Uint8Array(16_384).fill(7));
  expect(storedRevokedKeys(path())).toEqual([]);
});
