/** Certificates in the log: what an issuance and a revocation say, as commands and as facts. Source: ADR 0021. */
import type { Aid, Digest } from "../../base/brands.ts";
import { type Shape, integer, list, oneOf, record, text, variant } from "../../base/codec.ts";
import { aidShape, digestShape } from "./command.ts";

/** Positions are wire values and never change. A sealed node's boot certificate is in no log. */
export const RECORDED_ROLES = ["node", "operator", "client"] as const;
export type RecordedRole = (typeof RECORDED_ROLES)[number];

/**
 * Why a certificate is revoked, in the words of RFC 5280 §5.3.1 by their place, which never changes. None can be taken back, so
 * certificateHold and removeFromCRL are missing.
 */
export const REVOCATION_REASONS = [
  "unspecified",
  "keyCompromise",
  "cACompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "privilegeWithdrawn",
  "aACompromise",
] as const;
export type RevocationReason = (typeof REVOCATION_REASONS)[number];

/** CRLReason of RFC 5280 §5.3.1. */
export const REASON_CODES: { readonly [R in RevocationReason]: number } = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
  aACompromise: 10,
};

/** What the log keeps of a certificate until it ends. */
export interface CertificateRecord {
  /** SHA-256 of the issuer's SubjectPublicKeyInfo; of a certificate that its owner issued itself, of its own. */
  readonly issuer: Digest;
  /** Hexadecimal, lower case, whole bytes, without leading zero bytes; at most 20 bytes (RFC 5280 §4.1.2.2). */
  readonly serial: string;
  readonly aid: Aid;
  readonly role: RecordedRole;
  /** SHA-256 of the SubjectPublicKeyInfo, DER. */
  readonly spkiHash: Digest;
  /** Units: ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Payload of certificate.issue: certificates of its author, all of them or none. */
export interface CertificateIssue {
  readonly records: readonly CertificateRecord[];
}

/** Payload of certificate.revoke. The record is whole, so that a certificate that nobody recorded can be revoked too. */
export interface CertificateRevoke {
  readonly record: CertificateRecord;
  readonly reason: RevocationReason;
}

export type CertificateFact =
  | { readonly kind: "certificateIssued"; readonly record: CertificateRecord }
  | { readonly kind: "certificateRevoked"; readonly record: CertificateRecord; readonly reason: RevocationReason };

export const RECORDS_PER_COMMAND_MAX = 32;

export const certificateRecordShape: Shape<CertificateRecord> = record<CertificateRecord>("certificate", {
  issuer: digestShape,
  serial: text(40),
  aid: aidShape,
  role: oneOf(...RECORDED_ROLES),
  spkiHash: digestShape,
  notBefore: integer(),
  notAfter: integer(),
});
const reasonShape = oneOf(...REVOCATION_REASONS);

export const certificateIssueShape: Shape<CertificateIssue> = record<CertificateIssue>("certificate.issue", {
  records: list(certificateRecordShape, RECORDS_PER_COMMAND_MAX, 1),
});
export const certificateRevokeShape: Shape<CertificateRevoke> = record<CertificateRevoke>("certificate.revoke", {
  record: certificateRecordShape,
  reason: reasonShape,
});

/** In the order of their tags in factDataShape. */
export const certificateVariants = [
  variant(
    "certificateIssued",
    record<{ readonly record: CertificateRecord }>("issued", { record: certificateRecordShape }),
  ),
  variant(
    "certificateRevoked",
    record<CertificateRevoke>("revoked", { record: certificateRecordShape, reason: reasonShape }),
  ),
] as const;
