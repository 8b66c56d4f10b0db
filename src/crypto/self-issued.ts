/** Certificates of operators and clients, who issue their own: the leaf's key under the name of its identifier. */
import type { Aid, Digest } from "../base/brands.ts";
import { type CertificateRole, certificateProofBody, certificateSigningBytes } from "./certificate-proof.ts";
import { sha256Digest } from "./hash.ts";
import type { KeySignature } from "./key-set.ts";
import type { KeyObjectPair } from "./p256.ts";
import { subjectNames } from "./subject-names.ts";
import { issueCertificate, spkiOf } from "./x509.ts";

export interface SelfIssued {
  readonly aid: Aid;
  readonly cluster: Digest;
  readonly role: Extract<CertificateRole, "operator" | "client">;
  /** Sequence number of the establishment event whose keys sign; 0 unless given. */
  readonly keySn?: number;
  /** Rotations up to that one as CESR streams, oldest first, for nodes that have not seen them yet; none unless given. */
  readonly rotations?: readonly Uint8Array[];
  /** By the keys in force, each with its position. */
  readonly sign: (message: Uint8Array) => readonly KeySignature[];
  /** Fresh P-256 key of the connection. */
  readonly keys: KeyObjectPair;
  /** Units: ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** DER. */
export function selfIssuedCertificate(input: SelfIssued): Promise<Uint8Array> {
  const { aid, cluster, role, keySn = 0, rotations = [], sign, keys, notBefore, notAfter } = input;
  const spkiHash = sha256Digest(spkiOf(keys.publicKey));
  const sans = subjectNames(aid, []);
  const body = certificateProofBody({ cluster, aid, keySn, spkiHash, notBefore, notAfter, sans, role });
  return issueCertificate({
    publicKey: keys.publicKey,
    issuer: { name: aid, keys },
    proof: { body, signatures: sign(certificateSigningBytes(cluster, body)) },
    rotations,
  });
}
