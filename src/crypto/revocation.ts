/**
 * What those outside ask of revocations: lists (RFC 5280 §5) and answers about single certificates (RFC 6960), signed by an issuer
 * itself. Time is an argument. Nodes need neither: the log says what is revoked. Operators and clients issue their own certificates, so
 * an issuer of a node speaks of theirs in an indirect list (RFC 5280 §5.3.3), and as a responder that the asker trusts (RFC 6960 §4.2.2.2).
 */
import { type KeyObject, createHash, sign } from "node:crypto";
import {
  BasicOCSPResponse,
  CertID,
  CertStatus,
  KeyHash,
  OCSPRequest,
  OCSPResponse,
  OCSPResponseStatus,
  ResponderID,
  ResponseBytes,
  ResponseData,
  RevokedInfo,
  SingleResponse,
  id_pkix_ocsp_basic,
  id_pkix_ocsp_nonce,
} from "@peculiar/asn1-ocsp";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AuthorityKeyIdentifier,
  CRLNumber,
  CRLReason,
  Certificate,
  CertificateIssuer,
  CertificateList,
  Extension,
  Extensions,
  GeneralName,
  IssuingDistributionPoint,
  KeyIdentifier,
  Name,
  RevokedCertificate,
  TBSCertList,
  Time,
  Version,
  id_ce_authorityKeyIdentifier,
  id_ce_cRLNumber,
  id_ce_cRLReasons,
  id_ce_certificateIssuer,
  id_ce_issuingDistributionPoint,
} from "@peculiar/asn1-x509";
import type { Aid } from "../base/brands.ts";
import { equalBytes, toHex } from "../base/bytes.ts";
import { type Result, ok, refuse } from "../base/result.ts";
import { wholeSeconds } from "./certificate-proof.ts";
import { serialText } from "./certificate-record.ts";
import { commonName } from "./x509.ts";

/** Who signs: an issuer's certificate, DER, and its P-256 key. */
export interface Signing {
  readonly certificate: Uint8Array;
  readonly key: KeyObject;
}

