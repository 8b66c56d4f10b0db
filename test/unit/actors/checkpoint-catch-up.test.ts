/** consensus.md, "Catch-up": a member far behind comes back by the newest checkpoint, and gets the blocks before it later. */
import { afterEach, describe, expect, it } from "vitest";
import { height, memberIndex } from "../../../src/base/brands.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { type PeerMessage, peerMessageShape } from "../../../src/events/facts/peer-message.ts";
import { CheckpointWorld } from "./checkpoint-world.ts";

const EVERY = 3;
const FAR = 16;
let open: CheckpointWorld | undefined;
afterEach(() => {
  open?.end();
  open = undefined;
});

/** Three members with a log of this length; the fourth has been away since genesis. */
function away(seed: number, length: number): CheckpointWorld {
  const world = (open = new CheckpointWorld(seed, EVERY));
  for (const at of [0, 1, 2]) world.boot(at);
  world.order(length);
  return world;
}

const adopted = (world: CheckpointWorld) => present(world.disks[3], "the fourth's").adopted;
const headOf = (world: CheckpointWorld): number => present(world.node(0).log.head(), "genesis").height;

/** The older blocks are here, too, and the fourth is where the others are. */
function untilWhole(world: CheckpointWorld): void {
  world.until("the older blocks", () => world.nodes[3]?.alive === true && world.node(3).log.gap() === undefined);
  world.settle();
}

/** The fourth has the others' log, all of it, and the same state. */
function expectWhole(world: CheckpointWorld): void {
  const [one, four] = [world.node(0), world.node(3)];
  expect(four.log.gap()).toBeUndefined();
  expect(four.hashes).toEqual(one.hashes);
  for (let at = 1; at <= headOf(world); at++) {
    const event = present(four.log.event(height(at)), "in the log");
    expect(event.block).toEqual(present(one.log.event(height(at)), "in the log").block);
  }
  expect(four.projector.ledger.load()).toEqual(one.projector.ledger.load());
  expect(four.projector.rebac.rowsRoot).toBe(one.projector.rebac.rowsRoot);
  expect(four.dump().map(toHex)).toEqual(one.dump().map(toHex));
}

