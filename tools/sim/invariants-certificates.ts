/**
 * What a certificate stands on, seen by who watches all members: whichever one an honest member adopts, a quorum has voted so, and all
 * of that quorum but the Byzantine members has it on its disk. Finds certificates that are forged, counted wrongly, or of another kind.
 */
import type { MemberIndex } from "../../src/base/brands.ts";
import type { CertificateKind } from "../../src/events/facts/block.ts";
import { VOTE_OF } from "../../src/events/facts/hashing.ts";
import { Violation } from "./violation.ts";

const keyOf = (vote: string, view: number, hash: string): string => `${vote}/${view}/${hash}`;

export class CertificateInvariants {
  /** Honest members that have voted so, over all their lives. */
  readonly #voters = new Map<string, Set<MemberIndex>>();
  readonly #size: number;
  readonly #isHonest: (member: MemberIndex) => boolean;

  constructor(size: number, isHonest: (member: MemberIndex) => boolean) {
    this.#size = size;
    this.#isHonest = isHonest;
  }

  /** An honest member's vote is on its disk. */
  voted(member: MemberIndex, vote: string, view: number, hash: string): void {
    const key = keyOf(vote, view, hash);
    const voters = this.#voters.get(key);
    if (voters === undefined) this.#voters.set(key, new Set([member]));
    else voters.add(member);
  }

  /** An honest member adopts a certificate. */
  adopted(name: string, kind: CertificateKind, view: number, hash: string): void {
    const members = Array.from({ length: this.#size }, (_, i) => i as MemberIndex);
    const liars = members.filter((member) => !this.#isHonest(member)).length;
    // Written out, not asked of the product: it is what is judged here.
    const due = this.#size - Math.floor((this.#size - 1) / 3) - liars;
    const found = this.#voters.get(keyOf(VOTE_OF[kind], view, hash))?.size ?? 0;
    if (found < due)
      throw new Violation(
        "certificates stand on votes",
        `${name} adopted a ${kind} of view ${view} for which ${found} honest members voted, not ${due}`,
      );
  }
}
