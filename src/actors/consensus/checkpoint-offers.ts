/**
 * Which checkpoint to fetch: the highest that is proven of those that f+1 members offer, so that one of them at least is honest and
 * has its segments. Whoever offered one whose segments did not come, or one that does not hold, is asked last from then on.
 */
import type { Digest, MemberIndex } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { type CheckpointStatement, sameStatement, segmentsRoot } from "../../events/facts/checkpoint.ts";
import type { PeerMessage } from "../../events/facts/peer-message.ts";
import { faultsTolerated } from "../../machines/consensus/committee.ts";
import type { Context } from "../../machines/consensus/types.ts";
import { openBlock } from "./blocks.ts";
import type { Committee, ConsensusPorts } from "./ports.ts";
import { finalises, signersOf } from "../../events/facts/finality.ts";

/** For so long answers are waited for before the best one is taken: a question, its answer, and as much again. Units: Δ. */
const WINDOW_DELTAS = 4;

export type CheckpointMessage = Extract<PeerMessage, { kind: "checkpoint" }>;

/** A checkpoint that is final: its digests are those that q members signed. */
export interface Offer {
  readonly statement: CheckpointStatement;
  readonly segments: readonly Digest[];
  /** Who signed it: they wrote its segments. */
  readonly signers: readonly MemberIndex[];
  /** Who offered it. */
  readonly by: Set<MemberIndex>;
}

export interface CheckpointOffersStores {
  readonly committee: Committee;
  readonly ports: ConsensusPorts;
  readonly context: () => Context;
  /** One offer is here: whoever was not asked yet is to be asked, too. */
  readonly askOthers: () => void;
  /** The one to fetch; again, if a higher one comes before f+1 members were heard. */
  readonly chosen: (offer: Offer) => void;
}

const bad = (what: string) => refuse("BAD_CHECKPOINT", `A checkpoint from a peer: ${what}.`, "peer");

export class CheckpointOffers {
  readonly #stores: CheckpointOffersStores;
  readonly #distrusted = new Set<MemberIndex>();
  readonly #heard = new Set<MemberIndex>();
  #best: Offer | undefined;
  #isChosen = false;
  #window: unknown;

  constructor(stores: CheckpointOffersStores) {
    this.#stores = stores;
  }

  /** Whether f+1 members offered one: nothing higher is waited for. */
  get isClosed(): boolean {
    return this.#heard.size > faultsTolerated(this.#stores.committee.keys.length);
  }

  /** To be asked last. */
  isDistrusted(member: MemberIndex): boolean {
    return this.#distrusted.has(member);
  }

  /** Of a member that was asked. Refuses: NO_CHECKPOINTS, MALFORMED, BODY_MISMATCH, BAD_CHECKPOINT, CHECKPOINT_TOO_OLD. */
  take(from: MemberIndex, message: CheckpointMessage): Result<void> {
    if (this.isClosed) return ok(undefined);
    const judged = this.#judge(from, message);
    if (!judged.ok) {
      if (judged.refusal.code !== "CHECKPOINT_TOO_OLD") this.#distrusted.add(from);
      return judged;
    }
    const before = this.#best;
    this.#heard.add(from);
    this.#best = judged.value;
    if (this.#isChosen) {
      if (this.#best !== before) this.#choose();
    } else if (this.isClosed) this.#choose();
    else if (before === undefined) {
      const { ports, committee, askOthers } = this.#stores;
      this.#window = ports.clock.set(WINDOW_DELTAS * committee.timings.delta, () => this.#choose());
      askOthers();
    }
    return ok(undefined);
  }

  /** Blocks came: they lead on where the only checkpoints are those of members that are not trusted. */
  blocksCame(): void {
    if (!this.#isChosen && [...this.#heard].every((member) => this.#distrusted.has(member))) this.end();
  }

  /** Its segments did not come: who offered it is asked last. Returns whether that was known of all of them. */
  withheld({ by }: Offer): boolean {
    const known = [...by].every((member) => this.#distrusted.has(member));
    for (const member of by) this.#distrusted.add(member);
    return known;
  }

  /** Nothing is waited for any more; the next offer is a first one. */
  end(): void {
    this.#stores.ports.clock.clear(this.#window);
    this.#heard.clear();
    this.#best = undefined;
    this.#isChosen = false;
  }

  #choose(): void {
    const { ports, chosen } = this.#stores;
    const best = this.#best;
    ports.clock.clear(this.#window);
    if (best === undefined) return;
    if (!this.#isAhead(best.statement)) return this.end(); // blocks came meanwhile
    this.#isChosen = true;
    chosen(best);
  }

  #isAhead({ height }: CheckpointStatement): boolean {
    const { ports, context } = this.#stores;
    return height > context().final.height + (ports.checkpoints?.distance ?? 0);
  }

  /** The best one after this: what is cheap is judged first, and nothing of what is not above the best one so far. */
  #judge(from: MemberIndex, { block, proof, segments }: CheckpointMessage): Result<Offer> {
    const { committee, ports } = this.#stores;
    if (ports.checkpoints === undefined) return refuse("NO_CHECKPOINTS", "This member takes no checkpoints.", "peer");
    const opened = openBlock(block);
    if (!opened.ok) return opened;
    const { checkpoint, hash } = opened.value;
    if (checkpoint === null) return bad("its block is none");
    const { statement } = checkpoint;
    const best = this.#best;
    if (best !== undefined && sameStatement(best.statement, statement)) {
      best.by.add(from); // whatever it says beside that: the best one is proven
      return ok(best);
    }
    if (best !== undefined && statement.height <= best.statement.height) return ok(best);
    if (!this.#isAhead(statement))
      return refuse("CHECKPOINT_TOO_OLD", `A checkpoint of height ${statement.height} spares nothing.`, "peer");
    if (proof.kind !== "finalization" || !finalises(committee, hash, proof))
      return bad("its finality proof does not hold");
    if (segmentsRoot(segments) !== statement.segments) return bad("the digests are not those of its segments");
    const signers = signersOf(checkpoint, committee.keys.length) ?? [];
    return ok({ statement, segments, signers, by: new Set([from]) });
  }
}
