/** What a member remembers for the inspector: four real actors with real logs, of which one is watched. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Digest, height } from "../../../src/base/brands.ts";
import type { PeerMessage } from "../../../src/events/facts/peer-message.ts";
import type { RowSource } from "../../../src/host/inspector/block-rows.ts";
import type { Entry } from "../../../src/host/inspector/contract.ts";
import { Recorder } from "../../../src/host/inspector/recorder.ts";
import { messageSummary, noteOf } from "../../../src/host/inspector/redaction.ts";
import { Ring } from "../../../src/host/inspector/ring.ts";
import { World } from "../actors/world.ts";

const NAMES = ["n0", "n1", "n2", "n3"];
let world: World;
let recorder: Recorder;
/** What the machine really did. */
let taken: { readonly event: string; readonly effects: readonly string[]; readonly view: number }[];

const recorderOf = (entriesMax: number): Recorder =>
  new Recorder({ node: "n0", life: 7, entriesMax, ceremony: ["ceremony.unsealed"], now: () => Math.floor(world.now) });

function boot(entriesMax: number): void {
  recorder = recorderOf(entriesMax);
  world.watching = (self) =>
    self !== 0
      ? {}
      : {
          began: recorder.began,
          stepped: (event, effects, after, refused) => {
            taken.push({ event: event.type, effects: effects.map(({ type }) => type), view: after.context.view });
            recorder.stepped(event, effects, after, refused);
          },
          sent: (to, message) => recorder.message("sent", to, message),
          delivered: (from, message) => recorder.message("delivered", from, message),
        };
  for (let at = 0; at < 4; at += 1) world.boot(at);
}

const rows = (): RowSource => ({ log: world.node(0).log, names: NAMES, outcome: () => undefined });
const all = (): readonly Entry[] => recorder.page(0, Number.MAX_SAFE_INTEGER, rows());
const of = <K extends Entry["kind"]>(kind: K): readonly Extract<Entry, { readonly kind: K }>[] =>
  all().filter((entry): entry is Extract<Entry, { readonly kind: K }> => entry.kind === kind);

type Message = Extract<Entry, { readonly message: unknown }>;
const messages = (way: Message["kind"], type: string): readonly Message[] =>
  all().filter((entry): entry is Message => "message" in entry && entry.kind === way && entry.message.type === type);

beforeEach(() => {
  world = new World(5);
  taken = [];
});
afterEach(() => world.end());

function order(blocks: number): void {
  for (let i = 0; i < blocks; i += 1) {
    world.submit(i % 4);
    world.until(`block ${i + 1}`, () => world.living.every(({ actor }) => actor.context.final.height > i));
  }
  world.settle("everything is final everywhere");
}