interface Validity {
  /** Units: ms since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
}

/** One revoked certificate. */
export interface RevokedEntry {
  /** As `serialText` writes it. */
  readonly serial: string;
  /** Units: ms since 1970. */
  readonly at: number;
  /** RFC 5280 §5.3.1; 0, unspecified, is left out. */
  readonly reasonCode: number;
  /** Who issued its own certificate; null: the list's issuer issued it. */
  readonly selfIssuedBy: Aid | null;
}

export interface RevocationListInput extends Validity {
  readonly entries: readonly RevokedEntry[];
  /** Grows with every list (RFC 5280 §5.2.3). */
  readonly number: number;
  /** A list of certificates that others issued for themselves, and of none of its own. */
  readonly isIndirect: boolean;
}

/** What a responder says of one certificate. */
export interface SingleStatus {
  /** As it was asked, DER. */
  readonly certId: Uint8Array;
  readonly status: "good" | "unknown" | { readonly at: number; readonly reasonCode: number };
}

export interface OcspInput extends Validity {
  readonly statuses: readonly SingleStatus[];
  /** Extension of the request that is to come back, DER. */
  readonly nonce: Uint8Array | null;
}

const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
const algorithm = () => new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
/** A copy: a Buffer may be a window into memory that others use. */
const bufferOf = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;
const derOf = (value: unknown): Uint8Array => new Uint8Array(AsnConvert.serialize(value));
const signed = (key: KeyObject, tbs: Uint8Array): ArrayBuffer =>
  bufferOf(new Uint8Array(sign("sha256", tbs, { key, dsaEncoding: "der" })));
const dateOf = (ms: number): Date => new Date(wholeSeconds(ms));
const hash = (name: string, bytes: Uint8Array): Uint8Array => new Uint8Array(createHash(name).update(bytes).digest());
const extension = (extnID: string, value: unknown, critical = false): Extension =>
  new Extension({ extnID, critical, extnValue: new OctetString(bufferOf(derOf(value))) });

/** Content of the INTEGER of a serial number: positive, so a first byte with its high bit set gets a zero before it. */
function serialBytes(serial: string): ArrayBuffer {
  const bytes = Buffer.from(serial, "hex");
  return bufferOf((bytes[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

const nameOfSelfIssuer = (aid: Aid): Name => AsnConvert.parse(bufferOf(commonName(aid)), Name);

/** DER of a list, complete for what it speaks of. Source: RFC 5280 §5.1. */
export function revocationList({ certificate, key }: Signing, input: RevocationListInput): Uint8Array {
  const issuer = AsnConvert.parse(bufferOf(certificate), Certificate).tbsCertificate;
  const keyIdentifier = hash("sha256", derOf(issuer.subjectPublicKeyInfo)).subarray(0, 20);
  const { isIndirect, entries } = input;
  const tbs = new TBSCertList({
    version: Version.v2,
    signature: algorithm(),
    issuer: issuer.subject,
    thisUpdate: new Time(dateOf(input.thisUpdate)),
    nextUpdate: new Time(dateOf(input.nextUpdate)),
    ...(entries.length === 0 ? {} : { revokedCertificates: entries.map(revokedOf) }),
    crlExtensions: new Extensions([
      extension(
        id_ce_authorityKeyIdentifier,
        new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(bufferOf(keyIdentifier)) }),
      ),
      extension(id_ce_cRLNumber, new CRLNumber(input.number)),
      ...(isIndirect
        ? [
            extension(
              id_ce_issuingDistributionPoint,
              new IssuingDistributionPoint({ onlyContainsUserCerts: true, indirectCRL: true }),
              true,
            ),
          ]
        : []),
    ]),
  });
  const bytes = derOf(tbs);
  return derOf(
    new CertificateList({ tbsCertList: tbs, signatureAlgorithm: algorithm(), signature: signed(key, bytes) }),
  );
}

function revokedOf({ serial, at, reasonCode, selfIssuedBy }: RevokedEntry): RevokedCertificate {
  const extensions = [
    ...(reasonCode === 0 ? [] : [extension(id_ce_cRLReasons, new CRLReason(reasonCode))]),
    ...(selfIssuedBy === null
      ? []
      : [
          extension(
            id_ce_certificateIssuer,
            new CertificateIssuer([new GeneralName({ directoryName: nameOfSelfIssuer(selfIssuedBy) })]),
            true,
          ),
        ]),
  ];
  return new RevokedCertificate({
    userCertificate: serialBytes(serial),
    revocationDate: new Time(dateOf(at)),
    ...(extensions.length === 0 ? {} : { crlEntryExtensions: extensions }),
  });
}

/** Requests ask about one certificate, or a chain. */
export const OCSP_REQUEST_BYTES_MAX = 4_096;
export const OCSP_CERTIFICATES_MAX = 16;
/** RFC 8954 §2.1. */
const NONCE_BYTES_MAX = 32;
/** The octet string around it. */
const NONCE_HEADER_BYTES = 2;
const HASHES: ReadonlyMap<string, string> = new Map([
  ["1.3.14.3.2.26", "sha1"],
  ["2.16.840.1.101.3.4.2.1", "sha256"],
]);

export interface AskedCertificate {
  /** DER, to be given back. */
  readonly certId: Uint8Array;
  /** As `serialText` writes it. */
  readonly serial: string;
  /** Whether the certificate is named as one of this issuer's. */
  readonly isOf: (issuer: IssuerIdentity) => boolean;
  /** Whether it is named as one that this identifier issued itself; its key is not known, its name is the identifier. */
  readonly isSelfIssuedBy: (aid: Aid) => boolean;
}

/** An issuer as requests name it. */
export interface IssuerIdentity {
  /** DER. */
  readonly name: Uint8Array;
  /** Content of the key's BIT STRING. */
  readonly key: Uint8Array;
}

export function issuerIdentity(certificate: Uint8Array): IssuerIdentity {
  const { subject, subjectPublicKeyInfo } = AsnConvert.parse(bufferOf(certificate), Certificate).tbsCertificate;
  return { name: derOf(subject), key: new Uint8Array(subjectPublicKeyInfo.subjectPublicKey) };
}

export interface OcspQuestion {
  readonly asked: readonly AskedCertificate[];
  readonly nonce: Uint8Array | null;
}

/** Reads a request; its signature, if it has one, means nothing here. Bounds: 4 KiB, 16 certificates. Refuses: OCSP_MALFORMED. */
export function readOcspRequest(der: Uint8Array): Result<OcspQuestion> {
  const malformed = () => refuse("OCSP_MALFORMED", "The request is no OCSP request, or asks too much at once.");
  if (der.length === 0 || der.length > OCSP_REQUEST_BYTES_MAX) return malformed();
  try {
    const { requestList, requestExtensions = [] } = AsnConvert.parse(bufferOf(der), OCSPRequest).tbsRequest;
    if (requestList.length === 0 || requestList.length > OCSP_CERTIFICATES_MAX) return malformed();
    const nonces = requestExtensions.filter(({ extnID }) => extnID === id_pkix_ocsp_nonce);
    const [nonce] = nonces;
    if (nonces.length > 1) return malformed();
    if (nonce !== undefined && nonce.extnValue.byteLength > NONCE_BYTES_MAX + NONCE_HEADER_BYTES) return malformed();
    return ok({
      asked: requestList.map(({ reqCert }) => askedOf(reqCert)),
      nonce: nonce === undefined ? null : derOf(nonce),
    });
  } catch {
    return malformed();
  }
}

function askedOf(certId: CertID): AskedCertificate {
  const name = HASHES.get(certId.hashAlgorithm.algorithm);
  const nameHash = new Uint8Array(certId.issuerNameHash.buffer);
  const keyHash = new Uint8Array(certId.issuerKeyHash.buffer);
  return {
    certId: derOf(certId),
    serial: serialText(toHex(new Uint8Array(certId.serialNumber))),
    isOf: (issuer) =>
      name !== undefined &&
      equalBytes(hash(name, issuer.name), nameHash) &&
      equalBytes(hash(name, issuer.key), keyHash),
    isSelfIssuedBy: (aid) => name !== undefined && equalBytes(hash(name, commonName(aid)), nameHash),
  };
}

/** DER of a signed answer. Source: RFC 6960 §4.2. */
export function ocspAnswer({ certificate, key }: Signing, input: OcspInput): Uint8Array {
  const data = new ResponseData({
    // The issuer's own key signs: no certificate has to come along.
    responderID: new ResponderID({
      byKey: new KeyHash(bufferOf(hash("sha1", issuerIdentity(certificate).key))),
    }),
    producedAt: dateOf(input.thisUpdate),
    responses: input.statuses.map(
      ({ certId, status }) =>
        new SingleResponse({
          certID: AsnConvert.parse(bufferOf(certId), CertID),
          certStatus: statusOf(status),
          thisUpdate: dateOf(input.thisUpdate),
          nextUpdate: dateOf(input.nextUpdate),
        }),
    ),
    ...(input.nonce === null ? {} : { responseExtensions: [AsnConvert.parse(bufferOf(input.nonce), Extension)] }),
  });
  const basic = new BasicOCSPResponse({
    tbsResponseData: data,
    signatureAlgorithm: algorithm(),
    signature: signed(key, derOf(data)),
  });
  return derOf(
    new OCSPResponse({
      responseStatus: OCSPResponseStatus.successful,
      responseBytes: new ResponseBytes({
        responseType: id_pkix_ocsp_basic,
        response: new OctetString(bufferOf(derOf(basic))),
      }),
    }),
  );
}

function statusOf(status: SingleStatus["status"]): CertStatus {
  if (status === "good") return new CertStatus({ good: null });
  if (status === "unknown") return new CertStatus({ unknown: null });
  const { at, reasonCode } = status;
  return new CertStatus({
    revoked: new RevokedInfo({
      revocationTime: dateOf(at),
      ...(reasonCode === 0 ? {} : { revocationReason: new CRLReason(reasonCode) }),
    }),
  });
}

/** Answers that say nothing of a certificate, and so are not signed. Source: RFC 6960 §2.3. */
export const ocspRefusal = (status: "malformedRequest" | "internalError" | "tryLater" | "unauthorized"): Uint8Array =>
  derOf(new OCSPResponse({ responseStatus: OCSPResponseStatus[status] }));
