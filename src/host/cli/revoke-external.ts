/**
 * `sky certificate revoke-external`: has the issuer that the settings name (SKY_ISSUER) revoke a certificate that it signed for a node. Nobody's
 * log knows those, and no node is asked: the issuer is the only one who can say so to strangers.
 */
import { type Result, ok, refuse } from "../../base/result.ts";
import { serialOf } from "../../crypto/requested-certificate.ts";
import { certificatesOfPem } from "../../crypto/x509.ts";
import { REVOCATION_REASONS } from "../../events/facts/certificate.ts";
import { readConfig } from "../config/read.ts";
import { fileExists, readPublic } from "../founding/files.ts";
import { configuredIssuer } from "../issuers/configured.ts";
import { textsOf } from "./config.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure, reportRefusal } from "./io.ts";

export interface RevokeExternalOptions {
  readonly args: readonly [certificate: string];
  readonly json?: boolean;
  readonly reason?: string;
  /** YAML file. */
  readonly config?: string;
  /** Every other option is a setting's flag. */
  readonly [flag: string]: string | boolean | readonly string[] | undefined;
}

const FILE_BYTES_MAX = 64 * 1024;

export async function run(options: RevokeExternalOptions, io: CliIo): Promise<ExitCode> {
  const { args, json = false, reason: word = "unspecified", config: file, ...flags } = options;
  const usage = (code: string, message: string): ExitCode => {
    reportFailure(io, code, message, json);
    return EXIT.usage;
  };
  const reason = REVOCATION_REASONS.find((known) => known === word);
  if (reason === undefined) return usage("USAGE", `The reason is one of ${REVOCATION_REASONS.join(", ")}.`);
  const loaded = readConfig(textsOf(flags as Record<string, string | boolean | undefined>), io.env, file);
  if (!loaded.ok) return usage(loaded.refusal.code, loaded.refusal.message);
  const serial = readSerial(args[0]);
  if (!serial.ok) return reportRefusal(io, serial.refusal, json);
  const issuer = configuredIssuer(loaded.value.config, () => Date.now());
  if (issuer === undefined)
    return usage("ISSUER_CONFIG", "The settings name no external issuer: give them as the node has them (SKY_ISSUER).");
  try {
    const revoked = await issuer.revoke(serial.value, reason);
    if (!revoked.ok) return reportRefusal(io, revoked.refusal, json);
  } finally {
    issuer.close();
  }
  if (json) io.out(JSON.stringify({ ok: true, serial: serial.value, reason }));
  else io.out(`certificate ${serial.value} is revoked by its issuer; restart the node that shows it: it takes another`);
  return EXIT.ok;
}

/** Of a PEM file's first certificate, or as it was typed. */
function readSerial(text: string): Result<string> {
  if (!fileExists(text)) {
    const serial = text.toLowerCase().replaceAll(":", "");
    if (/^(?:[0-9a-f]{2}){1,20}$/.test(serial)) return ok(serial);
    return refuse("NOT_FOUND", `There is no file ${text}, and it is no serial number (hexadecimal digits in pairs).`);
  }
  const file = readPublic(text, FILE_BYTES_MAX);
  if (!file.ok) return file;
  const [certificate] = certificatesOfPem(Buffer.from(file.value).toString("latin1")) ?? [];
  return certificate === undefined
    ? refuse("FILE_MALFORMED", `${text} holds no certificate (PEM).`)
    : ok(serialOf(certificate));
}
