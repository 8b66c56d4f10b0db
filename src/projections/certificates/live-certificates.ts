/**
 * Certificates that the log knows, in memory: those recorded or revoked and not ended. A revocation refuses the certificate's key for
 * its identifier, whatever certificate carries it: whoever holds a stolen key holds it for all of them. Source: ADR 0021.
 */
import type { Aid, Digest } from "../../base/brands.ts";
import type { CertificateFact, CertificateRecord, RevocationReason } from "../../events/facts/certificate.ts";

/** A revocation and where it stands. */
export interface Revocation {
  readonly reason: RevocationReason;
  readonly height: number;
  /** Log time of its block. Units: ms since 1970. */
  readonly at: number;
}

export interface KnownCertificate {
  readonly record: CertificateRecord;
  /** Where it was recorded first. */
  readonly height: number;
  readonly revocation: Revocation | null;
}

/** A key of an identifier that is refused from now on. */
export interface RevokedKey {
  readonly aid: Aid;
  readonly spkiHash: Digest;
  /** Nothing carries it after this. Units: ms since 1970. */
  readonly notAfter: number;
}

/** Names a certificate: two identifiers may claim the same issuer and serial number, and neither harms the other. */
export const certificateName = ({
  aid,
  issuer,
  serial,
}: Pick<CertificateRecord, "aid" | "issuer" | "serial">): string => `${aid} ${issuer} ${serial}`;

/** What `decide` reads: the state before a command. */
export interface CertificateReader {
  find(name: string): KnownCertificate | undefined;
  countOf(aid: Aid): number;
  readonly size: number;
}

/** The certificate after a fact. */
export function afterFact(
  known: KnownCertificate | undefined,
  fact: CertificateFact,
  { height, time }: { readonly height: number; readonly time: number },
): KnownCertificate {
  const before = known ?? { record: fact.record, height, revocation: null };
  return fact.kind === "certificateIssued"
    ? before
    : { ...before, revocation: { reason: fact.reason, height, at: time } };
}

export class LiveCertificates implements CertificateReader {
  readonly #all = new Map<string, KnownCertificate>();
  readonly #ofAid = new Map<Aid, Set<string>>();
  readonly #ofSerial = new Map<string, Set<string>>();
  /** By identifier and key: until when each is refused. */
  readonly #revoked = new Map<string, RevokedKey>();
  /** The earliest end of all, or earlier. */
  #nextEnd = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#all.size;
  }

  find(name: string): KnownCertificate | undefined {
    return this.#all.get(name);
  }

  countOf(aid: Aid): number {
    return this.#ofAid.get(aid)?.size ?? 0;
  }

  /** Whether this key may stand for this identifier no more. Some hundred nanoseconds. */
  isRevoked(aid: Aid, spkiHash: Digest): boolean {
    return this.#revoked.has(`${aid} ${spkiHash}`);
  }

  /** All keys that are refused. */
  revokedKeys(): readonly RevokedKey[] {
    return [...this.#revoked.values()];
  }

  /** In the order of their names; of one identifier, or of all. */
  list(aid?: Aid): readonly KnownCertificate[] {
    const names = aid === undefined ? [...this.#all.keys()] : [...(this.#ofAid.get(aid) ?? [])];
    return names.sort(byCode).flatMap((name) => this.#all.get(name) ?? []);
  }

  /** Whatever was recorded under this serial number, by whomever. */
  withSerial(serial: string): readonly KnownCertificate[] {
    return [...(this.#ofSerial.get(serial) ?? [])].flatMap((name) => this.#all.get(name) ?? []);
  }

  put(certificate: KnownCertificate): void {
    const { aid, spkiHash, serial, notAfter } = certificate.record;
    const name = certificateName(certificate.record);
    this.#all.set(name, certificate);
    addTo(this.#ofAid, aid, name);
    addTo(this.#ofSerial, serial, name);
    this.#nextEnd = Math.min(this.#nextEnd, notAfter);
    if (certificate.revocation === null) return;
    const key = `${aid} ${spkiHash}`;
    const until = Math.max(notAfter, this.#revoked.get(key)?.notAfter ?? 0);
    this.#revoked.set(key, { aid, spkiHash, notAfter: until });
  }

  /** Forgets what ended before this log time: time refuses it by now. */
  forgetBefore(time: number): void {
    if (this.#nextEnd >= time) return;
    this.#nextEnd = Number.POSITIVE_INFINITY;
    for (const [name, { record }] of this.#all) {
      if (record.notAfter >= time) {
        this.#nextEnd = Math.min(this.#nextEnd, record.notAfter);
        continue;
      }
      this.#all.delete(name);
      takeFrom(this.#ofAid, record.aid, name);
      takeFrom(this.#ofSerial, record.serial, name);
    }
    for (const [key, { notAfter }] of this.#revoked) if (notAfter < time) this.#revoked.delete(key);
  }
}

/** Of one block, over the live ones, merged at its end: readers see all of a block or none. */
export class CertificateLayer implements CertificateReader {
  readonly #below: LiveCertificates;
  readonly #changed = new Map<string, KnownCertificate>();
  readonly #added = new Map<Aid, number>();
  #size: number;

  constructor(below: LiveCertificates) {
    this.#below = below;
    this.#size = below.size;
  }

  get size(): number {
    return this.#size;
  }

  find(name: string): KnownCertificate | undefined {
    return this.#changed.get(name) ?? this.#below.find(name);
  }

  countOf(aid: Aid): number {
    return this.#below.countOf(aid) + (this.#added.get(aid) ?? 0);
  }

  apply(fact: CertificateFact, at: { readonly height: number; readonly time: number }): void {
    const name = certificateName(fact.record);
    const known = this.find(name);
    if (known === undefined) {
      this.#size += 1;
      this.#added.set(fact.record.aid, (this.#added.get(fact.record.aid) ?? 0) + 1);
    }
    this.#changed.set(name, afterFact(known, fact, at));
  }

  /** Returns keys that are refused from this block on. */
  merge(): readonly RevokedKey[] {
    const revoked: RevokedKey[] = [];
    for (const certificate of this.#changed.values()) {
      this.#below.put(certificate);
      const { record, revocation } = certificate;
      if (revocation !== null) revoked.push({ aid: record.aid, spkiHash: record.spkiHash, notAfter: record.notAfter });
    }
    return revoked;
  }
}

function addTo<K>(index: Map<K, Set<string>>, key: K, name: string): void {
  const names = index.get(key) ?? new Set();
  index.set(key, names.add(name));
}

function takeFrom<K>(index: Map<K, Set<string>>, key: K, name: string): void {
  const names = index.get(key);
  names?.delete(name);
  if (names?.size === 0) index.delete(key);
}

const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