describe("a member's memory", () => {
  it("numbers everything without gap, and begins with where the machine stood", () => {
    boot(100_000);
    order(3);
    const entries = all();
    expect(entries.map(({ n }) => n)).toEqual(entries.map((_, i) => i));
    expect(entries[0]).toMatchObject({
      kind: "booted",
      life: 7,
      states: { consensus: ["consensus.quiet"], ceremony: ["ceremony.unsealed"] },
    });
  });

  it("each step goes on from the states that the one before it left, and names the transitions and guards that led there", () => {
    boot(100_000);
    order(4);
    let states: readonly string[] = ["consensus.quiet"];
    let moved = 0;
    for (const step of of("stepped")) {
      expect(step.transitions[0]).toEqual({ source: states[0], targets: [], guard: null });
      const settled = step.transitions.slice(1);
      if (step.states[0] === states[0]) expect(settled).toEqual([]);
      else {
        moved += 1;
        const guard = step.states[0]?.replace("consensus.", "");
        expect(settled).toEqual([{ source: states[0], targets: step.states, guard }]);
      }
      states = step.states;
    }
    expect(moved).toBeGreaterThan(8);
    expect(states).toEqual(["consensus.quiet"]);
  });

  it("computes again exactly what the machine did, from whichever entry on it is asked", () => {
    boot(100_000);
    order(4);
    const told = (from: number) =>
      recorder
        .page(from, Number.MAX_SAFE_INTEGER, rows())
        .flatMap((entry) =>
          entry.kind === "stepped"
            ? [{ event: entry.event.type, effects: entry.effects.map(({ type }) => type), view: entry.view }]
            : [],
        );
    expect(told(0)).toEqual(taken);
    const half = told(Math.floor(recorder.next / 2));
    expect(half.length).toBeGreaterThan(10);
    expect(half).toEqual(taken.slice(-half.length));
  });

  it("tells every final block once, in order, with who signed it", () => {
    boot(100_000);
    order(5);
    const blocks = of("finalised").map(({ block }) => block);
    const last = world.node(0).actor.context.final.height;
    expect(blocks.map((block) => block.height)).toEqual(Array.from({ length: last }, (_, i) => i + 1));
    for (const block of blocks) {
      expect(block.leader).toBe(NAMES[block.view % 4]);
      expect(block.hash).toBe(world.node(0).log.hashAt(height(block.height)));
      expect([0, 3, 4]).toContain(block.signers.length);
    }
  });

  it("holds what was said and heard, with view, epoch and the other side", () => {
    boot(100_000);
    order(2);
    const votes = messages("sent", "vote");
    expect(votes.length).toBeGreaterThan(3);
    for (const { peer, message } of votes) {
      expect(NAMES.slice(1)).toContain(peer);
      expect(message).toMatchObject({ epoch: 0, view: expect.any(Number), member: 0 });
    }
    const [proposal] = messages("delivered", "proposal");
    expect(proposal?.message).toMatchObject({ height: 1, epoch: 0, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  it("knows the context after each step that it holds, as it was then", () => {
    boot(100_000);
    order(3);
    for (const { n, view, finalHeight } of of("stepped"))
      expect(recorder.context(n, "consensus")).toMatchObject({ view, final: { height: finalHeight } });
    expect(recorder.context(0, "consensus")).toMatchObject({ view: 1, final: { height: 0 } });
    expect(recorder.context(0, "ceremony")).toBeUndefined();
  });

  it("forgets the oldest, and says from which number on it remembers", () => {
    boot(50);
    order(4);
    expect(recorder.next).toBeGreaterThan(100);
    expect(recorder.first).toBeGreaterThanOrEqual(recorder.next - 50);
    expect(recorder.first).toBeLessThan(recorder.next - 10);
    const entries = recorder.page(0, 500, rows());
    expect([entries[0]?.n, entries.length]).toEqual([recorder.first, recorder.next - recorder.first]);
    expect(entries.map(({ n }) => n)).toEqual(entries.map((_, i) => recorder.first + i));
    expect(recorder.context(recorder.first - 1, "consensus")).toBeUndefined();
  });

  it("counts the digests that an event holds, however many bundles a block names", () => {
    const many = recorderOf(100_000);
    const bundles = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(64, "0") as Digest);
    world.watching = (self) =>
      self !== 0
        ? {}
        : {
            began: many.began,
            stepped: (event, _effects, after) => {
              if (!("block" in event) || many.next > 1) return;
              const block = { ...event.block, bundles };
              for (let i = 0; i < 2_000; i += 1) many.stepped({ type: "blockFetched", block }, [], after, undefined);
            },
          };
    for (let at = 0; at < 4; at += 1) world.boot(at);
    order(2);
    expect(many.next).toBeGreaterThan(2_000);
    expect(many.next - many.first).toBeLessThan(1_000);
  });
});

describe("what is shown of messages", () => {
  const canary = new TextEncoder().encode("canary: a client's command, a share, a key");
  const forms = ["utf8", "hex", "base64", "base64url", "latin1"] as const;
  const hash = "ab".repeat(32) as never;
  const block = { header: canary, body: canary };
  const certificate = {
    kind: "notarization",
    epoch: 0,
    view: 1,
    blockHash: hash,
    signers: canary,
    signatures: [canary],
  } as never;
  const proof = { kind: "finalization", certificate, headers: [canary] } as never;
  const common = { epoch: 0, view: 1, hash, member: 0, signature: canary } as never as object;
  const samples: readonly PeerMessage[] = [
    { kind: "proposal", block, signature: canary },
    { kind: "vote", vote: "notarize", ...common } as never,
    { kind: "certificate", certificate },
    { kind: "bundle", bundle: canary },
    { kind: "block", block },
    { kind: "events", from: height(0), events: [{ block, proof, bundles: [canary] }] },
    { kind: "root", height: height(1), root: hash, member: 0 as never, signature: canary },
    { kind: "surveyRequest", nonce: canary },
    { kind: "survey", nonce: canary, view: 1 as never },
    { kind: "statement", statement: { height: 1, root: hash, secret: canary }, ...common } as never,
    { kind: "checkpoint", block, proof, segments: [hash] },
    { kind: "segment", segment: canary },
  ];

  it.each(samples)("no bytes of $kind", (message) => {
    const shown = JSON.stringify(messageSummary(noteOf(message)));
    for (const form of forms) expect(shown).not.toContain(Buffer.from(canary).toString(form));
    expect(shown).not.toContain(Object.values(canary).join(","));
    expect(JSON.parse(shown)).toMatchObject({ type: message.kind });
  });

  it("nothing of the bytes is kept for later, but a block's header and body", () => {
    for (const message of samples) {
      const { header, body, fields } = noteOf(message);
      const isBlock = message.kind === "proposal" || message.kind === "block";
      expect([header !== undefined, body !== undefined]).toEqual([isBlock, isBlock]);
      for (const value of Object.values(fields)) expect(value).not.toBeInstanceOf(Uint8Array);
    }
  });
});

describe("a ring", () => {
  it("holds so many items and so many bytes, and the newest whatever its size", () => {
    const ring = new Ring<string>(3, 100);
    for (const item of ["a", "b", "c", "d"]) ring.push(item, 10);
    expect([ring.first, ring.next, ring.at(0), ring.at(1), ring.at(3)]).toEqual([1, 4, undefined, "b", "d"]);
    ring.push("e", 85);
    expect([ring.first, ring.at(3), ring.at(4), ring.bytes]).toEqual([3, "d", "e", 95]);
    ring.push("f", 1_000);
    expect([ring.first, ring.next, ring.at(5), ring.bytes]).toEqual([5, 6, "f", 1_000]);
    ring.push("g", 1);
    expect([ring.first, ring.at(6), ring.bytes]).toEqual([6, "g", 1]);
  });
});
