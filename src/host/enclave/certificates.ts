/** Certificates that a node issues to its own listeners: by its issuer when unsealed, by its boot key before. */
import { type KeyObject, createPrivateKey, createPublicKey, sign } from "node:crypto";
import type { Aid, Digest } from "../../base/brands.ts";
import type { Custody } from "../../actors/enclave/custody.ts";
import { type CertificateRole, certificateProofBody, certificateSigningBytes } from "../../crypto/certificate-proof.ts";
import { signer } from "../../crypto/ed25519.ts";
import { sha256Digest } from "../../crypto/hash.ts";
import { subjectNames } from "../../crypto/subject-names.ts";
import { issueCertificate } from "../../crypto/x509.ts";

export interface CertificateRequest {
  /** SubjectPublicKeyInfo of the listener's fresh P-256 key, DER. */
  readonly spki: Uint8Array;
  /** Names and addresses the listener is reached at. */
  readonly hosts: readonly string[];
  /** Units: ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Brings the node's newest rotations along, for members that have not seen them yet. */
  readonly bringsRotations: boolean;
}

/** Common name of a node's issuer: what its leaves name as their issuer. */
export const issuerName = (aid: Aid): string => `sky issuer ${aid}`;

interface Subject {
  readonly cluster: Digest;
  readonly aid: Aid;
}

function proofOf(
  { cluster, aid }: Subject,
  { spki, hosts, notBefore, notAfter }: CertificateRequest,
  role: CertificateRole,
  keySn: number,
  signing: (message: Uint8Array) => Uint8Array,
) {
  const body = certificateProofBody({
    cluster,
    aid,
    keySn,
    spkiHash: sha256Digest(spki),
    notBefore,
    notAfter,
    sans: subjectNames(aid, hosts),
    role,
  });
  return { body, signatures: [{ index: 0, sig: signing(certificateSigningBytes(cluster, body)) }] };
}

const publicKeyOf = (spki: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });

/** Chain of a node's listener, leaf first, DER. */
export function nodeCertificate(
  custody: Custody,
  subject: Subject,
  request: CertificateRequest,
): Promise<readonly Uint8Array[]> {
  return custody.withIssuer(async (issuerKey, issuerCertificate) => {
    const { keySn, seed, rotations } = custody.shown();
    const privateKey = createPrivateKey({ key: Buffer.from(issuerKey), format: "der", type: "pkcs8" });
    const leaf = await issueCertificate({
      publicKey: publicKeyOf(request.spki),
      issuer: { name: issuerName(subject.aid), keys: { privateKey, publicKey: createPublicKey(privateKey) } },
      proof: proofOf(subject, request, "node", keySn, signer(seed)),
      rotations: request.bringsRotations ? rotations : [],
    });
    return [leaf, Uint8Array.from(issuerCertificate)];
  });
}

/** Certificate of a sealed node's API port, by its boot key. */
export async function bootCertificate(
  bootKey: KeyObject,
  subject: Subject,
  request: CertificateRequest,
): Promise<readonly Uint8Array[]> {
  const leaf = await issueCertificate({
    publicKey: publicKeyOf(request.spki),
    issuer: { name: `sky boot ${subject.aid}`, keys: { privateKey: bootKey, publicKey: createPublicKey(bootKey) } },
    proof: proofOf(subject, request, "boot", 0, (message) => new Uint8Array(sign(null, message, bootKey))),
  });
  return [leaf];
}
