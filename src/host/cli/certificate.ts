/** `sky certificate list | record | revoke`: certificates in the log, as the client whose folder is given. */
import type { Aid } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { LoggedCertificate } from "../../client/certificates.ts";
import type { SkyClient } from "../../client/sky-client.ts";
import { provedRecordOf } from "../../crypto/certificate-record.ts";
import { certificatesOfPem } from "../../crypto/x509.ts";
import {
  type CertificateRecord,
  RECORDED_ROLES,
  REVOCATION_REASONS,
  type RevocationReason,
} from "../../events/facts/certificate.ts";
import { clientFiles, replaceRevoked } from "../founding/client-folder.ts";
import { fileExists, readPublic } from "../founding/files.ts";
import { askingIdentity } from "./identity-folder.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure, reportRefusal } from "./io.ts";
import { random } from "./operator-command.ts";
import { type OracleOptions, timing, withClient } from "./oracle.ts";

export interface ListOptions extends OracleOptions {
  readonly all?: boolean;
  readonly aid?: string;
}

export const list = (options: ListOptions, io: CliIo): Promise<ExitCode> =>
  withClient(options, io, async (client) => {
    let count = 0;
    for await (const certificate of client.certificates.list(whose(options), timing(options))) {
      io.out(options.json === true ? JSON.stringify({ ok: true, ...certificate }) : sentence(certificate));
      count += 1;
    }
    // Not on standard output: a pipe that counts lines counts certificates.
    if (count === 0) io.err(`no certificate of ${owner(options)} is in the log`);
    return EXIT.ok;
  });

/** Undefined: the client's own; null: everybody's. */
const whose = ({ all, aid }: ListOptions): Aid | null | undefined => (all === true ? null : (aid as Aid | undefined));

const owner = ({ all, aid }: ListOptions): string => (all === true ? "anybody" : (aid ?? "this client"));

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace("T", " ");

function sentence({ serial, aid, role, notAfter, height, revocation }: LoggedCertificate): string {
  const stands =
    revocation === null
      ? `until ${day(notAfter)}`
      : `REVOKED at height ${revocation.height}, ${day(revocation.at)} (${revocation.reason})`;
  return `${serial}  ${role.padEnd(8)}  ${aid}  recorded at height ${height}, ${stands}`;
}

export interface RecordOptions extends OracleOptions {
  readonly args: readonly [file: string];
}

/** A certificate of the client's own, from its PEM file. */
export function record(options: RecordOptions, io: CliIo): Promise<ExitCode> {
  const read = readRecord(options.args[0]);
  if (!read.ok) return Promise.resolve(reportRefusal(io, read.refusal, options.json ?? false));
  return withClient(options, io, async (client) => {
    const { receipt, changed } = await client.certificates.record([read.value], timing(options));
    const said = changed[0] === true ? "is recorded" : "was recorded before";
    tell(options, io, { serial: read.value.serial, height: receipt.height, changed: changed[0] === true }, said);
    return EXIT.ok;
  });
}

export interface RevokeOptions extends OracleOptions {
  readonly args: readonly [certificate: string];
  readonly reason?: string;
  readonly aid?: string;
}

/** By its PEM file, or by its serial number when the log knows it. */
export function revoke(options: RevokeOptions, io: CliIo): Promise<ExitCode> {
  const reason = REVOCATION_REASONS.find((known) => known === (options.reason ?? "unspecified"));
  if (reason === undefined) {
    reportFailure(io, "USAGE", `The reason is one of ${REVOCATION_REASONS.join(", ")}.`, options.json ?? false);
    return Promise.resolve(EXIT.usage);
  }
  // Before the folder is used, which may put another certificate in the place of this one.
  const named = fileExists(options.args[0]) ? readRecord(options.args[0]) : undefined;
  if (named?.ok === false) return Promise.resolve(reportRefusal(io, named.refusal, options.json ?? false));
  return withClient(options, io, (client) => revokeAs(client, options, named?.value, reason, io));
}

async function revokeAs(
  client: SkyClient,
  options: RevokeOptions,
  named: CertificateRecord | undefined,
  reason: RevocationReason,
  io: CliIo,
): Promise<ExitCode> {
  const found = named === undefined ? await find(client, options) : ok(named);
  if (!found.ok) return reportRefusal(io, found.refusal, options.json ?? false);
  const { receipt, changed } = await client.certificates.revoke(found.value, reason, timing(options));
  const asking = askingIdentity(options);
  const replaced =
    asking.ok && (await replaceRevoked(asking.value.folder, found.value.spkiHash, random, Date.now()))
      ? `; ${clientFiles(asking.value.folder).certificate} is another one now`
      : "";
  const said = `${changed[0] === true ? "is revoked" : "was revoked before"}${replaced}`;
  tell(options, io, { serial: found.value.serial, height: receipt.height, changed: changed[0] === true }, said);
  return EXIT.ok;
}

function tell(
  { json }: OracleOptions,
  io: CliIo,
  report: { readonly serial: string; readonly height: number; readonly changed: boolean },
  said: string,
): void {
  io.out(
    json === true
      ? JSON.stringify({ ok: true, ...report })
      : `certificate ${report.serial} ${said} (height ${report.height})`,
  );
}

async function find(client: SkyClient, options: RevokeOptions): Promise<Result<CertificateRecord>> {
  const serial = options.args[0].toLowerCase().replaceAll(":", "");
  const found: CertificateRecord[] = [];
  for await (const certificate of client.certificates.list(
    options.aid === undefined ? undefined : (options.aid as Aid),
    timing(options),
  )) {
    const { issuer, aid, role, spkiHash, notBefore, notAfter } = certificate;
    if (certificate.serial === serial)
      found.push({ issuer, serial: certificate.serial, aid, role, spkiHash, notBefore, notAfter });
  }
  const [one, ...more] = found;
  if (one !== undefined && more.length === 0) return ok(one);
  return refuse(
    "NOT_FOUND",
    one === undefined
      ? `There is no file ${options.args[0]}, and the log knows no such serial number of this identifier; name its owner with --aid, or the certificate's file.`
      : "More than one certificate has this serial number; name the certificate's file.",
  );
}

const FILE_BYTES_MAX = 64 * 1024;

function readRecord(path: string): Result<CertificateRecord> {
  const file = readPublic(path, FILE_BYTES_MAX);
  if (!file.ok) return file;
  const chain = certificatesOfPem(Buffer.from(file.value).toString("latin1")) ?? [];
  const proved = provedRecordOf(chain);
  const role = RECORDED_ROLES.find((known) => known === proved?.role);
  if (proved === undefined || role === undefined)
    return refuse("FILE_MALFORMED", `${path} holds no certificate of a node, operator or client of ours (PEM).`);
  return ok({ ...proved, role });
}
