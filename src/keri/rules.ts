/**
 * The rules of key event receipt logs: a message and the logs as they are in, a verdict and facts out. Pure; whatever keeps the
 * logs answers `KerlReader` and folds the facts by `applyKerlFact`.
 *
 * Source: ToIP KERI specification (sections by rule: rule-names.ts); order of judgement as keripy's. Deviates, where the log's total
 * order allows more: the first accepted event of a place is in force for everybody; escrows are judged anew within the command
 * that ends their wait; rivals with valid signatures are evidence.
 */
import { type No, type Result, ok, refuse } from "../base/result.ts";
import { arriveEvent, arriveReceipt, arriveReply } from "./arrival.ts";
import type { EventRefusal } from "./event.ts";
import { type CheckBudget, UNBOUNDED, commandChecks } from "./check-budget.ts";
import { applyKerlFact } from "./kerl-fold.ts";
import type { KerlFact } from "./kerl-facts.ts";
import { KerlOverlay } from "./kerl-overlay.ts";
import {
  ESCROW_BOUNDS,
  type Judging,
  type KerlJudgement,
  type KerlMoment,
  type KerlReader,
  type KerlRefusal,
  type KerlResult,
} from "./kerl.ts";
import type { KeriMessage, ParsedBody } from "./messages.ts";
import { settle } from "./settle.ts";
import { bodyOf } from "./stored-body.ts";

/**
 * Judges a message by itself, as keripy does when it comes: signatures of an event that waits count only once `settle` looks at it
 * again. For `sky kel verify`; the log uses judgeMessage. Refuses: see KerlRefusal.
 */
export function judgeArrival(reader: KerlReader, message: KeriMessage, now: KerlMoment): KerlResult {
  const body: Result<ParsedBody, EventRefusal> = bodyOf(message);
  const judging = { bounds: ESCROW_BOUNDS, checks: UNBOUNDED, ...now };
  return body.ok ? arrive(reader, message, body.value, judging, false) : body;
}

function arrive(
  reader: KerlReader,
  { attached, attachments }: KeriMessage,
  body: ParsedBody,
  now: Judging,
  cumulative: boolean,
): KerlResult {
  switch (body.type) {
    case "rct":
      return arriveReceipt(reader, body, attachments, now, cumulative);
    case "rpy":
      return arriveReply(reader, body, attachments, now);
    default:
      return arriveEvent(reader, { event: body, attached, attachments, cumulative }, now);
  }
}

/**
 * Judges a message together with all that waits: signatures that came before for the same event count, and what waited for it is
 * judged anew, in the order it came. The verdict is that of the message after all of this.
 * Bounds: REPROCESSED_MAX; check-budget.ts (LIMIT_EXCEEDED). Refuses: see KerlRefusal; then nothing changed.
 */
export function judgeMessage(reader: KerlReader, message: KeriMessage, now: KerlMoment): KerlResult {
  const body: Result<ParsedBody, EventRefusal> = bodyOf(message);
  if (!body.ok) return body;
  const judging = { bounds: ESCROW_BOUNDS, checks: commandChecks(), ...now };
  judging.checks.arriving.readBody(body.value);
  const arrived = arrive(reader, message, body.value, judging, true);
  if (judging.checks.arriving.isSpent) return tooDear(judging.checks.arriving);
  if (!arrived.ok || arrived.value.facts.length === 0) return arrived;
  if (body.value.type === "rpy" || reader.escrowCount() === 0) return arrived;
  if (!arrived.value.facts.some(({ kind }) => kind === "keyEventAccepted")) return arrived;
  const overlay = new KerlOverlay(reader);
  for (const fact of arrived.value.facts) applyKerlFact(overlay, fact, now.height);
  const settled = settle(overlay, body.value, judging);
  return ok(concluded(arrived.value, body.value, [...arrived.value.facts, ...settled]));
}

const tooDear = ({ all }: CheckBudget): No<KerlRefusal> =>
  refuse(
    "LIMIT_EXCEEDED",
    `The signatures cost more than ${all} checks of Ed25519; send the messages in several commands.`,
    "peer",
  );

/** The verdict and the facts after what followed: a wait that ended in the same breath is left out. */
function concluded(arrived: KerlJudgement, { said }: ParsedBody, facts: readonly KerlFact[]): KerlJudgement {
  const accepted = new Set(facts.filter(({ kind }) => kind === "keyEventAccepted").map((fact) => fact.said));
  const kept = facts.filter(
    (fact) => fact.kind !== "keyEventEscrowed" || !accepted.has(fact.said) || fact.waitsFor !== fact.aid,
  );
  const completed = arrived.verdict === "escrowed:unverified-receipt" && accepted.has(said);
  return { verdict: completed ? "receipt" : arrived.verdict, facts: kept };
}
