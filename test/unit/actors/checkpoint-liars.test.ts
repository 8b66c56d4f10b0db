/** Catch-up from a checkpoint beside a liar that offers an old, true one: it costs a moment, once; and what was fetched in vain goes. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Digest, height, memberIndex } from "../../../src/base/brands.ts";
import { encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { segmentDigest } from "../../../src/events/facts/checkpoint.ts";
import { type PeerMessage, peerMessageShape } from "../../../src/events/facts/peer-message.ts";
import { CheckpointWorld } from "./checkpoint-world.ts";

const EVERY = 3;
const LIAR = 0;
/** Without a segment for so long, a checkpoint is left: 12 Δ. Units: ms. */
const TURN_MS = 3000;

type Offer = Extract<PeerMessage, { kind: "checkpoint" }>;
let world: CheckpointWorld;
/** A true checkpoint that was the newest once: the honest have none of its segments any more. */
let old: Offer;
let gone: ReadonlySet<Digest>;
let bootedAt: number;

beforeEach(() => {
  world = new CheckpointWorld(21, EVERY);
  for (const at of [0, 1, 2]) world.boot(at);
  world.order(10);
  let offered: Offer | undefined;
  world.tamper = (_from, _to, message) => {
    if (message.kind === "checkpoint") offered ??= message;
    return undefined;
  };
  world.boot(3, { emptyDisk: true });
  world.until("it is offered one", () => offered !== undefined);
  world.node(3).kill();
  world.tamper = () => undefined;
  world.order(30);
  old = present(offered, "recorded");
  const disk = present(world.disks[1], "an honest one's");
  const here = new Set([...disk.manifests].slice(-2).flatMap(([, digests]) => digests));
  gone = new Set(old.segments.filter((digest) => !here.has(digest)));
});
afterEach(() => world.end());

const adopted = (): readonly number[] => present(world.disks[3], "the fourth's").adopted;
const newest = (): number => Math.max(...present(world.disks[1], "an honest one's").manifests.keys());
const since = (): number => world.now - bootedAt;

interface Lies {
  /** What the honest say of checkpoints and events does not arrive. */
  readonly isDeaf: () => boolean;
}

/** Returns what the fourth asks the liar for. */
function boot({ isDeaf }: Lies): readonly PeerMessage["kind"][] {
  const asked: PeerMessage["kind"][] = [];
  world.tamper = (from, to, message) => {
    const isAsking = message.kind === "checkpointRequest" || message.kind === "segmentRequest";
    if (from === 3 && to === LIAR && isAsking) asked.push(message.kind);
    if (to !== 3) return undefined;
    if (message.kind === "segment" && from === LIAR) return [];
    if (message.kind === "segment") return gone.has(segmentDigest(message.segment)) ? [] : undefined;
    if (message.kind !== "checkpoint" && message.kind !== "events") return undefined;
    if (from === LIAR) return [old];
    return isDeaf() ? [] : undefined;
  };
  bootedAt = world.now;
  world.boot(3, { emptyDisk: true });
  return asked;
}

const untilAdopted = (): void => world.until("it adopts a checkpoint", () => adopted().length === 1);

