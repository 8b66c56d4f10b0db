/** What every store of checkpoints does: the host's over files, the simulator's over a seeded disk. */
import { describe, expect, test } from "vitest";
import { type Height, height } from "../../src/base/brands.ts";
import { present } from "../../src/base/errors.ts";
import { segmentDigest } from "../../src/events/facts/checkpoint.ts";
import type { Checkpointing } from "../../tools/sim/checkpoint-store.ts";

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.of(...values);
const segments = [bytes(1, 2, 3), bytes(4), bytes(5, 6)];
const digests = segments.map(segmentDigest);
const first = present(digests[0], "three");
const unknown = segmentDigest(bytes(9));

function keep(store: Checkpointing, at: Height, stage: "written" | "fetched" = "written"): void {
  for (const [i, segment] of segments.entries()) store.keep(stage, at, present(digests[i], "three"), segment);
}

function whole(store: Checkpointing, ...heights: readonly number[]): void {
  for (const at of heights) {
    keep(store, height(at));
    store.complete("written", height(at), digests);
  }
}

/** `open` gives a store without anything in it. */
export function describeCheckpointStore(name: string, open: () => Checkpointing): void {
  describe(`checkpoints: ${name}`, () => {
    test("a checkpoint is there when it is whole, and not before", () => {
      const store = open();
      keep(store, height(20));
      expect([store.heights(), store.segmentsOf(height(20)), store.segment(first)]).toEqual([[], undefined, undefined]);
      store.complete("written", height(20), digests);
      expect([store.heights(), store.segmentsOf(height(20))]).toEqual([[20], digests]);
      expect([store.segment(first), store.segment(unknown)]).toEqual([segments[0], undefined]);
      expect([...store.read(height(20))]).toEqual(segments);
    });

    test("what is fetched is known by its height until it is whole, and outlives what was left half written", () => {
      const store = open();
      keep(store, height(20), "fetched");
      keep(store, height(40));
      store.discardUnfinished("written");
      expect([store.fetched(height(20), first), store.fetched(height(40), first)]).toEqual([segments[0], undefined]);
      expect(store.segment(first)).toBeUndefined();
      store.complete("fetched", height(20), digests);
      expect([store.heights(), store.segment(first)]).toEqual([[20], segments[0]]);
      expect(store.fetched(height(20), first)).toBeUndefined();
    });

    test("one that is whole again takes the place of the one before", () => {
      const store = open();
      whole(store, 20);
      const other = bytes(7);
      store.keep("fetched", height(20), segmentDigest(other), other);
      store.complete("fetched", height(20), [segmentDigest(other)]);
      expect([...store.read(height(20))]).toEqual([other]);
      expect([store.segment(first), store.segment(segmentDigest(other))]).toEqual([undefined, other]);
    });

    test("heights ascend; the newest two stay, and the one that the log begins with", () => {
      const store = open();
      whole(store, 80, 20, 100, 60);
      expect(store.heights()).toEqual([20, 60, 80, 100]);
      store.prune(height(20));
      expect(store.heights()).toEqual([20, 80, 100]);
      store.prune(null);
      expect(store.heights()).toEqual([80, 100]);
      expect(store.segment(first)).toEqual(segments[0]);
    });

    test("a segment that never came is not given, and its checkpoint cannot be read", () => {
      const store = open();
      keep(store, height(20));
      store.complete("written", height(20), [...digests, unknown]);
      expect([store.segment(unknown), store.segment(first)]).toEqual([undefined, segments[0]]);
      const damaged = expect.objectContaining({ code: "CHECKPOINT_DAMAGED" });
      expect(() => [...store.read(height(20))]).toThrow(damaged);
      expect(() => [...store.read(height(40))]).toThrow(damaged);
    });
  });
}
