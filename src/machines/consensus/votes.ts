/** Votes and certificates: counting by distinct member, evidence (rules 4 to 6, 10). */
import type { Digest, MemberIndex, View } from "../../base/brands.ts";
import { memberIndex } from "../../base/brands.ts";
import { unreachable } from "../../base/errors.ts";
import { leaderOf } from "./committee.ts";
import type { CertificateKind } from "../../events/facts/block.ts";
import { adoptFinalization } from "./finalise.ts";
import type { Turn } from "./turn.ts";
import type { Evidence, Tally, VoteKind } from "./types.ts";
import { enterView } from "./view.ts";
import { view as viewOf } from "../../base/brands.ts";

const EMPTY_TALLY: Tally = { notarize: {}, nullify: {}, finalize: {}, accused: {} };

const CERTIFICATE_OF: { readonly [K in VoteKind]: CertificateKind } = {
  notarize: "notarization",
  nullify: "nullification",
  finalize: "finalization",
};

/** Counts a verified vote; a quorum of equal votes becomes a certificate. */
export function countVote(turn: Turn, kind: VoteKind, view: View, hash: Digest | null, member: MemberIndex): void {
  const { next } = turn;
  noteHeard(turn, member);
  if (view <= next.final.view) {
    answerWithFinalization(turn, member);
    return;
  }
  if (view > next.view + 1) {
    turn.refuse("vote for a view beyond the next", member);
    return;
  }
  const tally = accuse(turn, next.tallies[view] ?? EMPTY_TALLY, kind, view, hash, member);
  if (tally[kind][member] !== undefined) return;
  const counted: Tally = { ...tally, [kind]: { ...tally[kind], [member]: hash ?? true } };
  next.tallies = { ...next.tallies, [view]: counted };
  const signers = supporters(counted, kind, hash);
  if (signers.length >= turn.quorum) adoptCertificate(turn, CERTIFICATE_OF[kind], view, hash, signers, true);
}

/** Keeps evidence of a vote that contradicts an earlier one, once; a leader's second notarize vote is its second proposal (rule 2). */
function accuse(turn: Turn, tally: Tally, kind: VoteKind, view: View, hash: Digest | null, member: MemberIndex): Tally {
  const { next } = turn;
  const found = misbehaviour(tally, kind, hash, member);
  if (found === undefined || tally.accused[`${found}/${member}`] === true) return tally;
  turn.emit({ type: "recordEvidence", evidence: { kind: found, member, view } });
  if (found === "twoNotarizeVotes" && member === leaderOf(view, next.size))
    next.equivocated = { ...next.equivocated, [view]: true };
  const accused: Tally = { ...tally, accused: { ...tally.accused, [`${found}/${member}`]: true } };
  next.tallies = { ...next.tallies, [view]: accused };
  return accused;
}

function supporters(tally: Tally, kind: VoteKind, hash: Digest | null): MemberIndex[] {
  const signers: MemberIndex[] = [];
  for (const [member, vote] of Object.entries(tally[kind]))
    if (vote === (hash ?? true)) signers.push(memberIndex(Number(member)));
  return signers;
}

function misbehaviour(
  tally: Tally,
  kind: VoteKind,
  hash: Digest | null,
  member: MemberIndex,
): Evidence["kind"] | undefined {
  const earlier = tally[kind][member];
  if (earlier !== undefined && earlier !== (hash ?? true))
    return kind === "notarize" ? "twoNotarizeVotes" : "twoFinalizeVotes";
  if (kind === "nullify" && tally.finalize[member] !== undefined) return "nullifyAndFinalize";
  if (kind === "finalize" && tally.nullify[member] === true) return "nullifyAndFinalize";
  return undefined;
}

/** Rule 1: a vote at or below the last finalised view is answered with that finalization. */
function answerWithFinalization(turn: Turn, member: MemberIndex): void {
  const { final, self } = turn.next;
  if (member === self || final.view === 0) return;
  turn.emit({
    type: "send",
    to: member,
    notice: { kind: "certificate", certificate: "finalization", view: final.view, hash: final.hash },
  });
}

export function noteHeard(turn: Turn, member: MemberIndex): void {
  const { next } = turn;
  if (next.lastHeard[member] === next.spokenViews) return;
  next.lastHeard = next.lastHeard.map((count, index) => (index === member ? next.spokenViews : count));
}

/** A quorum spoke in this view: silent leaders are counted in such views. */
function noteQuorumSpoke(turn: Turn, view: View, signers: readonly MemberIndex[]): void {
  const { next } = turn;
  const first = next.notarizations[view] === undefined && next.nullifications[view] === undefined;
  if (first) next.spokenViews += 1;
  for (const member of signers) noteHeard(turn, member);
}

/** Adopts a verified certificate of any view above the last final one: journal, pass on, act (rules 4, 5, 6). */
export function adoptCertificate(
  turn: Turn,
  kind: CertificateKind,
  view: View,
  hash: Digest | null,
  signers: readonly MemberIndex[],
  assembled: boolean,
): void {
  const { next } = turn;
  if (view <= next.final.view || holds(turn, kind, view)) return;
  noteQuorumSpoke(turn, view, signers);
  turn.emit({ type: "recordCertificate", kind, view, hash, signers: assembled ? signers : null });
  if (kind === "nullification") turn.broadcast({ kind: "certificate", certificate: kind, view, hash });
  else turn.emit({ type: "passOn", certificate: kind, view, hash });
  switch (kind) {
    case "notarization": {
      if (hash === null) return;
      next.notarizations = { ...next.notarizations, [view]: hash };
      if (turn.candidate(hash) === undefined) turn.emit({ type: "requestBlock", hash, view });
      return;
    }
    case "nullification":
      next.nullifications = { ...next.nullifications, [view]: true };
      if (enterView(turn, viewOf(view + 1))) next.nullified += 1;
      return;
    case "finalization":
      if (hash !== null) adoptFinalization(turn, view, hash);
      return;
    default:
      unreachable(kind);
  }
}

function holds(turn: Turn, kind: CertificateKind, view: View): boolean {
  switch (kind) {
    case "notarization":
      return turn.next.notarizations[view] !== undefined;
    case "nullification":
      return turn.next.nullifications[view] === true;
    case "finalization":
      return turn.next.pendingFinal !== null && turn.next.pendingFinal.view >= view;
    default:
      return unreachable(kind);
  }
}
