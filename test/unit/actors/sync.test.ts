/** Catch-up of consensus.md: a member that was away fetches blocks, checks each proof, and believes no peer. */
import { afterEach, describe, expect, it } from "vitest";
import { height, view } from "../../../src/base/brands.ts";
import { encode } from "../../../src/base/codec.ts";
import type { EventWithBundles, PeerMessage } from "../../../src/events/facts/peer-message.ts";
import { FRAME_BYTES_MAX, peerMessageShape } from "../../../src/events/facts/peer-message.ts";
import { openLogDatabase } from "../../../src/events/store/log-database.ts";
import { ensureGenesis } from "../../../src/actors/consensus/start.ts";
import { rmSync } from "node:fs";
import { memberIndex } from "../../../src/base/brands.ts";
import { type LongLogOptions, bundleOf, longLog } from "./long-log.ts";
import { World, genesis, hashing, watchVotes } from "./world.ts";

const worlds: World[] = [];
afterEach(() => {
  for (const world of worlds.splice(0)) world.end();
});

/** Three members that hold the log and a fourth that holds genesis. */
function away(options: LongLogOptions, seed = 1): World {
  const world = new World(seed);
  worlds.push(world);
  watchVotes(world);
  const batch = longLog(options);
  for (const member of [0, 1, 2]) {
    const log = openLogDatabase(world.path(memberIndex(member)), hashing);
    ensureGenesis(log, genesis);
    log.commit(batch);
    log.close();
    world.boot(member);
  }
  world.boot(3);
  return world;
}

const pages = (world: World): { events: number; bytes: number }[] => {
  const seen: { events: number; bytes: number }[] = [];
  const { onSent } = world;
  world.onSent = (node, message) => {
    onSent(node, message);
    if (message.kind === "events")
      seen.push({ events: message.events.length, bytes: encode(peerMessageShape, message).length });
  };
  return seen;
};

const catchesUp = (world: World): void =>
  world.until("it has the whole log", () => world.node(3).log.head()?.hash === world.node(0).log.head()?.hash);

describe("a member that was away", () => {
  it("fetches 2,000 blocks in pages, executes them and takes part again", () => {
    const world = away({ blocks: 2000 });
    const seen = pages(world);
    catchesUp(world);
    expect(seen.length).toBeGreaterThan(3);
    expect(seen.length).toBeLessThan(20);
    world.settle("all is executed");
    expect(world.node(3).root).toBe(world.node(0).root);
    world.submit(3);
    world.until("its own batch is final", () => world.living.every(({ log }) => log.head()?.height === 2001));
  });

  it("fetches blocks that became final together though they are too large for one page", () => {
    const world = away({ blocks: 5, together: 5, bytes: 7_000_000 });
    const seen = pages(world);
    catchesUp(world);
    for (const { bytes } of seen) expect(bytes).toBeLessThan(FRAME_BYTES_MAX);
    expect(seen.length).toBeGreaterThan(1);
    world.settle("all is executed");
    expect(world.node(3).root).toBe(world.node(0).root);
    expect(world.node(3).refused).toEqual([]);
  });

  it("goes on after a page that proves more than it holds, even when everybody is quiet", () => {
    const world = away({ blocks: 40, together: 40 });
    // Every peer gives one event at a time, with the proof that the log has.
    world.tamper = (_from, to, message) => {
      if (to !== 3 || message.kind !== "events" || message.events.length < 2) return undefined;
      const last = message.events.at(-1);
      const [first, ...rest] = message.events;
      if (first === undefined || last?.proof.kind !== "finalization") return undefined;
      const headers = rest.map(({ block }) => block.header);
      return [{ ...message, events: [{ ...first, proof: { ...last.proof, headers } }] }];
    };
    catchesUp(world);
    expect(world.node(3).refused).toEqual([]);
  });
});

