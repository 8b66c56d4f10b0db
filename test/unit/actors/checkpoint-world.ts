/**
 * Consensus actors whose executors keep a real projection and write checkpoints of it, in virtual time: real SQLite, a disk for each
 * member that outlives its process, a keyed hash for a signature (Ed25519 stands in checkpoint-blocks.test.ts). A member that adopts a
 * checkpoint ends and starts again, as a node does.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { ConsensusActor } from "../../../src/actors/consensus/actor.ts";
import type { Checkpoints, Committee, ConsensusPorts, Delivery } from "../../../src/actors/consensus/ports.ts";
import { ensureGenesis, loadStart } from "../../../src/actors/consensus/start.ts";
import { Projector } from "../../../src/actors/projector/projector.ts";
import { type Digest, type Height, type MemberIndex, epoch, height, memberIndex } from "../../../src/base/brands.ts";
import { ZERO_DIGEST, concatBytes, digestBytes, equalBytes } from "../../../src/base/bytes.ts";
import { decode, encode, encodeSequence } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { sha256, sha256Digest } from "../../../src/crypto/hash.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import { HEADER_BYTES_MAX, headerShape } from "../../../src/events/facts/block.ts";
import { segmentDigest, segmentsRoot } from "../../../src/events/facts/checkpoint.ts";
import { type FactData, factShape } from "../../../src/events/facts/fact.ts";
import { bundleDigest } from "../../../src/events/facts/hashing.ts";
import { FRAME_BYTES_MAX, type PeerMessage, peerMessageShape } from "../../../src/events/facts/peer-message.ts";
import { type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import { verifyRange } from "../../../src/events/store/log-verify.ts";
import { DEFAULT_TIMINGS } from "../../../src/machines/consensus/types.ts";
import { dumpSegments, loadSegments } from "../../../src/projections/checkpoint/checkpoint.ts";
import { decodeSegment } from "../../../src/projections/checkpoint/segment.ts";
import { EventQueue, mulberry32 } from "../../machines/consensus/event-queue.ts";
import { author, icp } from "../checkpoint/blocks.ts";
import { cluster, genesis, hashing, keys } from "./world.ts";

const DELAY_MS_MAX = 3;
const signatureOf = (key: Uint8Array, message: Uint8Array): Uint8Array => {
  const once = sha256(concatBytes(key, message));
  return concatBytes(once, once);
};
const members = keys.map((key) => ({ aid: author, key }));

/** What of a member outlives its process. */
class Disk {
  readonly path: string;
  projection = new Database(":memory:");
  readonly segments = new Map<Digest, Uint8Array>();
  readonly manifests = new Map<Height, readonly Digest[]>();
  readonly fetched = new Map<Height, Map<Digest, Uint8Array>>();
  /** The mark of the verified log: what an enclave vouches for. */
  verified = { next: height(0), tree: MerkleFrontier.empty, parent: ZERO_DIGEST };
  adopted: Height[] = [];
  /** The disk before it was lost: its votes are not in this one's journal. */
  readonly journalLost: boolean;

  constructor(path: string, journalLost: boolean) {
    this.path = path;
    this.journalLost = journalLost;
  }
}