describe("catch-up from a checkpoint", () => {
  it.each([1, 2])(
    "an empty disk far behind: state first, then what follows it, then what is older (seed %d)",
    (seed) => {
      const world = away(seed, FAR);
      world.boot(3, { emptyDisk: true });
      world.until("it adopts a checkpoint", () => adopted(world).length === 1);
      expect(adopted(world)[0]).toBeGreaterThanOrEqual(headOf(world) - 3 * EVERY);
      world.until("it begins there", () => world.node(3).alive && world.node(3).log.gap() !== undefined);
      const begins = present(adopted(world)[0], "one");
      expect(world.node(3).log.hashAt(height(begins - 1))).toBeUndefined();
      world.settle();
      untilWhole(world);
      expect(new Set(world.node(3).vouched)).toEqual(new Set([begins + 1, 0]));
      expect(adopted(world).length).toBe(1);
      expectWhole(world);
    },
  );

  it("is a full member again: it writes the same checkpoints, and the cluster goes on with it and without another", () => {
    const world = away(4, FAR);
    world.boot(3, { emptyDisk: true });
    world.until("it adopts a checkpoint", () => adopted(world).length === 1);
    untilWhole(world);
    world.order(headOf(world) + EVERY); // beyond the views in which a lost vote of it may stand
    world.node(2).kill();
    world.order(headOf(world) + 3 * EVERY);
    const [one, four] = [world.disks[0], world.disks[3]].map((disk) => present(disk, "a disk"));
    const newest = Math.max(...present(four, "the fourth's").manifests.keys());
    expect(newest).toBeGreaterThan(FAR);
    expect(four?.manifests.get(height(newest))).toEqual(one?.manifests.get(height(newest)));
    expectWhole(world);
  });

  it("a member behind by less than the distance fetches blocks", () => {
    const world = away(5, FAR);
    world.boot(3, { emptyDisk: true });
    world.settle();
    const before = adopted(world).length;
    world.node(3).kill();
    world.order(headOf(world) + EVERY - 2);
    world.boot(3);
    world.settle();
    expect(adopted(world).length).toBe(before);
  });

  it("a member with an old log keeps it, votes of its journal included, and fills what lies between", () => {
    const world = new CheckpointWorld(6, EVERY);
    open = world;
    for (const at of [0, 1, 2, 3]) world.boot(at);
    world.order(3);
    world.node(3).kill();
    world.order(FAR);
    world.boot(3);
    world.until("it adopts a checkpoint", () => adopted(world).length === 1);
    world.until("it begins there", () => world.node(3).alive && world.node(3).log.gap() !== undefined);
    expect(world.node(3).log.hashAt(height(3))).toBe(world.node(0).log.hashAt(height(3)));
    untilWhole(world);
    world.settle();
    expectWhole(world);
  });

  it("twice far behind, the second time while older blocks were still missing", () => {
    const world = away(7, FAR);
    const isOlder = (message: PeerMessage) =>
      message.kind === "eventsRequest" && message.from <= Math.max(0, ...adopted(world));
    world.tamper = (from, _to, message) => (from === 3 && isOlder(message) ? [] : undefined);
    world.boot(3, { emptyDisk: true });
    world.until("it adopts a checkpoint", () => adopted(world).length === 1);
    world.until("it begins there", () => world.node(3).alive && world.node(3).log.gap() !== undefined);
    world.settle();
    world.node(3).kill();
    world.order(headOf(world) + 4 * EVERY);
    world.boot(3);
    world.until("it adopts another", () => adopted(world).length === 2);
    world.tamper = () => undefined;
    untilWhole(world);
    world.settle();
    expectWhole(world);
  });

  it("segments that nobody gives any more: after a while it asks for the newest checkpoint anew", () => {
    const world = away(11, FAR);
    let offered = 0;
    world.tamper = (_from, to, message) => {
      if (to === 3 && message.kind === "checkpoint") offered += 1;
      return to === 3 && message.kind === "segment" && offered < 2 ? [] : undefined;
    };
    world.boot(3, { emptyDisk: true });
    world.until("it adopts a checkpoint", () => adopted(world).length === 1);
    expect(offered).toBeGreaterThan(1);
  });

  it("segments that nobody can give, ever: blocks lead on", () => {
    const world = away(13, FAR);
    for (const disk of world.disks) disk?.segments.clear();
    world.boot(3, { emptyDisk: true });
    world.settle();
    expect(adopted(world)).toEqual([]);
    expectWhole(world);
  });

  it("a state that q members signed and this version cannot read: it goes on with blocks", () => {
    const world = (open = new CheckpointWorld(12, EVERY));
    world.strangeSegments = [Uint8Array.of(0x92, 99, 0xc0)];
    for (const at of [0, 1, 2]) world.boot(at);
    world.order(FAR);
    world.boot(3, { emptyDisk: true });
    const { refused } = world.node(3);
    world.settle();
    expect(refused).toContain("CHECKPOINT_UNREADABLE");
    expect(adopted(world)).toEqual([]);
    expectWhole(world);
  });

  it("ended in the middle of fetching, it goes on with the segments that it kept", () => {
    const world = away(8, FAR);
    let segments = 0;
    world.tamper = (_from, to, message) => {
      if (message.kind !== "segment" || to !== 3) return undefined;
      segments += 1;
      return segments > 2 ? [] : undefined;
    };
    world.boot(3, { emptyDisk: true });
    const disk = present(world.disks[3], "the fourth's");
    world.until("it has some", () => segments > 3 && disk.fetched.size > 0);
    const kept = [...disk.fetched.values()].reduce((sum, one) => sum + one.size, 0);
    world.node(3).kill();
    let asked = 0;
    world.tamper = (from, _to, message) => {
      if (from === 3 && message.kind === "segmentRequest") asked += 1;
      return undefined;
    };
    world.boot(3);
    world.until("it adopts a checkpoint", () => adopted(world).length === 1);
    expect(kept).toBeGreaterThan(0);
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(present(disk.manifests.get(height(present(adopted(world)[0], "one"))), "whole").length);
    world.settle();
  });
});

