/**
 * Real consensus actors with real Ed25519 and real SQLite files in one thread of virtual time: a seed repeats a run, no wait is
 * real. A member can be ended at any commit, just before or just after it is durable, and opened again from the same files.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConsensusActor } from "../../../src/actors/consensus/actor.ts";
import type { Committee, ConsensusPorts, Delivery } from "../../../src/actors/consensus/ports.ts";
import { ensureGenesis, loadStart } from "../../../src/actors/consensus/start.ts";
import { type Digest, type MemberIndex, epoch, height, memberIndex } from "../../../src/base/brands.ts";
import { decode, encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { publicKeyOf, signer, verify } from "../../../src/crypto/ed25519.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import { HEADER_BYTES_MAX, bodyShape, headerShape } from "../../../src/events/facts/block.ts";
import { blockHash, bodyHash, bundleDigest, clusterOf, genesisEvent } from "../../../src/events/facts/hashing.ts";
import { FRAME_BYTES_MAX, type PeerMessage, peerMessageShape } from "../../../src/events/facts/peer-message.ts";
import { LOST_COMMITS_MARK, type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import { fromGenesis, verifyRange } from "../../../src/events/store/log-verify.ts";
import { DEFAULT_TIMINGS, type Divergence } from "../../../src/machines/consensus/types.ts";
import { EventQueue, mulberry32 } from "../../machines/consensus/event-queue.ts";

const document = new TextEncoder().encode("a founding document");
export const cluster = clusterOf(document);
export const genesis = genesisEvent({ document, signatures: [] });
const seeds = [1, 2, 3, 4].map((n) => new Uint8Array(32).fill(n));
export const keys = seeds.map(publicKeyOf);
export const signers = seeds.map(signer);
export const hashing = { header: blockHash, body: bodyHash, bundle: bundleDigest };
const DELAY_MS_MAX = 3;

/** The process ended here. */
class Crash extends Error {}

/** Ends the member at the `at`-th commit of this life (from 1), before or after it is durable. */
export interface CrashPlan {
  readonly at: number;
  readonly when: "before" | "after";
}

export class Node {
  readonly self: MemberIndex;
  readonly world: World;
  readonly log: LogDatabase;
  readonly actor: ConsensusActor;
  readonly delivered: Delivery[] = [];
  readonly refused: string[] = [];
  readonly halted: Divergence[] = [];
  commits = 0;
  alive = true;
  root: Digest = sha256Digest(new Uint8Array());

  constructor(
    world: World,
    self: MemberIndex,
    options: { readonly crash?: CrashPlan; readonly journalLost?: boolean },
  ) {
    this.world = world;
    this.self = self;
    this.log = openLogDatabase(world.path(self), hashing);
    ensureGenesis(this.log, genesis);
    const check = verifyRange(this.log, fromGenesis(this.log.head()?.height ?? height(0), MerkleFrontier.empty));
    let step = check.next();
    while (step.done !== true) step = check.next();
    if (step.value.kind !== "sound") throw new Error(step.value.reason);
    const commit = this.log.commit.bind(this.log);
    this.log.commit = (batch) => {
      this.commits += 1;
      const due = options.crash?.at === this.commits ? options.crash.when : undefined;
      if (due === "before") throw new Crash();
      commit(batch);
      if (due === "after") throw new Crash();
    };
    const committee: Committee = { cluster, epoch: epoch(0), self, keys, verify, timings: DEFAULT_TIMINGS };
    const journalLost = options.journalLost === true || this.log.mark(LOST_COMMITS_MARK) !== undefined;
    const start = loadStart(this.log, committee, step.value.tree, journalLost);
    this.actor = new ConsensusActor(committee, this.#ports(), start);
    this.actor.startDelivery(height(0));
  }

  #ports(): ConsensusPorts {
    const { world, self } = this;
    const sign = present(signers[self], "a member");
    const soon = (run: () => void): void => world.later(0, this, run);
    return {
      log: this.log,
      peers: {
        send: (to, frame) => world.carry(this, to, frame),
        connected: () => world.nodes.flatMap((node, i) => (node?.alive === true && i !== self ? [memberIndex(i)] : [])),
      },
      clock: {
        now: () => Math.floor(world.now),
        set: (ms, run) => {
          const handle = { live: true };
          world.later(ms, this, () => handle.live && run());
          return handle;
        },
        clear: (handle) => {
          if (handle !== undefined) (handle as { live: boolean }).live = false;
        },
      },
      schedule: soon,
      random: world.random,
      sign: (message, done) => soon(() => done(sign(message))),
      executor: {
        deliver: (delivery) => {
          this.delivered.push(delivery);
          this.root = createHash("sha256").update(this.root).update(delivery.hash).digest("hex") as Digest;
          const { root } = this;
          world.later(1, this, () => this.actor.executed(delivery.height, root));
        },
        bundleHeld: () => {},
      },
      observer: {
        refused: (reason) => this.refused.push(reason),
        advanced: () => {},
        halted: (divergence) => this.halted.push(divergence),
        evidence: () => {},
        ...world.watching(self),
      },
    };
  }

