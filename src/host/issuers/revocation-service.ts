/**
 * Revocations for those outside: lists and answers that this node's issuer signs, made when they are asked for and kept while they hold.
 * Nothing inside the cluster asks: the log says what is revoked.
 */
import { X509Certificate } from "node:crypto";
import type { Aid, Digest } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import {
  type AskedCertificate,
  type IssuerIdentity,
  OCSP_REQUEST_BYTES_MAX,
  type OcspInput,
  type RevocationListInput,
  type SingleStatus,
  issuerIdentity,
  ocspRefusal,
  readOcspRequest,
} from "../../crypto/revocation.ts";
import { spkiHashOf } from "../../crypto/x509.ts";
import { REASON_CODES } from "../../events/facts/certificate.ts";
import type { KnownCertificate, LiveCertificates } from "../../projections/certificates/live-certificates.ts";
import type { IdentityReply, IdentityRequest, IdentityRoute } from "../listeners/identity-http.ts";

export interface RevocationServiceOptions {
  /** The node, and its issuer's certificate, DER. */
  readonly aid: Aid;
  readonly issuer: Uint8Array;
  readonly certificates: () => Pick<LiveCertificates, "list" | "withSerial">;
  readonly signer: {
    readonly revocationList: (input: RevocationListInput) => Promise<Result<Uint8Array>>;
    readonly ocspAnswer: (input: OcspInput) => Promise<Result<Uint8Array>>;
  };
  /** Units: ms since 1970. */
  readonly now: () => number;
}

/** Whose certificates a list is of: the node's own, or those that operators and clients issued themselves. */
export type ListKind = "own" | "self-issued";

/** How long a list is good for, and from what age a new one is made. Units: ms. */
const LIST_VALID_MS = 3_600_000;
const LIST_RENEWED_AT_MS = LIST_VALID_MS / 2;
/** How long an answer is. Units: ms. */
const ANSWER_VALID_MS = 600_000;
/** A signature costs the enclave some tenths of a millisecond, and strangers may ask. */
const ANSWERS_UNDER_WAY_MAX = 8;
/** So many identifiers would have to have claimed one serial number. */
const CANDIDATES_MAX = 1_024;

interface KeptList {
  readonly der: Promise<Result<Uint8Array>>;
  readonly madeAt: number;
}

export class RevocationService {
  readonly #options: RevocationServiceOptions;
  readonly #identity: IssuerIdentity;
  readonly #issuer: Digest;
  readonly #lists = new Map<ListKind, KeptList>();
  #lastNumber = 0;
  #underWay = 0;

  constructor(options: RevocationServiceOptions) {
    this.#options = options;
    this.#identity = issuerIdentity(options.issuer);
    this.#issuer = spkiHashOf(new X509Certificate(options.issuer).publicKey);
  }

  /** A certificate was revoked: lists are made anew. */
  changed(): void {
    this.#lists.clear();
  }

  /** DER. Refuses: SEALED. */
  async list(kind: ListKind): Promise<Result<Uint8Array>> {
    const now = this.#options.now();
    const kept = this.#lists.get(kind);
    if (kept !== undefined && now - kept.madeAt < LIST_RENEWED_AT_MS && now >= kept.madeAt) return kept.der;
    const der = this.#makeList(kind, now);
    const made = { der, madeAt: now };
    this.#lists.set(kind, made);
    const result = await der;
    if (!result.ok && this.#lists.get(kind) === made) this.#lists.delete(kind);
    return result;
  }

  #makeList(kind: ListKind, now: number): Promise<Result<Uint8Array>> {
    const { aid, certificates, signer } = this.#options;
    this.#lastNumber = Math.max(this.#lastNumber + 1, now);
    const isOfKind = ({ record }: KnownCertificate): boolean =>
      kind === "own" ? record.issuer === this.#issuer : record.issuer === record.spkiHash;
    const entries = certificates()
      .list(kind === "own" ? aid : undefined)
      .filter(isOfKind)
      .flatMap(({ record, revocation }) =>
        revocation === null
          ? []
          : {
              serial: record.serial,
              at: revocation.at,
              reasonCode: REASON_CODES[revocation.reason],
              selfIssuedBy: kind === "own" ? null : record.aid,
            },
      );
    const isIndirect = kind === "self-issued";
    return signer.revocationList({
      thisUpdate: now,
      nextUpdate: now + LIST_VALID_MS,
      number: this.#lastNumber,
      isIndirect,
      entries,
    });
  }

