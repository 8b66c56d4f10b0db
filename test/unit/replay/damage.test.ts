import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { epoch, height, logTime, memberIndex, view } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import type { Certificate, FinalityProof } from "../../../src/events/facts/block.ts";
import { MadeLog } from "../../../tools/replay/made-log.ts";
import { type Placed, stored, verdictAfter, verdictOf, verdictWithProof } from "./judge.ts";
import { smallLog } from "./small-log.ts";

const { made, blocks } = smallLog();
const file = stored(blocks);
const last = blocks.length - 1;

/** Columns that hold the log, or say where something of it stands; the rest of the file is the node's own. */
const BLOBS = [
  { table: "events", column: "hash", at: "position", where: "1" },
  { table: "events", column: "header", at: "position", where: "1" },
  { table: "events", column: "body", at: "position", where: "1" },
  { table: "events", column: "proof", at: "position", where: "1" },
  { table: "bundles", column: "digest", at: "height", where: "height IS NOT NULL" },
  { table: "bundles", column: "bytes", at: "height", where: "height IS NOT NULL" },
  { table: "executed", column: "root", at: "height", where: "1" },
] as const;

interface Cell {
  readonly rowid: number;
  readonly height: number;
  readonly bytes: Buffer;
}

/** All bytes where that is asked for (minutes), else some of every cell: the first, the last and others by a fixed rule. */
const isExhaustive = process.env["SKY_EXHAUSTIVE"] === "1";
const offsetsOf = (length: number): readonly number[] =>
  isExhaustive
    ? Array.from({ length }, (_, i) => i)
    : [...new Set([0, Math.floor(length / 3), (length * 7919) % length, length - 1])];

describe("a log with one byte edited", () => {
  for (const { table, column, at, where } of BLOBS) {
    it(
      `is found out by ${table}.${column}, at its height`,
      async () => {
        const database = new Database(file);
        const cells = database
          .prepare(`SELECT rowid AS rowid, ${at} AS height, ${column} AS bytes FROM ${table} WHERE ${where}`)
          .all() as Cell[];
        const update = database.prepare(`UPDATE ${table} SET ${column} = ? WHERE rowid = ?`);
        for (const { rowid, height: expected, bytes } of cells) {
          for (const offset of offsetsOf(bytes.length)) {
            const edited = Buffer.from(bytes);
            edited[offset] = (edited[offset] ?? 0) ^ (1 << (offset % 8));
            update.run(edited, rowid);
            expect(await verdictOf(database), `row ${rowid}, byte ${offset}`).toMatch(
              new RegExp(`^[A-Z_]+ ${expected} [a-z]+$`),
            );
          }
          update.run(bytes, rowid);
        }
        expect(cells.length).toBeGreaterThan(4);
        expect(await verdictOf(database)).toBe("sound");
        database.close();
      },
      isExhaustive ? 600_000 : 15_000,
    );
  }

  it.each([
    ["UPDATE events SET time = time + 1 WHERE position = 3", "RECORD_DIFFERS 3 record"],
    ["UPDATE events SET stream = 'lof' WHERE position = 4", "EVENT_MISSING 4 event"],
    [`UPDATE events SET stream = 'lof' WHERE position = ${last}`, `EVENT_MISSING ${last} event`],
    ["UPDATE events SET position = 77 WHERE position = 5", "EVENT_MISSING 5 event"],
    ["UPDATE bundles SET height = 3 WHERE height = 2", "RECORD_DIFFERS 2 bundle"],
    ["UPDATE bundles SET height = 1 WHERE height = 2", "RECORD_DIFFERS 2 bundle"],
    ["UPDATE bundles SET height = NULL WHERE height = 2", "RECORD_DIFFERS 2 bundle"],
  ])("that is a number or a name: %s", async (statement, verdict) => {
    expect(await verdictAfter(file, statement)).toBe(verdict);
  });
});

