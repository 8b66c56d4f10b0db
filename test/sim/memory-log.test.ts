/** The simulator's log does what the real one does, and its disk loses and tears what a disk may. */
import { describe, expect, test } from "vitest";
import { type Digest, epoch, height, view } from "../../src/base/brands.ts";
import type { LogEvent } from "../../src/events/facts/block.ts";
import type { LogBatch } from "../../src/events/store/log-batch.ts";
import { SqliteEventStore } from "../../src/events/store/sqlite-event-store.ts";
import { MemoryDisk, type PlannedFate } from "../../tools/sim/disk.ts";
import { MemoryLog } from "../../tools/sim/memory-log.ts";
import { PowerCut } from "../../tools/sim/power-cut.ts";
import { Random } from "../../tools/sim/random.ts";
import { Chain, bundleOf, hashing } from "../contract/chain.ts";
import { describeEventStore } from "../contract/event-store.contract.ts";

const newDisk = (seed = 1): MemoryDisk => new MemoryDisk(new Random(`disk ${seed}`));
const open = (disk: MemoryDisk): MemoryLog => new MemoryLog(disk, "memory", hashing);

describeEventStore("memory, over a seeded disk", async () => {
  const disk = newDisk();
  return {
    open: async () => new SqliteEventStore(open(disk)),
    remove: async () => {},
  };
});

const genesisOf = (chain: Chain): LogEvent => {
  const [genesis] = chain.take(1);
  if (genesis === undefined) throw new Error("a chain has a genesis");
  return genesis;
};

/** A batch that touches every table. */
function batchOf(chain: Chain, n: number): LogBatch {
  const bundle = bundleOf(`bundle ${n}`);
  const event = chain.next([bundle.digest]);
  return {
    bundles: [bundle],
    append: { expected: event.height, events: [event] },
    bundleHeights: [{ digest: bundle.digest, height: event.height }],
    journal: [
      { epoch: epoch(0), view: view(n), kind: "vote", key: `notarize/${event.hash}`, bytes: new Uint8Array([n]) },
    ],
    executed: [{ height: event.height, root: event.hash }],
    marks: [{ name: "mark", value: new Uint8Array([n]) }],
  };
}

const stateOf = (log: MemoryLog) => ({
  head: log.head(),
  journal: log.journalAll(),
  executed: log.executedHead(),
  mark: log.mark("mark"),
  events: log.events(height(0), { limit: 100, bytesMax: 1e9 }),
});

describe("a seeded disk", () => {
  const fates: readonly PlannedFate[] = ["crashBefore", "torn", "crashAfter", "syncFailed"];

  test.each(fates)("after %s a batch is there as a whole or not at all, whatever the seed", (fate) => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const chain = new Chain();
      const disk = newDisk(seed);
      const log = open(disk);
      log.commit({ append: { expected: height(0), events: [genesisOf(chain)] } });
      log.commit(batchOf(chain, 1));
      const before = stateOf(log);
      disk.plan(disk.writes + 1, fate);
      const batch = batchOf(chain, 2);
      expect(() => log.commit(batch)).toThrow(fate === "syncFailed" ? /did not sync/ : PowerCut);
      const after = stateOf(open(disk));
      if (after.head?.height === before.head?.height) {
        expect(after).toEqual(before);
        seen.add("lost");
      } else {
        expect(after.head?.height).toBe(2);
        expect(after.journal).toHaveLength(2);
        expect(after.mark).toEqual(new Uint8Array([2]));
        expect(after.events.at(-1)).toEqual(batch.append?.events[0]);
        seen.add("whole");
      }
    }
    const expected = {
      crashBefore: ["lost"],
      crashAfter: ["whole"],
      torn: ["lost", "whole"],
      syncFailed: ["lost", "whole"],
    };
    expect([...seen].sort()).toEqual(expected[fate]);
  });

  test("after a failed sync, and without room, every later commit is refused until the node starts again", () => {
    const chain = new Chain();
    const disk = newDisk();
    const log = open(disk);
    log.commit({ append: { expected: height(0), events: [genesisOf(chain)] } });
    disk.isFull = true;
    const batch = batchOf(chain, 1);
    expect(() => log.commit(batch)).toThrow(expect.objectContaining({ code: "LOG_FULL" }));
    disk.isFull = false;
    expect(() => log.commit(batch)).toThrow(expect.objectContaining({ code: "LOG_WRITE_FAILED" }));
    const again = open(disk);
    expect(again.head()?.height).toBe(0);
    again.commit(batch);
    expect(again.head()?.height).toBe(1);
  });

  test("a flipped bit is found at the read, and only there", () => {
    for (let seed = 0; seed < 40; seed++) {
      const chain = new Chain();
      const disk = newDisk(seed);
      const log = open(disk);
      log.commit({ append: { expected: height(0), events: [genesisOf(chain)] } });
      log.commit(batchOf(chain, 1));
      const hit = disk.flipBit();
      const digest: Digest = bundleOf("bundle 1").digest;
      const readEvent = (): unknown => log.event(height(1));
      const readBundle = (): unknown => log.bundle(digest);
      expect(hit === "event" ? readEvent : readBundle).toThrow(expect.objectContaining({ code: "LOG_DAMAGED" }));
      expect(hit === "event" ? readBundle : readEvent).not.toThrow();
    }
  });
});
