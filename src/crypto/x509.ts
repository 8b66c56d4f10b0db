/**
 * Certificates of nodes, operators, clients and sealed nodes. TLS keys are ECDSA P-256, as BoringSSL clients refuse others;
 * what makes a certificate an identifier's is the proof in its extension (certificate-proof.ts), not who issued it.
 * Source: RFC 5280; DESIGN §6.
 */
import { type KeyObject, sign } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "./x509-library.ts";
import type { Digest } from "../base/brands.ts";
import { concatBytes, toHex, utf8 } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import {
  type CertificateProof,
  decodeCertificateProof,
  encodeCertificateProof,
  wholeSeconds,
} from "./certificate-proof.ts";
import { domainDigest, sha256, sha256Digest } from "./hash.ts";
import type { KeyObjectPair } from "./p256.ts";
import { toGeneralNames } from "./subject-names.ts";

/**
 * Extension that carries the proof, under the UUID arc (ITU-T X.667). Deviates: 31 random bits instead of 128, since Go's crypto/x509
 * refuses certificates with arcs above 2^31 − 1 (and asn1js loses those above 2^53); generated UUIDs are never that small, so
 * it is nobody else's.
 */
export const PROOF_OID = `2.25.${0x4f8d1c52}`;

/** Extension that carries rotations of the identifier, a CESR stream, for whoever has not seen them yet. Deviates: as PROOF_OID. */
export const ROTATIONS_OID = `2.25.${0x5b21e06d}`;

/** SubjectPublicKeyInfo of a key, DER. */
export const spkiOf = (key: KeyObject): Uint8Array => new Uint8Array(key.export({ format: "der", type: "spki" }));

/** What a proof names a TLS key by. */
export const spkiHashOf = (key: KeyObject): Digest => sha256Digest(spkiOf(key));

export interface IssuerInput {
  /** P-256 for a node's issuer, Ed25519 for a boot key. */
  readonly keys: KeyObjectPair;
  /** Common name; at most 64 characters. */
  readonly name: string;
  /** Units: ms since 1970, rounded down to whole seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Self-signed certificate of an issuer, DER: a CA of path length 0, the anchor of a node's chain or of its boot certificates. */
export const issuerCertificate = ({ keys, name, notBefore, notAfter }: IssuerInput): Promise<Uint8Array> =>
  generate({
    subject: name,
    issuer: { name, keys },
    publicKey: keys.publicKey,
    notBefore,
    notAfter,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });

/** Who signs a certificate: a name as in its own certificate, and the keys. */
export interface Issuer {
  readonly name: string;
  readonly keys: KeyObjectPair;
}

export interface LeafInput {
  /** Fresh P-256 key of the listener or client. */
  readonly publicKey: KeyObject;
  /** The issuer; for operators and clients, who issue their own, the leaf's keys under the name of its identifier. */
  readonly issuer: Issuer;
  readonly proof: CertificateProof;
  /** The identifier's newest rotations as CESR streams, oldest first; none unless given. */
  readonly rotations?: readonly Uint8Array[];
}

/**
 * Certificate of a TLS key, DER, for both ends of a connection: subject, dates and names are those of the proof.
 * Throws: Defect when the proof is malformed or names another key.
 */
export function issueCertificate({ publicKey, issuer, proof, rotations = [] }: LeafInput): Promise<Uint8Array> {
  const encoded = encodeCertificateProof(proof);
  const decoded = decodeCertificateProof(encoded);
  assert(decoded.ok, "a proof is made by certificateProofBody");
  const { body } = decoded.value;
  assert(body.spkiHash === spkiHashOf(publicKey), "the proof is of the key that the certificate carries");
  return generate({
    subject: body.aid,
    issuer,
    publicKey,
    notBefore: body.notBefore,
    notAfter: body.notAfter,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension(toGeneralNames(body.sans)),
      new Extension(PROOF_OID, false, encoded.slice().buffer),
      ...(rotations.length === 0
        ? []
        : [new Extension(ROTATIONS_OID, false, concatBytes(...rotations).slice().buffer)]),
    ],
  });
}