describe("a member whose own bundle was ordered while it heard nobody", () => {
  it("knows from the fetched block that it is done, and bundles what comes next, even when everybody is quiet", () => {
    const world = new World(3);
    worlds.push(world);
    watchVotes(world);
    for (const member of [0, 1, 2, 3]) world.boot(member);
    world.settle("all know each other");
    world.tamper = (_from, to, message) => (to === 3 && message.kind !== "events" ? [] : undefined);
    world.submit(3);
    world.until("the others have its batch", () => world.node(0).log.head()?.height === 1);
    world.tamper = (_from, to, message) => (to === 3 && message.kind === "block" ? [] : undefined); // by pages alone
    world.until("it has the block", () => world.node(3).log.head()?.height === 1);
    world.settle("all is quiet");
    const { ordered } = world.node(0);
    world.submit(3);
    world.until("its next batch is final", () => world.living.every((node) => node.ordered.length > ordered.length));
  });
});

type Page = Extract<PeerMessage, { kind: "events" }>;
const change = (page: Page, at: number, by: (event: EventWithBundles) => EventWithBundles): Page => ({
  ...page,
  events: page.events.map((event, i) => (i === at ? by(event) : event)),
});
const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

const LIES: Readonly<Record<string, (page: Page) => PeerMessage>> = {
  "a signature of the last proof is not one": (page) =>
    change(page, page.events.length - 1, (event) => {
      if (event.proof.kind !== "finalization") return event;
      const { certificate } = event.proof;
      const [first = new Uint8Array(64), ...rest] = certificate.signatures;
      return {
        ...event,
        proof: { ...event.proof, certificate: { ...certificate, signatures: [flipped(first, 9), ...rest] } },
      };
    }),
  "the last event has no proof": (page) =>
    change(page, page.events.length - 1, (event) => ({ ...event, proof: { kind: "none" } })),
  "the proof is of another block": (page) => {
    const [first] = page.events;
    return change(page, page.events.length - 1, (event) => ({ ...event, proof: first?.proof ?? event.proof }));
  },
  "a proof is of a later view than it says": (page) =>
    change(page, page.events.length - 1, (event) => {
      if (event.proof.kind !== "finalization") return event;
      const certificate = { ...event.proof.certificate, view: view(2 ** 40) };
      return { ...event, proof: { ...event.proof, certificate } };
    }),
  "a header was changed, its logRoot for one": (page) =>
    change(page, 0, (event) => ({ ...event, block: { ...event.block, header: flipped(event.block.header, 60) } })),
  "a body was changed": (page) =>
    change(page, 0, (event) => ({ ...event, block: { ...event.block, body: flipped(event.block.body, 3) } })),
  "a bundle is missing": (page) => change(page, 1, (event) => ({ ...event, bundles: [] })),
  "a bundle is another one": (page) => change(page, 1, (event) => ({ ...event, bundles: [bundleOf(1000, 77)] })),
  "bundles come that no block names": (page) =>
    change(page, 1, (event) => ({ ...event, bundles: [...event.bundles, bundleOf(1000, 78)] })),
  "an event is left out": (page) => ({ ...page, events: page.events.filter((_, i) => i !== 1) }),
  "events come in another order": (page) => ({ ...page, events: [...page.events].reverse() }),
  "it is another page": (page) => ({ ...page, from: height(page.from + 1) }),
  "it is empty": (page) => ({ ...page, events: [] }),
};

describe("a peer that lies in a page of events", () => {
  it.each(Object.keys(LIES))("%s: nothing of it is taken, and another peer is asked", (lie) => {
    const world = away({ blocks: 12, bytes: 1000 }, lie.length);
    let lied = 0;
    world.tamper = (_from, to, message) => {
      const of = LIES[lie];
      // Whoever is asked first lies, and the next one as well.
      if (to !== 3 || message.kind !== "events" || lied >= 2 || of === undefined) return undefined;
      lied += 1;
      return [of(message)];
    };
    catchesUp(world);
    expect(lied).toBe(2);
    expect(world.node(3).hashes).toEqual(world.node(0).hashes);
    world.settle("all is executed");
    expect(world.node(3).root).toBe(world.node(0).root);
  });

  it("a page that nobody asked for changes nothing", () => {
    const world = away({ blocks: 3 });
    catchesUp(world);
    world.settle("all is executed");
    const before = world.node(3).hashes;
    const extra = longLog({ blocks: 4 }).append?.events.slice(3) ?? [];
    const events = extra.map(({ block, proof }) => ({ block, proof, bundles: [] }));
    world.node(3).actor.receive(memberIndex(0), encode(peerMessageShape, { kind: "events", from: height(4), events }));
    world.node(3).actor.drain();
    expect(world.node(3).hashes).toEqual(before);
  });
});

