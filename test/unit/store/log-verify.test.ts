import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Height, height } from "../../../src/base/brands.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import type { LogDatabase } from "../../../src/events/store/log-database.ts";
import { openLogReader } from "../../../src/events/store/log-reader.ts";
import { type Verified, fromGenesis, verifyRange } from "../../../src/events/store/log-verify.ts";
import { Chain, bundleOf, hashing } from "../../contract/chain.ts";
import { logPath, openLog, verdictOf } from "./log-fixture.ts";

const COUNT = 30;
const LAST = height(COUNT - 1);

/** A log of 30 blocks, each but genesis with two bundles of its own. */
function filledLog(path: string): LogDatabase {
  const log = openLog(path);
  const chain = new Chain();
  for (let at = 0; at < COUNT; at++) {
    const bundles = at === 0 ? [] : [bundleOf(`first of ${at}`), bundleOf(`second of ${at} ${"x".repeat(9_000)}`)];
    const event = chain.next(bundles.map(({ digest }) => digest));
    log.commit({
      bundles,
      append: { expected: event.height, events: [event] },
      bundleHeights: bundles.map(({ digest }) => ({ digest, height: event.height })),
    });
  }
  return log;
}

/** Edits a closed log as someone with the file and sqlite could. */
function edit(path: string, sql: string, ...parameters: readonly unknown[]): void {
  const connection = new Database(path);
  expect(connection.prepare(sql).run(...parameters).changes).toBeGreaterThan(0);
  connection.close();
}

function flip(path: string, table: string, column: string, where: string, at: number, mask: number): void {
  const connection = new Database(path);
  const row = connection
    .prepare<[], { row: number; bytes: Buffer }>(`select rowid as row, ${column} as bytes from ${table} where ${where}`)
    .get();
  if (row === undefined) throw new Error("nothing to damage");
  const index = at % row.bytes.length;
  row.bytes[index] = (row.bytes[index] as number) ^ mask;
  expect(connection.prepare(`update ${table} set ${column} = ? where rowid = ?`).run(row.bytes, row.row).changes).toBe(
    1,
  );
  connection.close();
}

const verify = (path: string) => verdictOf(openLogReader(path, hashing), fromGenesis(LAST, MerkleFrontier.empty));

