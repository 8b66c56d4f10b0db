/**
 * Catch-up from a checkpoint (consensus.md, "Catch-up"): the newest checkpoint block with its proof first, then its segments, each by
 * digest, from several peers; when all are here the log goes on from the checkpoint's block. What does not hold is refused by name
 * and asked of the next peer. Until the epoch's keys change, genesis alone proves which keys may certify.
 */
import type { Digest, MemberIndex } from "../../base/brands.ts";
import { equalBytes } from "../../base/bytes.ts";
import { view as viewOf } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { MerkleFrontier } from "../../crypto/merkle.ts";
import { segmentDigest } from "../../events/facts/checkpoint.ts";
import { faultsTolerated } from "../../machines/consensus/committee.ts";
import type { Context } from "../../machines/consensus/types.ts";
import { decodeSegment } from "../../projections/checkpoint/segment.ts";
import { openBlock } from "./blocks.ts";
import { type CheckpointMessage, CheckpointOffers, type Offer } from "./checkpoint-offers.ts";
import type { Fetching } from "./fetching.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Committee, ConsensusPorts, FetchedCheckpoint } from "./ports.ts";

/** Segments asked for at once: a peer that is slow holds up one of them. */
const AT_ONCE = 4;
/** Without progress for so long, the newest checkpoint is asked for anew: several peers were asked meanwhile. Units: Δ. */
const TURN_DELTAS = 12;
/** Where even those time out that did so before, peers are slow rather than liars: the turn doubles up to this. Units: ms. */
const TURN_CAP_MS = 30_000;

export interface CheckpointFetchStores {
  readonly committee: Committee;
  readonly ports: ConsensusPorts;
  readonly fetching: Fetching;
  readonly outgoing: Outgoing;
  readonly context: () => Context;
  /** One offer is here: whoever was not asked yet is to be asked, too. */
  readonly askOthers: () => void;
  /** Everything is here: the actor stops, then the ports adopt it. */
  readonly complete: (found: FetchedCheckpoint) => void;
  /** Nothing came of it: the peers are to be asked anew. */
  readonly gaveUp: () => void;
}

interface Wanted {
  readonly offer: Offer;
  /** Without repetition, in order; up to `looked` they were looked for on the disk. */
  readonly digests: readonly Digest[];
  looked: number;
  isLooking: boolean;
  readonly missing: Set<Digest>;
  /** Whom each was asked of last, if anybody was connected. */
  readonly asked: Map<Digest, MemberIndex | null>;
  /** Who was asked and did not give it before the next was asked. */
  readonly slow: Set<MemberIndex>;
  /** From here on the turn counts. Units: ms since 1970. */
  progressAt: number;
  /** Who gave some of it since then. */
  readonly givers: Set<MemberIndex>;
}

const nameOf = (digest: Digest): string => `segment/${digest}`;

export class CheckpointFetch {
  readonly #stores: CheckpointFetchStores;
  readonly #offers: CheckpointOffers;
  #wanted: Wanted | undefined;
  /** How many segments were new. */
  kept = 0;
  /** Asked for before it was given up: they may still come. */
  #late: ReadonlySet<Digest> = new Set();
  #turn: unknown;
  #turnMs: number;
  readonly #faults: number;
  #isBarred = false;

  constructor(stores: CheckpointFetchStores) {
    this.#stores = stores;
    this.#offers = new CheckpointOffers({ ...stores, chosen: (offer) => this.#want(offer) });
    this.#faults = faultsTolerated(stores.committee.keys.length);
    this.#turnMs = TURN_DELTAS * stores.committee.timings.delta;
  }

  get isRunning(): boolean {
    return this.#wanted !== undefined;
  }

  /** Whether a higher checkpoint than the one that is being fetched would be taken. */
  get isOpen(): boolean {
    return !this.#offers.isClosed;
  }

  /** A checkpoint could not be read here, and the next is as likely not to be: blocks lead on. */
  get isBarred(): boolean {
    return this.#isBarred;
  }