const COLUMNS: Readonly<Record<string, string>> = {
  events: "stream, position, hash, time, header, proof, body, PRIMARY KEY (stream, position)",
  bundles: "id INTEGER PRIMARY KEY, digest UNIQUE, height, bytes",
  executed: "height INTEGER PRIMARY KEY, root",
  marks: "name PRIMARY KEY, value",
};

/** The same tables, made by somebody else: without types. */
const untyped = (table: string, damage: string): readonly string[] => [
  `CREATE TABLE other (${COLUMNS[table] ?? ""})`,
  `INSERT INTO other SELECT * FROM ${table}`,
  `DROP TABLE ${table}`,
  `ALTER TABLE other RENAME TO ${table}`,
  ...(table === "events" ? ["CREATE INDEX events_hash ON events (hash)"] : []),
  damage,
];

it("a log without the indexes that a node makes is nobody's log: looking things up would take for ever", async () => {
  const stranger = [
    "CREATE TABLE other AS SELECT * FROM events",
    "DROP TABLE events",
    "ALTER TABLE other RENAME TO events",
  ];
  await expect(verdictAfter(file, ...stranger)).rejects.toMatchObject({ code: "LOG_CORRUPT" });
  await expect(verdictAfter(file, "DROP INDEX events_hash")).rejects.toMatchObject({ code: "LOG_CORRUPT" });
});

describe("a log with values of other types", () => {
  it.each([
    ["events", "UPDATE events SET hash = 'text' WHERE position = 3", "LOG_CORRUPT 3 file"],
    ["events", "UPDATE events SET header = 'text' WHERE position = 3", "LOG_CORRUPT 3 file"],
    ["events", "UPDATE events SET body = 7 WHERE position = 0", "LOG_CORRUPT 0 file"],
    ["events", "UPDATE events SET proof = NULL WHERE position = 5", "LOG_CORRUPT 5 file"],
    ["events", "UPDATE events SET time = 0.5 WHERE position = 4", "LOG_CORRUPT 4 file"],
    ["events", "UPDATE events SET position = 3.5 WHERE position = 3", "LOG_CORRUPT 3 file"],
    ["events", `UPDATE events SET position = 'last' WHERE position = ${last}`, "LOG_CORRUPT - file"],
    ["events", `UPDATE events SET position = 1e300 WHERE position = ${last}`, "LOG_CORRUPT - file"],
    ["events", "UPDATE events SET position = position - 99", "LOG_CORRUPT - file"],
    ["bundles", "UPDATE bundles SET bytes = '4000000000' WHERE height = 6", "LOG_CORRUPT 6 file"],
    ["bundles", "UPDATE bundles SET bytes = 0.5 WHERE height = 6", "LOG_CORRUPT 6 file"],
    ["bundles", "UPDATE bundles SET height = 'six' WHERE height = 6", "LOG_CORRUPT 6 file"],
    ["executed", "UPDATE executed SET root = 'text' WHERE height = 4", "RECORD_DIFFERS 4 root"],
    ["marks", "UPDATE marks SET value = '9000000000'", "LOG_CORRUPT - file"],
  ])("%s: %s", async (table, damage, verdict) => {
    expect(await verdictAfter(file, ...untyped(table, damage))).toBe(verdict);
  });
});

