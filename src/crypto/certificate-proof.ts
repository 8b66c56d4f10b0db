/**
 * What binds a TLS key to a KERI identifier: a statement that the identifier's current keys sign, carried in a certificate's
 * extension. Source: DESIGN §6.
 */
import type { Aid, Digest } from "../base/brands.ts";
import {
  type DecodeRefusal,
  type Shape,
  bytes,
  decode,
  encode,
  hex,
  integer,
  list,
  oneOf,
  record,
  text,
} from "../base/codec.ts";
import { type Result, ok } from "../base/result.ts";
import { signingBytes } from "./hash.ts";
import { type KeySet, type KeySignature, isSignedBy } from "./key-set.ts";

/** Positions are wire values and never change. */
export const CERTIFICATE_ROLES = ["node", "operator", "client", "boot"] as const;
export type CertificateRole = (typeof CERTIFICATE_ROLES)[number];

export interface CertificateProofBody {
  readonly cluster: Digest;
  readonly aid: Aid;
  /** Sequence number of the establishment event whose keys sign; 0 for boot. */
  readonly keySn: number;
  /** SHA-256 of the SubjectPublicKeyInfo, DER. */
  readonly spkiHash: Digest;
  /** Units: ms since 1970, whole seconds (certificates know no smaller unit). */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Subject alternative names in the certificate's order: DNS:…, IP:…, URI:…. */
  readonly sans: readonly string[];
  readonly role: CertificateRole;
}

export interface CertificateProof {
  /** Encoded CertificateProofBody: the exact bytes that were signed. */
  readonly body: Uint8Array;
  readonly signatures: readonly KeySignature[];
}

export const SANS_MAX = 32;
const PROOF_BYTES_MAX = 12 * 1024;

const bodyShape: Shape<CertificateProofBody> = record("certificate proof body", {
  cluster: hex<Digest>(32),
  aid: text<Aid>(44),
  keySn: integer(),
  spkiHash: hex<Digest>(32),
  notBefore: integer(),
  notAfter: integer(),
  sans: list(text(300), SANS_MAX, 1),
  role: oneOf(...CERTIFICATE_ROLES),
});

const proofShape: Shape<CertificateProof> = record("certificate proof", {
  body: bytes(1, PROOF_BYTES_MAX),
  signatures: list(record<KeySignature>("signature", { index: integer(0, 63), sig: bytes(64) }), 64, 1),
});

/** Milliseconds as certificates can say them: whole seconds, rounded down. */
export const wholeSeconds = (ms: number): number => Math.floor(ms / 1000) * 1000;

/** Encoded body, its dates rounded down to whole seconds. What is signed is `certificateSigningBytes` of it. */
export const certificateProofBody = (body: CertificateProofBody): Uint8Array =>
  encode(bodyShape, { ...body, notBefore: wholeSeconds(body.notBefore), notAfter: wholeSeconds(body.notAfter) });

export const certificateSigningBytes = (cluster: Digest, body: Uint8Array): Uint8Array =>
  signingBytes("certificate", cluster, body);

export const encodeCertificateProof = (proof: CertificateProof): Uint8Array => encode(proofShape, proof);

/** A proof with its body read; nothing about it is verified. Bounds: 12 KiB. Refuses: MALFORMED, TOO_LARGE. */
export function decodeCertificateProof(
  input: Uint8Array,
): Result<{ readonly proof: CertificateProof; readonly body: CertificateProofBody }, DecodeRefusal> {
  const proof = decode(proofShape, input, PROOF_BYTES_MAX);
  if (!proof.ok) return proof;
  const body = decode(bodyShape, proof.value.body, PROOF_BYTES_MAX);
  return body.ok ? ok({ proof: proof.value, body: body.value }) : body;
}

/** Whether the keys signed this proof for this cluster. */
export const isProofSignedBy = (keys: KeySet, cluster: Digest, proof: CertificateProof): boolean =>
  isSignedBy(keys, certificateSigningBytes(cluster, proof.body), proof.signatures);
