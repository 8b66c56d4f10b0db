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
import { type CheckpointStatement, segmentDigest, segmentsRoot } from "../../events/facts/checkpoint.ts";
import type { PeerMessage } from "../../events/facts/peer-message.ts";
import type { Context } from "../../machines/consensus/types.ts";
import { decodeSegment } from "../../projections/checkpoint/segment.ts";
import { openBlock } from "./blocks.ts";
import type { Fetching } from "./fetching.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Committee, ConsensusPorts, FetchedCheckpoint } from "./ports.ts";
import { finalises } from "./synchronisation.ts";

/** Segments asked for at once: a peer that is slow holds up one of them. */
const AT_ONCE = 4;
/** Without a segment for so long, the peers may have gone on to another checkpoint: the newest is asked for anew. Units: ms. */
const PATIENCE_MS = 30_000;

type CheckpointMessage = Extract<PeerMessage, { kind: "checkpoint" }>;

export interface CheckpointFetchStores {
  readonly committee: Committee;
  readonly ports: ConsensusPorts;
  readonly fetching: Fetching;
  readonly outgoing: Outgoing;
  readonly context: () => Context;
  /** Everything is here: the actor stops, then the ports adopt it. */
  readonly complete: (found: FetchedCheckpoint) => void;
  /** Nothing came of it: the peers are to be asked anew. */
  readonly gaveUp: () => void;
}

interface Wanted {
  readonly statement: CheckpointStatement;
  readonly segments: readonly Digest[];
  /** The same, to look one up. */
  readonly named: ReadonlySet<Digest>;
  readonly missing: Set<Digest>;
  progressAt: number;
}

const nameOf = (digest: Digest): string => `segment/${digest}`;
const bad = (what: string) => refuse("BAD_CHECKPOINT", `A checkpoint from a peer: ${what}.`, "peer");

export class CheckpointFetch {
  readonly #stores: CheckpointFetchStores;
  #wanted: Wanted | undefined;
  #isBarred = false;

  constructor(stores: CheckpointFetchStores) {
    this.#stores = stores;
  }

  get isRunning(): boolean {
    return this.#wanted !== undefined;
  }

  /** A checkpoint could not be read here, and the next is as likely not to be: blocks lead on. */
  get isBarred(): boolean {
    return this.#isBarred;
  }

  /** A peer's newest checkpoint. Refuses: NO_CHECKPOINTS, MALFORMED, BAD_CHECKPOINT, CHECKPOINT_TOO_OLD, CHECKPOINT_UNREADABLE. */
  offer(message: CheckpointMessage): Result<void> {
    const { committee, ports, context } = this.#stores;
    const { checkpoints } = ports;
    if (checkpoints === undefined) return refuse("NO_CHECKPOINTS", "This member takes no checkpoints.", "peer");
    if (this.#wanted !== undefined) return ok(undefined);
    const opened = openBlock(message.block);
    if (!opened.ok) return opened;
    const { checkpoint, hash } = opened.value;
    if (checkpoint === null) return bad("its block is none");
    const { statement } = checkpoint;
    if (message.proof.kind !== "finalization" || !finalises(committee, hash, message.proof))
      return bad("its finality proof does not hold");
    if (segmentsRoot(message.segments) !== statement.segments) return bad("the digests are not those of its segments");
    if (statement.height <= context().final.height + checkpoints.distance)
      return refuse("CHECKPOINT_TOO_OLD", `A checkpoint of height ${statement.height} spares nothing.`, "peer");
    const missing = new Set(message.segments);
    for (const digest of message.segments) {
      const here = checkpoints.fetched(statement.height, digest); // of an attempt before a restart
      if (here !== undefined && segmentDigest(here) === digest) missing.delete(digest);
    }
    const { segments } = message;
    this.#wanted = { statement, segments, named: new Set(segments), missing, progressAt: ports.clock.now() };
    this.#goOn();
    return ok(undefined);
  }

  /** Refuses: BAD_SEGMENT for what nobody asked for, CHECKPOINT_UNREADABLE. */
  take(segment: Uint8Array): Result<void> {
    const wanted = this.#wanted;
    const digest = segmentDigest(segment);
    if (wanted === undefined) return ok(undefined); // asked for twice, since the first answer was slow
    if (!wanted.named.has(digest))
      return refuse("BAD_SEGMENT", "A segment from a peer is none that was asked for.", "peer");
    if (!wanted.missing.has(digest)) return ok(undefined);
    const { ports, fetching } = this.#stores;
    if (!decodeSegment(segment).ok) return this.#giveUp(wanted, "a segment is not of a kind that it knows");
    ports.checkpoints?.keep(wanted.statement.height, digest, segment);
    wanted.missing.delete(digest);
    wanted.progressAt = ports.clock.now();
    fetching.done(nameOf(digest));
    return this.#goOn();
  }

  #goOn(): Result<void> {
    const wanted = this.#wanted;
    if (wanted === undefined) return ok(undefined);
    const { fetching, complete } = this.#stores;
    if (wanted.missing.size > 0) {
      let asked = 0;
      for (const digest of wanted.missing) {
        if (asked === AT_ONCE) break;
        asked += 1;
        if (!fetching.has(nameOf(digest))) this.#fetch(wanted, digest);
      }
      return ok(undefined);
    }
    const found = this.#open(wanted);
    if (!found.ok) return this.#giveUp(wanted, found.refusal.message);
    this.#wanted = undefined;
    complete(found.value);
    return ok(undefined);
  }

  #fetch(wanted: Wanted, digest: Digest): void {
    const { ports, fetching, outgoing, gaveUp } = this.#stores;
    fetching.want(nameOf(digest), null, (peer: MemberIndex) => {
      if (this.#wanted === wanted && ports.clock.now() - wanted.progressAt > PATIENCE_MS) {
        this.#drop(wanted);
        gaveUp();
      } else if (this.#wanted !== wanted || !wanted.missing.has(digest)) fetching.done(nameOf(digest));
      else outgoing.send(peer, { kind: "segmentRequest", digest });
    });
  }

  /** q members signed what this version cannot read: it goes on with blocks. */
  #giveUp(wanted: Wanted, what: string): Result<void> {
    this.#isBarred = true;
    this.#drop(wanted);
    this.#stores.gaveUp();
    return unreadable(what);
  }

  #drop(wanted: Wanted): void {
    this.#wanted = undefined;
    for (const digest of wanted.missing) this.#stores.fetching.done(nameOf(digest));
  }

  /** Whether the first segment is the place in the log that the statement says. */
  #open({ statement, segments }: Wanted): Result<FetchedCheckpoint> {
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
