/** What a certificate of each kind may hold. Judged before any issuer is asked, so that all of them refuse alike. */
import { ExtendedKeyUsage } from "../../crypto/x509-library.ts";
import { type CertificateAsked, readCertificateRequest } from "../../crypto/certificate-request.ts";
import { didUri } from "../../crypto/subject-names.ts";
import { PROOF_OID, ROTATIONS_OID } from "../../crypto/x509.ts";
import type { Aid } from "../../base/brands.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";

/** A node, operator or client by its identifier; `external`: a name of this installation that strangers' programs know, and no identifier. */
export type Profile =
  | { readonly kind: "node"; readonly aid: Aid; readonly hosts: readonly string[] }
  | { readonly kind: "operator" | "client"; readonly aid: Aid }
  | { readonly kind: "external"; readonly hosts: readonly string[] };

const DAY_MS = 86_400_000;
/** Units: ms. */
export const TTL_MAX_MS: { readonly [K in Profile["kind"]]: number } = {
  node: 90 * DAY_MS,
  operator: 30 * DAY_MS,
  client: 30 * DAY_MS,
  external: 90 * DAY_MS,
};
/** Shorter ones end before they are in use everywhere. Units: ms. */
export const TTL_MIN_MS = 60_000;

/** Extended key usages, by object identifier. */
export const usagesOf = ({ kind }: Profile): readonly string[] =>
  kind === "external"
    ? [ExtendedKeyUsage.serverAuth]
    : kind === "node"
      ? [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]
      : [ExtendedKeyUsage.clientAuth];

const isOwnName = (profile: Profile, name: string): boolean => {
  if (profile.kind !== "external" && name === didUri(profile.aid)) return true;
  return "hosts" in profile && profile.hosts.some((host) => name === `DNS:${host}` || name === `IP:${host}`);
};

/** Refuses: as Issuer.sign, before anything is signed. */
export function judgeRequest(csr: Uint8Array, profile: Profile, ttlMs: number): Result<CertificateAsked> {
  if (!(ttlMs >= TTL_MIN_MS && ttlMs <= TTL_MAX_MS[profile.kind])) {
    const [min, max] = [TTL_MIN_MS / 1000, TTL_MAX_MS[profile.kind] / 1000];
    return refuse("TTL_REFUSED", `A certificate of kind ${profile.kind} lives from ${min} to ${max} seconds.`);
  }
  const read = readCertificateRequest(csr);
  if (!read.ok) return read;
  const refusal = judgeNames(read.value, profile) ?? judgeExtensions(read.value, profile);
  return refusal === undefined ? ok(read.value) : { ok: false, refusal };
}

function judgeNames({ sans, subject }: CertificateAsked, profile: Profile): Refusal | undefined {
  const no = (message: string): Refusal => ({ code: "CSR_NAME_REFUSED", message, blame: "client" });
  if (sans.length === 0) return no("The request asks for no name; ask for one at least.");
  const foreign = sans.find((name) => !isOwnName(profile, name));
  if (foreign !== undefined)
    return no(`The name ${foreign.slice(0, 300)} is not one of a certificate of kind ${profile.kind}.`);
  if (new Set(sans).size !== sans.length) return no("The request asks for a name twice.");
  if (profile.kind === "external") {
    const named = sans.map((name) => name.slice(name.indexOf(":") + 1));
    return subject === null || named.includes(subject) ? undefined : no("The subject is none of the names asked for.");
  }
  if (!sans.includes(didUri(profile.aid))) return no("The request leaves out the identifier's own name.");
  return subject === profile.aid ? undefined : no("The subject is not the identifier.");
}

function judgeExtensions({ extensions }: CertificateAsked, profile: Profile): Refusal | undefined {
  const no = (message: string): Refusal => ({ code: "CSR_EXTENSION_REFUSED", message, blame: "client" });
  const allowed: readonly string[] = profile.kind === "external" ? [] : [PROOF_OID, ROTATIONS_OID];
  const foreign = extensions.find(({ oid }) => !allowed.includes(oid));
  if (foreign !== undefined)
    return no(`The extension ${foreign.oid} is not one of a certificate of kind ${profile.kind}.`);
  if (profile.kind === "external" || extensions.some(({ oid }) => oid === PROOF_OID)) return undefined;
  return no("The request leaves out the identifier's proof.");
}
