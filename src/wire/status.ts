/** How refusals appear to gRPC clients: status code, trailers and what may be retried (DESIGN §7). */
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import type { Refusal } from "../base/result.ts";

/** Every code a client can meet, by its gRPC status. Stable: a code is never renamed, and means the same for ever. */
const CODES = {
  INVALID_ARGUMENT: [
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
    "KERI_MALFORMED",
    "KERI_UNSUPPORTED",
    "KERI_SAID_MISMATCH",
    "KERI_RULE",
    "KERI_BAD_SIGNATURE",
    "CERTIFICATE_RECORD_INVALID",
    "NOT_AFTER_TOO_FAR",
  ],
  UNAUTHENTICATED: ["UNAUTHENTICATED", "BAD_SIGNATURE", "IDENTITY_REFUSED"],
  PERMISSION_DENIED: ["PERMISSION_DENIED", "POLICY_FORBIDDEN", "GATEWAY_FORBIDDEN"],
  RESOURCE_EXHAUSTED: ["OVERLOADED", "RESULT_TOO_LARGE", "SLOW_CONSUMER", "KERI_ESCROW_FULL", "CERTIFICATES_FULL"],
  UNAVAILABLE: [
    "BEHIND",
    "UNAVAILABLE",
    "SEALED",
    "OUTCOME_UNKNOWN",
    "UNAVAILABLE_OUTCOME_UNKNOWN",
    "HISTORY_LAGGING",
    "PROOF_PENDING",
  ],
  OUT_OF_RANGE: ["HEIGHT_UNKNOWN"],
  DEADLINE_EXCEEDED: ["DEADLINE_EXCEEDED"],
  CANCELLED: ["CANCELLED"],
  NOT_FOUND: ["NOT_FOUND"],
  ALREADY_EXISTS: ["DUPLICATE_ID", "KERI_DUPLICITOUS", "CERTIFICATE_RECORD_DIFFERS"],
  FAILED_PRECONDITION: [
    "LIMIT_EXCEEDED",
    "CYCLE",
    "PRECONDITION_FAILED",
    "EXPIRED",
    "RESERVED",
    "STALE_KEY_STATE",
    "FOREIGN_CLUSTER",
    "UNKNOWN_IDENTIFIER",
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
    "REBUILD_RUNNING",
    "NO_PREVIOUS",
    "NOTHING_TO_ACCEPT",
    "DIFFERENCE_CHANGED",
    "NOTHING_TO_CANCEL",
    "NOT_PROVABLE",
    "PROOF_UNSOUND",
  ],
  UNIMPLEMENTED: ["UNSUPPORTED"],
  INTERNAL: ["DEFECT"],
} as const satisfies { readonly [name in keyof typeof status]?: readonly string[] };
type StatusName = keyof typeof CODES;
export type RefusalCode = (typeof CODES)[StatusName][number];

const isStatusName = (name: string): name is StatusName => Object.hasOwn(CODES, name);
const statuses: ReadonlyMap<string, status> = new Map(
  Object.keys(CODES)
    .filter(isStatusName)
    .flatMap((name) => CODES[name].map((code): readonly [string, status] => [code, status[name]])),
);
export const REFUSAL_CODES: readonly RefusalCode[] = Object.values(CODES).flat();

export const isRefusalCode = (code: string): code is RefusalCode => statuses.has(code);

/** The gRPC status of a refusal. A code this build does not know (a newer node's) is FAILED_PRECONDITION: not retried as it is. */
export const statusOf = (code: string): status => statuses.get(code) ?? status.FAILED_PRECONDITION;

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
