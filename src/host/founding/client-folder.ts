/** A client's folder: trust anchors, its TLS key and certificate, and the identifier that it signs commands with. */
import { join } from "node:path";
import type { Aid, Digest } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { signer } from "../../crypto/ed25519.ts";
import { p256KeyPair } from "../../crypto/p256.ts";
import { certificatePem, privateKeyPem } from "../../crypto/x509.ts";
import type { FoundingDocument } from "../../events/facts/founding.ts";
import { selfIssuedCertificate } from "../enclave/certificates.ts";
import { type FileRefusal, makePrivateDirectory, readPrivate, writeAtomic } from "./files.ts";
import type { IdentitySeeds, Random } from "./identity.ts";

export const clientFiles = (directory: string) => ({
  /** Issuer certificates of all founders. */
  anchors: join(directory, "ca.pem"),
  certificate: join(directory, "client.pem"),
  key: join(directory, "client-key.pem"),
  /** JSON: version, aid, cluster (hex), icp, current and next seed (base64url). */
  identity: join(directory, "identity.json"),
});

const VERSION = 1;
const IDENTITY_BYTES_MAX = 256 * 1024;
/** A client that is not renewed for a quarter of a year is no longer let in. */
export const CLIENT_CERTIFICATE_MS = 90 * 86_400_000;
/** Clocks may differ by this when a certificate is new. */
export const CLOCK_SKEW_MS = 300_000;

/** `ca.pem`: the anchors of every founder's chain. */
export const anchorsPem = (document: FoundingDocument): string =>
  document.founders.map(({ issuer }) => certificatePem(issuer)).join("");

export interface ClientFolder {
  readonly directory: string;
  readonly identity: IdentitySeeds;
  readonly document: FoundingDocument;
  readonly cluster: Digest;
  readonly random: Random;
  /** Units: ms since 1970. */
  readonly now: number;
}

/** Writes the folder, its TLS key fresh; called again it renews the certificate. */
export async function writeClientFolder({
  directory,
  identity,
  document,
  cluster,
  random,
  now,
}: ClientFolder): Promise<void> {
  const files = clientFiles(directory);
  const keys = p256KeyPair(random(48));
  const certificate = await selfIssuedCertificate({
    aid: identity.aid,
    cluster,
    role: "client",
    sign: signer(identity.current),
    keys,
    notBefore: now - CLOCK_SKEW_MS,
    notAfter: now + CLIENT_CERTIFICATE_MS,
  });
  makePrivateDirectory(directory);
  writeAtomic(files.anchors, anchorsPem(document));
  writeAtomic(files.certificate, certificatePem(certificate));
  writeAtomic(files.key, privateKeyPem(keys.privateKey));
  writeIdentity(directory, identity, cluster);
}

/** `cluster`: null before the founding document is there. */
export function writeIdentity(
  directory: string,
  { aid, icp, current, next }: IdentitySeeds,
  cluster: Digest | null,
): void {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
  const content = { version: VERSION, aid, cluster, icp: text(icp), current: text(current), next: text(next) };
  writeAtomic(clientFiles(directory).identity, `${JSON.stringify(content, undefined, 2)}\n`);
}

export interface ClientIdentity extends IdentitySeeds {
  /** Null until the founding document is there. */
  readonly cluster: Digest | null;
}

/** Refuses: what is missing, loose or malformed. */
export function readClientIdentity(directory: string): Result<ClientIdentity, FileRefusal> {
  const path = clientFiles(directory).identity;
  const file = readPrivate(path, IDENTITY_BYTES_MAX);
  if (!file.ok) return file;
  const malformed = (what: string) =>
    refuse("FILE_MALFORMED", `${path} is no client identity (${what}); make the client's folder again.`);
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = JSON.parse(Buffer.from(file.value).toString("utf8")) as Readonly<Record<string, unknown>>;
  } catch {
    return malformed("it is not JSON");
  }
  const { version, aid, cluster, icp, current, next } = fields;
  if (version !== VERSION) return malformed(`version ${String(version)}`);
  if (typeof aid !== "string" || aid.length !== 44 || !isCluster(cluster)) return malformed("aid or cluster");
  const bytes = [icp, current, next].map((field) =>
    typeof field === "string" ? Uint8Array.from(Buffer.from(field, "base64url")) : undefined,
  );
  const [event, seed, nextSeed] = bytes;
  if (event === undefined || seed?.length !== 32 || nextSeed?.length !== 32) return malformed("icp or seeds");
  return ok({ aid: aid as Aid, cluster, icp: event, current: seed, next: nextSeed });
}

const isCluster = (value: unknown): value is Digest | null =>
  value === null || (typeof value === "string" && /^[0-9a-f]{64}$/.test(value));
