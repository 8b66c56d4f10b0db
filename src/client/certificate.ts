/** A client's own TLS certificate: issued by itself, by the keys of its identifier. */
import type { Digest } from "../base/brands.ts";
import { p256KeyPair } from "../crypto/p256.ts";
import { selfIssuedCertificate } from "../crypto/self-issued.ts";
import { certificatePem, privateKeyPem } from "../crypto/x509.ts";
import { type Controller, shownKeys, signaturesOf } from "../keri/controller.ts";
import type { ClientTls, IdentityStore } from "./identity.ts";

/** A client that is not renewed for a quarter of a year is no longer let in. */
export const CLIENT_CERTIFICATE_MS = 90 * 86_400_000;
/** Clocks may differ by this when a certificate is new. */
export const CLOCK_SKEW_MS = 300_000;

export interface CertificateInput {
  readonly controller: Controller;
  readonly cluster: Digest;
  readonly role: IdentityStore["role"];
  /** Shows the keys of a pending rotation, with the rotation. */
  readonly pendingToo: boolean;
  readonly random: (length: number) => Uint8Array;
  /** Units: ms since 1970. */
  readonly now: number;
  readonly lifetimeMs?: number;
}

export interface IssuedTls extends ClientTls {
  /** Units: ms since 1970. */
  readonly issuedAt: number;
  readonly notAfter: number;
}

/** A certificate over a fresh TLS key. */
export async function issueTls(input: CertificateInput): Promise<IssuedTls> {
  const { controller, cluster, role, pendingToo, random, now, lifetimeMs = CLIENT_CERTIFICATE_MS } = input;
  const keys = p256KeyPair(random(48));
  const { keySn, seeds, rotations } = shownKeys(controller, pendingToo);
  const certificate = await selfIssuedCertificate({
    aid: controller.aid,
    cluster,
    role,
    keySn,
    rotations,
    sign: (message) => signaturesOf(seeds, message),
    keys,
    notBefore: now - CLOCK_SKEW_MS,
    notAfter: now + lifetimeMs,
  });
  return {
    cert: certificatePem(certificate),
    key: privateKeyPem(keys.privateKey),
    issuedAt: now,
    notAfter: now + lifetimeMs,
  };
}
