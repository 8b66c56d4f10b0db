/** A log that goes on from a checkpoint before the older blocks are here (consensus.md, "Catch-up"). */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { epoch, height, view } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import type { LogEvent } from "../../../src/events/facts/block.ts";
import { blockHash, bodyHash, bundleDigest } from "../../../src/events/facts/hashing.ts";
import { type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import { projectedBlocks } from "../checkpoint/blocks.ts";

const hashing = { header: blockHash, body: bodyHash, bundle: bundleDigest };
const LIMITS = { limit: 100, bytesMax: 1e9 };
const chain: readonly LogEvent[] = projectedBlocks(Array.from({ length: 12 }, () => [])).map(
  ({ height: at, hash, block }) => ({ height: at, hash, block: present(block, "made"), proof: { kind: "none" } }),
);
const event = (at: number): LogEvent => present(chain[at], "in the chain");
const pruneBelow = { epoch: epoch(0), view: view(0) };

let directory: string;
let log: LogDatabase;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sky-begins-"));
  log = openLogDatabase(join(directory, "log.db"), hashing);
  log.commit({ append: { expected: height(0), events: chain.slice(0, 3) } });
});
afterEach(() => {
  log.close();
  rmSync(directory, { recursive: true });
});

const heights = (from: number): readonly number[] => log.events(height(from), LIMITS).map((one) => one.height);

test("appends go on from the checkpoint's block, and nothing of the gap is given", () => {
  log.beginAt(event(8), pruneBelow, []);
  log.commit({ append: { expected: height(9), events: [event(9), event(10)] } });
  expect(log.gap()).toEqual({ begins: 8, below: 2 });
  expect(log.head()).toEqual({ height: 10, hash: event(10).hash });
  expect([heights(0), heights(2), heights(3), heights(7), heights(8), heights(9)]).toEqual([
    [0, 1, 2],
    [2],
    [],
    [],
    [], // its bundles are not here
    [9, 10],
  ]);
  expect(log.defect()).toBeUndefined();
});

test("it stands after the file is opened again, filled from below, and whole only when all is there", () => {
  log.beginAt(event(8), pruneBelow, [{ name: "beside", value: Uint8Array.of(7) }]);
  log.close();
  log = openLogDatabase(join(directory, "log.db"), hashing);
  expect([log.gap(), log.mark("beside"), log.defect()]).toEqual([{ begins: 8, below: 2 }, Uint8Array.of(7), undefined]);
  expect(log.repair({ events: chain.slice(3, 6), bundles: [] }).ok).toBe(true);
  expect([log.gap(), heights(0).length]).toEqual([{ begins: 8, below: 5 }, 6]);
  expect(() => log.join()).toThrow("the blocks before the checkpoint are here");
  expect(log.repair({ events: [event(7)], bundles: [] })).toMatchObject({ ok: false });
  expect(log.repair({ events: chain.slice(6, 9), bundles: [] }).ok).toBe(true);
  log.join();
  expect([log.gap(), heights(0), log.defect()]).toEqual([undefined, [0, 1, 2, 3, 4, 5, 6, 7, 8], undefined]);
});

test("a second checkpoint while blocks before the first are missing: one gap, from the same end", () => {
  log.beginAt(event(5), pruneBelow, []);
  log.commit({ append: { expected: height(6), events: [event(6)] } });
  log.beginAt(event(10), pruneBelow, []);
  expect([log.gap(), log.hashAt(height(5)), log.hashAt(height(6))]).toEqual([
    { begins: 10, below: 2 },
    undefined,
    undefined,
  ]);
  log.commit({ append: { expected: height(11), events: [event(11)] } });
  expect([heights(0), heights(11), log.defect()]).toEqual([[0, 1, 2], [11], undefined]);
});

test.each([
  ["is another height", "UPDATE marks SET value = x'09' WHERE name = 'begins'"],
  ["is no height", "UPDATE marks SET value = x'c1' WHERE name = 'begins'"],
])("a mark that %s is told, and put right when the journal is given up", (_what, sql) => {
  log.beginAt(event(8), pruneBelow, []);
  log.commit({ append: { expected: height(9), events: [event(9), event(10)] } });
  log.close();
  const raw = new Database(join(directory, "log.db"));
  expect(raw.prepare(sql).run().changes).toBe(1);
  raw.close();
  log = openLogDatabase(join(directory, "log.db"), hashing);
  expect(log.defect()).toEqual(expect.any(String));
  log.forgetUnsettled([]);
  expect([log.gap(), log.defect()]).toEqual([{ begins: 8, below: 2 }, undefined]);
  expect(log.repair({ events: chain.slice(3, 9), bundles: [] }).ok).toBe(true);
  log.join();
  expect([log.gap(), log.defect()]).toEqual([undefined, undefined]);
});

test("a checkpoint that is not above the head, or a block that is not what its hash says, changes nothing", () => {
  expect(() => log.beginAt(event(2), pruneBelow, [])).toThrow("adds nothing");
  expect(() => log.beginAt({ ...event(8), hash: event(7).hash }, pruneBelow, [])).toThrow("the one its hash says");
  expect([log.gap(), log.head()?.height]).toEqual([undefined, 2]);
});