interface Generated {
  readonly subject: string;
  readonly issuer: Issuer;
  readonly publicKey: KeyObject;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly extensions: readonly Extension[];
}

async function generate({
  subject,
  issuer,
  publicKey,
  notBefore,
  notAfter,
  extensions,
}: Generated): Promise<Uint8Array> {
  const spki = spkiOf(publicKey);
  const keyIdentifier = (key: Uint8Array): string => toHex(sha256(key).subarray(0, 20));
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: serialOf(spki, notBefore, notAfter),
      subject: [{ CN: [subject] }],
      issuer: [{ CN: [issuer.name] }],
      notBefore: new Date(wholeSeconds(notBefore)),
      notAfter: new Date(wholeSeconds(notAfter)),
      publicKey: spki.slice().buffer,
      extensions: [
        ...extensions,
        new SubjectKeyIdentifierExtension(keyIdentifier(spki)),
        new AuthorityKeyIdentifierExtension(keyIdentifier(spkiOf(issuer.keys.publicKey))),
      ],
      signingKey: { algorithm: signingAlgorithmOf(issuer.keys.privateKey) },
    },
    signingWith(issuer.keys.privateKey),
  );
  return new Uint8Array(certificate.rawData);
}

/** As the library names it. Throws: Defect for keys of other kinds. */
export function signingAlgorithmOf(key: KeyObject): { readonly name: string; readonly namedCurve?: string } {
  if (key.asymmetricKeyType === "ed25519") return { name: "Ed25519" };
  assert(key.asymmetricKeyDetails?.namedCurve === "prime256v1", "certificates are signed by P-256 or Ed25519 keys");
  return { name: "ECDSA", namedCurve: "P-256" };
}

/**
 * The part of WebCrypto that the library signs with, by the key itself: nothing else of WebCrypto is reached, so that no
 * certificate can hold anything drawn behind the caller's back (an ECDSA signature's own nonce is OpenSSL's affair).
 */
export const signingWith = (key: KeyObject) => ({
  subtle: {
    sign: (_algorithm: unknown, _key: unknown, data: ArrayBuffer): Promise<ArrayBuffer> => {
      const digest = key.asymmetricKeyType === "ed25519" ? null : "sha256";
      return Promise.resolve(
        new Uint8Array(sign(digest, new Uint8Array(data), { key, dsaEncoding: "ieee-p1363" })).buffer,
      );
    },
  },
});

/** Derived, not drawn: 16 bytes that differ for every key and validity, positive and never zero (RFC 5280 §4.1.2.2). */
const serialOf = (spki: Uint8Array, notBefore: number, notAfter: number): string =>
  `7f${domainDigest("certificate-serial", utf8(`${notBefore}-${notAfter}\0`), spki).slice(0, 30)}`;

/** DER of a name that is this common name alone, as every certificate of ours spells subjects and issuers. */
export const commonName = (name: string): Uint8Array => new Uint8Array(new Name([{ CN: [name] }]).toArrayBuffer());

/** PEM of one certificate. */
export const certificatePem = (der: Uint8Array): string =>
  `${PemConverter.encode(Uint8Array.from(der).buffer, "CERTIFICATE").trimEnd()}\n`;

/** Certificates of a PEM text (a bundle of anchors); undefined when it is not PEM. Bounds: 1 MiB. */
export function certificatesOfPem(pem: string): readonly Uint8Array[] | undefined {
  if (pem.length > 1024 * 1024) return undefined;
  try {
    return PemConverter.decodeWithHeaders(pem)
      .filter(({ type }) => type === "CERTIFICATE")
      .map(({ rawData }) => new Uint8Array(rawData));
  } catch {
    return undefined;
  }
}

/** Private key as node:tls takes it. The text is a secret. */
export const privateKeyPem = (key: KeyObject): string => String(key.export({ format: "pem", type: "pkcs8" }));
