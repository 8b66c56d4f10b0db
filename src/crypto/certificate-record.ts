/** What identifies a certificate, read from it: issuer's key, serial number, key and validity. */
import { X509Certificate } from "node:crypto";
import type { Aid, Digest } from "../base/brands.ts";
import { type CertificateProofBody, type CertificateRole, decodeCertificateProof } from "./certificate-proof.ts";
import { X509Certificate as ParsedCertificate } from "./x509-library.ts";
import { PROOF_OID, spkiHashOf } from "./x509.ts";

interface Identified<Role> {
  readonly issuer: Digest;
  readonly serial: string;
  readonly aid: Aid;
  readonly role: Role;
  readonly spkiHash: Digest;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** What the identifier's proof says that the leaf of a chain carries; it is read, not verified. */
export function proofBodyOf([leaf]: readonly Uint8Array[]): CertificateProofBody | undefined {
  try {
    const [extension] = new ParsedCertificate(Uint8Array.from(leaf ?? []).buffer).getExtensions(PROOF_OID);
    const proof = extension === undefined ? undefined : decodeCertificateProof(new Uint8Array(extension.value));
    return proof?.ok === true ? proof.value.body : undefined;
  } catch {
    return undefined;
  }
}

/** Of a chain whose leaf carries an identifier's proof, which says whose it is; the proof is read, not verified. */
export function provedRecordOf(chain: readonly Uint8Array[]): Identified<CertificateRole> | undefined {
  const body = proofBodyOf(chain);
  return body === undefined ? undefined : certificateRecordOf(chain, body.aid, body.role);
}

/** As the log writes serial numbers: hexadecimal, lower case, whole bytes, no leading zero bytes. */
export function serialText(serial: string): string {
  const digits = serial.toLowerCase().replace(/^0+/, "");
  return digits.length % 2 === 0 ? digits : `0${digits}`;
}

/**
 * Of a chain, leaf first, DER: a chain of one was issued by its own key. Nothing is verified. Undefined when it is not X.509.
 */
export function certificateRecordOf<const Role extends string>(
  [leaf, issuer]: readonly Uint8Array[],
  aid: Aid,
  role: Role,
): Identified<Role> | undefined {
  try {
    if (leaf === undefined) return undefined;
    const certificate = new X509Certificate(leaf);
    return {
      issuer: spkiHashOf(new X509Certificate(issuer ?? leaf).publicKey),
      serial: serialText(certificate.serialNumber),
      aid,
      role,
      spkiHash: spkiHashOf(certificate.publicKey),
      notBefore: certificate.validFromDate.getTime(),
      notAfter: certificate.validToDate.getTime(),
    };
  } catch {
    return undefined;
  }
}
