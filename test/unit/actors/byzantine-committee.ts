/**
 * Three honest consensus actors and a fourth member whose key the test holds: it says whatever the test wants, signed as
 * a member signs. Real Ed25519, real SQLite; the wire is a function call, and time is virtual: a busy machine only makes tests slower.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConsensusActor } from "../../../src/actors/consensus/actor.ts";

import type { Committee, ConsensusPorts, Delivery } from "../../../src/actors/consensus/ports.ts";
import { ensureGenesis, loadStart } from "../../../src/actors/consensus/start.ts";
import {
  type Digest,
  type MemberIndex,
  epoch,
  height,
  logTime,
  memberIndex,
  view as viewOf,
} from "../../../src/base/brands.ts";
import { decode, encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { publicKeyOf, signer, verify } from "../../../src/crypto/ed25519.ts";
import { sha256Digest, signingBytes } from "../../../src/crypto/hash.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import { type Block, type Body, type Header, bodyShape, headerShape } from "../../../src/events/facts/block.ts";
import { bundleBodyShape, bundleShape } from "../../../src/events/facts/bundle.ts";
import {
  type VoteKind,
  blockHash,
  bodyHash,
  bundleDigest,
  clusterOf,
  genesisEvent,
  rootBytes,
  voteBytes,
} from "../../../src/events/facts/hashing.ts";
import { FRAME_BYTES_MAX, type PeerMessage, peerMessageShape } from "../../../src/events/facts/peer-message.ts";
import { type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import { fromGenesis, verifyRange } from "../../../src/events/store/log-verify.ts";
import type { Timings } from "../../../src/machines/consensus/types.ts";
import { EventQueue, mulberry32 } from "../../machines/consensus/event-queue.ts";

const document = new TextEncoder().encode("a founding document");
const seeds = [1, 2, 3, 4].map((n) => new Uint8Array(32).fill(n));
const keys = seeds.map(publicKeyOf);
export const cluster = clusterOf(document);
export const genesis = genesisEvent({ document, signatures: [] });
/** The member that the test plays: it leads views 3, 7, 11 … */
export const LIAR = memberIndex(3);
const EPOCH = epoch(0);

/** What the liar says of the state after a height, signed. */
export const rootOfLiar = (at: number, root: Digest): Extract<PeerMessage, { kind: "root" }> => ({
  kind: "root",
  height: height(at),
  root,
  member: LIAR,
  signature: signer(present(seeds[LIAR], "the liar"))(rootBytes(cluster, LIAR, height(at), root)),
});

/** A vote's signature by the liar. */
export const signAsLiar = (of: Digest, kind: VoteKind, at: number, hash: Digest | null): Uint8Array =>
  signer(present(seeds[LIAR], "the liar"))(voteBytes(of, kind, EPOCH, viewOf(at), hash));

/** What a message is under way, between honest members. Units: ms. */
const DELAY_MS = 1;
/** How long the honest may take for what a test waits for. Units: ms of virtual time. */
const PATIENCE_MS = 10_000;
/** The tests here take 150 for one condition: whatever takes so many goes in circles at one instant. */
const STEPS_MAX = 20_000;

/** A tenth of what nodes use: a view that a liar spoils is over quickly. */
const TIMINGS: Timings = {
  delta: 20,
  leader: 80,
  advance: 120,
  repeat: 80,
  standstill: 160,
  growth: 1.5,
  cap: 500,
};

export interface Heard {
  readonly message: PeerMessage;
  readonly bytes: number;
}

export class Honest {
  readonly self: MemberIndex;
  readonly log: LogDatabase;
  readonly delivered: Delivery[] = [];
  readonly refused: string[] = [];
  /** What the host's thread was handed: bytes of bundles. */
  bundleBytes = 0;
  /** Signatures that it checked. */
  checks = 0;
  root: Digest = sha256Digest(new Uint8Array());
  readonly #committee: ByzantineCommittee;
  #actor: ConsensusActor | undefined;
  alive = true;

