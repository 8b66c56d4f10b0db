/** What must hold after every step of every path of a ceremony (docs/protocol/ceremony.md). */
import { restore } from "../../../src/actors/enclave/restore.ts";
import type { Aid } from "../../../src/base/brands.ts";
import {
  ATTEMPT_WINDOW_MS,
  type CeremonyContext,
  type CeremonyEffect,
  type CeremonyEvent,
  SEAL_WINDOW_MS,
  WRONG_ATTEMPTS_MAX,
} from "../../../src/machines/ceremony/ceremony.types.ts";
import { type Desk, nameOf } from "../../scenarios/ceremony/desk.ts";

/** What the path itself counted, apart from the machine. */
export interface Seen {
  /** Operators whose share was checked and fits, by ceremony. */
  readonly fitted: Readonly<Record<string, readonly Aid[]>>;
  /** Calls that have no reply yet. */
  readonly unanswered: readonly number[];
}

export interface Step {
  readonly before: Desk;
  readonly event: CeremonyEvent;
  readonly after: Desk;
  readonly seen: Seen;
}

type Rule = (step: Step) => string | undefined;

const contextOf = (desk: Desk): CeremonyContext => desk.snapshot.context;
const effectsOf = <K extends CeremonyEffect["kind"]>(desk: Desk, kind: K) =>
  desk.effects.filter((effect): effect is Extract<CeremonyEffect, { kind: K }> => effect.kind === kind);
const recordsOf = (desk: Desk) => effectsOf(desk, "record").map(({ record }) => record);

/** Attempts and blame are journalled before the answer. */
const recordsFirst: Rule = ({ after }) => {
  const reply = after.effects.findIndex(({ kind }) => kind === "reply");
  const record = after.effects.findLastIndex(({ kind }) => kind === "record");
  return reply >= 0 && record > reply ? "something is recorded after the answer" : undefined;
};

/** Every call gets one reply: at once, or when the request it waits for is answered. */
const oneReply: Rule = ({ event, after, seen }) => {
  const open = "call" in event ? [...seen.unanswered, event.call] : [...seen.unanswered];
  for (const { call } of effectsOf(after, "reply")) {
    if (!open.includes(call)) return `call ${call} was answered twice`;
    open.splice(open.indexOf(call), 1);
  }
  const waiting = contextOf(after).pending?.call;
  const forgotten = open.filter((call) => call !== waiting);
  return forgotten.length === 0 ? undefined : `call ${forgotten.join()} never gets an answer`;
};

/** Never accepts a wrong share, counts each operator once. */
const acceptsWhatFits: Rule = ({ after, seen }) => {
  const { ceremony } = contextOf(after);
  if (ceremony === null) return undefined;
  const { accepted, id } = ceremony;
  if (new Set(accepted).size !== accepted.length) return "an operator counts twice";
  const wrong = accepted.find((operator) => seen.fitted[id]?.includes(operator) !== true);
  return wrong === undefined ? undefined : `the share of ${nameOf(wrong)} was accepted and never found to fit`;
};

/** The keystore is opened by k distinct operators only, whose shares fit. */
const opensAtThreshold: Rule = ({ after, seen }) => {
  for (const { request } of effectsOf(after, "request")) {
    if (request.kind !== "openKeystore") continue;
    const fitting = new Set(request.operators.filter((one) => seen.fitted[request.ceremony]?.includes(one) === true));
    if (fitting.size < contextOf(after).threshold) return `the keystore is to be opened with ${fitting.size} shares`;
  }
  return undefined;
};

/** Unsealed is only who opened a keystore, or was just initialised. */
const unsealsByOpening: Rule = ({ before, event, after }) =>
  after.snapshot.value === "unsealed" &&
  before.snapshot.value !== "unsealed" &&
  !["keystoreOpened", "rewrapped"].includes(event.type)
    ? `unsealed by ${event.type}`
    : undefined;

/** Never leaks: whatever a ceremony collected is erased in the step that ends it, and its timer ends with it. */
const erasesWhatEnds: Rule = ({ before, event, after }) => {
  const was = contextOf(before).ceremony;
  const isNow = contextOf(after).ceremony;
  if (was !== null && was.id !== isNow?.id) {
    if (!effectsOf(after, "eraseCeremony").some(({ ceremony }) => ceremony === was.id))
      return "a ceremony ended unerased";
    if (after.timers[`ceremony:${was.id}`] !== undefined) return "a ceremony ended and its timer runs on";
  }
  if (isNow !== null && after.snapshot.value !== "unwrapping" && after.timers[`ceremony:${isNow.id}`] === undefined)
    return "a ceremony is open and nothing will end it";
  const sealedNow = after.snapshot.value === "sealed" && before.snapshot.value === "draining";
  if (sealedNow && effectsOf(after, "closeKeystore").length !== 1)
    return `sealed by ${event.type} with the keystore open`;
  return undefined;
};

/** States and what stands in the context agree. */
const standsWhereItSays: Rule = ({ after }) => {
  const { ceremony, pending } = contextOf(after);
  const state = String(after.snapshot.value);
  if ((pending !== null) !== ["verifying", "unwrapping"].includes(state))
    return `${state}, and a call waits: ${pending !== null}`;
  const gathers = ["collecting", "verifying", "unwrapping"].includes(state);
  if (ceremony !== null && !gathers) return `${state} with a ceremony open`;
  return ceremony === null && (state === "collecting" || state === "verifying")
    ? `${state} without a ceremony`
    : undefined;
};