describe("a liar that offers an old, true checkpoint without its segments", () => {
  it("costs no turn where the honest answer, too: the highest one is fetched", () => {
    const asked = boot({ isDeaf: () => !asked.includes("checkpointRequest") });
    untilAdopted();
    expect(asked).toContain("checkpointRequest");
    expect(adopted()[0]).toBeGreaterThanOrEqual(newest() - EVERY);
    expect(since()).toBeLessThan(TURN_MS);
  });

  it("costs one short turn where only the liar answers, and is asked last from then on", () => {
    const asked = boot({ isDeaf: () => since() < 8000 });
    world.until("the turn is over", () => since() > 5000);
    const before = asked.length;
    expect(asked).toContain("segmentRequest");
    world.until("the honest are about to answer", () => since() > 7900);
    expect(asked.length).toBe(before);
    untilAdopted();
    expect(adopted()[0]).toBeGreaterThanOrEqual(newest() - EVERY);
    expect(since()).toBeLessThan(14_000);
  });

  /** From when the fourth asks for segments the liar gives it one of the old checkpoint within each turn, asked or not. */
  function drip(asked: readonly PeerMessage["kind"][]): void {
    world.until("it fetches the old one", () => asked.includes("segmentRequest"));
    const { segments } = present(world.disks[1], "an honest one's"); // of the world, which forgets nothing
    const { actor } = world.node(3);
    for (const [i, digest] of old.segments.entries())
      world.at(world.now + 1400 * i, () => {
        const segment = present(segments.get(digest), "written once");
        actor.receive(memberIndex(LIAR), encode(peerMessageShape, { kind: "segment", segment }));
      });
  }

  it("and gives a segment now and then is left for a higher one as soon as an honest member offers it", () => {
    const asked = boot({ isDeaf: () => since() < 2500 });
    drip(asked);
    untilAdopted();
    expect(adopted()[0]).toBeGreaterThanOrEqual(newest() - EVERY);
    expect(since()).toBeLessThan(2 * TURN_MS);
    expect(world.disks[3]?.fetched.size).toBe(0);
  });

  it("and gives a segment now and then makes no progress alone: blocks of the honest lead on after one turn", () => {
    for (const at of [1, 2]) present(world.disks[at], "an honest one's").manifests.clear();
    gone = new Set(old.segments); // also those that every checkpoint has
    const asked = boot({ isDeaf: () => !asked.includes("segmentRequest") });
    drip(asked);
    const before = since();
    world.settle();
    expect(adopted()).toEqual([]);
    expect(since() - before).toBeLessThan(TURN_MS + 1500);
    expect(world.disks[3]?.fetched.size).toBe(0);
  });

  it("holds up a member that gets blocks from the honest for one turn at most", () => {
    for (const at of [1, 2]) present(world.disks[at], "an honest one's").manifests.clear();
    const asked = boot({ isDeaf: () => !asked.includes("checkpointRequest") });
    world.settle();
    expect(adopted()).toEqual([]);
    expect(since()).toBeLessThan(2 * TURN_MS);
    expect(world.node(3).hashes).toEqual(world.node(1).hashes);
  });
});

describe("what was fetched in vain", () => {
  const keepOld = (at: number): void => {
    const disk = present(world.disks[3], "the fourth's");
    disk.fetched.set(height(at), new Map([[present(old.segments[0], "a state"), new Uint8Array(3)]]));
  };

  it("goes when another checkpoint is taken, and the rest when that is adopted", () => {
    let isHeld = true;
    world.tamper = (_from, to, message) => (isHeld && to === 3 && message.kind === "segment" ? [] : undefined);
    world.boot(3, { emptyDisk: true });
    keepOld(10_000);
    world.until("it looks for segments", () => world.node(3).looks.length > 0);
    expect([...present(world.disks[3], "the fourth's").fetched.keys()]).toEqual([]);
    isHeld = false;
    untilAdopted();
    expect(world.disks[3]?.fetched.size).toBe(0);
  });

  it("goes when the log is at its end by blocks", () => {
    for (const at of [0, 1, 2]) present(world.disks[at], "another's").manifests.clear();
    world.boot(3, { emptyDisk: true });
    keepOld(10_000);
    world.settle();
    expect(world.disks[3]?.fetched.size).toBe(0);
  });

  it("goes at the next start if the log is beyond it; what may be resumed stays", () => {
    world.boot(3, { emptyDisk: true });
    untilAdopted();
    world.settle();
    world.node(3).kill();
    keepOld(6);
    keepOld(10_000);
    world.boot(3);
    expect([...present(world.disks[3], "the fourth's").fetched.keys()]).toEqual([10_000]);
  });
});

it("what was kept before a restart is read one segment to a turn", () => {
  let given = 0;
  world.tamper = (_from, to, message) => (message.kind === "segment" && to === 3 && ++given > 2 ? [] : undefined);
  world.boot(3, { emptyDisk: true });
  const disk = present(world.disks[3], "the fourth's");
  world.until("it has some", () => [...disk.fetched.values()].some(({ size }) => size === 2));
  world.node(3).kill();
  world.tamper = () => undefined;
  const { looks, self } = world.boot(3);
  untilAdopted();
  expect(self).toBe(memberIndex(3));
  expect(looks.length).toBeGreaterThan(2);
  expect(new Set(looks).size).toBe(looks.length);
});
