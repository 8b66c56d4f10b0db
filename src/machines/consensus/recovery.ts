/** Start, standstill, and a lost journal (rules 7 and 9; "Lost journal"). */
import { view as viewOf, type MemberIndex, type View } from "../../base/brands.ts";
import type { Turn } from "./turn.ts";
import type { VoteKind } from "./types.ts";

/** On restart the flags are loaded already; signs the votes above the last finalised view again (Ed25519 signs alike). */
export function resendOwnVotes(turn: Turn): void {
  for (const view of turn.viewsAboveFinal(turn.next.own)) {
    const own = turn.ownVotes(view);
    if (own.notarize !== undefined) requestSignature(turn, "notarize", view, own.notarize);
    if (own.nullify === true) requestSignature(turn, "nullify", view, null);
    if (own.finalize !== undefined) requestSignature(turn, "finalize", view, own.finalize);
  }
}

function requestSignature(turn: Turn, kind: VoteKind, view: View, hash: Parameters<Turn["castVote"]>[2]): void {
  turn.emit({ type: "requestSignature", kind, view, hash });
}

type Notify = (notice: Parameters<Turn["broadcast"]>[0]) => void;

/** Notarized blocks that had not arrived before the crash: nobody sends them unasked. */
export function requestMissingBlocks(turn: Turn): void {
  const { notarizations } = turn.next;
  for (const view of turn.viewsAboveFinal(notarizations)) {
    const hash = notarizations[view];
    if (hash !== undefined && turn.candidate(hash) === undefined) turn.emit({ type: "requestBlock", hash, view });
  }
}

/** Rule 9 and "both sides of a new peer stream send theirs": the last finalization, every later certificate, own votes, open bundles. */
export function sendHoldings(turn: Turn, notify: Notify): void {
  const { next } = turn;
  if (next.final.view > 0) {
    notify({ kind: "certificate", certificate: "finalization", view: next.final.view, hash: next.final.hash });
  }
  for (const view of turn.viewsAboveFinal(next.notarizations)) {
    notify({ kind: "certificate", certificate: "notarization", view, hash: next.notarizations[view] ?? null });
  }
  for (const view of turn.viewsAboveFinal(next.nullifications)) {
    notify({ kind: "certificate", certificate: "nullification", view, hash: null });
  }
  if (next.pendingFinal !== null) {
    const { view, hash } = next.pendingFinal;
    notify({ kind: "certificate", certificate: "finalization", view, hash });
  }
  for (const view of turn.viewsAboveFinal(next.own)) sendOwnVotes(turn, view, notify);
  if (next.mempool.length > 0) notify({ kind: "bundles", digests: next.mempool.slice(0, BUNDLES_RESENT_MAX) });
}

/** Bundles sent again at once; more follow at the next standstill. */
export const BUNDLES_RESENT_MAX = 64;

function sendOwnVotes(turn: Turn, view: View, notify: Notify): void {
  const own = turn.ownVotes(view);
  if (own.notarize !== undefined) {
    const proposed = turn.next.proposals[view] === own.notarize && view % turn.next.size === turn.next.self;
    notify(
      proposed
        ? { kind: "proposal", hash: own.notarize }
        : { kind: "vote", vote: "notarize", view, hash: own.notarize },
    );
  }
  if (own.nullify === true) notify({ kind: "vote", vote: "nullify", view, hash: null });
  if (own.finalize !== undefined) notify({ kind: "vote", vote: "finalize", view, hash: own.finalize });
}

/** With w the highest view that q *other* members report, a member that lost its journal votes only in views above w + 2. */
export function noteSurvey(turn: Turn, member: MemberIndex, view: View): void {
  const { next } = turn;
  if (next.votesAbove !== "unknown" || member === next.self) return;
  next.survey = { ...next.survey, [member]: Math.max(view, next.survey[member] ?? 0) as View };
  const reports = Object.values(next.survey);
  if (reports.length < turn.quorum) return;
  const bound = viewOf(Math.max(...reports) + 2);
  next.votesAbove = bound;
  next.survey = {};
  turn.emit({ type: "recordVotesAbove", view: bound });
}