describe("a log whose events are not those that were appended", () => {
  const put = (to: number, from: number): string =>
    `INSERT INTO events SELECT stream, ${to}, hash, time, header, proof, body FROM events WHERE position = ${from}`;
  it.each([
    ["one is dropped", ["DELETE FROM events WHERE position = 3"], "EVENT_MISSING 3 event"],
    ["genesis is dropped", ["DELETE FROM events WHERE position = 0"], "EVENT_MISSING 0 event"],
    ["the last is dropped", [`DELETE FROM events WHERE position = ${last}`], `EVENT_MISSING ${last} event`],
    ["the last is repeated", [put(last + 1, last)], `CHAIN_BROKEN ${last + 1} header`],
    ["an old one is repeated", [put(last + 1, 3)], `CHAIN_BROKEN ${last + 1} header`],
    [
      "two are swapped",
      [
        "UPDATE events SET position = 99 WHERE position = 3",
        "UPDATE events SET position = 3 WHERE position = 4",
        "UPDATE events SET position = 4 WHERE position = 99",
      ],
      "CHAIN_BROKEN 3 header",
    ],
    ["a bundle is dropped", ["DELETE FROM bundles WHERE height = 6"], "BUNDLE_MISSING 6 bundle"],
    [
      "a bundle stands for another",
      ["UPDATE bundles SET bytes = (SELECT bytes FROM bundles WHERE height = 1) WHERE height = 2"],
      "BUNDLE_INVALID 2 bundle",
    ],
    ["all are gone", ["DELETE FROM events"], "LOG_EMPTY - file"],
  ])("%s", async (_, statements, verdict) => {
    expect(await verdictAfter(file, ...statements)).toBe(verdict);
  });
});

/** The proof of the block at height 1. */
function proofOf1(change: (certificate: Certificate) => Partial<Certificate>): FinalityProof {
  const { event, header } = present(blocks[1], "there are eight").block;
  const certificate = made.certificate(event, header.view);
  return { kind: "finalization", certificate: { ...certificate, ...change(certificate) }, headers: [] };
}

describe("a certificate", () => {
  const { event, header } = present(blocks[1], "there are eight").block;
  const other = present(blocks[3], "there are eight").block;
  const notarization = made.certificate(event, header.view, "notarization");
  const [s0, s1, s2] = made.certificate(event, header.view).signatures as [Uint8Array, Uint8Array, Uint8Array];
  it.each<[string, FinalityProof]>([
    ["one signature short", proofOf1(() => made.certificate(event, header.view, "finalization", 2))],
    ["with one signature left out", proofOf1(({ signatures }) => ({ signatures: signatures.slice(1) }))],
    ["that counts one member twice", proofOf1(() => ({ signatures: [s0, s1, s1] }))],
    ["that names a member who did not sign", proofOf1(() => ({ signers: Uint8Array.of(0b1011) }))],
    ["with signatures in another order", proofOf1(() => ({ signatures: [s1, s0, s2] }))],
    ["that names a member that there is not", proofOf1(() => ({ signers: Uint8Array.of(0b10011) }))],
    ["that is a notarization", { kind: "finalization", certificate: notarization, headers: [] }],
    [
      "that is a notarization under the name of a finalization",
      proofOf1(() => ({ ...notarization, kind: "finalization" })),
    ],
    ["of another view", proofOf1(() => ({ view: view(2) }))],
    ["of another epoch", proofOf1(() => ({ epoch: epoch(1) }))],
    ["of another block", proofOf1(() => made.certificate(other.event, other.header.view))],
    ["that is genesis' kind of proof", { kind: "genesis", signatures: Uint8Array.of(0x90) }],
  ])("%s is no proof", async (_, proof) => {
    expect(await verdictWithProof(file, 1, proof)).toBe("PROOF_INVALID 1 proof");
  });

  it("of a descendant proves a block through the headers between", async () => {
    const at = (i: number) => present(blocks[i], "there are eight").block;
    const proof = (headers: readonly Uint8Array[]): FinalityProof => ({
      kind: "finalization",
      certificate: made.certificate(at(3).event, at(3).header.view),
      headers,
    });
    const between = [at(2), at(3)].map((block) => block.event.block.header);
    expect(await verdictWithProof(file, 1, proof(between))).toBe("sound");
    expect(await verdictWithProof(file, 1, proof(between.slice(1)))).toBe("PROOF_INVALID 1 proof");
  });

  it("missing at the end leaves the last blocks unproven, from the first of them on", async () => {
    const none: FinalityProof = { kind: "none" };
    expect(await verdictWithProof(file, 3, none)).toBe("sound"); // a later one covers it
    expect(await verdictWithProof(file, last, none)).toBe(`PROOF_MISSING ${last - 1} proof`);
    expect(await verdictWithProof(file, 0, none)).toBe("GENESIS_INVALID 0 proof");
  });
});

