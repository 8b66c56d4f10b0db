/**
 * What leaves the enclave worker of the ceremony: who asked, who gave a share, who was refused and why; for each type the fields that
 * are shown, by name. Never a share, a session's key, what a root was dealt as, a caller's number, nor a sentence that somebody wrote.
 */
import type {
  Ceremony,
  CeremonyContext,
  CeremonyEffect,
  CeremonyEvent,
  CeremonyRecord,
  CeremonyRequest,
  Operator,
} from "../../machines/ceremony/ceremony.types.ts";
import type { Aid } from "../../base/brands.ts";
import type { Summary } from "./contract.ts";

type Fields = Omit<Summary, "type">;
type ByType<U extends { readonly type: string }> = {
  readonly [T in U["type"]]: (one: Extract<U, { readonly type: T }>, name: NameOf) => Fields;
};
type ByKind<U extends { readonly kind: string }> = {
  readonly [K in U["kind"]]: (one: Extract<U, { readonly kind: K }>, name: NameOf) => Fields;
};

/** Names operators as the founding document does. */
export type NameOf = (aid: Aid) => string;

export const namesIn =
  (operators: readonly Operator[]): NameOf =>
  (aid) =>
    operators.find((operator) => operator.aid === aid)?.name ?? aid;

const EVENTS: ByType<CeremonyEvent> = {
  initialiseAsked: ({ caller }, name) => ({ by: name(caller) }),
  unsealAsked: ({ caller, id }, name) => ({ by: name(caller), ceremony: id }),
  shareOffered: ({ caller, ceremony }, name) => ({ by: name(caller), ceremony }),
  unwrapAsked: ({ caller, ceremony }, name) => ({ by: name(caller), ceremony }),
  cancelAsked: ({ caller, ceremony }, name) => ({ by: name(caller), ceremony }),
  sealAsked: ({ caller, unsealedMembers, quorum }, name) => ({ by: name(caller), unsealedMembers, quorum }),
  shareAcknowledged: ({ caller }, name) => ({ by: name(caller) }),
  passphraseAccepted: () => ({}),
  dealt: () => ({}),
  rewrapped: () => ({}),
  shareVerified: ({ ceremony, operator }, name) => ({ operator: name(operator), ceremony }),
  shareRefuted: ({ ceremony, operator, code }, name) => ({ operator: name(operator), ceremony, code }),
  keystoreOpened: () => ({}),
  openingFailed: ({ blamed }, name) => ({ blamed: blamed.map(name) }),
  drained: () => ({}),
  timerFired: ({ timer }) => ({ timer }),
};

const RECORDS: ByKind<CeremonyRecord> = {
  opened: ({ ceremony, purpose, by }, name) => ({ ceremony, purpose, by: name(by) }),
  replaced: ({ ceremony, by }, name) => ({ ceremony, by: name(by) }),
  accepted: ({ ceremony, operator }, name) => ({ ceremony, operator: name(operator) }),
  rejected: ({ ceremony, operator, code }, name) => ({ ceremony, operator: name(operator), code }),
  dealt: () => ({}),
  initialised: ({ by }, name) => ({ by: name(by) }),
  unsealed: ({ ceremony, by }, name) => ({ ceremony, by: by.map(name) }),
  failed: ({ blamed }, name) => ({ blamed: blamed.map(name) }),
  expired: ({ ceremony }) => ({ ceremony }),
  cancelVoted: ({ ceremony, operator }, name) => ({ ceremony, operator: name(operator) }),
  cancelled: ({ ceremony, by }, name) => ({ ceremony, by: by.map(name) }),
  sealVoted: ({ operator }, name) => ({ operator: name(operator) }),
  sealing: ({ by }, name) => ({ by: by.map(name) }),
  sealed: () => ({}),
  acknowledged: ({ operator }, name) => ({ operator: name(operator) }),
};

const REQUESTS: ByKind<CeremonyRequest> = {
  deal: () => ({}),
  rewrap: () => ({}),
  verifyShare: ({ ceremony, operator, index }, name) => ({ ceremony, operator: name(operator), index }),
  openKeystore: ({ ceremony, operators }, name) => ({ ceremony, operators: operators.map(name) }),
  drain: () => ({}),
};

const EFFECTS: ByKind<CeremonyEffect> = {
  record: ({ record }, name) => ({ record: record.kind, ...fieldsOf(RECORDS, record, name) }),
  reply: ({ reply: { ok, code, shares, missing, ceremony } }) => ({ ok, code, shares, missing, ceremony }),
  setTimer: ({ timer, at }) => ({ timer, at }),
  clearTimer: ({ timer }) => ({ timer }),
  request: ({ request }, name) => ({ request: request.kind, ...fieldsOf(REQUESTS, request, name) }),
  eraseCeremony: ({ ceremony }) => ({ ceremony }),
  forgetShares: () => ({}),
  closeKeystore: () => ({}),
};

const fieldsOf = <U extends { readonly kind: string }>(table: ByKind<U>, one: U, name: NameOf): Fields =>
  (table[one.kind as U["kind"]] as (one: U, name: NameOf) => Fields)(one, name);

export const ceremonyEventSummary = (event: CeremonyEvent, name: NameOf): Summary => ({
  type: event.type,
  ...(EVENTS[event.type] as (event: CeremonyEvent, name: NameOf) => Fields)(event, name),
});

export const ceremonyEffectSummary = (effect: CeremonyEffect, name: NameOf): Summary => ({
  type: effect.kind,
  ...fieldsOf(EFFECTS, effect, name),
});

/** Who has given what, and how many are missing; never what was given. */
export function ceremonyContext(context: CeremonyContext): unknown {
  const name = namesIn(context.operators);
  const { node, operators, threshold, custody, ceremony, outcome, attempts, sealVotes, acknowledged } = context;
  return {
    node: node.name,
    operators: operators.map((operator) => ({ name: operator.name, aid: operator.aid })),
    threshold,
    custody,
    ceremony: ceremony && openCeremony(ceremony, name),
    outcome: outcome && {
      kind: outcome.kind,
      ...(outcome.kind === "failed" ? { blamed: outcome.blamed.map(name) } : { ceremony: outcome.ceremony }),
    },
    attempts: attempts.map(({ operator, at, code }) => ({ operator: name(operator), at, code })),
    sealVotes: sealVotes.map(({ operator, at }) => ({ operator: name(operator), at })),
    acknowledged: acknowledged.map(name),
  };
}

const openCeremony = (ceremony: Ceremony, name: NameOf): unknown => {
  const { id, purpose, initiator, openedAt, deadline, lastAcceptedAt, accepted, rejected, cancelVotes } = ceremony;
  return {
    id,
    purpose,
    initiator: name(initiator),
    openedAt,
    deadline,
    lastAcceptedAt,
    accepted: accepted.map(name),
    rejected: rejected.map(({ operator, at, code }) => ({ operator: name(operator), at, code })),
    cancelVotes: cancelVotes.map(name),
  };
};