const isSignature = (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
  equalBytes(signature, signatureOf(key, message));

export class CheckpointNode {
  readonly self: MemberIndex;
  readonly world: CheckpointWorld;
  readonly disk: Disk;
  readonly log: LogDatabase;
  readonly projector: Projector;
  readonly actor: ConsensusActor;
  readonly refused: string[] = [];
  readonly vouched: number[] = [];
  /** The turns in which a segment of a fetch was looked for on the disk. */
  readonly looks: number[] = [];
  alive = true;
  #root: Digest = ZERO_DIGEST;

  constructor(world: CheckpointWorld, self: MemberIndex, disk: Disk) {
    this.world = world;
    this.self = self;
    this.disk = disk;
    this.log = openLogDatabase(disk.path, hashing);
    ensureGenesis(this.log, genesis);
    this.projector = this.#openProjection();
    const { next, tree, parent } = disk.verified;
    const check = verifyRange(this.log, { from: next, to: present(this.log.head(), "genesis").height, tree, parent });
    let step = check.next();
    while (step.done !== true) step = check.next();
    if (step.value.kind !== "sound") throw new Error(step.value.reason);
    const committee: Committee = {
      cluster,
      epoch: epoch(0),
      self,
      keys,
      verify: isSignature,
      timings: DEFAULT_TIMINGS,
    };
    const start = loadStart(this.log, committee, step.value.tree, disk.journalLost);
    this.actor = new ConsensusActor(committee, this.#ports(), start);
    for (let at = Math.max(0, this.projector.height - 63); at <= this.projector.height; at++) {
      const root = this.projector.ledger.blockAt(height(at))?.root;
      if (root === undefined) continue;
      this.#root = root;
      this.actor.executed(height(at), root);
    }
    this.actor.startDelivery(height(this.projector.height + 1));
  }

  /** As a node's host: a projection below the height that the log begins at is filled from the checkpoint's segments. */
  #openProjection(): Projector {
    const { disk } = this;
    const begins = this.log.gap()?.begins ?? -1;
    const projector = new Projector(disk.projection);
    if (projector.height >= begins) return projector;
    disk.projection = new Database(":memory:");
    const digests = present(disk.manifests.get(height(begins)), "the segments of the checkpoint the log begins at");
    const loaded = loadSegments(
      disk.projection,
      digests.map((digest) => {
        const segment = decodeSegment(present(disk.segments.get(digest), "kept"));
        if (!segment.ok) throw new Error(segment.refusal.message);
        return segment.value;
      }),
    );
    if (!loaded.ok) throw new Error(loaded.refusal.message);
    return new Projector(disk.projection);
  }

  #ports(): ConsensusPorts {
    const { world, self } = this;
    const key = present(keys[self], "a member");
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
      sign: (message, done) => soon(() => done(signatureOf(key, message))),
      executor: { deliver: (delivery) => world.later(1, this, () => this.#execute(delivery)), bundleHeld: () => {} },
      checkpoints: this.#checkpoints(),
      observer: {
        refused: (reason) => this.refused.push(reason),
        advanced: ({ vouchesFrom }) => this.vouched.push(vouchesFrom),
        halted: ({ height: at }) => {
          throw new Error(`member ${self} halted at ${at}`);
        },
        evidence: () => {},
      },
    };
  }

  #checkpoints(): Checkpoints {
    const { disk, log, world } = this;
    return {
      distance: world.every,
      log,
      segmentsOf: (at) => disk.manifests.get(at),
      segment: (digest) => disk.segments.get(digest),
      fetched: (at, digest) => {
        this.looks.push(world.turn);
        return disk.fetched.get(at)?.get(digest);
      },
      keep: (at, digest, segment) =>
        disk.fetched.set(at, (disk.fetched.get(at) ?? new Map<Digest, Uint8Array>()).set(digest, segment)),
      discardFetched: (isKept) => {
        for (const at of disk.fetched.keys()) if (!isKept(at)) disk.fetched.delete(at);
      },
      adopt: ({ statement, segments, event, tree, pruneBelow }) => {
        const fetched = present(disk.fetched.get(statement.height), "kept");
        for (const digest of segments) disk.segments.set(digest, present(fetched.get(digest), "kept"));
        disk.fetched.clear();
        disk.manifests.set(statement.height, segments);
        log.beginAt(event, pruneBelow, []);
        disk.verified = { next: height(event.height + 1), tree, parent: event.hash };
        disk.adopted.push(event.height);
        this.kill();
        world.rebooting += 1;
        world.at(world.now + 5, () => {
          world.rebooting -= 1;
          world.boot(this.self);
        });
      },
    };
  }

  /** Bundles bring subjects, named by their digests; genesis brings an identifier. */
  #execute({ height: at, hash, header, block, bundles }: Delivery): void {
    if (at <= this.projector.height) return;
    const opened = decode(headerShape, header, HEADER_BYTES_MAX);
    if (!opened.ok) throw new Error(opened.refusal.message);
    const none = { namespace: "", name: "" };
    const data: readonly FactData[] =
      at === 0
        ? [{ kind: "identifierIncepted", aid: author, icp }]
        : bundles.map((bundle) => ({
            kind: "subjectAdded",
            subject: { namespace: "", name: `${at}/${bundleDigest(bundle)}`, relation: none },
          }));
    const facts = encodeSequence(
      factShape,
      data.map((one, index) => ({ height: at, index, n: 0, data: one })),
    );
    this.#root = sha256Digest(concatBytes(digestBytes(this.#root), digestBytes(hash), facts));
    this.projector.apply([{ height: at, hash, root: this.#root, time: opened.value.time, facts, block }]);
    this.actor.executed(at, this.#root);
    if (at > 0 && at % this.world.every === 0) this.#writeCheckpoint(at, this.#root);
  }

  #writeCheckpoint(at: Height, root: Digest): void {
    const segments = [...this.dump(), ...this.world.strangeSegments];
    const digests = segments.map(segmentDigest);
    for (const [i, segment] of segments.entries()) this.disk.segments.set(present(digests[i], "counted"), segment);
    this.disk.manifests.set(at, digests);
    this.actor.checkpointWritten(at, root, segmentsRoot(digests));
  }

  dump(): readonly Uint8Array[] {
    return [...dumpSegments(this.disk.projection, members)];
  }

  get hashes(): readonly (Digest | undefined)[] {
    const head = present(this.log.head(), "genesis").height;
    return Array.from({ length: head + 1 }, (_, at) => this.log.hashAt(height(at)));
  }

  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.log.close();
  }
}

export class CheckpointWorld {
  readonly directory = mkdtempSync(join(tmpdir(), "sky-checkpoints-"));
  readonly nodes: (CheckpointNode | undefined)[] = [];
  readonly disks: Disk[] = [];
  readonly random: () => number;
  readonly every: number;
  now = 1_700_000_000_000;
  /** Tasks run so far. */
  turn = 0;
  /** What a newer version writes besides, as far as this one can tell. */
  strangeSegments: readonly Uint8Array[] = [];
  /** Members that adopted a checkpoint and are about to start again. */
  rebooting = 0;
  /** What a member says instead of a message; the default says it. */
  tamper: (from: MemberIndex, to: MemberIndex, message: PeerMessage) => readonly PeerMessage[] | undefined = () =>
    undefined;
  readonly #queue = new EventQueue();
  #batches = 0;

  constructor(seed: number, every: number) {
    this.random = mulberry32(seed);
    this.every = every;
  }

  boot(at: number, options: { readonly emptyDisk?: boolean } = {}): CheckpointNode {
    const self = memberIndex(at);
    const known = this.disks[at];
    const disk =
      known === undefined || options.emptyDisk === true
        ? new Disk(join(this.directory, `log-${at}-${this.#batches}.db`), options.emptyDisk === true)
        : known;
    this.disks[at] = disk;
    const node = new CheckpointNode(this, self, disk);
    this.nodes[at] = node;
    for (const peer of this.nodes) {
      if (peer === undefined || peer === node || !peer.alive) continue;
      peer.actor.post({ type: "peerConnected", member: self });
      node.actor.post({ type: "peerConnected", member: peer.self });
    }
    return node;
  }

  node(at: number): CheckpointNode {
    return present(this.nodes[at], `member ${at} was booted`);
  }

  get living(): readonly CheckpointNode[] {
    return this.nodes.filter((node): node is CheckpointNode => node?.alive === true);
  }

  later(ms: number, of: CheckpointNode, run: () => void): void {
    this.#queue.push(this.now + ms, () => {
      if (of.alive) run();
    });
  }

  at(ms: number, run: () => void): void {
    this.#queue.push(ms, run);
  }

  carry(from: CheckpointNode, to: MemberIndex, frame: Uint8Array): void {
    const message = decode(peerMessageShape, frame, FRAME_BYTES_MAX);
    if (!message.ok) throw new Error(`an honest member says what cannot be read: ${message.refusal.message}`);
    const instead = this.tamper(from.self, to, message.value);
    const frames = instead === undefined ? [frame] : instead.map((one) => encode(peerMessageShape, one));
    const peer = this.nodes[to];
    if (peer === undefined) return;
    for (const one of frames)
      this.later(this.random() * DELAY_MS_MAX, peer, () => {
        if (this.nodes[to] === peer) peer.actor.receive(from.self, one);
      });
  }

  until(what: string, condition: () => boolean, ms = 120_000): void {
    const end = this.now + ms;
    while (!condition()) {
      const task = this.#queue.pop(end);
      if (task === undefined) throw new Error(`not in time: ${what}`);
      this.now = task.at;
      this.turn += 1;
      task.run();
    }
  }

  /** Blocks until the living have this height at least, all alike. */
  order(to: number, by = 0): void {
    while (present(this.node(by).log.head(), "genesis").height < to) {
      this.node(by).actor.submit(new TextEncoder().encode(`client batch ${this.#batches++}`));
      const { height: before } = present(this.node(by).log.head(), "genesis");
      this.until("a block", () => present(this.node(by).log.head(), "genesis").height > before);
    }
    this.settle();
  }

  settle(): void {
    this.until("everybody has the same", () => {
      const [first] = this.living;
      if (this.rebooting > 0) return false;
      return this.living.every(
        ({ log, actor, projector }) =>
          log.head()?.hash === first?.log.head()?.hash &&
          actor.context.mempool.length === 0 &&
          projector.height === actor.context.final.height,
      );
    });
  }

  end(): void {
    for (const node of this.nodes) node?.kill();
    rmSync(this.directory, { recursive: true });
  }
}