/** A log that a quorum signed although no honest one would. */
async function forged(make: (log: MadeLog) => ReturnType<MadeLog["executions"]>): Promise<string> {
  const log = new MadeLog();
  const placed: Placed[] = [];
  const place = (block: ReturnType<MadeLog["executions"]>): void => void placed.push({ block, root: log.root });
  place(log.genesis());
  place(log.executions([log.bundle([log.batch([log.command([{ kind: "addNamespace", namespace: "a" }])])])]));
  place(log.executions([]));
  place(make(log));
  place(log.executions([]));
  return verdictOf(new Database(stored(placed)));
}

describe("a block that a dishonest quorum signed", () => {
  it.each<[string, (log: MadeLog) => ReturnType<MadeLog["executions"]>, string]>([
    ["nothing forged", (log) => log.executions([]), "sound"],
    ["a checkpoint", (log) => log.checkpoint(), "sound"],
    ["a checkpoint with too few statements", (log) => log.checkpoint({}, 2), "CHECKPOINT_INVALID 3 body"],
    ["a checkpoint of another state", (log) => log.checkpoint({ root: log.cluster }), "CHECKPOINT_INVALID 3 body"],
    ["a checkpoint of a block to come", (log) => log.checkpoint({ height: height(3) }), "CHECKPOINT_INVALID 3 body"],
    ["a checkpoint of another epoch", (log) => log.checkpoint({ epoch: epoch(1) }), "CHECKPOINT_INVALID 3 body"],
    [
      "a root that does not follow",
      (log) => log.executions([], "own", { executed: { height: height(2), root: log.cluster } }),
      "ROOT_DIFFERS 3 header",
    ],
    ["another logRoot", (log) => log.executions([], "own", { logRoot: log.cluster }), "CHAIN_BROKEN 3 header"],
    ["a view that does not grow", (log) => log.executions([], "own", { view: view(2) }), "CHAIN_BROKEN 3 header"],
    ["another parent's view", (log) => log.executions([], "own", { parentView: view(1) }), "CHAIN_BROKEN 3 header"],
    ["a time that does not grow", (log) => log.executions([], "own", { time: logTime(5) }), "CHAIN_BROKEN 3 header"],
    ["an epoch that nothing began", (log) => log.executions([], "own", { epoch: epoch(1) }), "CHAIN_BROKEN 3 header"],
    [
      "a checkpoint that was not",
      (log) => log.executions([], "own", { lastCheckpoint: height(2) }),
      "CHAIN_BROKEN 3 header",
    ],
    [
      "a reconfigure that was not",
      (log) => log.executions([], "own", { lastReconfigure: height(2) }),
      "CHAIN_BROKEN 3 header",
    ],
    [
      "a bundle that its member did not sign",
      (log) => log.executions([log.bundle([log.batch([log.command([])])], memberIndex(1), memberIndex(2))]),
      "BUNDLE_INVALID 3 bundle",
    ],
  ])("%s", async (_, make, verdict) => {
    expect(await forged(make)).toBe(verdict);
  });

  it("is not hidden by what the node noted: roots beside the log are not believed", async () => {
    expect(await verdictAfter(file, "DELETE FROM executed")).toBe("sound");
  });
});

describe("a log of others", () => {
  it("fails when it is not that of the founding document given", async () => {
    const database = new Database(file);
    expect(await verdictOf(database, { cluster: made.cluster })).toBe("sound");
    expect(await verdictOf(database, { cluster: made.root })).toBe("GENESIS_FOREIGN 0 body");
  });
});
