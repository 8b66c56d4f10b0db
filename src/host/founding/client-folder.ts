/** A client's folder: trust anchors, its TLS key and certificate, and the identifier that it signs commands with. */
import { createPublicKey } from "node:crypto";
import { join } from "node:path";
import type { Digest } from "../../base/brands.ts";
import { Fault } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { issueTls } from "../../client/certificate.ts";
import { SkyError } from "../../client/errors.ts";
import {
  type ClientTls,
  type IdentityStore,
  type KeptIdentity,
  changedIdentity,
  identityText,
  readIdentity,
} from "../../client/identity.ts";
import type { CertificateProofBody } from "../../crypto/certificate-proof.ts";
import { proofBodyOf } from "../../crypto/certificate-record.ts";
import { certificatePem, certificatesOfPem, spkiHashOf } from "../../crypto/x509.ts";
import type { FoundingDocument } from "../../events/facts/founding.ts";
import { type Controller, isShowable } from "../../keri/controller.ts";
import { withFileLock } from "./file-lock.ts";
import { type FileRefusal, makePrivateDirectory, readPrivate, writeAtomic } from "./files.ts";
import type { Random } from "./identity.ts";

export const clientFiles = (directory: string) => ({
  /** Issuer certificates of all founders. */
  anchors: join(directory, "ca.pem"),
  certificate: join(directory, "client.pem"),
  key: join(directory, "client-key.pem"),
  /** JSON: version, aid, cluster (hex), since (ms), kel (own events, CESR), current and next seeds (base64url), pending event. */
  identity: join(directory, "identity.json"),
});

/** Thousands of rotations. */
const IDENTITY_BYTES_MAX = 4 * 1024 * 1024;

/** `ca.pem`: the anchors of every founder's chain. */
export const anchorsPem = (document: FoundingDocument): string =>
  document.founders.map(({ issuer }) => certificatePem(issuer)).join("");

/** With since when its keys are in force, where that is known. */
export type Aged = Controller & Pick<KeptIdentity, "since">;

export interface ClientFolder {
  readonly directory: string;
  readonly identity: Aged;
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
  const pendingToo = isShowable(identity);
  const tls = await issueTls({ controller: identity, cluster, role: "client", pendingToo, random, now });
  makePrivateDirectory(directory);
  writeAtomic(clientFiles(directory).anchors, anchorsPem(document));
  writeTls(directory, tls);
  writeIdentity(directory, identity, cluster);
}

function writeTls(directory: string, { cert, key }: ClientTls): void {
  const files = clientFiles(directory);
  writeAtomic(files.certificate, cert);
  writeAtomic(files.key, key);
}

/** A chain of one, or a key. */
const TLS_BYTES_MAX = 64 * 1024;
/** Part of a certificate's life after which another one takes its place, as of those that connections show. */
const RENEW_AT = 2 / 3;

const proofOf = (pem: string): CertificateProofBody | undefined => proofBodyOf(certificatesOfPem(pem) ?? []);

/** What the folder's certificate says, if it is over the key that lies beside it. */
function keptProof(directory: string): CertificateProofBody | undefined {
  const files = clientFiles(directory);
  const [cert, key] = [readPrivate(files.certificate, TLS_BYTES_MAX), readPrivate(files.key, TLS_BYTES_MAX)];
  if (!cert.ok || !key.ok) return undefined;
  const body = proofOf(Buffer.from(cert.value).toString("latin1"));
  try {
    const hash = spkiHashOf(createPublicKey(Buffer.from(key.value)));
    return body?.spkiHash === hash ? body : undefined;
  } catch {
    return undefined; // a file that holds no key
  }
}

/** Whether the folder's certificate serves as well as a fresh one: it shows the same keys, and is far from its end. */
function isStillGood(directory: string, { cert }: ClientTls, now: number): boolean {
  const [kept, fresh] = [keptProof(directory), proofOf(cert)];
  if (kept === undefined || fresh === undefined) return false;
  const { aid, cluster, role, keySn, notBefore, notAfter } = kept;
  if (aid !== fresh.aid || cluster !== fresh.cluster || role !== fresh.role || keySn !== fresh.keySn) return false;
  return now >= notBefore && now < notBefore + RENEW_AT * (notAfter - notBefore);
}

/** Another certificate in the place of the folder's, if that is over this key, which was revoked. Returns: whether it was. */
export async function replaceRevoked(
  directory: string,
  spkiHash: Digest,
  random: Random,
  now: number,
): Promise<boolean> {
  const kept = readClientIdentity(directory);
  if (!kept.ok || kept.value.cluster === null || keptProof(directory)?.spkiHash !== spkiHash) return false;
  const { cluster } = kept.value;
  const pendingToo = isShowable(kept.value);
  writeTls(directory, await issueTls({ controller: kept.value, cluster, role: "client", pendingToo, random, now }));
  return true;
}

/** `cluster`: null before the founding document is there. */
export function writeIdentity(directory: string, identity: Aged, cluster: Digest | null): void {
  writeAtomic(clientFiles(directory).identity, identityText({ ...identity, cluster }));
}

/** Refuses: what is missing, loose or malformed. */
export function readClientIdentity(directory: string): Result<KeptIdentity, FileRefusal> {
  const path = clientFiles(directory).identity;
  const file = readPrivate(path, IDENTITY_BYTES_MAX);
  if (!file.ok) return file;
  try {
    return ok(readIdentity(file.value));
  } catch (error) {
    if (!(error instanceof SkyError)) throw error;
    return refuse("FILE_MALFORMED", `${path}: ${error.message}`);
  }
}

/** The identity in a client's folder, as `SkyClient` and `sky kel` use and rotate it. */
export class ClientFolderStore implements IdentityStore {
  readonly role = "client";
  readonly #directory: string;
  readonly #now: () => number;

  /** `now`: ms since 1970. */
  constructor(directory: string, now: () => number = () => Date.now()) {
    this.#directory = directory;
    this.#now = now;
  }

  /** Throws: Fault with what is missing, loose or malformed. */
  read(): KeptIdentity {
    const identity = readClientIdentity(this.#directory);
    if (!identity.ok) throw new Fault(identity.refusal.code, identity.refusal.message);
    return identity.value;
  }

  update(change: (kept: KeptIdentity) => Controller): KeptIdentity {
    return withFileLock(clientFiles(this.#directory).identity, () => {
      const kept = this.read();
      const changed = changedIdentity(kept, change(kept), this.#now());
      writeIdentity(this.#directory, changed, changed.cluster);
      return changed;
    });
  }

  /** What is there stays while it is good: others may be reading it, and the log may have been told of it. */
  certified(tls: ClientTls): void {
    if (!isStillGood(this.#directory, tls, this.#now())) writeTls(this.#directory, tls);
  }
}