  get hashes(): readonly Digest[] {
    const head = present(this.log.head(), "genesis").height;
    return Array.from({ length: head + 1 }, (_, at) => present(this.log.hashAt(height(at)), "in the log"));
  }

  /** Digests of the bundles that its log orders. */
  get ordered(): readonly Digest[] {
    return this.delivered.flatMap(({ bundles }) => bundles.map(bundleDigest));
  }

  /** As a killed process: nothing is flushed or said any more. */
  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.log.close();
  }
}

export class World {
  readonly directory: string;
  readonly nodes: (Node | undefined)[] = [];
  readonly random: () => number;
  /** What a member says instead of a message; the default says it. */
  tamper: (from: MemberIndex, to: MemberIndex, message: PeerMessage) => readonly PeerMessage[] | undefined = () =>
    undefined;
  /** Ran for every message that leaves a living member, before anybody hears it. */
  onSent: (node: Node, message: PeerMessage) => void = () => {};
  onCrash: (node: Node) => void = () => {};
  /** Who watches a member's machine and messages besides; asked when it is booted. */
  watching: (self: MemberIndex) => Pick<ConsensusPorts["observer"], "began" | "stepped" | "sent" | "delivered"> =
    () => ({});
  now = 1_700_000_000_000;
  readonly #queue = new EventQueue();
  #batches = 0;

  /** In a new directory, or in one that another process left behind. */
  constructor(seed: number, directory: string = mkdtempSync(join(tmpdir(), "sky-world-"))) {
    this.random = mulberry32(seed);
    this.directory = directory;
  }

  path(self: MemberIndex): string {
    return join(this.directory, `log-${self}.db`);
  }

  boot(at: number, options: { readonly crash?: CrashPlan; readonly journalLost?: boolean } = {}): Node {
    const self = memberIndex(at);
    const node = new Node(this, self, options);
    this.nodes[at] = node;
    for (const peer of this.nodes) {
      if (peer === undefined || peer === node || !peer.alive) continue;
      peer.actor.post({ type: "peerConnected", member: self });
      node.actor.post({ type: "peerConnected", member: peer.self });
    }
    return node;
  }

  node(at: number): Node {
    return present(this.nodes[at], `member ${at} was booted`);
  }

  get living(): readonly Node[] {
    return this.nodes.filter((node) => node?.alive === true) as Node[];
  }