  constructor(committee: ByzantineCommittee, self: MemberIndex, journalLost: boolean) {
    this.self = self;
    this.#committee = committee;
    this.log = openLogDatabase(join(committee.directory, `log-${self}.db`), {
      header: blockHash,
      body: bodyHash,
      bundle: bundleDigest,
    });
    ensureGenesis(this.log, genesis);
    const check = verifyRange(this.log, fromGenesis(this.log.head()?.height ?? height(0), MerkleFrontier.empty));
    let step = check.next();
    while (step.done !== true) step = check.next();
    if (step.value.kind !== "sound") throw new Error(step.value.reason);
    const counted: Committee["verify"] = (...signed) => {
      this.checks += 1;
      return verify(...signed);
    };
    const seats: Committee = { cluster, epoch: EPOCH, self, keys, verify: counted, timings: TIMINGS };
    this.#actor = new ConsensusActor(seats, this.#ports(), loadStart(this.log, seats, step.value.tree, journalLost));
    this.#actor.startDelivery(height(0));
  }

  get actor(): ConsensusActor {
    return present(this.#actor, "booted");
  }

  /** Within this life. */
  #later(ms: number, run: () => void): void {
    this.#committee.later(ms, () => {
      if (this.alive) run();
    });
  }

  #ports(): ConsensusPorts {
    const sign = signer(present(seeds[this.self], "a member"));
    return {
      log: this.log,
      peers: {
        send: (to, frame) => this.#committee.carry(this.self, to, frame),
        connected: () => [0, 1, 2, 3].filter((i) => i !== this.self).map(memberIndex),
      },
      clock: {
        now: () => this.#committee.now,
        set: (ms, run) => {
          const handle = { live: true };
          this.#later(ms, () => handle.live && run());
          return handle;
        },
        clear: (handle) => {
          if (handle !== undefined) (handle as { live: boolean }).live = false;
        },
      },
      schedule: (run) => this.#later(0, run),
      random: this.#committee.random,
      sign: (message, done) => this.#later(0, () => done(sign(message))),
      executor: {
        deliver: (delivery) => {
          this.delivered.push(delivery);
          this.root = createHash("sha256").update(this.root).update(delivery.hash).digest("hex") as Digest;
          const { root } = this;
          this.#later(0, () => this.actor.executed(delivery.height, root));
        },
        bundleHeld: (_digest, bytes) => {
          this.bundleBytes += bytes.length;
        },
      },
      observer: {
        refused: (reason) => this.refused.push(reason),
        advanced: () => {},
        halted: () => {},
        evidence: () => {},
      },
    };
  }

  /** Tree over the whole log of this member. */
  tree(): MerkleFrontier {
    let tree = MerkleFrontier.empty;
    for (let at = 0; at <= present(this.log.head(), "genesis").height; at++)
      tree = tree.appended(present(this.log.hashAt(height(at)), "in the log"));
    return tree;
  }

  stop(): void {
    this.alive = false;
    this.actor.stop();
    this.log.close();
  }
}

export class ByzantineCommittee {
  readonly directory = mkdtempSync(join(tmpdir(), "sky-byzantine-"));
  readonly honest: Honest[];
  /** What honest members said to the liar. */
  readonly heard: Heard[] = [];
  /** Units: ms since 1970. */
  now = 1_767_225_600_000;
  readonly random = mulberry32(1);
  readonly #tasks = new EventQueue();
  #batches = 0;
  readonly #sign = signer(present(seeds[LIAR], "the liar"));

  constructor(options: { readonly journalLost?: number } = {}) {
    this.honest = [];
    for (const i of [0, 1, 2]) this.honest.push(new Honest(this, memberIndex(i), options.journalLost === i));
    for (const one of this.honest)
      for (const other of this.honest) if (one !== other) one.actor.post({ type: "peerConnected", member: other.self });
  }

  carry(from: MemberIndex, to: MemberIndex, frame: Uint8Array): void {
    if (to === LIAR) {
      const message = decode(peerMessageShape, frame, FRAME_BYTES_MAX);
      if (message.ok) this.heard.push({ message: message.value, bytes: frame.length });
      return;
    }
    this.later(DELAY_MS, () => {
      const peer = this.honest[to];
      if (peer?.alive === true) peer.actor.receive(from, frame);
    });
  }

  later(ms: number, run: () => void): void {
    this.#tasks.push(this.now + ms, run);
  }

  /** Lets time pass. */
  pass(ms: number): void {
    const end = this.now + ms;
    this.#run(end, () => false);
    this.now = end;
  }

