import { assert } from "../../base/errors.ts";
import { type MemberIndex, type View, view as viewOf } from "../../base/brands.ts";
import type { Digest } from "../../base/brands.ts";
import { leaderOf, quorumOf } from "./committee.ts";
import type { Candidate, ConsensusEffect, Context, OwnVotes, PeerNotice, TimerId, VoteKind } from "./types.ts";

type Draft = { -readonly [K in keyof Context]: Context[K] };

/**
 * One event's turn: a draft of the next context (fields are replaced, never changed in place) and the effects, in order.
 * The rules are functions on a turn; the machine commits the draft when the turn ends.
 */
export class Turn {
  readonly next: Draft;
  readonly effects: ConsensusEffect[] = [];

  constructor(context: Context) {
    this.next = { ...context };
  }

  emit(effect: ConsensusEffect): void {
    this.effects.push(effect);
  }

  broadcast(notice: PeerNotice): void {
    this.emit({ type: "broadcast", notice });
  }

  setTimer(timer: TimerId, ms: number): void {
    this.emit({ type: "setTimer", timer, ms });
  }

  clearTimer(timer: TimerId): void {
    this.emit({ type: "clearTimer", timer });
  }

  refuse(reason: string, member: MemberIndex | null): void {
    this.emit({ type: "refuseInput", reason, member });
  }

  get quorum(): number {
    return quorumOf(this.next.size);
  }

  get leader(): MemberIndex {
    return leaderOf(this.next.view, this.next.size);
  }

  get leads(): boolean {
    return this.leader === this.next.self;
  }

  ownVotes(view: View): OwnVotes {
    return this.next.own[view] ?? {};
  }

  candidate(hash: Digest): Candidate | undefined {
    return this.next.candidates[hash];
  }

  /** False while the journal is lost and for views that a lost vote may have reached (consensus.md, lost journal). */
  mayVote(view: View): boolean {
    const bound = this.next.votesAbove;
    return this.next.halted === null && (bound === null || (bound !== "unknown" && view > bound));
  }

  /**
   * Casts a vote of this member: journalled first, then signed, sent when the signature returns (DESIGN §2).
   * Rule 8: notarize at most once and not after nullify; never both nullify and finalize; finalize only what one certified.
   */
  castVote(kind: VoteKind, view: View, hash: Digest | null): void {
    const own = this.ownVotes(view);
    assert(this.mayVote(view), `vote in view ${view}, where a lost vote may stand`);
    assert(view > this.next.final.view, `rule 8: vote in view ${view}, whose flags pruning has erased`);
    switch (kind) {
      case "notarize":
        assert(
          own.notarize === undefined && own.nullify === undefined,
          `rule 8: second or late notarize in view ${view}`,
        );
        break;
      case "nullify":
        assert(own.nullify === undefined, `second nullify in view ${view}`);
        assert(own.finalize === undefined, `rule 8: nullify after finalize in view ${view}`);
        break;
      case "finalize":
        assert(own.finalize === undefined, `second finalize in view ${view}`);
        assert(own.nullify === undefined, `rule 8: finalize after nullify in view ${view}`);
        assert(
          hash !== null && this.next.notarizations[view] === hash,
          `rule 8: finalize without notarization in view ${view}`,
        );
        assert(this.next.verdicts[view] === "certified", `rule 8: finalize of an uncertified block in view ${view}`);
        break;
    }
    this.next.own = { ...this.next.own, [view]: { ...own, [kind]: hash ?? true } };
    this.emit({ type: "recordVote", kind, view, hash });
    this.emit({ type: "requestSignature", kind, view, hash });
  }

  /** Views strictly above the last final block, up to and including `top`, ascending. */
  viewsAboveFinal(record: Readonly<Record<number, unknown>>, top: number = Number.POSITIVE_INFINITY): View[] {
    const views: View[] = [];
    for (const key of Object.keys(record)) {
      const view = Number(key);
      if (view > this.next.final.view && view <= top) views.push(viewOf(view));
    }
    return views; // integer keys enumerate in ascending order (ECMA-262 §10.1.11)
  }
}
