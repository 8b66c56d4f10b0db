/** Judging the certificate of whoever is at the other end of a connection. Never throws; time is an argument. */
import { type KeyObject, X509Certificate } from "node:crypto";
import { SubjectAlternativeNameExtension, X509Certificate as ParsedCertificate } from "./x509-library.ts";
import type { Aid, Digest } from "../base/brands.ts";
import { equalBytes } from "../base/bytes.ts";
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";
import {
  type CertificateProof,
  type CertificateProofBody,
  type CertificateRole,
  decodeCertificateProof,
  isProofSignedBy,
} from "./certificate-proof.ts";
import { publicKeyObject } from "./ed25519.ts";
import type { KeySet } from "./key-set.ts";
import { didUri, fromExtension } from "./subject-names.ts";
import { ed25519Key } from "./verification-key.ts";
import { PROOF_OID, ROTATIONS_OID, spkiHashOf } from "./x509.ts";

/** A leaf of ours has under 2 KiB; 64 KiB of rotations and 32 long names fit in the rest. */
export const CERTIFICATE_DER_BYTES_MAX = 80 * 1024;

export interface PeerIdentity {
  readonly aid: Aid;
  readonly role: CertificateRole;
  readonly keySn: number;
  readonly sans: readonly string[];
  /** Units: ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spkiHash: Digest;
}

/** What the verifier knows: the replicated key states, and the anchors of the founding document and of admissions. */
export interface Trust {
  readonly cluster: Digest;
  /** Units: ms since 1970. */
  readonly now: number;
  /** Current key state; undefined for an identifier that is not known. */
  readonly keyStateOf: (aid: Aid) => (KeySet & { readonly sn: number }) | undefined;
  /**
   * The key state at `sn` that these rotations (a CESR stream, from a stranger) lead to from the current one; undefined when they do
   * not. Absent: only current keys count. With it a peer whose rotation is still on its way here is known, as it was committed to.
   */
  readonly keyStateAfter?: (
    aid: Aid,
    rotations: Uint8Array,
    sn: number,
  ) => (KeySet & { readonly sn: number }) | undefined;
  /** Issuer certificate (DER) that a node's chain must end in; absent: its proof alone counts, as on the admission port. */
  readonly issuerOf?: (aid: Aid) => Uint8Array | undefined;
  /** Ed25519 boot key of a node; absent: boot certificates are refused, as everywhere but on a sealed node's port. */
  readonly bootKeyOf?: (aid: Aid) => Uint8Array | undefined;
  /** Whether this TLS key may stand for this identifier no more, whatever certificate carries it. Absent: revocations are not known here. */
  readonly isRevoked?: (aid: Aid, spkiHash: Digest) => boolean;
}

export type CertificateRefusal = Refusal<
  | "CERTIFICATE_MALFORMED"
  | "CERTIFICATE_NOT_IN_FORCE"
  | "CERTIFICATE_OTHER_CLUSTER"
  | "CERTIFICATE_PROOF_MISMATCH"
  | "CERTIFICATE_UNKNOWN_IDENTIFIER"
  | "CERTIFICATE_KEY_ROTATED"
  | "CERTIFICATE_PROOF_UNSIGNED"
  | "CERTIFICATE_CHAIN_BROKEN"
  | "CERTIFICATE_REVOKED"
>;

const malformed = (message: string) => refuse("CERTIFICATE_MALFORMED", message, "peer");

interface Opened {
  readonly certificate: X509Certificate;
  readonly sans: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  readonly proof: CertificateProof;
  readonly body: CertificateProofBody;
  /** Rotations of the identifier that the certificate brings along; empty for none. */
  readonly rotations: Uint8Array;
}

/**
 * Who presents this certificate, if it is in force and the identifier's current keys stand behind every word of it.
 * Bounds: 80 KiB. Refuses: see CertificateRefusal.
 */
export function verifyPeerCertificate(der: Uint8Array, trust: Trust): Result<PeerIdentity, CertificateRefusal> {
  if (der.length > CERTIFICATE_DER_BYTES_MAX)
    return malformed(`The certificate has ${der.length} bytes; at most ${CERTIFICATE_DER_BYTES_MAX} are read.`);
  const opened = open(der);
  if (!opened.ok) return opened;
  const { certificate, sans, notBefore, notAfter, proof, body } = opened.value;
  if (trust.now < notBefore || trust.now > notAfter) {
    return refuse(
      "CERTIFICATE_NOT_IN_FORCE",
      "The certificate is not in force now; have it renewed and check both clocks.",
      "peer",
    );
  }
  if (body.cluster !== trust.cluster)
    return refuse("CERTIFICATE_OTHER_CLUSTER", "The certificate is for another cluster.", "peer");
  if (!matches(body, opened.value)) {
    return refuse(
      "CERTIFICATE_PROOF_MISMATCH",
      "The certificate's key, dates or names are not those that its identifier signed.",
      "peer",
    );
  }
  const keys = keysFor(opened.value, trust);
  if (keys === undefined) {
    return refuse(
      "CERTIFICATE_UNKNOWN_IDENTIFIER",
      "The certificate's identifier is not known here in that role; introduce it first.",
      "peer",
    );
  }
  if (keys.sn !== body.keySn) {
    return refuse(
      "CERTIFICATE_KEY_ROTATED",
      "The certificate was signed by keys that are not the identifier's current ones; issue a new one.",
      "peer",
    );
  }
  if (!isProofSignedBy(keys, trust.cluster, proof)) {
    return refuse(
      "CERTIFICATE_PROOF_UNSIGNED",
      "The certificate's proof is not signed by its identifier's keys.",
      "peer",
    );
  }
  if (!isIssuedRightly(certificate, body, trust)) {
    return refuse(
      "CERTIFICATE_CHAIN_BROKEN",
      "The certificate was not issued by the anchor of its identifier.",
      "peer",
    );
  }
  if (trust.isRevoked?.(body.aid, body.spkiHash) === true) {
    return refuse(
      "CERTIFICATE_REVOKED",
      "The certificate's key was revoked; issue a certificate for a fresh key.",
      "peer",
    );
  }
  return ok({ aid: body.aid, role: body.role, keySn: body.keySn, sans, notBefore, notAfter, spkiHash: body.spkiHash });
}

/** Reads the certificate twice: OpenSSL's reading counts for keys and signatures, the other for names and our extension. */
function open(der: Uint8Array): Result<Opened, CertificateRefusal> {
  try {
    const certificate = new X509Certificate(der);
    if (!equalBytes(certificate.raw, der)) return malformed("Bytes follow the certificate, or it is not DER.");
    const parsed = new ParsedCertificate(new Uint8Array(der).buffer);
    const proofs = parsed.getExtensions(PROOF_OID);
    const names = parsed.getExtensions(SubjectAlternativeNameExtension);
    const [brought, ...more] = parsed.getExtensions(ROTATIONS_OID);
    const [extension] = proofs;
    const [name] = names;
    if (extension === undefined || name === undefined || proofs.length !== 1 || names.length !== 1 || more.length > 0) {
      return malformed(
        "The certificate needs exactly one identifier proof and one list of names; ask `sky` to issue it.",
      );
    }
    const sans = fromExtension(name);
    const decoded = decodeCertificateProof(new Uint8Array(extension.value));
    if (sans === undefined || !decoded.ok) return malformed("The certificate's proof or names cannot be read.");
    if (certificate.ca || certificate.publicKey.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
      return malformed("The certificate is not a leaf with a P-256 key.");
    }
    return ok({
      certificate,
      sans,
      notBefore: parsed.notBefore.getTime(),
      notAfter: parsed.notAfter.getTime(),
      ...decoded.value,
      rotations: brought === undefined ? new Uint8Array(0) : new Uint8Array(brought.value),
    });
  } catch {
    return malformed("The certificate is not well-formed X.509.");
  }
}

const matches = (body: CertificateProofBody, { certificate, sans, notBefore, notAfter }: Opened): boolean =>
  body.spkiHash === spkiHashOf(certificate.publicKey) &&
  body.notBefore === notBefore &&
  body.notAfter === notAfter &&
  body.sans.length === sans.length &&
  body.sans.every((name, i) => name === sans[i]) &&
  // Its own identifier and no other: a name that the signer chose must not pass for somebody else's.
  body.sans.filter((name) => name.startsWith("URI:")).join() === didUri(body.aid);

function keysFor(
  { certificate, body, rotations }: Opened,
  trust: Trust,
): (KeySet & { readonly sn: number }) | undefined {
  const { aid, role, keySn } = body;
  if (role === "boot") {
    const key = trust.bootKeyOf?.(aid);
    return key === undefined ? undefined : { sn: 0, keys: [ed25519Key(key)], threshold: 1 };
  }
  const known = trust.keyStateOf(aid);
  if (known === undefined || keySn <= known.sn || rotations.length === 0) return known;
  // Events are read last: of whoever the identifier's anchor has certified.
  return (
    (isIssuedRightly(certificate, body, trust) ? trust.keyStateAfter?.(aid, rotations, keySn) : undefined) ?? known
  );
}

/** Nodes chain to their issuer, boot certificates to the boot key, operators and clients to themselves. */
function isIssuedRightly(certificate: X509Certificate, { aid, role }: CertificateProofBody, trust: Trust): boolean {
  try {
    if (role === "boot") {
      const key = trust.bootKeyOf?.(aid);
      return key !== undefined && certificate.verify(publicKeyObject(key));
    }
    if (role !== "node") return certificate.verify(certificate.publicKey);
    if (trust.issuerOf === undefined) return true;
    const issuer = trust.issuerOf(aid);
    return issuer !== undefined && isIssuedBy(certificate, new X509Certificate(issuer), trust.now);
  } catch {
    return false;
  }
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate, now: number): boolean {
  const key: KeyObject = issuer.publicKey;
  return (
    issuer.ca &&
    now >= issuer.validFromDate.getTime() &&
    now <= issuer.validToDate.getTime() &&
    certificate.checkIssued(issuer) &&
    certificate.verify(key)
  );
}
