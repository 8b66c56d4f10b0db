/**
 * An issuer whose key and chain are files that an administrator puts there: `chain` holds the issuer's certificate first and its root
 * last, PEM. Changed files are taken up while the node runs, if they belong together; until they do the last good ones go on.
 */
import { type KeyObject, createPrivateKey, randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { Fault } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { type RevokedEntry, revocationList } from "../../crypto/revocation.ts";
import { brokenChain, earliestEnd, requestedCertificate } from "../../crypto/requested-certificate.ts";
import { certificatesOfPem, spkiHashOf } from "../../crypto/x509.ts";
import { REASON_CODES, type RevocationReason } from "../../events/facts/certificate.ts";
import { readPrivate, readPublic, writeAtomic } from "../founding/files.ts";
import { Anchors } from "./anchors.ts";
import type { Issuer, IssuerHealth } from "./issuer.ts";
import { type Profile, judgeRequest, usagesOf } from "./profile.ts";
import { X509Certificate } from "node:crypto";

export interface FileChainOptions {
  /** PKCS#8 or SEC 1, PEM, P-256; mode 0600. */
  readonly key: string;
  readonly chain: string;
  /** Its list of revoked certificates, DER: kept here, to be published by whoever runs the authority. */
  readonly crl: string;
  /** Units: ms since 1970. */
  readonly now: () => number;
  /** How often the files are looked at. Units: ms; 10 s unless given. */
  readonly lookMs?: number;
}

const FILE_BYTES_MAX = 1024 * 1024;
const CHAIN_MAX = 8;
const LOOK_MS = 10_000;
/** Clocks may differ by this when a certificate is new. Units: ms. */
const CLOCK_SKEW_MS = 300_000;
/** Lists are written when something is revoked, and by nobody else: they hold for long. Units: ms. */
const LIST_VALID_MS = 30 * 86_400_000;
const FILE_MODE_PUBLIC = 0o644;

interface Loaded {
  readonly key: KeyObject;
  /** The issuer's first, the root last. */
  readonly chain: readonly Uint8Array[];
}

/** Throws: Fault ISSUER_FILES when the files cannot be used as they are. */
export function openFileChain(options: FileChainOptions): Issuer {
  return new FileChain(options);
}

class FileChain implements Issuer {
  readonly #options: FileChainOptions;
  readonly #anchors = new Anchors();
  readonly #timer: NodeJS.Timeout;
  #loaded: Loaded;
  #seen: string;
  /** Why the newest files are not in use; null when they are. */
  #trouble: string | null = null;

  constructor(options: FileChainOptions) {
    this.#options = options;
    this.#seen = this.#fingerprint();
    const loaded = this.#load();
    if (!loaded.ok) throw new Fault("ISSUER_FILES", loaded.refusal.message);
    this.#loaded = loaded.value;
    this.#anchors.set(loaded.value.chain.slice(-1));
    this.#timer = setInterval(() => this.#look(), options.lookMs ?? LOOK_MS);
    this.#timer.unref();
  }

  async sign(csr: Uint8Array, profile: Profile, ttlMs: number): Promise<Result<readonly Uint8Array[]>> {
    this.#look();
    const asked = judgeRequest(csr, profile, ttlMs);
    if (!asked.ok) return asked;
    const { key, chain } = this.#loaded;
    const now = this.#options.now();
    const broken = brokenChain(chain, now);
    const [certificate] = chain;
    if (broken !== undefined || certificate === undefined)
      throw new Fault("ISSUER_FILES", `The issuer's chain is out of use: ${broken ?? "it is empty"}; replace it.`);
    const leaf = await requestedCertificate({
      asked: asked.value,
      usages: usagesOf(profile),
      issuer: { certificate, key },
      serial: new Uint8Array(randomBytes(16)),
      notBefore: now - CLOCK_SKEW_MS,
      // Nothing outlives what it rests on.
      notAfter: Math.min(now + ttlMs, earliestEnd(chain)),
    });
    return ok([leaf, ...chain.slice(0, -1)]);
  }

  roots(): AsyncIterable<readonly Uint8Array[]> {
    return this.#anchors.stream();
  }

  async revoke(serial: string, reason: RevocationReason): Promise<Result<void>> {
    this.#look();
    if (!/^(?:[0-9a-f]{2}){1,20}$/.test(serial)) return refuse("CSR_MALFORMED", "The serial number is none.");
    const now = this.#options.now();
    const { key, chain } = this.#loaded;
    const [certificate] = chain;
    if (certificate === undefined) throw new Fault("ISSUER_FILES", "The issuer's chain is empty.");
    const revoked = this.#readRevoked().filter((entry) => entry.serial !== serial);
    const entries = [...revoked, { serial, at: now, reasonCode: REASON_CODES[reason], selfIssuedBy: null }];
    const list = revocationList(
      { certificate, key },
      { entries, number: now, isIndirect: false, thisUpdate: now, nextUpdate: now + LIST_VALID_MS },
    );
    writeAtomic(this.#registry(), `${JSON.stringify(entries, undefined, 2)}\n`);
    writeAtomic(this.#options.crl, list, FILE_MODE_PUBLIC);
    return ok(undefined);
  }

  async health(): Promise<IssuerHealth> {
    this.#look();
    const expiresAt = earliestEnd(this.#loaded.chain);
    if (this.#trouble !== null)
      return { ok: false, detail: `the issuer's files changed and cannot be used: ${this.#trouble}`, expiresAt };
    const broken = brokenChain(this.#loaded.chain, this.#options.now());
    return { ok: broken === undefined, detail: broken ?? "the issuer's files are in use", expiresAt };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#anchors.close();
  }

  #look(): void {
    const seen = this.#fingerprint();
    if (seen === this.#seen && this.#trouble === null) return;
    this.#seen = seen;
    const loaded = this.#load();
    this.#trouble = loaded.ok ? null : loaded.refusal.code.toLowerCase().replaceAll("_", " ");
    if (!loaded.ok) return;
    this.#loaded = loaded.value;
    this.#anchors.set(loaded.value.chain.slice(-1));
  }

  #fingerprint(): string {
    return [this.#options.key, this.#options.chain]
      .map((path) => {
        const stat = statSync(path, { throwIfNoEntry: false });
        return stat === undefined ? "none" : `${stat.ino}/${stat.size}/${stat.mtimeMs}/${stat.ctimeMs}`;
      })
      .join(" ");
  }

  #load(): Result<Loaded> {
    const { key: keyPath, chain: chainPath, now } = this.#options;
    const keyFile = readPrivate(keyPath, FILE_BYTES_MAX);
    if (!keyFile.ok) return keyFile;
    const chainFile = readPublic(chainPath, FILE_BYTES_MAX);
    if (!chainFile.ok) return chainFile;
    const chain = certificatesOfPem(Buffer.from(chainFile.value).toString("latin1")) ?? [];
    if (chain.length > CHAIN_MAX) return refuse("CHAIN_TOO_LONG", `A chain has at most ${CHAIN_MAX} certificates.`);
    const broken = brokenChain(chain, now());
    if (broken !== undefined) return refuse("CHAIN_BROKEN", `The issuer's chain cannot be used: ${broken}.`);
    try {
      const key = createPrivateKey({ key: Buffer.from(keyFile.value), format: "pem" });
      keyFile.value.fill(0);
      const [certificate] = chain;
      if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1" || certificate === undefined)
        return refuse("KEY_OF_ANOTHER_KIND", "The issuer's key is not of curve P-256; make such a key.");
      // The public half alone: nothing of the key is compared or printed.
      const issuer = new X509Certificate(certificate);
      if (!issuer.checkPrivateKey(key))
        return refuse(
          "KEY_OF_ANOTHER_CHAIN",
          `The issuer's key is not the one of its certificate ${spkiHashOf(issuer.publicKey).slice(0, 16)}.`,
        );
      return ok({ key, chain });
    } catch {
      return refuse("KEY_UNREADABLE", "The issuer's key is no PEM private key without a passphrase.");
    }
  }

  #registry(): string {
    return `${this.#options.crl}.json`;
  }

  #readRevoked(): readonly RevokedEntry[] {
    const file = readPrivate(this.#registry(), FILE_BYTES_MAX);
    if (!file.ok && file.refusal.code === "FILE_MISSING") return [];
    const broken = () => new Fault("ISSUER_FILES", "The register of revoked certificates cannot be read; restore it.");
    if (!file.ok) throw broken();
    const entries: unknown = JSON.parse(Buffer.from(file.value).toString("utf8"));
    if (!Array.isArray(entries)) throw broken();
    return entries.map((entry: unknown) => {
      const field = (name: string): unknown =>
        typeof entry === "object" && entry !== null ? Reflect.get(entry, name) : undefined;
      const [serial, at, reasonCode] = [field("serial"), field("at"), field("reasonCode")];
      if (typeof serial !== "string" || typeof at !== "number" || typeof reasonCode !== "number") throw broken();
      return { serial, at, reasonCode, selfIssuedBy: null };
    });
  }
}