  /** Throws when it has not come about in time, or when nothing is left that could bring it about. */
  until(what: string, condition: () => boolean): void {
    if (!this.#run(this.now + PATIENCE_MS, condition)) throw new Error(`not in time: ${what}`);
  }

  /** Runs what is due until the end, or until the condition holds: then returns true. */
  #run(end: number, condition: () => boolean): boolean {
    for (let steps = 0; steps < STEPS_MAX; steps++) {
      if (condition()) return true;
      const task = this.#tasks.pop(end);
      if (task === undefined) return false;
      this.now = Math.max(this.now, task.at);
      task.run();
    }
    throw new Error("time stands still");
  }

  /** The liar says it to everybody, or to those named. */
  say(message: PeerMessage, to: readonly Honest[] = this.honest): void {
    const frame = encode(peerMessageShape, message);
    for (const one of to) one.actor.receive(LIAR, frame);
  }

  /** A block of the liar's own making on top of the final one, and its signature as proposal. */
  proposal(view: number, header: Partial<Header>, body: Body): Extract<PeerMessage, { kind: "proposal" }> {
    const [first] = this.honest;
    const { final, executed, roots } = present(first, "honest").actor.context;
    const bytes = encode(bodyShape, body);
    const block: Block = {
      body: bytes,
      header: encode(headerShape, {
        height: height(final.height + 1),
        epoch: EPOCH,
        view: viewOf(view),
        parentView: final.view,
        parent: final.hash,
        bodyHash: bodyHash(bytes),
        logRoot: present(first, "honest").tree().root(),
        lastReconfigure: height(0),
        lastCheckpoint: height(0),
        time: logTime(Math.max(final.time + 1, this.now)),
        executed: { height: executed, root: present(roots[executed], "executed") },
        ...header,
      }),
    };
    const hash = blockHash(block.header);
    return {
      kind: "proposal",
      block,
      signature: this.#sign(voteBytes(cluster, "notarize", EPOCH, viewOf(view), hash)),
    };
  }

  /** A bundle that the liar signs, of about this many bytes. */
  bundle(bytes: number, fill: number): Uint8Array {
    const signed: Uint8Array[] = [];
    for (let left = bytes; left > 0; left -= 512 * 1024)
      signed.push(new Uint8Array(Math.min(left, 512 * 1024)).fill(fill));
    const body = encode(bundleBodyShape, { cluster, epoch: EPOCH, member: LIAR, signed });
    return encode(bundleShape, { body, signature: this.#sign(signingBytes("bundle", cluster, body)) });
  }

  /** The view that all honest members are in, with everything ordered and executed. */
  get view(): number {
    return present(this.honest[0], "honest").actor.context.view;
  }

  /** Gives work, a batch at a time, until every honest member is in a view that the condition accepts, and quiet. */
  reach(accepts: (view: number) => boolean): number {
    this.settled();
    while (!accepts(this.view)) {
      this.stillOrders();
      this.settled();
    }
    return this.view;
  }

  /** Until the liar leads. */
  reachViewOfLiar(): number {
    return this.reach((view) => view % 4 === LIAR);
  }

  submit(at = 0): void {
    this.honest[at]?.actor.submit(new TextEncoder().encode(`client batch ${++this.#batches}`));
  }

  /** Everything ordered, executed and quiet, alike on all honest members. */
  settled(): void {
    this.until("everything is ordered and quiet", () =>
      this.honest.every(
        ({ actor }) =>
          actor.context.mempool.length === 0 &&
          !actor.context.timersArmed &&
          actor.context.executed === actor.context.final.height &&
          actor.context.final.hash === this.honest[0]?.actor.context.final.hash,
      ),
    );
  }

  /** One more client batch becomes final everywhere: the committee still works. */
  stillOrders(): void {
    const before = this.honest.map(({ actor }) => actor.context.final.height);
    this.submit();
    this.until("the honest go on", () =>
      this.honest.every(({ actor }, i) => actor.context.final.height > present(before[i], "counted")),
    );
  }

  end(): void {
    for (const one of this.honest) if (one.alive) one.stop();
    rmSync(this.directory, { recursive: true });
  }
}

export const bodyOf = (delivery: Delivery): Body["kind"] => {
  const body = decode(bodyShape, delivery.block.body, 1024 * 1024);
  return body.ok ? body.value.kind : "genesis";
};