describe("verifying a log", () => {
  test("finds a log sound, slice by slice, up to the root over all its blocks", () => {
    const log = filledLog(logPath());
    let tree = MerkleFrontier.empty;
    for (const { hash } of log.events(height(0), { limit: COUNT, bytesMax: 1e9 })) tree = tree.appended(hash);
    const slices: Height[] = [];
    const check = verifyRange(log, fromGenesis(LAST, MerkleFrontier.empty), { limit: 7, bytesMax: 1e6 });
    let step = check.next();
    for (; step.done !== true; step = check.next()) slices.push(step.value.next);
    expect(slices).toEqual([7, 14, 21, 28, 30]);
    expect(step.value).toMatchObject({ kind: "sound", next: COUNT, parent: log.head()?.hash });
    expect(step.value.kind === "sound" && step.value.tree.root()).toBe(tree.root());
  });

  test("ends a slice when the bundles it has read are many bytes", () => {
    const log = filledLog(logPath());
    const steps = [...verifyRange(log, fromGenesis(LAST, MerkleFrontier.empty), { limit: 64, bytesMax: 45_000 })].map(
      ({ next }) => next,
    );
    expect(steps).toEqual([6, 11, 16, 21, 26, 30]); // about 9 kB of bundles a block
  });

  test("goes on from what an earlier check ended with", () => {
    const log = filledLog(logPath());
    const first = verdictOf(log, fromGenesis(height(11), MerkleFrontier.empty));
    if (first.kind !== "sound") throw new Error(first.reason);
    const mark: Verified<MerkleFrontier> = { ...first, tree: MerkleFrontier.from(structuredClone(first.tree.state)) };
    expect(verdictOf(log, { from: mark.next, to: LAST, tree: mark.tree, parent: mark.parent })).toMatchObject({
      kind: "sound",
      next: COUNT,
    });
  });

  test("a mark of another log is not gone on from", () => {
    const log = filledLog(logPath());
    const tree = MerkleFrontier.empty.appended(hashing.body(new Uint8Array(1)));
    const parent = log.hashAt(height(0)) ?? fail();
    expect(verdictOf(log, { from: height(1), to: LAST, tree, parent })).toEqual({
      kind: "damaged",
      height: 1,
      reason: "its logRoot is not the root of the blocks before it",
    });
  });

  test("any byte flipped in a header, body, hash or bundle is found at its height, by the check and by reads", () => {
    const path = logPath();
    filledLog(path).close();
    const place = fc.constantFrom("header", "body", "hash", "bytes");
    fc.assert(
      fc.property(
        place,
        fc.integer({ min: 1, max: COUNT - 1 }),
        fc.nat(20_000),
        fc.integer({ min: 1, max: 255 }),
        (column, at, byte, mask) => {
          const [table, where] = column === "bytes" ? ["bundles", `height = ${at}`] : ["events", `position = ${at}`];
          flip(path, table, column, where, byte, mask);
          const log = openLog(path);
          expect(verdictOf(log, fromGenesis(LAST, MerkleFrontier.empty))).toMatchObject({
            kind: "damaged",
            height: at,
          });
          if (table === "events") {
            const damaged = expect.objectContaining({
              code: "LOG_DAMAGED",
              height: at,
              message: expect.stringContaining(`height ${at} is damaged`),
            });
            expect(() => log.event(height(at))).toThrow(damaged);
            expect(() => log.events(height(0), { limit: COUNT, bytesMax: 1e9 })).toThrow(damaged);
          }
          expect(log.event(height(at - 1))?.height).toBe(at - 1);
          log.close();
          flip(path, table, column, where, byte, mask);
        },
      ),
      { numRuns: 60 },
    );
    expect(verify(path)).toMatchObject({ kind: "sound" });
  });

  test("a damaged bundle is not served, and its block is named", () => {
    const path = logPath();
    filledLog(path).close();
    flip(path, "bundles", "bytes", "height = 12", 3, 1);
    const { digest } = bundleOf("first of 12");
    expect(() => openLog(path).bundle(digest)).toThrow(
      expect.objectContaining({
        code: "LOG_DAMAGED",
        height: 12,
        reason: `bundle ${digest} does not hash to its digest`,
      }),
    );
  });

  test.each<[string, string, number, string]>([
    ["a missing event", "delete from events where position = 9", 9, "the event is missing"],
    ["a missing last event", "delete from events where position = 29", 29, "the event is missing"],
    [
      "an event moved to another height",
      "update events set position = 30 where position = 9",
      9,
      "the event is missing",
    ],
    [
      "another time beside the header",
      "update events set time = time + 1 where position = 9",
      9,
      "the time beside the header is another",
    ],
    [
      "an unreadable proof",
      "update events set proof = x'00' where position = 9",
      9,
      "the finality proof cannot be read",
    ],
    ["a missing bundle", "delete from bundles where height = 9", 9, "is missing"],
  ])("%s is found at its height", (_name, sql, at, reason) => {
    const path = logPath();
    filledLog(path).close();
    edit(path, sql);
    expect(verify(path)).toEqual({ kind: "damaged", height: at, reason: expect.stringContaining(reason) });
  });

  test("a whole block replaced by another that is well-formed is found by its parent or by its successor's", () => {
    const path = logPath();
    filledLog(path).close();
    const other = new Chain("other").take(COUNT)[9] ?? fail();
    const { header, body } = other.block;
    edit(
      path,
      "update events set hash = ?, header = ?, body = ? where position = 9",
      Buffer.from(other.hash, "hex"),
      header,
      body,
    );
    expect(verify(path)).toEqual({
      kind: "damaged",
      height: 9,
      reason: "its header names another parent than the event before it",
    });
  });

  test("a log whose blocks were all replaced is found when it is checked from a mark", () => {
    const path = logPath();
    const honest = verdictOf(filledLog(logPath()), fromGenesis(height(9), MerkleFrontier.empty));
    if (honest.kind !== "sound") throw new Error(honest.reason);
    const forged = openLog(path);
    forged.commit({ append: { expected: height(0), events: new Chain("forged").take(COUNT) } });
    expect(verdictOf(forged, fromGenesis(LAST, MerkleFrontier.empty))).toMatchObject({ kind: "sound" });
    const range = { from: honest.next, to: LAST, tree: honest.tree, parent: honest.parent };
    expect(verdictOf(forged, range)).toMatchObject({ kind: "damaged", height: 10 });
  });
});

function fail(): never {
  throw new Error("the test's own data is missing");
}
