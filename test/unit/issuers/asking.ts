/** Requests of a node, with the proof that its identifier's key stands behind them. */
import { generateKeyPairSync } from "node:crypto";
import type { Aid, Digest } from "../../../src/base/brands.ts";
import {
  certificateProofBody,
  certificateSigningBytes,
  encodeCertificateProof,
} from "../../../src/crypto/certificate-proof.ts";
import { certificateRequest } from "../../../src/crypto/certificate-request.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { subjectNames } from "../../../src/crypto/subject-names.ts";
import { PROOF_OID, spkiHashOf } from "../../../src/crypto/x509.ts";
import { inceptSingle } from "../../../src/keri/compose.ts";
import type { Profile } from "../../../src/host/issuers/profile.ts";

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
const seed = new Uint8Array(32).fill(3);
export const aid: Aid = inceptSingle({
  publicKey: publicKeyOf(seed),
  nextPublicKey: publicKeyOf(new Uint8Array(32).fill(4)),
}).aid;
export const node: Profile = { kind: "node", aid, hosts: ["sky.example", "127.0.0.1"] };
const cluster = "cd".repeat(32) as Digest;

export interface Asking {
  readonly sans?: readonly string[];
  readonly subject?: string;
  readonly withProof?: boolean;
  readonly more?: readonly { readonly oid: string; readonly value: Uint8Array }[];
}

export function request({
  sans = subjectNames(aid, ["sky.example"]),
  subject = aid,
  withProof = true,
  more = [],
}: Asking = {}): Uint8Array {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const now = Date.now();
  const body = certificateProofBody({
    cluster,
    aid,
    keySn: 0,
    spkiHash: spkiHashOf(keys.publicKey),
    notBefore: now,
    notAfter: now + DAY,
    sans: subjectNames(aid, ["sky.example"]),
    role: "node",
  });
  const sig = signer(seed)(certificateSigningBytes(cluster, body));
  const proof = { oid: PROOF_OID, value: encodeCertificateProof({ body, signatures: [{ index: 0, sig }] }) };
  return certificateRequest({ keys, subject, sans, extensions: [...(withProof ? [proof] : []), ...more] });
}