describe("what peers forge is refused by name, and the next one is asked", () => {
  const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte));
  const forgeries: readonly (readonly [string, string, (message: PeerMessage) => PeerMessage | undefined])[] = [
    [
      "a checkpoint without proof",
      "BAD_CHECKPOINT",
      (it) => (it.kind === "checkpoint" ? { ...it, proof: { kind: "none" } } : undefined),
    ],
    [
      "a checkpoint with another block's proof",
      "BAD_CHECKPOINT",
      (it) =>
        it.kind === "checkpoint" && it.proof.kind === "finalization"
          ? { ...it, proof: { ...it.proof, headers: [...it.proof.headers, it.block.header] } }
          : undefined,
    ],
    [
      "digests of other segments",
      "BAD_CHECKPOINT",
      (it) => (it.kind === "checkpoint" ? { ...it, segments: [...it.segments].reverse() } : undefined),
    ],
    [
      "fewer digests",
      "BAD_CHECKPOINT",
      (it) => (it.kind === "checkpoint" ? { ...it, segments: it.segments.slice(1) } : undefined),
    ],
    [
      "a block with a changed body",
      "BODY_MISMATCH",
      (it) => (it.kind === "checkpoint" ? { ...it, block: { ...it.block, body: flipped(it.block.body) } } : undefined),
    ],
    [
      "a segment with a bit flipped",
      "BAD_SEGMENT",
      (it) => (it.kind === "segment" ? { ...it, segment: flipped(it.segment) } : undefined),
    ],
    [
      "a truncated segment",
      "BAD_SEGMENT",
      (it) => (it.kind === "segment" ? { ...it, segment: it.segment.subarray(0, it.segment.length - 1) } : undefined),
    ],
    ["nothing at all", "", (it) => (it.kind === "segment" || it.kind === "checkpoint" ? it : undefined)],
  ];

  it.each(forgeries)("%s", (name, code, forge) => {
    const world = away(9, FAR);
    let left = 2; // the first two that are asked lie
    world.tamper = (_from, to, message) => {
      const forged = to === 3 && left > 0 ? forge(message) : undefined;
      if (forged === undefined) return undefined;
      left -= 1;
      return name === "nothing at all" ? [] : [forged];
    };
    world.boot(3, { emptyDisk: true });
    const first = world.node(3);
    world.until("it adopts a checkpoint", () => adopted(world).length === 1);
    if (code !== "") expect(first.refused).toContain(code);
    expect(left).toBe(0);
    untilWhole(world);
    expectWhole(world);
  });

  it("a true checkpoint from a peer that was not asked is refused: one answer for one question", () => {
    let pushed: PeerMessage | undefined;
    const other = away(13, FAR);
    other.tamper = (_from, to, message) => {
      if (to === 3 && message.kind === "checkpoint") pushed ??= message;
      return undefined;
    };
    other.boot(3, { emptyDisk: true });
    other.until("it was told of one", () => pushed !== undefined);
    other.end();

    const world = away(13, FAR);
    const asked: number[] = [];
    world.tamper = (_from, to, message) => {
      if (message.kind === "checkpointRequest") asked.push(to);
      return undefined;
    };
    world.boot(3, { emptyDisk: true });
    world.until("it asks", () => asked.length > 0);
    const { actor, refused } = world.node(3);
    const liar = present(
      [0, 1, 2].find((at) => !asked.includes(at)),
      "it asks one after the other",
    );
    actor.receive(memberIndex(liar), encode(peerMessageShape, present(pushed, "told above")));
    expect(refused).toContain("NOT_ASKED");
    world.until("it adopts a checkpoint", () => adopted(world).length === 1);
    untilWhole(world);
    expectWhole(world);
  });

  it("a checkpoint or segment that nobody asked for changes nothing; one too large is not even read", () => {
    const world = away(10, 6);
    world.boot(3, { emptyDisk: true });
    world.settle();
    const frames: Uint8Array[] = [new Uint8Array(17 * 1024 * 1024), Uint8Array.of(0x92, 17, 0x91, 0xc4, 0)];
    const { refused, actor } = world.node(3);
    const before = refused.length;
    for (const frame of frames) actor.receive(world.node(0).self, frame);
    expect(refused.slice(before)).toEqual(["TOO_LARGE", "MALFORMED"]);
    world.order(headOf(world) + 3);
  });
});
