/** Healing of a damaged log from peers (ADR 0017): what is damaged is fetched, proven, put in place; no peer is believed. */
import Database from "better-sqlite3";
import { afterEach, describe, expect, it } from "vitest";
import { Healing, type HealingReport } from "../../../src/actors/consensus/healing.ts";
import type { Committee } from "../../../src/actors/consensus/ports.ts";
import { ensureGenesis } from "../../../src/actors/consensus/start.ts";
import { epoch, height, memberIndex, view } from "../../../src/base/brands.ts";
import { ZERO_DIGEST, digestBytes } from "../../../src/base/bytes.ts";
import { decode, encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { verify } from "../../../src/crypto/ed25519.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import { finalityProofShape } from "../../../src/events/facts/block.ts";
import { FRAME_BYTES_MAX, type PeerMessage, peerMessageShape } from "../../../src/events/facts/peer-message.ts";
import type { LogBatch } from "../../../src/events/store/log-batch.ts";
import { type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import { type Verified, fromGenesis, verifyRange } from "../../../src/events/store/log-verify.ts";
import { DEFAULT_TIMINGS } from "../../../src/machines/consensus/types.ts";
import { longLog } from "./long-log.ts";
import { World, cluster, genesis, hashing, keys } from "./world.ts";

const SELF = memberIndex(3);
const BLOCKS = 200;
const committee: Committee = { cluster, epoch: epoch(0), self: SELF, keys, verify, timings: DEFAULT_TIMINGS };

const endings: (() => void)[] = [];
afterEach(() => {
  for (const end of endings.splice(0).reverse()) end();
});

const histories = new Map<number, LogBatch>();
function history(together: number): LogBatch {
  const known = histories.get(together) ?? longLog({ blocks: BLOCKS, bytes: 600, together });
  histories.set(together, known);
  return known;
}

/** Members 0 to 2 run with a log of 200 blocks; member 3 has the same log on a disk that somebody may edit. */
function cluster4(seed = 1, together = 1): World {
  const world = new World(seed);
  endings.push(() => world.end());
  const batch = history(together);
  for (const member of [0, 1, 2, 3]) {
    const log = openLogDatabase(world.path(memberIndex(member)), hashing);
    ensureGenesis(log, genesis);
    log.commit(batch);
    log.close();
    if (member !== SELF) world.boot(member);
  }
  return world;
}

type Column = "header" | "body" | "hash" | "proof" | "bytes";

/** Flips a bit of a record of member 3's disk. */
function flip(world: World, column: Column, at: number): void {
  const table = column === "bytes" ? "bundles" : "events";
  const where = column === "bytes" ? "height" : "position";
  const db = new Database(world.path(SELF));
  const row = db
    .prepare<[number], { id: number; bytes: Buffer }>(
      `SELECT rowid AS id, ${column} AS bytes FROM ${table} WHERE ${where} = ?`,
    )
    .get(at);
  const { id, bytes } = present(row, `a row of ${table} at ${at}`);
  const middle = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  db.prepare(`UPDATE ${table} SET ${column} = ? WHERE rowid = ?`).run(bytes, id);
  db.close();
}

function sql(world: World, text: string): void {
  const db = new Database(world.path(SELF));
  expect(db.prepare(text).run().changes).toBeGreaterThan(0);
  db.close();
}

class Patient {
  readonly world: World;
  readonly log: LogDatabase;
  readonly healing: Healing;
  readonly told: HealingReport[] = [];
  readonly refused: string[] = [];
  readonly asked: PeerMessage[] = [];
  verified: Verified<MerkleFrontier> | undefined;
  /** What peers say to it instead of an answer. */
  lie: (from: number, message: PeerMessage) => readonly PeerMessage[] = (_from, message) => [message];

  constructor(world: World) {
    this.world = world;
    this.log = openLogDatabase(world.path(SELF), hashing);
    endings.push(() => this.log.close());
    world.tamper = (from, to, message) => {
      if (to !== SELF) return undefined;
      for (const said of this.lie(from, message))
        world.at(1, () => this.healing.receive(from, encode(peerMessageShape, said)));
      return [];
    };
    const start = { next: height(0), tree: MerkleFrontier.empty, parent: ZERO_DIGEST };
    this.healing = new Healing(committee, this.#ports(), genesis, start);
    this.healing.start();
  }

  #ports() {
    const { world } = this;
    return {
      log: this.log,
      peers: {
        send: (to: number, frame: Uint8Array) => world.at(1, () => world.nodes[to]?.actor.receive(SELF, frame)),
        connected: () => world.living.map(({ self }) => self),
      },
      clock: {
        now: () => world.now,
        set: (ms: number, run: () => void) => {
          const handle = { live: true };
          world.at(ms, () => handle.live && run());
          return handle;
        },
        clear: (handle: unknown) => {
          if (handle !== undefined) (handle as { live: boolean }).live = false;
        },
      },
      schedule: (run: () => void) => world.at(0, run),
      random: world.random,
      observer: {
        refused: (reason: string) => void this.refused.push(reason),
        told: (report: HealingReport) => void this.told.push(report),
        healed: (verified: Verified<MerkleFrontier>) => {
          this.verified = verified;
        },
      },
    };
  }

  heals(): void {
    this.world.until("the log is healed", () => this.verified !== undefined);
    expect(this.isSound()).toBe(true);
    expect(this.verified?.next).toBe(BLOCKS + 1);
  }

  kinds(): readonly string[] {
    return this.told.map(({ kind }) => kind);
  }

  isSound(): boolean {
    const check = verifyRange(this.log, fromGenesis(height(BLOCKS), MerkleFrontier.empty));
    for (;;) {
      const step = check.next();
      if (step.done === true) return step.value.kind === "sound" && this.log.head()?.height === BLOCKS;
    }
  }

  /** Events and bundles are those of member 0, byte for byte but for who signed a certificate. */
  expectAsOthers(): void {
    const other = this.world.node(0).log;
    for (let at = 0; at <= BLOCKS; at++) {
      const [mine, theirs] = [this.log.event(height(at)), other.event(height(at))];
      expect(mine?.block).toEqual(theirs?.block);
    }
    expect(this.log.event(height(BLOCKS))?.proof.kind).toBe("finalization");
  }
}

describe("a member whose log is damaged", () => {
  it.each([
    ["header", 1],
    ["body", 77],
    ["hash", 130],
    ["proof", 40],
    ["bytes", 50],
    ["header", BLOCKS],
    ["body", BLOCKS],
    ["hash", BLOCKS],
    ["body", 0],
    ["hash", 0],
  ] as const)("has the %s of event %i put right from its peers", (column, at) => {
    const world = cluster4();
    flip(world, column, at);
    const patient = new Patient(world);
    patient.heals();
    patient.expectAsOthers();
    expect(patient.told).toMatchObject([
      { kind: "damaged", height: at },
      { kind: "mended", height: at, count: column === "bytes" ? 3 : 1, from: at === 0 ? null : expect.any(Number) },
    ]);
    expect(patient.log.defect()).toBeUndefined();
  });

  it("has every damaged record put right, those of one page together", () => {
    const world = cluster4(2);
    for (const [column, at] of [
      ["header", 3],
      ["body", 5],
      ["bytes", 6],
      ["proof", 20],
      ["header", 180],
    ] as const)
      flip(world, column, at);
    sql(world, "DELETE FROM events WHERE position IN (50, 51, 52)");
    sql(world, "DELETE FROM bundles WHERE height = 60");
    const patient = new Patient(world);
    patient.heals();
    patient.expectAsOthers();
    expect(patient.told.filter(({ kind }) => kind === "mended").length).toBeLessThan(8);
  });

  it("has blocks put right that became final together, with a proof for its last one", () => {
    const world = cluster4(3, BLOCKS);
    flip(world, "proof", BLOCKS);
    flip(world, "body", 7);
    const patient = new Patient(world);
    patient.heals();
    patient.expectAsOthers();
  });

  it("reads nothing wrong in a log that holds, and asks nobody", () => {
    const patient = new Patient(cluster4(4));
    patient.heals();
    expect(patient.told).toEqual([]);
  });

  it("gives others what it holds itself, and nothing that is damaged", () => {
    const world = cluster4(5);
    flip(world, "body", 100);
    const patient = new Patient(world);
    const given: PeerMessage[] = [];
    world.onSent = () => {};
    patient.lie = () => []; // nobody answers it
    const send = world.nodes[0]?.actor;
    if (send === undefined) throw new Error("member 0 runs");
    send.receive = (_from, frame) => given.push(decoded(frame)) > 0;
    const ask = (from: number): void =>
      patient.healing.receive(memberIndex(0), encode(peerMessageShape, { kind: "eventsRequest", from: height(from) }));
    for (const from of [100, 90, 101]) ask(from);
    const pages = () => given.flatMap((said) => (said.kind === "events" ? [[said.from, said.events.length]] : []));
    world.until("it answers", () => pages().length === 2);
    expect(pages()).toEqual([
      [90, 10],
      [101, BLOCKS - 100],
    ]);
  });
});

function decoded(frame: Uint8Array): PeerMessage {
  const message = decode(peerMessageShape, frame, FRAME_BYTES_MAX);
  if (!message.ok) throw new Error(message.refusal.message);
  return message.value;
}

type Page = Extract<PeerMessage, { kind: "events" }>;
const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

const LIES: Readonly<Record<string, (page: Page) => readonly PeerMessage[]>> = {
  "a body was changed": (page) => [
    {
      ...page,
      events: page.events.map((event, i) =>
        i === 0 ? { ...event, block: { ...event.block, body: flipped(event.block.body, 3) } } : event,
      ),
    },
  ],
  "no proof": (page) => [{ ...page, events: page.events.map((event) => ({ ...event, proof: { kind: "none" } })) }],
  "a proof of another view": (page) => [
    {
      ...page,
      events: page.events.map((event) =>
        event.proof.kind === "finalization"
          ? { ...event, proof: { ...event.proof, certificate: { ...event.proof.certificate, view: view(9_999) } } }
          : event,
      ),
    },
  ],
  "bundles are missing": (page) => [{ ...page, events: page.events.map((event) => ({ ...event, bundles: [] })) }],
  "nothing in it": (page) => [{ ...page, events: [] }],
  "another page": (page) => [{ ...page, from: height(page.from + 1) }],
  "the same lie a hundred times": (page) =>
    Array.from({ length: 100 }, () => ({ ...page, events: page.events.slice(1) })),
};

describe("peers that lie to a member that heals", () => {
  it.each(Object.entries(LIES))("%s: nothing of it is written, and others are asked", (_name, lies) => {
    const world = cluster4(6);
    flip(world, "body", 20);
    flip(world, "bytes", 31); // blocks 95 and 159 name the same bundle again
    const patient = new Patient(world);
    let lied = 0;
    patient.lie = (from, message) => {
      if (message.kind !== "events" || from === 2) return [message];
      lied += 1;
      expect(() => patient.log.event(height(20))).toThrow(/damaged/);
      return lies(message);
    };
    patient.heals();
    patient.expectAsOthers();
    // One page for each question was judged, whatever came.
    expect(patient.refused.length).toBeGreaterThanOrEqual(lied);
  });

  it("nobody gives it: it waits and says so, again and again, and heals when somebody does", () => {
    const world = cluster4(7);
    flip(world, "body", 90);
    const patient = new Patient(world);
    patient.lie = () => [];
    const end = world.now + 115_000;
    world.until("two minutes pass", () => world.now >= end);
    expect(patient.kinds().filter((kind) => kind === "waiting").length).toBeGreaterThanOrEqual(3);
    expect(patient.told.at(-1)).toEqual({ kind: "waiting", height: 90, peers: 3 });
    expect(patient.verified).toBeUndefined();
    patient.lie = (_from, message) => [message];
    patient.heals();
  });

  it("peers prove another block than this disk has proof of: nothing is overwritten", () => {
    const world = cluster4(8);
    flip(world, "body", 90);
    // Another history that the same keys signed: more members lied than the protocol bears.
    const other = present(longLog({ blocks: 91, bytes: 601 }).append?.events[90], "event 91");
    const db = new Database(world.path(SELF));
    db.prepare("UPDATE events SET hash = ?, header = ?, body = ?, proof = ?, time = ? WHERE position = 91").run(
      digestBytes(other.hash),
      other.block.header,
      other.block.body,
      encode(finalityProofShape, other.proof),
      1_600_000_000_000 + 91,
    );
    db.close();
    const patient = new Patient(world);
    world.until("it is stuck", () => patient.kinds().includes("stuck"));
    expect(patient.told.at(-1)).toMatchObject({ kind: "stuck", height: 91 });
    expect(patient.log.event(height(91))?.hash).toBe(other.hash);
    expect(patient.verified).toBeUndefined();
  });

  it("the disk does not keep what is written: it stops with height and reason", () => {
    const world = cluster4(9);
    flip(world, "body", 90);
    const patient = new Patient(world);
    const repair = patient.log.repair.bind(patient.log);
    patient.log.repair = (what) => {
      const done = repair(what);
      flip(world, "body", 90);
      return done;
    };
    world.until("it gives up", () => patient.kinds().includes("stuck"));
    expect(patient.told.at(-1)).toMatchObject({ kind: "stuck", height: 90 });
    expect(patient.verified).toBeUndefined();
  });
});
