/** Fresh TLS keys of listeners, and the chains that certify them (DESIGN §3: keys live where TLS ends). */
import { generateKeyPairSync } from "node:crypto";
import { certificatePem, privateKeyPem, spkiOf } from "../../crypto/x509.ts";
import type { CertificateRequest } from "../enclave/certificates.ts";
import type { TlsIdentity } from "../listeners/grpc-listener.ts";

/** Clocks may differ by this when a certificate is new. Units: ms. */
const CLOCK_SKEW_MS = 300_000;
/** What to ask a certificate for, for a key that was just made. Units: ms. */
export const certificateRequest = (
  spki: Uint8Array,
  hosts: readonly string[],
  now: number,
  lifetimeMs: number,
): CertificateRequest => ({
  spki,
  hosts,
  notBefore: now - CLOCK_SKEW_MS,
  notAfter: now + lifetimeMs,
  bringsRotations: false,
});

export const chainPem = (chain: readonly Uint8Array[]): string => chain.map(certificatePem).join("");

/** A listener's key with the chain that `issue` makes for it. */
export async function freshIdentity(
  hosts: readonly string[],
  lifetimeMs: number,
  issue: (request: CertificateRequest) => Promise<readonly Uint8Array[]>,
): Promise<TlsIdentity> {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const chain = await issue(certificateRequest(spkiOf(keys.publicKey), hosts, Date.now(), lifetimeMs));
  return { key: privateKeyPem(keys.privateKey), cert: chainPem(chain) };
}

/** Names that a listener is reached at: its endpoints' hosts, and this machine's own names. */
export function hostsOf(endpoints: readonly string[]): readonly string[] {
  const hosts = endpoints.map((endpoint) => endpoint.slice(0, endpoint.lastIndexOf(":")).replace(/^\[|\]$/g, ""));
  return [...new Set(["localhost", "127.0.0.1", ...hosts])];
}
