/** sky.certificate.v1: certificates that the log knows. Contract: proto/sky/certificate/v1/certificate.proto. */
import type { Aid, Height } from "../../base/brands.ts";
import { digestBytes } from "../../base/bytes.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { KnownCertificate } from "../../projections/certificates/live-certificates.ts";
import { certificateName } from "../../projections/certificates/live-certificates.ts";
import type * as Wire from "../../wire/generated/sky/certificate/v1/certificate.ts";
import {
  type CertificateServiceServer,
  CertificateServiceService,
} from "../../wire/generated/sky/certificate/v1/certificate.ts";
import { wantedHeightOf } from "../../wire/sky-graph.ts";
import { errorOf } from "../../wire/status.ts";
import { strictService } from "../../wire/strict-service.ts";
import { READ_DEADLINE_MS, type ServiceContext, behind, deadlineOf, reached, undecodable } from "./call.ts";
import type { ReadCall } from "./sky-answers.ts";

/** Requests decoded strictly. */
export const certificateService = strictService(CertificateServiceService);

/** What the service asks of a node. */
export interface CertificatePort {
  /** In the order of their names; of one identifier, or of all. */
  readonly list: (aid?: Aid) => readonly KnownCertificate[];
  /** Whether somebody may see others' certificates. */
  readonly mayAudit: (aid: Aid) => boolean;
}

export interface CertificateContext extends ServiceContext {
  readonly certificates: CertificatePort;
}

const PAGE_MAX = 1_000;

/** Handlers, to be added with certificateService. */
export function certificate(context: CertificateContext): CertificateServiceServer {
  const height = (): Height => context.port.height();
  return {
    list: (call, reply) => {
      const broken = undecodable(call.request);
      if (broken !== undefined) return reply(errorOf(broken.refusal, height()));
      list(context, call, call.request).then(
        (result) => (result.ok ? reply(null, result.value) : reply(errorOf(result.refusal, height()))),
        (error: unknown) => {
          context.onDefect(error);
          const { refusal } = refuse("DEFECT", "The node failed while it answered; ask another node.", "none");
          reply(errorOf(refusal, height()));
        },
      );
    },
  };
}

async function list(
  context: CertificateContext,
  call: ReadCall,
  { aid, after, consistency }: Wire.ListRequest,
): Promise<Result<Wire.ListResponse>> {
  const caller = context.callerOf(call);
  if (!caller.ok) return caller;
  const { certificates, port } = context;
  if (aid !== caller.value.aid && !certificates.mayAudit(caller.value.aid))
    return refuse(
      "PERMISSION_DENIED",
      "Seeing others' certificates needs sky:cluster#audit; ask an administrator to grant it, or ask for your own.",
    );
  const wanted = wantedHeightOf(consistency);
  if (!(await reached(port, wanted, deadlineOf(call, READ_DEADLINE_MS)))) return behind(port, wanted);
  const found = certificates.list(aid === "" ? undefined : (aid as Aid));
  const from = found.findIndex(({ record }) => certificateName(record) > after);
  const page = from < 0 ? [] : found.slice(from, from + PAGE_MAX);
  const last = page.at(-1);
  const hasMore = last !== undefined && from + page.length < found.length;
  return ok({
    certificates: page.map(messageOf),
    next: hasMore ? certificateName(last.record) : "",
    height: BigInt(port.height()),
  });
}

const messageOf = ({ record, height, revocation }: KnownCertificate): Wire.Certificate => ({
  issuer: Buffer.from(digestBytes(record.issuer)),
  serial: record.serial,
  aid: record.aid,
  role: record.role,
  spkiHash: Buffer.from(digestBytes(record.spkiHash)),
  notBeforeMs: BigInt(record.notBefore),
  notAfterMs: BigInt(record.notAfter),
  height: BigInt(height),
  revocation:
    revocation === null
      ? undefined
      : {
          reason: revocation.reason,
          height: BigInt(revocation.height),
          atMs: BigInt(revocation.at),
        },
});
