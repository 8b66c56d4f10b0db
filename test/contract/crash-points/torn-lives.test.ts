/**
 * A member loses power while it writes a commit, for every commit of its life, and lives on among the others from what its disk
 * kept: it never votes twice, nothing delivered is lost, and all agree in the end.
 */
import { rmSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import type { Digest } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import { LOST_COMMITS_MARK } from "../../../src/events/store/log-database.ts";
import { World, watchVotes } from "../../unit/actors/world.ts";
import { filesOf } from "./life.ts";
import { Chance, PATIENCE_MS, isExhaustive, report } from "./points.ts";
import { WAL_HEADER_BYTES, framesOf } from "./wal-format.ts";

const worlds: World[] = [];
afterEach(() => {
  for (const world of worlds.splice(0)) world.end();
});

/** Leads views 1 and 5. */
const MEMBER = 1;
const BATCHES = 6;

/** What of the last transaction's bytes the disk kept. */
type Tear = (wal: Buffer, from: number, chance: Chance) => Buffer;

const TEARS: Readonly<Record<string, Tear>> = {
  "none of it": (wal, from) => wal.subarray(0, from),
  "all but its last byte": (wal) => wal.subarray(0, -1),
  "some of its first bytes": (wal, from, chance) => wal.subarray(0, from + chance.below(wal.length - from)),
  "some of its sectors": (wal, from, chance) => chance.torn(wal, from, Buffer.alloc(0)),
};

interface Damage {
  /** The commit, from 1, in which the member ends. */
  readonly at: number;
  /** What its disk keeps of the write-ahead log; the last transaction begins at `from`. */
  readonly wal: Tear;
}

/**
 * Four members order some batches; one of them ends within a commit, which nobody has heard of then, and comes back from what its
 * disk kept. `bringBack` sees the blocks that it had delivered. Returns the commits of its first life.
 */
function live(
  seed: number,
  damage: Damage | undefined,
  bringBack: (world: World, delivered: readonly Digest[]) => void,
) {
  const world = new World(seed);
  worlds.push(world);
  watchVotes(world);
  const began = world.now;
  for (let i = 0; i < 4; i++)
    world.boot(i, i === MEMBER && damage !== undefined ? { crash: { at: damage.at, when: "after" } } : {});
  const first = world.node(MEMBER);
  const path = world.path(first.self);
  let kept: ReturnType<typeof filesOf> | undefined;
  const commit = first.log.commit.bind(first.log);
  first.log.commit = (batch) => {
    try {
      commit(batch);
    } catch (error) {
      kept = filesOf(path); // the commit is whole here, and nothing was said after it
      throw error;
    }
  };
  world.onCrash = () => {
    const { db, wal } = present(kept, "it ended in a commit");
    const from = framesOf(wal).findLast(({ isCommit, end }) => isCommit && end < wal.length)?.end ?? WAL_HEADER_BYTES;
    world.at(40, () => {
      for (const suffix of ["-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
      writeFileSync(path, db);
      if (damage !== undefined) writeFileSync(`${path}-wal`, damage.wal(wal, from, new Chance(damage.at)));
      bringBack(
        world,
        first.delivered.map(({ hash }) => hash),
      );
    });
  };
  for (let i = 0; i < BATCHES; i++) world.at(i * 7, () => void world.submit(i % 2 === 0 ? MEMBER : 2));
  world.until("the batches were given", () => world.now - began > BATCHES * 7 + 100);
  const agree = (): void => {
    world.settle("all agree");
    world.until("it is back", () => world.living.length === 4); // it may have ended while the others agreed
    world.settle("all agree, with the member that came back");
  };
  agree();
  const height = world.node(0).hashes.length;
  world.submit(3);
  world.until("a new batch is final everywhere", () => world.living.every(({ hashes }) => hashes.length > height));
  agree();
  expect(new Set(world.living.map(({ root }) => root)).size).toBe(1);
  return first.commits;
}

const POINTS = 6;

/** Some of the commits that the member makes in this life when nothing happens to it, by number, after the first ones. */
function someCommits(seed: number, after = 0): readonly number[] {
  const commits = live(seed, undefined, () => {});
  const numbers = Array.from({ length: commits - after }, (_, i) => after + i + 1);
  expect(numbers.length).toBeGreaterThan(POINTS);
  return new Chance(seed).some(numbers, POINTS);
}

describe("a member whose power goes while it writes a commit", { timeout: PATIENCE_MS }, () => {
  test.each(Object.entries(TEARS))("keeps %s: votes once, loses nothing delivered, goes on", (_, wal) => {
    const seeds = isExhaustive ? [1, 2, 3, 4] : [1];
    let points = 0;
    let chosen = 0;
    for (const seed of seeds) {
      const commits = someCommits(seed);
      chosen += commits.length;
      for (const at of commits) {
        live(seed, { at, wal }, (world, delivered) => {
          points += 1;
          const again = world.boot(MEMBER);
          expect(again.log.mark(LOST_COMMITS_MARK)).toBeUndefined();
          expect(again.hashes.slice(0, delivered.length)).toEqual(delivered);
        });
        for (const world of worlds.splice(0)) world.end();
      }
    }
    expect(points).toBe(chosen);
    report("lives torn in a commit", points);
  });

  test("and whose disk flips a bit of what it had synced long before: it says so, and never votes against what it forgot", () => {
    const seeds = isExhaustive ? Array.from({ length: 8 }, (_, i) => i + 1) : [1];
    let points = 0;
    let chosen = 0;
    for (const seed of seeds) {
      const commits = someCommits(seed, 4);
      chosen += commits.length;
      for (const at of commits) {
        const flip: Tear = (wal, from, chance) => {
          const synced = framesOf(wal).filter(({ end }) => end <= from);
          const frame = present(synced[chance.below(synced.length)], "there are frames");
          return chance.flipped(wal, frame.end - 1);
        };
        live(seed, { at, wal: flip }, (world, delivered) => {
          points += 1;
          const again = world.boot(MEMBER);
          expect(again.log.mark(LOST_COMMITS_MARK)).toBeDefined();
          expect(again.hashes.length).toBeLessThanOrEqual(delivered.length + 1);
        });
        for (const world of worlds.splice(0)) world.end();
      }
    }
    expect(points).toBe(chosen);
    report("lives with a flipped bit", points);
  });
});
