/** How refusals appear to gRPC clients: status code, trailers and what may be retried (DESIGN §7). */
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { unreachable } from "../base/errors.ts";
import type { Refusal } from "../base/result.ts";

/** Every code a client can meet. Stable: a code is never renamed, and means the same for ever. */
export const REFUSAL_CODES = [
  "MALFORMED",
  "TOO_LARGE",
  "TOO_MANY",
  "EMPTY_MESSAGE",
  "NAME_EMPTY",
  "NAME_TOO_LONG",
  "NAME_ILL_FORMED",
  "NAME_CONTROL_CHARACTER",
  "NAME_NOT_NFC",
  "NAME_REPLACEMENT_CHARACTER",
  "RELATION_INCOMPLETE",
  "BAD_CURSOR",
  "BAD_METADATA",
  "UNAUTHENTICATED",
  "BAD_SIGNATURE",
  "PERMISSION_DENIED",
  "POLICY_FORBIDDEN",
  "RESERVED",
  "OVERLOADED",
  "RESULT_TOO_LARGE",
  "LIMIT_EXCEEDED",
  "BEHIND",
  "UNAVAILABLE",
  "SEALED",
  "OUTCOME_UNKNOWN",
  "UNAVAILABLE_OUTCOME_UNKNOWN",
  "HISTORY_LAGGING",
  "HEIGHT_UNKNOWN",
  "DEADLINE_EXCEEDED",
  "CANCELLED",
  "CYCLE",
  "PRECONDITION_FAILED",
  "DUPLICATE_ID",
  "EXPIRED",
  "UNSUPPORTED",
  "NOT_FOUND",
  "SLOW_CONSUMER",
  "STALE_KEY_STATE",
  "KERI_MALFORMED",
  "KERI_UNSUPPORTED",
  "KERI_SAID_MISMATCH",
  "KERI_RULE",
  "KERI_BAD_SIGNATURE",
  "KERI_DUPLICITOUS",
  "KERI_ESCROW_FULL",
  "CERTIFICATE_RECORD_INVALID",
  "CERTIFICATE_RECORD_DIFFERS",
  "CERTIFICATES_FULL",
  "FOREIGN_CLUSTER",
  "UNKNOWN_IDENTIFIER",
  "GATEWAY_FORBIDDEN",
  "NOT_AFTER_TOO_FAR",
  "NOT_INITIALISED",
  "ALREADY_INITIALISED",
  "PASSPHRASE_NEEDED",
  "CEREMONY_OPEN",
  "NO_CEREMONY",
  "WRONG_CEREMONY",
  "TOO_FEW_SHARES",
  "NO_SHARE_GIVEN",
  "NOT_INITIATOR",
  "MORE_SEALS_NEEDED",
  "CEREMONY_EXPIRED",
  "CEREMONY_REPLACED",
  "OPENING_FAILED",
  "ALREADY_UNSEALED",
  "UNREADABLE_SHARE",
  "WRONG_INDEX",
  "WRONG_SIGNATURE",
  "WRONG_COMMITMENT",
  "SHARES_FORGOTTEN",
  "SIGNING_REFUSED",
  "PASSPHRASE_WRONG",
  "KEYSTORE_DAMAGED",
  "KEYS_ELSEWHERE",
  "DEFECT",
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

const known: ReadonlySet<string> = new Set(REFUSAL_CODES);
export const isRefusalCode = (code: string): code is RefusalCode => known.has(code);

/** The gRPC status of a refusal. A code this build does not know (a newer node's) is FAILED_PRECONDITION: not retried as it is. */
export const statusOf = (code: string): status =>
  isRefusalCode(code) ? statusOfKnown(code) : status.FAILED_PRECONDITION;

function statusOfKnown(code: RefusalCode): status {
  switch (code) {
    case "MALFORMED":
    case "TOO_LARGE":
    case "TOO_MANY":
    case "EMPTY_MESSAGE":
    case "NAME_EMPTY":
    case "NAME_TOO_LONG":
    case "NAME_ILL_FORMED":
    case "NAME_CONTROL_CHARACTER":
    case "NAME_NOT_NFC":
    case "NAME_REPLACEMENT_CHARACTER":
    case "RELATION_INCOMPLETE":
    case "BAD_CURSOR":
    case "BAD_METADATA":
    case "KERI_MALFORMED":
    case "KERI_UNSUPPORTED":
    case "KERI_SAID_MISMATCH":
    case "KERI_RULE":
    case "KERI_BAD_SIGNATURE":
    case "CERTIFICATE_RECORD_INVALID":
    case "NOT_AFTER_TOO_FAR":
      return status.INVALID_ARGUMENT;
    case "UNAUTHENTICATED":
    case "BAD_SIGNATURE":
      return status.UNAUTHENTICATED;
    case "PERMISSION_DENIED":
    case "POLICY_FORBIDDEN":
    case "GATEWAY_FORBIDDEN":
      return status.PERMISSION_DENIED;
    case "OVERLOADED":
    case "RESULT_TOO_LARGE":
    case "SLOW_CONSUMER":
    case "KERI_ESCROW_FULL":
    case "CERTIFICATES_FULL":
      return status.RESOURCE_EXHAUSTED;
    case "BEHIND":
    case "UNAVAILABLE":
    case "SEALED":
    case "OUTCOME_UNKNOWN":
    case "UNAVAILABLE_OUTCOME_UNKNOWN":
    case "HISTORY_LAGGING":
      return status.UNAVAILABLE;
    case "HEIGHT_UNKNOWN":
      return status.OUT_OF_RANGE;
    case "DEADLINE_EXCEEDED":
      return status.DEADLINE_EXCEEDED;
    case "CANCELLED":
      return status.CANCELLED;
    case "NOT_FOUND":
      return status.NOT_FOUND;
    case "DUPLICATE_ID":
    case "KERI_DUPLICITOUS":
    case "CERTIFICATE_RECORD_DIFFERS":
      return status.ALREADY_EXISTS;
    case "LIMIT_EXCEEDED":
    case "CYCLE":
    case "PRECONDITION_FAILED":
    case "EXPIRED":
    case "RESERVED":
    case "STALE_KEY_STATE":
    case "FOREIGN_CLUSTER":
    case "UNKNOWN_IDENTIFIER":
    case "NOT_INITIALISED":
    case "ALREADY_INITIALISED":
    case "PASSPHRASE_NEEDED":
    case "CEREMONY_OPEN":
    case "NO_CEREMONY":
    case "WRONG_CEREMONY":
    case "TOO_FEW_SHARES":
    case "NO_SHARE_GIVEN":
    case "NOT_INITIATOR":
    case "MORE_SEALS_NEEDED":
    case "CEREMONY_EXPIRED":
    case "CEREMONY_REPLACED":
    case "OPENING_FAILED":
    case "ALREADY_UNSEALED":
    case "UNREADABLE_SHARE":
    case "WRONG_INDEX":
    case "WRONG_SIGNATURE":
    case "WRONG_COMMITMENT":
    case "SHARES_FORGOTTEN":
    case "SIGNING_REFUSED":
    case "PASSPHRASE_WRONG":
    case "KEYSTORE_DAMAGED":
    case "KEYS_ELSEWHERE":
      return status.FAILED_PRECONDITION;
    case "UNSUPPORTED":
      return status.UNIMPLEMENTED;
    case "DEFECT":
      return status.INTERNAL;
    default:
      return unreachable(code);
  }
}

const RETRYABLE: ReadonlySet<string> = new Set<RefusalCode>([
  "OVERLOADED",
  "BEHIND",
  "UNAVAILABLE",
  "SEALED",
  "OUTCOME_UNKNOWN",
  "UNAVAILABLE_OUTCOME_UNKNOWN",
  "HISTORY_LAGGING",
  "SLOW_CONSUMER",
]);
/** Whether sending the same bytes again (the same ids, for a write) may succeed, here or at another node. */
export const isRetryable = (code: string): boolean => RETRYABLE.has(code);

/** 100 ms: a few blocks; long enough for a full queue to move, short enough that an idle cluster is not left waiting. */
export const RETRY_AFTER_DEFAULT_MS = 100;

/** A refusal with how long to wait, where the refuser knows. Units: ms. */
export type TimedRefusal = Refusal & { readonly retryAfterMs?: number };

export const retryAfterOf = (refusal: TimedRefusal): number =>
  refusal.retryAfterMs ??
  (refusal.code === "OVERLOADED" || refusal.code === "HISTORY_LAGGING" ? RETRY_AFTER_DEFAULT_MS : 0);

/** `sky-reason` of a code: BEHIND is `behind`. */
export const reasonOf = (code: string): string => code.toLowerCase().replaceAll("_", "-");

/** Some clients allow 8 KiB of trailers, and percent-encoding triples what is not ASCII. */
const DETAILS_MAX = 1_000;

/**
 * Status and trailers (sky-code, sky-reason, sky-height, grpc-retry-pushback-ms) of a refusal.
 * Bounds: details are cut at 1,000 characters.
 */
export function errorOf(refusal: TimedRefusal, height: number): StatusObject {
  const metadata = new Metadata();
  metadata.set("sky-code", refusal.code);
  metadata.set("sky-reason", reasonOf(refusal.code));
  metadata.set("sky-height", String(height));
  const retryAfter = retryAfterOf(refusal);
  if (retryAfter > 0) metadata.set("grpc-retry-pushback-ms", String(retryAfter));
  // grpc-js percent-encodes details with encodeURI, which throws on a lone surrogate.
  const details = refusal.message.slice(0, DETAILS_MAX).toWellFormed();
  return { code: statusOf(refusal.code), details, metadata };
}