  isDistrusted(member: MemberIndex): boolean {
    return this.#offers.isDistrusted(member);
  }

  /** What lies on the disk of a fetch that the log is beyond by now is freed. */
  begin(): void {
    const { ports, context } = this.#stores;
    const final = context().final.height;
    ports.checkpoints?.discardFetched((height) => height > final);
  }

  /** The newest checkpoint of a peer that was asked. Refuses: as `CheckpointOffers.take`. */
  offer(from: MemberIndex, message: CheckpointMessage): Result<void> {
    return this.#isBarred ? ok(undefined) : this.#offers.take(from, message);
  }

  blocksCame(): void {
    this.#offers.blocksCame();
  }

  /** No fetch goes on from what is on the disk: the log reached its end by blocks, or will. */
  forget(): void {
    this.stop();
    this.#stores.ports.checkpoints?.discardFetched(() => false);
  }

  stop(): void {
    this.#drop();
    this.#offers.end();
  }

  /** Refuses: BAD_SEGMENT for what nobody asked for, CHECKPOINT_UNREADABLE. */
  take(from: MemberIndex, segment: Uint8Array): Result<void> {
    const wanted = this.#wanted;
    if (wanted === undefined) return ok(undefined); // asked for twice, since the first answer was slow
    const digest = segmentDigest(segment);
    if (!wanted.missing.has(digest)) {
      if (wanted.digests.includes(digest) || this.#late.has(digest)) return ok(undefined);
      wanted.slow.add(from);
      return refuse("BAD_SEGMENT", "A segment from a peer is none that was asked for.", "peer");
    }
    const { ports } = this.#stores;
    if (!decodeSegment(segment).ok) return this.#giveUp("a segment is not of a kind that it knows");
    ports.checkpoints?.keep(wanted.offer.statement.height, digest, segment);
    this.kept += 1;
    wanted.givers.add(from);
    // Liars alone, who give one now and then, make no progress: until f+1 members were heard, it takes f+1 to give some.
    if (!this.isOpen || wanted.givers.size > this.#faults) this.#progress(wanted);
    return this.#have(wanted, digest);
  }

  #want(offer: Offer): void {
    const { ports } = this.#stores;
    if (this.#wanted?.offer === offer) return;
    this.#drop();
    ports.checkpoints?.discardFetched((height) => height === offer.statement.height);
    const missing = new Set(offer.segments);
    const wanted: Wanted = {
      offer,
      digests: [...missing],
      looked: 0,
      isLooking: false,
      missing,
      asked: new Map(),
      slow: new Set(),
      givers: new Set(),
      progressAt: ports.clock.now(),
    };
    this.#wanted = wanted;
    this.#watch(wanted);
    this.#look(wanted);
  }

  #progress(wanted: Wanted): void {
    wanted.progressAt = this.#stores.ports.clock.now();
    wanted.givers.clear();
  }

  #have(wanted: Wanted, digest: Digest): Result<void> {
    const { fetching, complete } = this.#stores;
    wanted.missing.delete(digest);
    wanted.asked.delete(digest);
    fetching.done(nameOf(digest));
    if (wanted.missing.size > 0) {
      this.#look(wanted);
      return ok(undefined);
    }
    const found = this.#open(wanted.offer);
    if (!found.ok) return this.#giveUp(found.refusal.message);
    this.stop();
    complete(found.value);
    return ok(undefined);
  }

  /** The next one is here from an attempt before a restart, or is asked for: one to a turn, since to read it is to hash it. */
  #look(wanted: Wanted): void {
    if (wanted.isLooking || wanted.asked.size >= AT_ONCE) return;
    const digest = wanted.digests[wanted.looked];
    if (digest === undefined) return;
    const { ports } = this.#stores;
    wanted.isLooking = true;
    ports.schedule(() => {
      if (this.#wanted !== wanted) return;
      wanted.isLooking = false;
      wanted.looked += 1;
      const isMissing = wanted.missing.has(digest);
      const here = isMissing && ports.checkpoints?.fetched(wanted.offer.statement.height, digest) !== undefined;
      if (here) {
        this.#progress(wanted);
        const had = this.#have(wanted, digest);
        if (!had.ok) ports.observer.refused(had.refusal.code, null);
        return;
      }
      if (isMissing) this.#fetch(wanted, digest);
      this.#look(wanted);
    });
  }

