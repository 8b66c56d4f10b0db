/** Rules of the ceremony as pure functions of context and question. Source: docs/protocol/ceremony.md. */
import type { Aid } from "../../base/brands.ts";
import {
  ATTEMPT_WINDOW_MS,
  type AskedEvent,
  type Attempt,
  CEREMONY_MS,
  type Ceremony,
  type CeremonyContext,
  type CeremonyReply,
  REPLACEABLE_AFTER_MS,
  SEAL_WINDOW_MS,
  type SealVote,
  type ShareFault,
  WRONG_ATTEMPTS_MAX,
} from "./ceremony.types.ts";

/** "carol (EAbc…)": the name helps people, the whole identifier is what counts. */
export function nameOf(context: CeremonyContext, aid: Aid): string {
  const known = context.operators.find((operator) => operator.aid === aid);
  return known === undefined ? aid : `${known.name} (${aid})`;
}

export const namesOf = (context: CeremonyContext, aids: readonly Aid[]): string =>
  aids.map((aid) => nameOf(context, aid)).join(", ");

/** Index i of an operator's share, from 1; 0 for who is no operator. */
export const indexOf = (context: CeremonyContext, aid: Aid): number =>
  context.operators.findIndex((operator) => operator.aid === aid) + 1;

export const isOperator = (context: CeremonyContext, aid: Aid): boolean => indexOf(context, aid) > 0;

export const including = (aids: readonly Aid[], aid: Aid): readonly Aid[] =>
  aids.includes(aid) ? aids : [...aids, aid];

/** How many more shares the open ceremony needs. */
export const missingShares = (context: CeremonyContext): number =>
  Math.max(0, context.threshold - (context.ceremony?.accepted.length ?? 0));

export const seconds = (ms: number): number => Math.max(0, Math.ceil(ms / 1000));

export function openCeremony(question: Extract<AskedEvent, { type: "unsealAsked" }>): Ceremony {
  return {
    id: question.id,
    purpose: "unseal",
    initiator: question.caller,
    sessionKey: question.sessionKey,
    openedAt: question.at,
    deadline: question.at + CEREMONY_MS,
    lastAcceptedAt: null,
    accepted: [],
    rejected: [],
    cancelVotes: [],
  };
}

/** When another operator may replace this ceremony. */
export const replaceableAt = (ceremony: Ceremony): number =>
  (ceremony.lastAcceptedAt ?? ceremony.openedAt) + REPLACEABLE_AFTER_MS;

/** Adds a wrong attempt; of each operator the newest WRONG_ATTEMPTS_MAX are kept. */
export function withAttempt(attempts: readonly Attempt[], attempt: Attempt): readonly Attempt[] {
  const mine = attempts.filter((known) => known.operator === attempt.operator);
  const dropped = mine.length >= WRONG_ATTEMPTS_MAX ? mine[0] : undefined;
  return [...attempts.filter((known) => known !== dropped), attempt];
}

/**
 * When the operator may offer a share again; null if it may now. A clock that went back does not forgive: an attempt "in the
 * future" counts.
 */
export function lockedUntil(context: CeremonyContext, operator: Aid, at: number): number | null {
  const recent = context.attempts.filter(
    (attempt) => attempt.operator === operator && at - attempt.at < ATTEMPT_WINDOW_MS,
  );
  const oldest = recent[0];
  return oldest !== undefined && recent.length >= WRONG_ATTEMPTS_MAX ? oldest.at + ATTEMPT_WINDOW_MS : null;
}

/** Distinct operators that asked to seal within the window, the asking one included. */
export function sealVotes(context: CeremonyContext, operator: Aid, at: number): readonly SealVote[] {
  const others = context.sealVotes.filter((vote) => vote.operator !== operator && at - vote.at < SEAL_WINDOW_MS);
  return [...others, { operator, at }];
}

/** How many distinct operators sealing takes: one, unless it would leave fewer than q unsealed members. */
export const sealersNeeded = (
  context: CeremonyContext,
  question: Extract<AskedEvent, { type: "sealAsked" }>,
): number => (question.unsealedMembers - 1 >= question.quorum ? 1 : context.threshold);

const FAULTS: Readonly<Record<ShareFault, string>> = {
  UNREADABLE_SHARE:
    "could not be opened: it was sealed to another session key, for another ceremony, or changed on the way",
  WRONG_INDEX: "belongs to another operator",
  WRONG_SIGNATURE: "is not signed by that operator's key",
  WRONG_COMMITMENT: "does not fit this node's commitments: it is not the share that was dealt",
};

/** Why a share was refused, naming whose it was. */
export const faultSentence = (context: CeremonyContext, operator: Aid, code: ShareFault): string =>
  `The share that ${nameOf(context, operator)} gave ${FAULTS[code]}. Check that the operator file is the right one and that it holds a share of node ${context.node.name}.`;

/** Replies count what the ceremony has; `missing` can be overridden where other votes are counted. */
export function reply(
  context: CeremonyContext,
  code: CeremonyReply["code"],
  message: string,
  counted?: { readonly shares: number; readonly missing: number },
): CeremonyReply {
  return {
    ok: code === "OK",
    code,
    message,
    shares: counted?.shares ?? context.ceremony?.accepted.length ?? 0,
    missing: counted?.missing ?? (context.ceremony === null ? 0 : missingShares(context)),
    ceremony: context.ceremony?.id ?? null,
  };
}
