/** What a consensus machine asks for, in words: one line for each effect. */
import type { Digest } from "../../../src/base/brands.ts";
import { unreachable } from "../../../src/base/errors.ts";
import type { ConsensusEffect, PeerNotice } from "../../../src/machines/consensus/types.ts";
import type { Book } from "./book.ts";

export function effectLine(book: Book, effect: ConsensusEffect): string {
  const about = ({ view, hash }: { readonly view: number; readonly hash: Digest | null }): string =>
    hash === null ? `${view}` : `${book.name(hash)} (view ${view})`;
  switch (effect.type) {
    case "recordVote":
      return `record vote: ${effect.kind} ${about(effect)}`;
    case "recordProposal":
      return `record proposal: ${about(effect)}`;
    case "recordCandidate":
      return `record block: ${book.name(effect.hash)} with its bundles`;
    case "recordCertificate": {
      const signers = effect.signers === null ? "" : `, of votes from ${effect.signers.join(" ")}`;
      return `record certificate: ${effect.kind} ${about(effect)}${signers}`;
    }
    case "recordVerdict":
      return `record verdict: ${about(effect)} ${effect.verdict}`;
    case "recordVotesAbove":
      return `record: votes only above view ${effect.view}`;
    case "recordFinal":
      return `record final: ${effect.hashes.map((hash) => book.name(hash)).join(" ")}, by the finalization of view ${effect.view}`;
    case "recordEvidence":
      return `record evidence: ${effect.evidence.kind} of member ${effect.evidence.member} in view ${effect.evidence.view}`;
    case "send":
      return `send to ${effect.to}: ${noticeText(book, effect.notice)}`;
    case "broadcast":
      return `send to all: ${noticeText(book, effect.notice)}`;
    case "passOn":
      return `pass on: ${effect.certificate} ${about(effect)}`;
    case "setTimer":
      return `set timer: ${effect.timer} ${effect.ms} ms`;
    case "clearTimer":
      return `clear timer: ${effect.timer}`;
    case "requestSignature":
      return `ask for signature: ${effect.kind} ${about(effect)}`;
    case "requestJudgement":
      return `ask for judgement: body of ${book.name(effect.hash)}`;
    case "requestBlock":
      return `ask for block: ${about(effect)}`;
    case "requestProposal": {
      const { checkpoint, executedHeight, executedRoot } = effect;
      const what =
        checkpoint === null ? listed(" with", effect.bundles, book) : `, a checkpoint of height ${checkpoint}`;
      return `ask for proposal: view ${effect.view} on ${book.name(effect.parent)}${what}, executed ${executedHeight} ${book.name(executedRoot)}`;
    }
    case "requestSynchronisation":
      return `ask for synchronisation: up to ${about(effect)}`;
    case "halt":
      return `halt: at height ${effect.height} it has ${book.name(effect.root)}, others have ${book.name(effect.theirs)}`;
    case "refuseInput":
      return `refuse: ${effect.reason}${effect.member === null ? "" : ` (member ${effect.member})`}`;
    default:
      return unreachable(effect);
  }
}

const listed = (before: string, digests: readonly Digest[], book: Book): string =>
  digests.length === 0 ? "" : `${before} ${digests.map((one) => book.name(one)).join(" ")}`;

function noticeText(book: Book, notice: PeerNotice): string {
  switch (notice.kind) {
    case "vote":
      return `vote ${notice.vote} ${notice.hash === null ? notice.view : book.name(notice.hash)}`;
    case "proposal":
      return `proposal ${book.name(notice.hash)}`;
    case "certificate":
      return `${notice.certificate} ${notice.hash === null ? notice.view : book.name(notice.hash)}`;
    case "bundles":
      return `bundles${listed("", notice.digests, book)}`;
    case "root":
      return `root at ${notice.height}: ${book.name(notice.root)}`;
    case "ancestryRequest":
      return `ancestry request for view ${notice.view}`;
    case "surveyRequest":
      return "survey request";
    default:
      return unreachable(notice);
  }
}