  /** Of those who wrote or offered it first; whoever does not give one before the next is asked is asked last. */
  #fetch(wanted: Wanted, digest: Digest): void {
    const { fetching, outgoing } = this.#stores;
    const { asked, slow, offer } = wanted;
    asked.set(digest, null);
    const ask = (peer: MemberIndex): void => {
      const before = asked.get(digest);
      if (before !== undefined && before !== null) slow.add(before);
      asked.set(digest, peer);
      outgoing.send(peer, { kind: "segmentRequest", digest });
    };
    fetching.want(nameOf(digest), null, ask, (peer) => {
      if (slow.has(peer) || asked.get(digest) === peer) return 2;
      return offer.by.has(peer) || offer.signers.includes(peer) ? 0 : 1;
    });
  }

  /** A turn without progress is the last of this attempt; what came is kept, should the same checkpoint be taken again. */
  #watch(wanted: Wanted): void {
    const { clock } = this.#stores.ports;
    const left = wanted.progressAt + this.#turnMs - clock.now();
    this.#turn = clock.set(Math.max(0, left), () => {
      if (clock.now() < wanted.progressAt + this.#turnMs) return this.#watch(wanted);
      if (this.#offers.withheld(wanted.offer)) this.#turnMs = Math.min(TURN_CAP_MS, 2 * this.#turnMs);
      this.stop();
      this.#stores.gaveUp();
    });
  }

  /** q members signed what this version cannot read: it goes on with blocks. */
  #giveUp(what: string): Result<void> {
    this.#isBarred = true;
    this.forget();
    this.#stores.gaveUp();
    return unreadable(what);
  }

  #drop(): void {
    const { ports, fetching } = this.#stores;
    ports.clock.clear(this.#turn);
    const wanted = this.#wanted;
    this.#wanted = undefined;
    if (wanted === undefined) return;
    this.#late = new Set(wanted.asked.keys());
    for (const digest of this.#late) fetching.done(nameOf(digest));
  }

  /** Whether the first segment is the place in the log that the statement says. */
  #open({ statement, segments }: Offer): Result<FetchedCheckpoint> {
    const { committee, ports } = this.#stores;
    const [first] = segments;
    const bytes = first && ports.checkpoints?.fetched(statement.height, first);
    const state = bytes && decodeSegment(bytes);
    if (!state?.ok || state.value.kind !== "state") return unreadable("its first segment is no state");
    const { block, frontier, members } = state.value;
    const opened = openBlock(block);
    if (!opened.ok || opened.value.header.height !== statement.height)
      return unreadable("its block is of another height");
    if (frontier.size !== statement.height || !MerkleFrontier.fits(frontier))
      return unreadable("its frontier is of another size");
    const before = MerkleFrontier.from(frontier);
    const { header, hash } = opened.value;
    if (before.root() !== header.logRoot) return unreadable("its frontier is not the tree that its block names");
    const { keys } = committee;
    if (members.length !== keys.length || !members.every(({ key }, i) => equalBytes(key, keys[i] ?? new Uint8Array(0))))
      return unreadable("its members are not those of this epoch");
    return ok({
      statement,
      segments,
      event: { height: header.height, hash, block, proof: { kind: "none" } },
      tree: before.appended(hash),
      pruneBelow: { epoch: committee.epoch, view: viewOf(header.view + 1) },
    });
  }
}

const unreadable = (what: string) =>
  refuse("CHECKPOINT_UNREADABLE", `A checkpoint that q members signed cannot be read here: ${what}.`, "none");
