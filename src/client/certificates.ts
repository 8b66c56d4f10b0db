/** Certificates in the log, for a client: which there are, recording its own, revoking. */
import type { Aid, Digest, Height } from "../base/brands.ts";
import { digestOf } from "../base/bytes.ts";
import { encode } from "../base/codec.ts";
import {
  type CertificateRecord,
  RECORDED_ROLES,
  REVOCATION_REASONS,
  type RevocationReason,
  certificateIssueShape,
  certificateRevokeShape,
} from "../events/facts/certificate.ts";
import type { Command } from "../events/facts/command.ts";
import type * as Wire from "../wire/generated/sky/certificate/v1/certificate.ts";
import { CertificateServiceService } from "../wire/generated/sky/certificate/v1/certificate.ts";
import type { Consistency } from "../wire/generated/sky/oracle/v1/oracle.ts";
import { SkyError } from "./errors.ts";
import { type OracleStub, unaryBy } from "./nodes.ts";
import { type ClientPorts, ownCommandOf } from "./signing.ts";
import type { CallOptions, ReadOptions, Written } from "./sky-client.ts";

/** As the log knows it. */
export interface LoggedCertificate extends CertificateRecord {
  readonly height: Height;
  readonly revocation: { readonly reason: RevocationReason; readonly height: Height; readonly at: number } | null;
}

type Ask = (stub: OracleStub, consistency: Consistency | undefined, deadlineMs: number) => Promise<Wire.ListResponse>;

export class ClientCertificates {
  readonly #aid: Aid;
  readonly #ports: ClientPorts;
  readonly #order: (command: Command, options: CallOptions) => Promise<Written>;
  readonly #read: (options: ReadOptions, ask: Ask) => Promise<Wire.ListResponse>;

  /** Of a SkyClient, which gives it how to write and to read. */
  constructor(
    aid: Aid,
    ports: ClientPorts,
    order: (command: Command, options: CallOptions) => Promise<Written>,
    read: (options: ReadOptions, ask: Ask) => Promise<Wire.ListResponse>,
  ) {
    this.#aid = aid;
    this.#ports = ports;
    this.#order = order;
    this.#read = read;
  }

  /** Has the log know certificates of the client's own, all of them or none. Throws: SkyError of the refusal. */
  record(records: readonly CertificateRecord[], options: CallOptions = {}): Promise<Written> {
    const payload = encode(certificateIssueShape, { records });
    return this.#order(ownCommandOf("certificate.issue", payload, this.#ports), options);
  }

  /**
   * Revokes a certificate of the client's own, or as an administrator anybody's: its key is refused from that height on, whatever
   * certificate carries it. Throws: SkyError of the refusal.
   */
  revoke(record: CertificateRecord, reason: RevocationReason, options: CallOptions = {}): Promise<Written> {
    const payload = encode(certificateRevokeShape, { record, reason });
    return this.#order(ownCommandOf("certificate.revoke", payload, this.#ports), options);
  }

  /** Those that have not ended: of one identifier, the client's own unless given; null for all. Throws: SkyError. */
  async *list(aid: Aid | null = this.#aid, options: ReadOptions = {}): AsyncGenerator<LoggedCertificate> {
    for (let after = ""; ; ) {
      const request = { aid: aid ?? "", after };
      const page = await this.#read(options, (stub, consistency, deadlineMs) =>
        unaryBy(stub, CertificateServiceService.list, { ...request, consistency }, deadlineMs, false),
      );
      yield* page.certificates.map(loggedOf);
      if (page.next === "") return;
      after = page.next;
    }
  }
}

/** Throws: SkyError MALFORMED when a newer node says what this client does not know. */
export function loggedOf(message: Wire.Certificate): LoggedCertificate {
  const { issuer, serial, aid, spkiHash, notBeforeMs, notAfterMs, height, revocation } = message;
  const role = RECORDED_ROLES.find((known) => known === message.role);
  const reason = REVOCATION_REASONS.find((known) => known === revocation?.reason);
  if (role === undefined || (revocation !== undefined && reason === undefined))
    throw new SkyError("MALFORMED", "The node speaks of a role or reason that this client does not know; update it.");
  return {
    issuer: digest(issuer),
    serial,
    aid: aid as Aid,
    role,
    spkiHash: digest(spkiHash),
    notBefore: Number(notBeforeMs),
    notAfter: Number(notAfterMs),
    height: Number(height) as Height,
    revocation:
      revocation === undefined || reason === undefined
        ? null
        : { reason, height: Number(revocation.height) as Height, at: Number(revocation.atMs) },
  };
}

function digest(bytes: Uint8Array): Digest {
  if (bytes.length === 32) return digestOf(bytes);
  throw new SkyError("MALFORMED", "The node's answer holds a digest that is none; ask another node.", {
    retryable: true,
  });
}
