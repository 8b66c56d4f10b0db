/** Certificates by an issuer that is no identifier's: what was asked for, signed by its key; and what another issuer made of a request, judged. */
import { type KeyObject, X509Certificate as NodeCertificate, createPublicKey } from "node:crypto";
import { equalBytes, toHex } from "../base/bytes.ts";
import type { CertificateAsked } from "./certificate-request.ts";
import { wholeSeconds } from "./certificate-proof.ts";
import { serialText } from "./certificate-record.ts";
import { fromExtension, toGeneralNames } from "./subject-names.ts";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "./x509-library.ts";
import { signingAlgorithmOf, signingWith, spkiOf } from "./x509.ts";
import { sha256 } from "./hash.ts";

export interface RequestedInput {
  readonly asked: CertificateAsked;
  /** Extended key usages, by object identifier. */
  readonly usages: readonly string[];
  /** Certificate (DER) and P-256 key of the issuer. */
  readonly issuer: { readonly certificate: Uint8Array; readonly key: KeyObject };
  /** 16 random bytes. */
  readonly serial: Uint8Array;
  /** Units: ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** DER of a leaf. */
export async function requestedCertificate(input: RequestedInput): Promise<Uint8Array> {
  const { asked, usages, issuer, serial, notBefore, notAfter } = input;
  const above = new X509Certificate(Uint8Array.from(issuer.certificate).buffer);
  const identifier =
    above.getExtension(SubjectKeyIdentifierExtension)?.keyId ??
    keyIdentifierOf(new Uint8Array(above.publicKey.rawData));
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: `7f${toHex(serial).slice(2)}`,
      ...(asked.subject === null ? {} : { subject: [{ CN: [asked.subject] }] }),
      issuer: above.subjectName,
      notBefore: new Date(wholeSeconds(notBefore)),
      notAfter: new Date(wholeSeconds(notAfter)),
      publicKey: Uint8Array.from(asked.spki).buffer,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([...usages]),
        new SubjectAlternativeNameExtension(toGeneralNames(asked.sans), asked.subject === null),
        ...asked.extensions.map(({ oid, value }) => new Extension(oid, false, Uint8Array.from(value).buffer)),
        new SubjectKeyIdentifierExtension(keyIdentifierOf(asked.spki)),
        new AuthorityKeyIdentifierExtension(identifier),
      ],
      signingKey: { algorithm: signingAlgorithmOf(issuer.key) },
    },
    signingWith(issuer.key),
  );
  return new Uint8Array(certificate.rawData);
}

const keyIdentifierOf = (spki: Uint8Array): string => toHex(sha256(spki).subarray(0, 20));

/** Dates of issuers' own clocks, and what they backdate by. Units: ms. */
const SLACK_MS = 3_600_000;

/**
 * Why a leaf is not what was asked for, as a sentence: another key or names, a dropped extension, an authority, a longer life than
 * asked. Undefined when it is. Units of `ttlMs` and `now`: ms.
 */
export function differsFromAsked(
  leaf: Uint8Array,
  asked: CertificateAsked,
  ttlMs: number,
  now: number,
): string | undefined {
  try {
    const certificate = new NodeCertificate(leaf);
    const parsed = new X509Certificate(Uint8Array.from(leaf).buffer);
    const key = createPublicKey({ key: Buffer.from(asked.spki), format: "der", type: "spki" });
    if (!equalBytes(spkiOf(certificate.publicKey), spkiOf(key))) return "it is of another key";
    if (certificate.ca) return "it may issue certificates itself";
    const [names, ...more] = parsed.getExtensions(SubjectAlternativeNameExtension);
    const sans = names === undefined ? [] : fromExtension(names);
    if (sans === undefined || more.length > 0 || !isSameSet(sans, asked.sans)) return "its names are others";
    const lost = asked.extensions.find(({ oid, value }) => {
      const [given, ...others] = parsed.getExtensions(oid);
      return given === undefined || others.length > 0 || !equalBytes(new Uint8Array(given.value), value);
    });
    if (lost !== undefined)
      return `it lacks the extension ${lost.oid} (Vault's pki/sign drops it; pki/sign-verbatim keeps it)`;
    if (certificate.validToDate.getTime() > now + ttlMs + SLACK_MS) return "it lives longer than was asked";
    if (certificate.validFromDate.getTime() > now + SLACK_MS || certificate.validToDate.getTime() <= now)
      return "it is not in force";
    return undefined;
  } catch {
    return "it is no X.509 certificate";
  }
}

const isSameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && new Set(a).size === a.length && a.every((name) => b.includes(name));

/**
 * Judges issuers from the leaf's up to the root (DER): each signed by the next, authorities all of them, in force, the last signed by itself.
 * Returns what is wrong, as a sentence.
 */
export function brokenChain(chain: readonly Uint8Array[], now: number): string | undefined {
  try {
    const certificates = chain.map((der) => new NodeCertificate(der));
    const [last] = certificates.slice(-1);
    if (last === undefined) return "it is empty";
    for (const [i, certificate] of certificates.entries()) {
      const above = certificates[i + 1] ?? certificate;
      if (!certificate.ca) return "one of its certificates is no authority";
      if (certificate.validFromDate.getTime() > now || certificate.validToDate.getTime() <= now)
        return "one of its certificates is not in force";
      if (!certificate.checkIssued(above) || !certificate.verify(above.publicKey))
        return i + 1 < certificates.length
          ? "one of its certificates is not issued by the next"
          : "it does not end in a root";
    }
    return undefined;
  } catch {
    return "one of its certificates is no X.509";
  }
}

/** Whether the first of the chain issued the leaf. */
export function isIssuedBy(leaf: Uint8Array, issuer: Uint8Array): boolean {
  try {
    const [certificate, above] = [new NodeCertificate(leaf), new NodeCertificate(issuer)];
    return certificate.checkIssued(above) && certificate.verify(above.publicKey);
  } catch {
    return false;
  }
}

/** The earliest end of these. Units: ms since 1970. */
export const earliestEnd = (chain: readonly Uint8Array[]): number =>
  Math.min(...chain.map((der) => new NodeCertificate(der).validToDate.getTime()));

/** As `serialText` writes it. */
export const serialOf = (leaf: Uint8Array): string => serialText(new NodeCertificate(leaf).serialNumber);
