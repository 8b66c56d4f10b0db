/** A member that lacks blocks of a finalization asks one peer after another for the log's next page. */
import type { MemberIndex, View } from "../../base/brands.ts";
import { height as heightOf, view as viewOf } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { PeerMessage } from "../../events/facts/peer-message.ts";
import type { ConsensusEvent, Context } from "../../machines/consensus/types.ts";
import { type OpenedBlock, finalOf } from "./blocks.ts";
import type { Fetching } from "./fetching.ts";
import type { Outgoing } from "./outgoing.ts";
import { CheckpointFetch } from "./checkpoint-fetch.ts";
import type { Committee, ConsensusPorts, FetchedCheckpoint } from "./ports.ts";
import type { MerkleFrontier } from "../../crypto/merkle.ts";
import type { Signatures } from "./signatures.ts";
import { signersOf } from "../../events/facts/finality.ts";
import { checkPage } from "./synchronisation.ts";

const EVENTS = "events";
/** Checkpoints in a row whose segments did not come: 3 + 6 s with Δ at 250 ms. */
const GAVE_UPS_MAX = 2;

export interface CatchUpStores {
  readonly committee: Committee;
  readonly ports: ConsensusPorts;
  readonly signatures: Signatures;
  readonly fetching: Fetching;
  readonly outgoing: Outgoing;
  readonly context: () => Context;
  /** Tree over the whole log. */
  readonly frontier: () => MerkleFrontier;
  /** Blocks were appended; the last one is final. */
  readonly appended: (blocks: readonly OpenedBlock[], last: OpenedBlock) => void;
  /** Takes these events at once, after those that wait. */
  readonly step: (events: readonly ConsensusEvent[]) => void;
  /** A checkpoint's segments are all here: the actor stops, and the ports adopt it. */
  readonly complete: (found: FetchedCheckpoint) => void;
}

export class CatchUp {
  readonly #stores: CatchUpStores;
  readonly #checkpoint: CheckpointFetch;
  #target = viewOf(0);
  /** Checkpoints that came to nothing since the log was last whole. */
  #gaveUps = 0;
  #askedForBlocks = false;

  constructor(stores: CatchUpStores) {
    this.#stores = stores;
    this.#checkpoint = new CheckpointFetch({
      ...stores,
      askOthers: () => stores.fetching.askOthers(EVENTS),
      gaveUp: () => {
        this.#gaveUps += 1;
        stores.fetching.done(EVENTS);
        this.start(this.#target);
      },
      complete: (found) => this.#complete(found),
    });
  }

  #complete(found: FetchedCheckpoint): void {
    const { context, complete } = this.#stores;
    if (found.statement.height > context().final.height) return complete(found);
    this.#checkpoint.forget(); // blocks that came by themselves were faster: the log is beyond it
    this.start(this.#target);
  }

  /** Frees what an earlier life fetched in vain. */
  begin(): void {
    this.#checkpoint.begin();
  }

  stop(): void {
    this.#checkpoint.stop();
  }

  /** Asks until the finalised block of this view is in the log; asking twice is once. */
  start(target: View): void {
    const { fetching, outgoing, context, ports } = this.#stores;
    this.#target = target;
    if (this.#checkpoint.isRunning) return;
    const ask = (peer: MemberIndex): void => {
      const { pendingFinal, final } = context();
      const from = heightOf(final.height + 1);
      if (pendingFinal === null && final.view >= target) this.#caughtUp();
      else if (ports.checkpoints === undefined || this.#checkpoint.isBarred || this.#asksForBlocks())
        outgoing.send(peer, { kind: "eventsRequest", from });
      else {
        const above = heightOf(final.height + ports.checkpoints.distance);
        outgoing.send(peer, { kind: "checkpointRequest", from, above });
      }
    };
    fetching.want(EVENTS, null, ask, (peer) => (this.#checkpoint.isDistrusted(peer) ? 1 : 0));
  }

  /**
   * After checkpoints that came to nothing every other question is for blocks: the segments may be on nobody's disk any more, and the blocks
   * not on that of whoever is asked. While blocks come they are asked for. Not after the first: a liar alone would make it fetch the whole log.
   */
  #asksForBlocks(): boolean {
    if (this.#gaveUps < GAVE_UPS_MAX || this.#checkpoint.isRunning) return false;
    this.#askedForBlocks = !this.#askedForBlocks;
    return this.#askedForBlocks;
  }

  #caughtUp(): void {
    this.#gaveUps = 0;
    this.#stores.fetching.done(EVENTS);
    this.#checkpoint.forget();
  }

  /**
   * A peer's newest checkpoint, since this member is far behind: blocks are fetched when its state is here. Refuses: NOT_ASKED, and
   * as `CheckpointFetch.offer`.
   */
  offer(from: MemberIndex, message: Extract<PeerMessage, { kind: "checkpoint" }>): Result<void> {
    const { fetching } = this.#stores;
    if (!fetching.has(EVENTS)) return ok(undefined); // asked for, and caught up since
    if (!fetching.isAnswered(EVENTS, from))
      return refuse("NOT_ASKED", "A checkpoint from a peer that was not asked for it.", "peer");
    const taken = this.#checkpoint.offer(from, message);
    if (this.#checkpoint.isRunning && !this.#checkpoint.isOpen) fetching.done(EVENTS);
    return taken;
  }

  /** How many segments were new. */
  get kept(): number {
    return this.#checkpoint.kept;
  }

  /** Refuses: as `CheckpointFetch.take`. */
  segment(from: MemberIndex, segment: Uint8Array): Result<void> {
    return this.#checkpoint.take(from, segment);
  }

  /**
   * A page of events arrived: checked, appended, and the machine goes on from its end. After one that does not hold the next peer is
   * asked when the wait is over. Refuses: as `checkPage`.
   */
  take(from: MemberIndex, message: Extract<PeerMessage, { kind: "events" }>): Result<void> {
    const { committee, ports, signatures, fetching, context, frontier, appended, step } = this.#stores;
    if (!fetching.isAnswered(EVENTS, from)) return ok(undefined); // it came late, or twice
    if (this.#checkpoint.isRunning) return ok(undefined); // its block is where the log goes on
    step([]); // so that the machine's final block is the log's head
    const { final, halted } = context();
    if (halted !== null || message.from !== final.height + 1 || message.events.length === 0) return ok(undefined);
    const page = checkPage(committee, final, frontier(), message.events);
    if (!page.ok) return page;
    const { events, opened, bundles, finalization } = page.value;
    const last = present(opened.at(-1), "a checked page is not empty");
    ports.log.commit({
      bundles,
      append: { expected: heightOf(final.height + 1), events },
      bundleHeights: bundles,
      pruneBelow: { epoch: committee.epoch, view: viewOf(last.header.view + 1) },
    });
    signatures.keep(finalization);
    appended(opened, last);
    const { view, blockHash } = finalization;
    const ordered = bundles.map(({ digest }) => digest);
    const signers = signersOf(finalization, committee.keys.length) ?? [];
    step([
      { type: "logSynchronised", final: finalOf(last), finalizedView: view, bundles: ordered },
      // Of a descendant, when the page ends before it: then that one is what to ask for next.
      { type: "certificateVerified", kind: "finalization", view, hash: blockHash, signers },
    ]);
    this.#checkpoint.blocksCame();
    this.#askedForBlocks = false;
    if (context().pendingFinal === null) this.#caughtUp();
    else fetching.again(EVENTS, from);
    return ok(undefined);
  }
}
