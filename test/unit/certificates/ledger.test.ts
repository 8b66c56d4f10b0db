import { describe, expect, test } from "vitest";
import Database from "better-sqlite3";
import type { Digest } from "../../../src/base/brands.ts";
import { encode } from "../../../src/base/codec.ts";
import {
  type CertificateRecord,
  type RevocationReason,
  certificateIssueShape,
  certificateRevokeShape,
} from "../../../src/events/facts/certificate.ts";
import { CERTIFICATES_OF_AID_MAX, CERTIFICATE_AHEAD_MAX_MS } from "../../../src/projections/certificates/decide.ts";
import { dumpSegments, loadSegments } from "../../../src/projections/checkpoint/checkpoint.ts";
import { decodeSegment } from "../../../src/projections/checkpoint/segment.ts";
import { CertificateTables } from "../../../src/projections/certificates/tables.ts";
import { type Author, LedgerWorld, authorOf } from "../kerl/ledger-world.ts";
import type { Life } from "../kerl/lives.ts";

const digest = (byte: string): Digest => byte.repeat(32) as Digest;

const recordOf = (life: Life, changes: Partial<CertificateRecord> = {}): CertificateRecord => ({
  issuer: digest("a1"),
  serial: "7f01",
  aid: life.aid,
  role: "client",
  spkiHash: digest("b2"),
  notBefore: 1_000,
  notAfter: 2_000_000,
  ...changes,
});

function setup() {
  const world = new LedgerWorld();
  const issue = (author: Author, ...records: CertificateRecord[]) =>
    world.signed(author, [{ kind: "certificate.issue", payload: encode(certificateIssueShape, { records }) }]);
  const revoke = (author: Author, record: CertificateRecord, reason: RevocationReason = "keyCompromise") =>
    world.signed(author, [{ kind: "certificate.revoke", payload: encode(certificateRevokeShape, { record, reason }) }]);
  const client = authorOf(world.client);
  return {
    world,
    issue,
    revoke,
    client,
    admin: authorOf(world.admin),
    node: authorOf(world.founders[0] ?? world.client),
  };
}

