/** Certificates in the log, for a client: which there are, recording its own, revoking. */
import type { Aid, Digest, Height } from "../base/brands.ts";
import { digestOf } from "../base/bytes.ts";
import { encode } from "../base/codec.ts";
import {
  type CertificateRecord,
  RECORDED_ROLES,
  REVOCATION_REASONS,
  type RevocationReason,
  certificateIssueShape,
  certificateRevokeShape,
} from "../events/facts/certificate.ts";
import type { Command } from "../events/facts/command.ts";
import type * as Wire from "../wire/generated/sky/certificate/v1/certificate.ts";
import { SkyError } from "./errors.ts";
import { type ClientPorts, ownCommandOf } from "./signing.ts";

/** As the log knows it. */
export interface LoggedCertificate extends CertificateRecord {
  readonly height: Height;
  readonly revocation: { readonly reason: RevocationReason; readonly height: Height; readonly at: number } | null;
}

/** Certificates of the client's own, all of them or none. */
export const recordCommand = (records: readonly CertificateRecord[], ports: ClientPorts): Command =>
  ownCommandOf("certificate.issue", encode(certificateIssueShape, { records }), ports);

export const revokeCommand = (record: CertificateRecord, reason: RevocationReason, ports: ClientPorts): Command =>
  ownCommandOf("certificate.revoke", encode(certificateRevokeShape, { record, reason }), ports);

/** Throws: SkyError MALFORMED when a newer node says what this client does not know. */
export function loggedOf(message: Wire.Certificate): LoggedCertificate {
  const { issuer, serial, aid, spkiHash, notBeforeMs, notAfterMs, height, revocation } = message;
  const role = RECORDED_ROLES.find((known) => known === message.role);
  const reason = REVOCATION_REASONS.find((known) => known === revocation?.reason);
  if (role === undefined || (revocation !== undefined && reason === undefined))
    throw new SkyError("MALFORMED", "The node speaks of a role or reason that this client does not know; update it.");
  return {
    issuer: digest(issuer),
    serial,
    aid: aid as Aid,
    role,
    spkiHash: digest(spkiHash),
    notBefore: Number(notBeforeMs),
    notAfter: Number(notAfterMs),
    height: Number(height) as Height,
    revocation:
      revocation === undefined || reason === undefined
        ? null
        : { reason, height: Number(revocation.height) as Height, at: Number(revocation.atMs) },
  };
}

function digest(bytes: Uint8Array): Digest {
  if (bytes.length === 32) return digestOf(bytes);
  throw new SkyError("MALFORMED", "The node's answer holds a digest that is none; ask another node.", {
    retryable: true,
  });
}