  /** Answers an OCSP request, DER both. Bounds: 4 KiB, 16 certificates, 8 at once. */
  async answer(request: Uint8Array): Promise<Uint8Array> {
    const question = readOcspRequest(request);
    if (!question.ok) return ocspRefusal("malformedRequest");
    const { asked, nonce } = question.value;
    const found = asked.map((one) => this.#statusOf(one));
    if (!found.some(({ isOurs }) => isOurs)) return ocspRefusal("unauthorized");
    if (this.#underWay >= ANSWERS_UNDER_WAY_MAX) return ocspRefusal("tryLater");
    this.#underWay += 1;
    try {
      const now = this.#options.now();
      const statuses = found.map(({ single }) => single);
      const signed = await this.#options.signer.ocspAnswer({
        thisUpdate: now,
        nextUpdate: now + ANSWER_VALID_MS,
        statuses,
        nonce,
      });
      return signed.ok ? signed.value : ocspRefusal("tryLater");
    } finally {
      this.#underWay -= 1;
    }
  }

  /** What the log knows is good or revoked, what it does not know is unknown: it was never recorded, or has ended. */
  #statusOf(asked: AskedCertificate): { readonly isOurs: boolean; readonly single: SingleStatus } {
    const { aid, certificates } = this.#options;
    const isOfIssuer = asked.isOf(this.#identity);
    const named = certificates().withSerial(asked.serial);
    // Whoever claims the same serial number pushes none of this issuer's out; nor does their order, which is another after a start.
    const known = isOfIssuer
      ? named.filter(({ record }) => record.aid === aid && record.issuer === this.#issuer)
      : named
          .filter(({ record }) => record.issuer === record.spkiHash)
          .slice(0, CANDIDATES_MAX)
          .filter(({ record }) => asked.isSelfIssuedBy(record.aid));
    const { certId } = asked;
    const revoked = known.find(({ revocation }) => revocation !== null)?.revocation;
    if (revoked)
      return {
        isOurs: true,
        single: { certId, status: { at: revoked.at, reasonCode: REASON_CODES[revoked.reason] } },
      };
    const isKnown = known.length > 0;
    return { isOurs: isOfIssuer || isKnown, single: { certId, status: isKnown ? "good" : "unknown" } };
  }
}

const CRL = "application/pkix-crl";
const OCSP_RESPONSE = "application/ocsp-response";
const OCSP_REQUEST = "application/ocsp-request";

/**
 * GET /crl/{aid of the node}, GET /crl/self-issued; POST /ocsp, GET /ocsp/{base64} (RFC 6960 appendix A). `service` is undefined while
 * the node is sealed.
 */
export function revocationRoute(aid: Aid, service: () => RevocationService | undefined): IdentityRoute {
  return {
    post: { isFor: (path) => path.length === 1 && path[0] === "ocsp", bytesMax: OCSP_REQUEST_BYTES_MAX },
    answer: ({ method, path: [first, ...rest], headers, body }) => {
      if (first === "crl" && method === "GET" && rest.length === 1) {
        const [name] = rest;
        if (name === aid) return listReply(service(), "own");
        if (name === "self-issued") return listReply(service(), "self-issued");
        return undefined;
      }
      if (first !== "ocsp") return undefined;
      if (method === "GET") return ocspReply(service(), requestOf(rest));
      if (rest.length > 0) return undefined;
      return headers["content-type"] === OCSP_REQUEST
        ? ocspReply(service(), body)
        : Promise.resolve({ status: 415, type: "text/plain; charset=utf-8", body: `Send ${OCSP_REQUEST}.\n` });
    },
  };
}

/** Base64 has slashes: a request may come as several segments. Too long is told by whoever reads it. */
const requestOf = (segments: IdentityRequest["path"]): Uint8Array =>
  new Uint8Array(Buffer.from(segments.join("/"), "base64"));

const SEALED: IdentityReply = {
  status: 503,
  type: "text/plain; charset=utf-8",
  body: "The node is sealed; ask another, or later.\n",
};

async function listReply(service: RevocationService | undefined, kind: ListKind): Promise<IdentityReply> {
  const list = await service?.list(kind);
  return list?.ok === true ? { status: 200, type: CRL, body: list.value } : SEALED;
}

async function ocspReply(service: RevocationService | undefined, request: Uint8Array): Promise<IdentityReply> {
  return service === undefined
    ? { status: 200, type: OCSP_RESPONSE, body: ocspRefusal("tryLater") }
    : { status: 200, type: OCSP_RESPONSE, body: await service.answer(request) };
}