describe("certificates in the log", () => {
  test("a client records and revokes its own, and its key is refused from that height on", () => {
    const { world, issue, revoke, client } = setup();
    const record = recordOf(world.client);
    expect(world.block(issue(client, record)).kinds).toEqual(["commandExecuted", "certificateIssued"]);
    expect(world.ledger.certificates.isRevoked(record.aid, record.spkiHash)).toBe(false);
    const { kinds, executed } = world.block(revoke(client, record));
    expect(kinds).toEqual(["commandExecuted", "certificateRevoked"]);
    expect(executed.revokedKeys).toEqual([{ aid: record.aid, spkiHash: record.spkiHash, notAfter: record.notAfter }]);
    expect(world.ledger.certificates.isRevoked(record.aid, record.spkiHash)).toBe(true);
    expect(world.ledger.certificates.list(record.aid)).toMatchObject([
      { record, height: 1, revocation: { reason: "keyCompromise", height: 2, at: 10_002 } },
    ]);
  });

  test("the same again changes nothing, and the first reason stands", () => {
    const { world, issue, revoke, client, admin } = setup();
    const record = recordOf(world.client);
    world.block(issue(client, record), revoke(client, record, "superseded"));
    const again = world.block(issue(client, record), revoke(admin, record));
    expect(again.kinds).toEqual(["commandExecuted", "commandExecuted"]);
    expect(again.facts.map(({ data }) => "changed" in data && data.changed)).toEqual([[false], [false]]);
    expect(world.ledger.certificates.list()[0]?.revocation?.reason).toBe("superseded");
  });

  test("nobody records or revokes what belongs to others, but administrators revoke any, also what nobody recorded", () => {
    const { world, issue, revoke, client, node, admin } = setup();
    const record = recordOf(world.client);
    const ofNode = recordOf(world.founders[0] ?? world.client, { role: "node" });
    expect(world.block(issue(node, record), revoke(node, record), revoke(client, ofNode)).kinds).toEqual(
      Array.from({ length: 3 }, () => "commandRefused PERMISSION_DENIED"),
    );
    expect(world.block(issue(client, recordOf(world.client, { role: "node" }))).kinds).toEqual([
      "commandRefused PERMISSION_DENIED",
    ]);
    expect(world.block(revoke(admin, record), issue(node, ofNode), revoke(admin, ofNode)).kinds).toEqual([
      "commandExecuted",
      "certificateRevoked",
      "commandExecuted",
      "certificateIssued",
      "commandExecuted",
      "certificateRevoked",
    ]);
  });

  test("a stranger's claim on somebody's issuer and serial number touches only the stranger", () => {
    const { world, revoke, issue, client, node } = setup();
    const ofNode = recordOf(world.founders[0] ?? world.client, { role: "node" });
    world.block(issue(node, ofNode));
    const claimed = recordOf(world.client, { issuer: ofNode.issuer, serial: ofNode.serial, spkiHash: ofNode.spkiHash });
    world.block(revoke(client, claimed));
    expect(world.ledger.certificates.isRevoked(ofNode.aid, ofNode.spkiHash)).toBe(false);
    expect(world.ledger.certificates.list(ofNode.aid)[0]?.revocation).toBeNull();
  });

  test.each([
    ["an empty serial number", { serial: "" }],
    ["upper case", { serial: "7F" }],
    ["a leading zero byte", { serial: "007f" }],
    ["half a byte", { serial: "7f1" }],
    ["an end before its beginning", { notBefore: 2_000_001 }],
    ["an end in the past", { notBefore: 0, notAfter: 10_000 }],
    ["an end too far ahead", { notAfter: 10_002 + CERTIFICATE_AHEAD_MAX_MS }],
  ])("a record with %s is refused", (_what, changes) => {
    const { world, issue, client } = setup();
    const outcome = world.block(issue(client, recordOf(world.client, changes)));
    expect(outcome.kinds).toEqual(["commandRefused CERTIFICATE_RECORD_INVALID"]);
    expect(world.ledger.certificates.size).toBe(0);
  });

  test("a record that differs from the one under its name is refused, all of its command with it", () => {
    const { world, issue, revoke, client } = setup();
    const record = recordOf(world.client);
    world.block(issue(client, record));
    const other = { ...record, spkiHash: digest("c3") };
    expect(
      world.block(issue(client, recordOf(world.client, { serial: "02" }), other), revoke(client, other)).kinds,
    ).toEqual(["commandRefused CERTIFICATE_RECORD_DIFFERS", "commandRefused CERTIFICATE_RECORD_DIFFERS"]);
    expect(world.ledger.certificates.size).toBe(1);
  });

  test("an identifier has a bound, and what ended makes room by log time", () => {
    const { world, issue, revoke, client, admin } = setup();
    const many = (from: number, count: number, notAfter: number) =>
      Array.from({ length: count }, (_, i) =>
        recordOf(world.client, { serial: (0x1000 + from + i).toString(16), notAfter, notBefore: 0 }),
      );
    for (let at = 0; at < CERTIFICATES_OF_AID_MAX; at += 32) world.block(issue(client, ...many(at, 32, 10_040)));
    expect(world.ledger.height).toBe(32);
    expect(world.block(issue(client, ...many(5_000, 1, 20_000))).kinds).toEqual(["commandRefused CERTIFICATES_FULL"]);
    // Who fills it up keeps no administrator from having a key refused that nobody recorded.
    const [stolen] = many(5_000, 1, 10_040);
    if (stolen === undefined) return expect.unreachable("one was asked for");
    expect(world.block(revoke(client, stolen)).kinds).toEqual(["commandRefused CERTIFICATES_FULL"]);
    expect(world.block(revoke(admin, stolen)).kinds).toContain("certificateRevoked");
    for (let at = 0; at < 6; at++) world.block(); // log time 10,041
    expect(world.block(issue(client, ...many(5_000, 1, 20_000))).kinds).toContain("certificateIssued");
    expect(world.ledger.certificates.size).toBe(1);
    world.restart();
    expect(world.ledger.certificates.size).toBe(1);
  });

  test("the name of a certificate that ended may be taken again, and is after a restart what it was before, however blocks are written", () => {
    for (const writtenEach of [true, false]) {
      const { world, issue, revoke, client } = setup();
      const written = (): void => (writtenEach ? world.restart() : undefined);
      const first = recordOf(world.client, { notAfter: 10_003 });
      const again = { ...first, spkiHash: digest("c3"), notAfter: 20_000 };
      world.block(issue(client, first));
      world.block(revoke(client, first));
      written();
      world.block();
      world.block(); // log time 10,004: it ended
      expect(world.block(issue(client, again)).kinds).toContain("certificateIssued");
      const live = world.ledger.certificates.list();
      expect(live).toMatchObject([{ record: again, height: 5, revocation: null }]);
      world.restart();
      expect(world.ledger.certificates.list()).toEqual(live);
      expect(world.ledger.certificates.isRevoked(first.aid, first.spkiHash)).toBe(false);
    }
  });

  test("a restart and a checkpoint bring back the same, and edited rows are found", () => {
    const { world, issue, revoke, client, node } = setup();
    const record = recordOf(world.client);
    world.block(issue(node, recordOf(world.founders[0] ?? world.client, { role: "node" })), revoke(client, record));
    const before = world.ledger.certificates.list();
    world.restart();
    expect(world.ledger.certificates.list()).toEqual(before);
    expect(world.ledger.certificates.isRevoked(record.aid, record.spkiHash)).toBe(true);

    const members = [{ aid: record.aid, key: new Uint8Array(32) }];
    const segments = [...dumpSegments(world.db, members)].map((bytes) => {
      const opened = decodeSegment(bytes);
      if (!opened.ok) throw new Error(opened.refusal.message);
      return opened.value;
    });
    const copy = new Database(":memory:");
    expect(loadSegments(copy, segments)).toMatchObject({ ok: true });
    const tables = new CertificateTables(copy);
    expect(tables.verifyRows().ok).toBe(true);
    expect(tables.load().list()).toEqual(before);
    copy.exec("UPDATE certificates SET reason = NULL, revoked_height = NULL, revoked_at = NULL");
    expect(new CertificateTables(copy).verifyRows()).toMatchObject({ refusal: { code: "PROJECTION_DAMAGED" } });
  });
});