/** Wrong attempts are rate-limited per operator, counted from the journal alone. */
const limitsAttempts: Rule = ({ before, event, after }) => {
  const checks = effectsOf(after, "request").find(({ request }) => request.kind === "verifyShare");
  if (checks?.request.kind !== "verifyShare") return undefined;
  const { operator } = checks.request;
  const recent = before.journal.filter(
    (record) => record.kind === "rejected" && record.operator === operator && event.at - record.at < ATTEMPT_WINDOW_MS,
  ).length;
  return recent < WRONG_ATTEMPTS_MAX ? undefined : `${nameOf(operator)} gave ${recent} wrong shares and may try again`;
};

/** A restart forgives nothing: what the machine remembers is what the journal says. */
const journalSuffices: Rule = ({ after }) => {
  const { attempts, acknowledged, custody } = contextOf(after);
  const restored = restore(after.journal);
  if (JSON.stringify(restored.attempts) !== JSON.stringify(attempts))
    return "a restart would change the wrong attempts";
  return custody !== "root" || JSON.stringify(restored.acknowledged) === JSON.stringify(acknowledged)
    ? undefined
    : "a restart would change who has acknowledged";
};

/** Strangers get nothing; who is refused changes nothing, unless the refusal says that it counts. */
const refusalsChangeNothing: Rule = ({ before, event, after }) => {
  const context = contextOf(after);
  const changed = context !== contextOf(before) || after.snapshot.value !== before.snapshot.value;
  if (after.refused !== undefined && (changed || after.effects.length > 0)) return "a refused event changed something";
  if (!("caller" in event)) return undefined;
  const [reply] = effectsOf(after, "reply");
  const isOperator = context.operators.some(({ aid }) => aid === event.caller);
  if (!isOperator && reply?.reply.code !== "NOT_OPERATOR") return "a stranger was not refused";
  const counts = ["NOT_INITIATOR", "MORE_SEALS_NEEDED", "CEREMONY_EXPIRED"];
  const refuses =
    reply !== undefined && reply.call === event.call && !reply.reply.ok && !counts.includes(reply.reply.code);
  return refuses && (changed || after.effects.length > 1) ? `${reply.reply.code} changed something` : undefined;
};

/** Sealing takes one operator, or k distinct ones within ten minutes where it would leave fewer than q unsealed members. */
const sealsByEnough: Rule = ({ before, event, after }) => {
  if (event.type !== "sealAsked" || !recordsOf(after).some(({ kind }) => kind === "sealing")) return undefined;
  if (event.unsealedMembers - 1 >= event.quorum) return undefined;
  const since = before.journal.findLastIndex(({ kind }) => ["unsealed", "initialised", "sealing"].includes(kind));
  const voters = new Set<Aid>([event.caller]);
  before.journal.forEach((record, at) => {
    if (at > since && record.kind === "sealVoted" && event.at - record.at < SEAL_WINDOW_MS) voters.add(record.operator);
  });
  return voters.size >= contextOf(after).threshold
    ? undefined
    : `${voters.size} operators sealed a node that was needed`;
};

/** Only its initiator or k operators cancel a ceremony. */
const cancelsByRight: Rule = ({ before, after }) => {
  const cancelled = recordsOf(after).find(({ kind }) => kind === "cancelled");
  const was = contextOf(before).ceremony;
  if (cancelled?.kind !== "cancelled" || was === null) return undefined;
  const may = cancelled.by.includes(was.initiator) || new Set(cancelled.by).size >= contextOf(after).threshold;
  return may ? undefined : `${cancelled.by.map(nameOf).join()} cancelled what another opened`;
};

/** A new ceremony of another operator replaces one without an accepted share for 60 s, and no younger one. */
const replacesWhatStoodStill: Rule = ({ before, event, after }) => {
  const was = contextOf(before).ceremony;
  if (was === null || !recordsOf(after).some(({ kind }) => kind === "replaced")) return undefined;
  if ("caller" in event && event.caller === was.initiator) return "a ceremony was replaced by its own initiator";
  const age = event.at - (was.lastAcceptedAt ?? was.openedAt);
  return age >= 60_000 ? undefined : `a ceremony was replaced after ${age} ms`;
};

/** The sealed shares are forgotten when all n operators have acknowledged, not sooner. */
const forgetsAtTheEnd: Rule = ({ after }) => {
  if (effectsOf(after, "forgetShares").length === 0) return undefined;
  const { acknowledged, operators } = contextOf(after);
  return new Set(acknowledged).size === operators.length ? undefined : "shares were forgotten that somebody needs";
};

const RULES: Readonly<Record<string, Rule>> = {
  recordsFirst,
  oneReply,
  acceptsWhatFits,
  opensAtThreshold,
  unsealsByOpening,
  erasesWhatEnds,
  standsWhereItSays,
  limitsAttempts,
  journalSuffices,
  refusalsChangeNothing,
  sealsByEnough,
  cancelsByRight,
  replacesWhatStoodStill,
  forgetsAtTheEnd,
};

/** The first rule that a step broke, by name and in words. */
export function brokenRule(step: Step): string | undefined {
  for (const [name, rule] of Object.entries(RULES)) {
    const fault = rule(step);
    if (fault !== undefined) return `${name}: ${fault}`;
  }
  return undefined;
}
