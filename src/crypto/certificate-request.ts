/** Requests for certificates (PKCS#10, RFC 2986): made, read, and their proof of possession checked. P-256 keys alone. */
import { type KeyObject, createPublicKey, sign, verify } from "node:crypto";
import { Attributes, CertificationRequest, CertificationRequestInfo } from "@peculiar/asn1-csr";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  Attribute,
  Extension as AsnExtension,
  Extensions,
  Name as AsnName,
  SubjectPublicKeyInfo,
  id_ce_subjectAltName,
} from "@peculiar/asn1-x509";
import { equalBytes } from "../base/bytes.ts";
import { type Result, ok, refuse } from "../base/result.ts";
import { SANS_MAX } from "./certificate-proof.ts";
import type { KeyObjectPair } from "./p256.ts";
import { fromExtension, toGeneralNames } from "./subject-names.ts";
import { PemConverter, SubjectAlternativeNameExtension, Pkcs10CertificateRequest } from "./x509-library.ts";
import { commonName, spkiOf } from "./x509.ts";

export const CSR_BYTES_MAX = 16 * 1024;
const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
/** Written by the issuer by its own rules, whatever is asked: key usages and basic constraints. */
const ISSUERS_OWN: ReadonlySet<string> = new Set(["2.5.29.15", "2.5.29.37", "2.5.29.19"]);

export interface AskedExtension {
  readonly oid: string;
  /** DER inside the extension. */
  readonly value: Uint8Array;
}

/** What a request asks for, its proof of possession checked. */
export interface CertificateAsked {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** Common name; null for an empty subject. */
  readonly subject: string | null;
  /** As subject-names.ts writes them. */
  readonly sans: readonly string[];
  /** Besides names and what issuers write by themselves. */
  readonly extensions: readonly AskedExtension[];
}

export interface RequestInput {
  readonly keys: KeyObjectPair;
  readonly subject: string;
  readonly sans: readonly string[];
  readonly extensions?: readonly AskedExtension[];
}

const bufferOf = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

/** DER of a request, signed by the key that it is about. */
export function certificateRequest({ keys, subject, sans, extensions = [] }: RequestInput): Uint8Array {
  const names = new SubjectAlternativeNameExtension(toGeneralNames(sans));
  const asked = new Extensions([
    AsnConvert.parse(names.rawData, AsnExtension),
    ...extensions.map(
      ({ oid, value }) => new AsnExtension({ extnID: oid, extnValue: new OctetString(bufferOf(value)) }),
    ),
  ]);
  const info = new CertificationRequestInfo({
    version: 0,
    subject: AsnConvert.parse(bufferOf(commonName(subject)), AsnName),
    subjectPKInfo: AsnConvert.parse(bufferOf(spkiOf(keys.publicKey)), SubjectPublicKeyInfo),
    attributes: new Attributes([new Attribute({ type: EXTENSION_REQUEST, values: [AsnConvert.serialize(asked)] })]),
  });
  const tbs = new Uint8Array(AsnConvert.serialize(info));
  const signature = sign("sha256", tbs, { key: keys.privateKey, dsaEncoding: "der" });
  const request = new CertificationRequest({
    certificationRequestInfo: info,
    signatureAlgorithm: new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 }),
    signature: bufferOf(signature),
  });
  return new Uint8Array(AsnConvert.serialize(request));
}

/** PEM of a request. */
export const requestPem = (der: Uint8Array): string =>
  `${PemConverter.encode(bufferOf(der), "CERTIFICATE REQUEST").trimEnd()}\n`;

const malformed = (message: string) => refuse("CSR_MALFORMED", message);

/** Bounds: 16 KiB, 32 names. Refuses: CSR_MALFORMED, CSR_KEY_REFUSED, CSR_UNPROVEN when its key did not sign it. */
export function readCertificateRequest(der: Uint8Array): Result<CertificateAsked> {
  if (der.length > CSR_BYTES_MAX)
    return malformed(`The request has ${der.length} bytes; at most ${CSR_BYTES_MAX} are read.`);
  try {
    const request = AsnConvert.parse(bufferOf(der), CertificationRequest);
    if (!equalBytes(new Uint8Array(AsnConvert.serialize(request)), der)) return malformed("The request is not DER.");
    const info = request.certificationRequestInfo;
    const spki = new Uint8Array(AsnConvert.serialize(info.subjectPKInfo));
    const key = p256Of(spki);
    if (key === undefined || request.signatureAlgorithm.algorithm !== ECDSA_WITH_SHA256)
      return refuse(
        "CSR_KEY_REFUSED",
        "The request is not of a P-256 key that signed it with SHA-256; make such a key.",
      );
    const signature = new Uint8Array(request.signature);
    if (!verify("sha256", new Uint8Array(AsnConvert.serialize(info)), { key, dsaEncoding: "der" }, signature))
      return refuse("CSR_UNPROVEN", "The request is not signed by the key that it asks a certificate for.");
    return readAsked(new Pkcs10CertificateRequest(bufferOf(der)), spki);
  } catch {
    return malformed("The request is not well-formed PKCS#10.");
  }
}

function p256Of(spki: Uint8Array): KeyObject | undefined {
  const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  return key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? key : undefined;
}

function readAsked(request: Pkcs10CertificateRequest, spki: Uint8Array): Result<CertificateAsked> {
  const { subjectName, extensions, attributes } = request;
  const requests = attributes.filter(({ type }) => type === EXTENSION_REQUEST);
  const names = extensions.filter((extension) => extension instanceof SubjectAlternativeNameExtension);
  const [name] = names;
  if (requests.length > 1 || names.length > 1) return malformed("The request names its extensions twice.");
  const sans = name === undefined ? [] : fromExtension(name);
  if (sans === undefined || sans.length > SANS_MAX)
    return malformed("The request's names cannot be read, or are too many.");
  const oids = extensions.map(({ type }) => type);
  if (new Set(oids).size !== oids.length) return malformed("The request asks for an extension twice.");
  const parts = subjectName.toJSON();
  const [subject] = parts[0]?.["CN"] ?? [];
  if (parts.length > 1 || (parts.length === 1 && (subject === undefined || Object.keys(parts[0] ?? {}).length > 1)))
    return malformed("The request's subject is more than a common name.");
  return ok({
    spki,
    subject: subject ?? null,
    sans,
    extensions: extensions
      .filter(({ type }) => type !== id_ce_subjectAltName && !ISSUERS_OWN.has(type))
      .map(({ type, value }) => ({ oid: type, value: new Uint8Array(value) })),
  });
}