  later(ms: number, of: Node, run: () => void): void {
    this.#queue.push(this.now + ms, () => {
      if (of.alive) this.#guarded(of, run);
    });
  }

  at(ms: number, run: () => void): void {
    this.#queue.push(this.now + ms, run);
  }

  #guarded(of: Node, run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      of.kill();
      this.onCrash(of);
    }
  }

  carry(from: Node, to: MemberIndex, frame: Uint8Array): void {
    const message = decode(peerMessageShape, frame, FRAME_BYTES_MAX);
    if (!message.ok) throw new Error(`an honest member says what cannot be read: ${message.refusal.message}`);
    this.onSent(from, message.value);
    const instead = this.tamper(from.self, to, message.value);
    const frames = instead === undefined ? [frame] : instead.map((one) => encode(peerMessageShape, one));
    const peer = this.nodes[to];
    if (peer === undefined) return;
    for (const one of frames)
      this.later(this.random() * DELAY_MS_MAX, peer, () => {
        if (this.nodes[to] === peer) peer.actor.receive(from.self, one);
      });
  }

  submit(at: number): boolean {
    const node = this.nodes[at];
    if (node?.alive !== true) return false;
    let taken = false;
    this.#guarded(node, () => {
      taken = node.actor.submit(new TextEncoder().encode(`client batch ${this.#batches++}`));
    });
    return taken;
  }

  /** Runs in virtual time until the condition holds. Throws when it does not hold in time. */
  until(what: string, condition: () => boolean, ms = 120_000): void {
    const end = this.now + ms;
    while (!condition()) {
      const task = this.#queue.pop(end);
      if (task === undefined) throw new Error(`not in time: ${what}`);
      this.now = task.at;
      task.run();
    }
  }

  /** Everybody's log is the same, everything is executed. */
  settle(what: string): void {
    this.until(what, () => {
      const [first] = this.living;
      return this.living.every(
        ({ log, actor }) =>
          log.head()?.hash === first?.log.head()?.hash &&
          actor.context.mempool.length === 0 &&
          actor.context.executed === actor.context.final.height,
      );
    });
  }

  end(): void {
    for (const node of this.nodes) node?.kill();
    rmSync(this.directory, { recursive: true });
  }
}

/** Watches that nobody votes twice over all lives, and that no vote leaves before it and its block are durable. */
export function watchVotes(world: World): void {
  const said = new Map<string, string>();
  const once = (of: MemberIndex, kind: string, view: number, what: string): void => {
    const key = `${of}/${kind}/${view}`;
    const earlier = said.get(key);
    if (earlier !== undefined && earlier !== what) throw new Error(`member ${of} said ${kind} twice in view ${view}`);
    said.set(key, what);
  };
  world.onSent = ({ self, log, actor }, message) => {
    const durable = (kind: string, view: number, hash: Digest | null): void => {
      // A view at or below the last final block of this disk is settled: its records are pruned with the same commit.
      const { final } = actor.context;
      if (view <= final.view && log.hashAt(final.height) === final.hash) return;
      const rows = log.journal(epoch(0));
      const stands = rows.some(
        (row) => row.kind === "vote" && row.view === view && row.key === `${kind}/${hash ?? ""}`,
      );
      if (!stands) throw new Error(`member ${self} sent ${kind} of view ${view} before it was durable`);
      if (kind === "notarize" && hash !== null) holdsBody(log, hash);
    };
    if (message.kind === "proposal") {
      const hash = blockHash(message.block.header);
      const header = decode(headerShape, message.block.header, HEADER_BYTES_MAX);
      if (!header.ok) throw new Error("an honest proposal has a header");
      const { view } = header.value;
      once(self, "proposal", view, hash);
      once(self, "notarize", view, hash);
      durable("notarize", view, hash);
    }
    if (message.kind !== "vote") return;
    const { vote, view, hash } = message;
    once(self, vote, view, String(hash));
    durable(vote, view, hash);
    const opposite = vote === "nullify" ? "finalize" : vote === "finalize" ? "nullify" : undefined;
    if (opposite !== undefined && said.has(`${self}/${opposite}/${view}`))
      throw new Error(`member ${self} nullified and finalised view ${view}`);
  };
}

/** Throws unless the block and every bundle that it names are on this disk. */
function holdsBody(log: LogDatabase, hash: Digest): void {
  const { block } = present(log.candidate(hash), "a notarized block is on the disk of whoever voted for it");
  const body = decode(bodyShape, block.body, FRAME_BYTES_MAX);
  if (!body.ok || body.value.kind !== "executions") throw new Error("a candidate is a block of bundles");
  for (const digest of body.value.bundles) present(log.bundle(digest), `bundle ${digest} of a notarized block`);
}
