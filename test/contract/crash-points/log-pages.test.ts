/**
 * The database file of a member, with a bit flipped anywhere: whatever is read is what was written, or the damage is named. By name
 * (hash, height) a record may also not be found, as its index is damaged: then it is asked of peers as one that never came.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { proofDefect } from "../../../src/actors/consensus/synchronisation.ts";
import { type Digest, type Height, epoch, height, memberIndex } from "../../../src/base/brands.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { Fault } from "../../../src/base/errors.ts";
import { verify } from "../../../src/crypto/ed25519.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import type { Executed } from "../../../src/events/facts/block.ts";
import { LogDamage } from "../../../src/events/store/damage.ts";
import { type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import { fromGenesis, verifyRange } from "../../../src/events/store/log-verify.ts";
import { DEFAULT_TIMINGS } from "../../../src/machines/consensus/types.ts";
import { cluster, hashing, keys } from "../../unit/actors/world.ts";
import { liveAndCut } from "./life.ts";
import { Chance, PATIENCE_MS, report } from "./points.ts";
import { Bench } from "./reopening.ts";

const bench = new Bench();
afterAll(() => bench.remove());
const committee = { cluster, epoch: epoch(0), self: memberIndex(1), keys, verify, timings: DEFAULT_TIMINGS };

/** What a log gives, as text: lists, which must be right, and records by name, which must be right or absent. */
interface Given {
  readonly lists: readonly string[];
  readonly named: readonly (string | undefined)[];
  readonly waiting: readonly string[];
  readonly executedHead: Executed | undefined;
}
interface Names {
  readonly events: readonly { readonly height: Height; readonly hash: Digest }[];
  readonly bundles: readonly Digest[];
  readonly candidates: readonly Digest[];
}

const text = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) => (part instanceof Uint8Array ? toHex(part) : part));
const textOf = (value: unknown): string | undefined => (value === undefined ? undefined : text(value));

/** Throws: LogDamage, Fault LOG_CORRUPT: what a start finds. */
function readAll(log: LogDatabase, names: Names): Given {
  const defect = log.defect();
  if (defect !== undefined) throw new LogDamage(log.path, undefined, defect);
  const head = log.head();
  if (head === undefined) throw new Fault("EMPTY", "the log holds nothing");
  const check = verifyRange(log, {
    ...fromGenesis(head.height, MerkleFrontier.empty),
    proofDefect: (event) => proofDefect(committee, event),
  });
  let step = check.next();
  while (step.done !== true) step = check.next();
  if (step.value.kind === "damaged") throw new LogDamage(log.path, step.value.height, step.value.reason);
  return {
    lists: [
      text(head),
      // Genesis is proven by the founding file, not by the signatures that the log keeps beside it.
      text(
        log
          .events(height(0), { limit: 1000, bytesMax: 1e9 })
          .map((event) => (event.height === 0 ? event.block : event)),
      ),
      text(log.journal(epoch(0))),
      text(log.journalAll()),
      text(log.candidates(epoch(0))),
    ],
    executedHead: log.executedHead(),
    named: [
      ...names.events.flatMap((event) => [
        textOf(log.eventByHash(event.hash)?.block),
        textOf(log.event(event.height)?.block),
        textOf(log.hashAt(event.height)),
        textOf(log.executedRoot(event.height)),
      ]),
      ...names.bundles.map((digest) => textOf(log.bundle(digest))),
      ...names.candidates.map((hash) => textOf(log.candidate(hash))),
    ],
    waiting: log.bundlesUnordered().map(text),
  };
}

/** What the file gives; the name of its damage when it names one. */
function give(db: Uint8Array, names: Names): Given | string {
  for (const suffix of ["-wal", "-shm"]) rmSync(`${bench.path}${suffix}`, { force: true });
  writeFileSync(bench.path, db);
  let log: LogDatabase | undefined;
  try {
    log = openLogDatabase(bench.path, hashing);
    return readAll(log, names);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return error.code;
  } finally {
    log?.close();
  }
}

let whole: Buffer;
let names: Names;
let right: Given;
beforeAll(() => {
  const life = liveAndCut({ seed: 5, batches: 8, empty: bench.emptyDigest() });
  whole = readFileSync(bench.settled(life.db, life.wal));
  const log = openLogDatabase(bench.path, hashing);
  names = {
    events: log.events(height(0), { limit: 1000, bytesMax: 1e9 }),
    bundles: log.bundlesUnordered().map(({ digest }) => digest),
    candidates: log.candidates(epoch(0)).map(({ hash }) => hash),
  };
  right = readAll(log, names);
  log.close();
});

test("a flipped bit is named, or changes nothing that is read", { timeout: PATIENCE_MS }, () => {
  const chance = new Chance(9);
  const used = Array.from(whole.keys()).filter((at) => whole[at] !== 0);
  const codes = new Map<string, number>();
  const points = chance.some(used, 400);
  for (const at of points) {
    const given = give(chance.flipped(whole, at), names);
    const code = typeof given === "string" ? given : "nothing";
    codes.set(code, (codes.get(code) ?? 0) + 1);
    if (typeof given === "string") {
      expect(["LOG_DAMAGED", "LOG_CORRUPT", "LOG_SCHEMA_UNKNOWN"]).toContain(given);
      continue;
    }
    const where = `byte ${at % 4096} of page ${Math.floor(at / 4096) + 1}`;
    expect(given.lists, where).toEqual(right.lists);
    for (const [i, record] of given.named.entries()) expect([right.named[i], undefined], where).toContain(record);
    // Roots may be hidden, and are told again; the newest that is left is the right one of its height.
    if (given.executedHead !== undefined) expect(right.named, where).toContain(text(given.executedHead.root));
    for (const bundle of given.waiting) expect(right.waiting, where).toContain(bundle);
  }
  expect(codes.get("LOG_DAMAGED")).toBeGreaterThan(points.length / 10);
  expect(codes.get("LOG_CORRUPT")).toBeGreaterThan(points.length / 50);
  report(`bits flipped in the database file: ${text([...codes])}`, points.length);
});

test("a database file cut at any page is named", () => {
  for (let end = 4096; end < whole.length; end += 4096) {
    expect(give(whole.subarray(0, end), names)).toBe("LOG_CORRUPT");
    expect(give(whole.subarray(0, end - 1000), names)).toBe("LOG_CORRUPT");
  }
  // An empty file is a new one; journal.id beside it tells that there was another (src/host/consensus/journal-id.ts).
  expect(give(Buffer.alloc(0), names)).toBe("EMPTY");
});
