/**
 * Replies that bind endpoints: who may say them, and which of two is newer.
 * Source: ToIP KERI specification, "OOBI", "Authorized endpoint discovery", "BADA (Best-Available-Data-Acceptance) policy".
 */
import type { Aid } from "../base/brands.ts";
import { present } from "../base/errors.ts";
import { type Result, ok } from "../base/result.ts";
import { isThresholdMet } from "../crypto/threshold.ts";
import type { CheckBudget } from "./check-budget.ts";
import type { KerlReader, KerlRefusal, KerlReply } from "./kerl.ts";
import { NO_ATTACHMENTS } from "./attachment-groups.ts";
import type { Attachments, ReplyMessage } from "./messages.ts";
import { badSignature, broken } from "./rule-names.ts";
import { indicesOf, signaturesMax, validCouples, validIndexed } from "./signature-checks.ts";
import { signerState } from "./transferable-receipts.ts";

const attribute = (reply: ReplyMessage, name: string): string =>
  present(reply.attributes[name], "the parser saw to it");

/** Who must sign: the controller of a role (cid), or the endpoint whose location it is (eid). */
export const replySigner = (reply: ReplyMessage): Aid =>
  attribute(reply, reply.route === "/loc/scheme" ? "eid" : "cid") as Aid;

/** What a reply is about: of two with one subject the newer holds. Adding and cutting a role are about the same. */
export const replySubject = (reply: ReplyMessage): string =>
  reply.route === "/loc/scheme"
    ? `loc ${attribute(reply, "eid")} ${attribute(reply, "scheme")}`
    : `end ${attribute(reply, "cid")} ${attribute(reply, "role")} ${attribute(reply, "eid")}`;

export type ReplyOutcome =
  | { readonly kind: "accepted"; readonly signedAt: number; readonly proof: Attachments }
  | { readonly kind: "known" }
  | { readonly kind: "escrowed"; readonly reason: "out-of-order" | "partially-signed"; readonly keep: Attachments };

/** Refuses: KERI_BAD_SIGNATURE, KERI_RULE for one that is older than what is kept. */
export function judgeReply(
  reader: KerlReader,
  reply: ReplyMessage,
  given: Attachments,
  budget: CheckBudget,
): Result<ReplyOutcome, KerlRefusal> {
  const signer = replySigner(reply);
  const kept = reader.reply(replySubject(reply));
  if (kept?.said === reply.said) return ok({ kind: "known" });
  const [couple] = validCouples(
    reply.bytes,
    given.receiptCouples.filter(({ receiptor }) => receiptor === signer).slice(0, 4),
    budget,
  );
  if (couple !== undefined) return newest(kept, reply, 0, { ...NO_ATTACHMENTS, receiptCouples: [couple] });
  const groups = given.transferableSignatures.filter(({ aid }) => aid === signer);
  let partial = false;
  let unknown = false;
  for (const group of groups.slice(0, 4)) {
    const state = signerState(reader, group);
    if (state === "unknown") unknown = true;
    if (typeof state === "string") continue;
    // Signatures of one establishment event may have come in several groups.
    const all = groups.filter(({ establishment }) => establishment?.said === group.establishment?.said);
    const given = all.flatMap(({ signatures }) => signatures).slice(0, signaturesMax(state.keys.length));
    const signatures = validIndexed(reply.bytes, state.keys, given, budget);
    const proof = { ...NO_ATTACHMENTS, transferableSignatures: [{ ...group, signatures }] };
    if (isThresholdMet(state.threshold, indicesOf(signatures))) return newest(kept, reply, state.sn, proof);
    partial ||= signatures.length > 0;
  }
  const keep = { ...NO_ATTACHMENTS, transferableSignatures: groups };
  if (partial) return ok({ kind: "escrowed", reason: "partially-signed", keep });
  if (unknown) return ok({ kind: "escrowed", reason: "out-of-order", keep });
  return badSignature("The reply is not signed by the identifier that must say it (cid of a role, eid of a location).");
}

/** BADA: keys of a later establishment event, or of the same and a later date. */
function newest(
  kept: KerlReply | undefined,
  { date }: ReplyMessage,
  signedAt: number,
  proof: Attachments,
): Result<ReplyOutcome, KerlRefusal> {
  if (kept !== undefined && (signedAt < kept.signedAt || (signedAt === kept.signedAt && !isLater(date, kept.date))))
    return broken("bada");
  return ok({ kind: "accepted", signedAt, proof });
}

const DATE = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})([+-])(\d\d):(\d\d)$/;

/** Days since 1970-01-01 of the Gregorian calendar. Source: Fliegel and Van Flandern, 1968, for months that begin in March. */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const fromMarch = (month + 9) % 12;
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return shifted * 365 + leapDays + Math.floor((fromMarch * 153 + 2) / 5) + day - 1 - 719_468;
}

/** Seconds since 1970, and microseconds. */
function instant(date: string): readonly [number, number] {
  const parts = present(DATE.exec(date), "the parser saw to it");
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, micros = 0] = parts.slice(1, 8).map(Number);
  const offset = (parts[8] === "-" ? -60 : 60) * (Number(parts[9]) * 60 + Number(parts[10]));
  return [daysOf(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset, micros];
}

function isLater(date: string, than: string): boolean {
  const [seconds, micros] = instant(date);
  const [otherSeconds, otherMicros] = instant(than);
  return seconds !== otherSeconds ? seconds > otherSeconds : micros > otherMicros;
}