describe("a member that lost its disk", () => {
  it("follows without voting, learns from all others how far it may have voted, and joins again above that", () => {
    const world = new World(5);
    worlds.push(world);
    watchVotes(world);
    for (let i = 0; i < 4; i++) world.boot(i);
    for (let i = 0; i < 10; i++) world.at(i * 10, () => void world.submit(i % 4));
    world.until("some blocks are final", () => world.living.every(({ hashes }) => hashes.length > 3));
    world.node(2).kill();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${world.path(memberIndex(2))}${suffix}`, { force: true });
    const again = world.boot(2, { journalLost: true });
    world.until("the survey is over", () => typeof again.actor.context.votesAbove === "number");
    const bound = Number(again.actor.context.votesAbove);
    expect(bound).toBeGreaterThanOrEqual(world.node(0).actor.context.final.view + 2 - 1);
    world.settle("it has the log again");
    expect(again.root).toBe(world.node(0).root);
    let voted = 0;
    const { onSent } = world;
    world.onSent = (node, message) => {
      onSent(node, message);
      if (node === again && message.kind === "vote") {
        voted += 1;
        expect(message.view).toBeGreaterThan(bound);
      }
    };
    for (let i = 0; i < 20; i++) world.at(i * 30, () => void world.submit(i % 2));
    world.until("it votes again", () => voted > 2);
    world.settle("all agree");
  });

  it("says nothing that votes before q others have reported, and hears them however busy they are", () => {
    const world = new World(11);
    worlds.push(world);
    watchVotes(world);
    for (let i = 0; i < 4; i++) world.boot(i);
    world.submit(0);
    world.until("some blocks are final", () => world.living.every(({ hashes }) => hashes.length > 1));
    world.node(2).kill();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${world.path(memberIndex(2))}${suffix}`, { force: true });
    // The first answers are lost, and there is always a block to follow: no standstill asks again.
    let lost = 6;
    const reported = new Set<number>();
    world.tamper = (from, to, message) => {
      if (to !== 2 || message.kind !== "survey") return undefined;
      if (lost-- > 0) return [];
      reported.add(from);
      return undefined;
    };
    const { onSent } = world;
    const early: string[] = [];
    const again = world.boot(2, { journalLost: true });
    world.onSent = (node, message) => {
      onSent(node, message);
      const isVote = message.kind === "vote" || message.kind === "proposal";
      if (node === again && isVote && reported.size < 3) early.push(message.kind);
    };
    for (let i = 0; i < 200; i++) world.at(i * 50, () => void world.submit(i % 2));
    world.until("the survey is over", () => typeof again.actor.context.votesAbove === "number", 8_000);
    expect(reported).toEqual(new Set([0, 1, 3]));
    expect(early).toEqual([]);
    world.settle("it has the log again");
    expect(again.root).toBe(world.node(0).root);
  });

  it("is asked for nothing while one of the others is missing, and the rest go on without both only as a quorum", () => {
    const world = new World(6);
    worlds.push(world);
    watchVotes(world);
    for (let i = 0; i < 4; i++) world.boot(i);
    world.submit(0);
    world.until("one block is final", () => world.living.every(({ hashes }) => hashes.length > 1));
    world.node(2).kill();
    world.node(3).kill();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${world.path(memberIndex(2))}${suffix}`, { force: true });
    const again = world.boot(2, { journalLost: true });
    world.submit(0);
    expect(() =>
      world.until(
        "nothing",
        () => world.node(0).hashes.length > 2 || again.actor.context.votesAbove !== "unknown",
        20_000,
      ),
    ).toThrow();
    world.boot(3);
    world.until("all are back", () => world.living.every(({ hashes }) => hashes.length > 2));
  });
});
