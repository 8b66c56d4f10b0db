/** What becomes of certificate.issue and certificate.revoke. Pure; the only clock is the block's time. Source: ADR 0021. */
import type { Aid } from "../../base/brands.ts";
import { decode } from "../../base/codec.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import {
  type CertificateFact,
  type CertificateRecord,
  certificateIssueShape,
  certificateRevokeShape,
} from "../../events/facts/certificate.ts";
import { type Command, PAYLOAD_BYTES_MAX } from "../../events/facts/command.ts";
import { type CertificateReader, certificateName } from "./live-certificates.ts";

export interface CertificateContext {
  readonly author: Aid;
  /** A gateway signed for somebody: nobody's certificates are its to speak of. */
  readonly isFor: Aid | null;
  /** Whether the author is one of the cluster's nodes. */
  readonly isNode: boolean;
  readonly isAdmin: boolean;
  /** Log time. Units: ms since 1970. */
  readonly time: number;
}

export interface CertificateDecision {
  readonly facts: readonly CertificateFact[];
  readonly changed: readonly boolean[];
}

/** Of one identifier at once: a node issues four at a start, and they stay until they end. */
export const CERTIFICATES_OF_AID_MAX = 1_024;
/** Of all: some hundred bytes each, on every replica. */
export const CERTIFICATES_MAX = 262_144;
/**
 * Part of both bounds that is kept on top for administrators' revocations of what nobody recorded: whoever fills the log with certificates of
 * his own, and of identifiers that he delegates to, must keep nobody from having a stolen key refused.
 */
export const RESERVED_FOR_ADMINS = 1 / 4;
/** How far a certificate's end may lie ahead of the log: nothing is kept for ever. Units: ms. */
export const CERTIFICATE_AHEAD_MAX_MS = 400 * 86_400_000;

const SERIAL = /^(?!00)(?:[0-9a-f]{2}){1,20}$/;

type Kind = Extract<Command["kind"], `certificate.${string}`>;

/**
 * Refuses: MALFORMED, PERMISSION_DENIED, CERTIFICATE_RECORD_INVALID, CERTIFICATE_RECORD_DIFFERS, CERTIFICATES_FULL. The same again
 * changes nothing and is no refusal.
 */
export function decideCertificate(
  kind: Kind,
  reader: CertificateReader,
  payload: Uint8Array,
  context: CertificateContext,
): Result<CertificateDecision> {
  if (context.isFor !== null)
    return refuse("PERMISSION_DENIED", "A gateway records no certificates for others; sign the command yourself.");
  return kind === "certificate.issue" ? issue(reader, payload, context) : revoke(reader, payload, context);
}

function issue(
  reader: CertificateReader,
  payload: Uint8Array,
  context: CertificateContext,
): Result<CertificateDecision> {
  const opened = decode(certificateIssueShape, payload, PAYLOAD_BYTES_MAX);
  if (!opened.ok) return refuse("MALFORMED", `The command cannot be read: ${opened.refusal.message}.`);
  const facts: CertificateFact[] = [];
  const names = new Set<string>();
  const changed: boolean[] = [];
  for (const record of opened.value.records) {
    const name = certificateName(record);
    const refusal =
      record.aid === context.author
        ? (judgeRecord(record, context) ?? judgeKnown(reader, record))
        : denied(`${context.author} records its own certificates, and nobody else's.`);
    if (refusal !== undefined) return { ok: false, refusal };
    if (names.has(name))
      return refuse(
        "CERTIFICATE_RECORD_INVALID",
        `The command names certificate ${record.serial} twice; name it once.`,
      );
    names.add(name);
    const isNew = reader.find(name) === undefined;
    changed.push(isNew);
    if (isNew) facts.push({ kind: "certificateIssued", record });
  }
  const full = judgeRoom(reader, context.author, facts.length);
  return full === undefined ? ok({ facts, changed }) : { ok: false, refusal: full };
}

function revoke(
  reader: CertificateReader,
  payload: Uint8Array,
  context: CertificateContext,
): Result<CertificateDecision> {
  const opened = decode(certificateRevokeShape, payload, PAYLOAD_BYTES_MAX);
  if (!opened.ok) return refuse("MALFORMED", `The command cannot be read: ${opened.refusal.message}.`);
  const { record, reason } = opened.value;
  const known = reader.find(certificateName(record));
  const refusal =
    record.aid === context.author || context.isAdmin
      ? (judgeRecord(record, { ...context, isNode: true }) ??
        judgeKnown(reader, record) ??
        (known === undefined ? judgeRoom(reader, record.aid, 1, context.isAdmin) : undefined))
      : denied(`${context.author} revokes its own certificates; an administrator may revoke any.`);
  if (refusal !== undefined) return { ok: false, refusal };
  if (known !== undefined && known.revocation !== null) return ok({ facts: [], changed: [false] });
  return ok({ facts: [{ kind: "certificateRevoked", record, reason }], changed: [true] });
}

const denied = (message: string): Refusal => ({ code: "PERMISSION_DENIED", message, blame: "client" });

function judgeRecord(record: CertificateRecord, { isNode, time }: CertificateContext): Refusal | undefined {
  const invalid = (message: string): Refusal => ({ code: "CERTIFICATE_RECORD_INVALID", message, blame: "client" });
  if (!SERIAL.test(record.serial))
    return invalid("The serial number is not 1 to 20 bytes of lower-case hexadecimal without leading zero bytes.");
  if (record.notAfter < record.notBefore) return invalid("The certificate ends before it begins.");
  if (record.notAfter < time) return invalid("The certificate has ended; there is nothing to record or to revoke.");
  if (record.notAfter > time + CERTIFICATE_AHEAD_MAX_MS)
    return invalid("The certificate ends more than 400 days ahead of the log; issue a shorter one.");
  if (record.role === "node" && !isNode) return denied(`${record.aid} is no node of this cluster.`);
  return undefined;
}

function judgeKnown(reader: CertificateReader, record: CertificateRecord): Refusal | undefined {
  const known = reader.find(certificateName(record))?.record;
  if (known === undefined || KEYS.every((key) => known[key] === record[key])) return undefined;
  return {
    code: "CERTIFICATE_RECORD_DIFFERS",
    message: `Certificate ${record.serial} of this issuer is recorded with another key, role or validity; name it as it is recorded.`,
    blame: "client",
  };
}

const KEYS = ["role", "spkiHash", "notBefore", "notAfter"] as const satisfies readonly (keyof CertificateRecord)[];

function judgeRoom(reader: CertificateReader, aid: Aid, more: number, isReserved = false): Refusal | undefined {
  if (more === 0) return undefined;
  const ofAid = reader.countOf(aid) + more;
  const share = isReserved ? 1 + RESERVED_FOR_ADMINS : 1;
  if (ofAid <= CERTIFICATES_OF_AID_MAX * share && reader.size + more <= CERTIFICATES_MAX * share) return undefined;
  return {
    code: "CERTIFICATES_FULL",
    message:
      "The log holds as many certificates as it may; some end with time, so try again later or issue longer ones.",
    blame: "client",
  };
}
