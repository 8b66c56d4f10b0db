import { explainConfig, formatExplained } from "../config/explain.ts";
import { readConfig } from "../config/read.ts";
import { type CliIo, type ExitCode, EXIT, reportFailure } from "./io.ts";

export interface ConfigExplainOptions {
  readonly json?: boolean;
  /** YAML file. */
  readonly config?: string;
  /** Every other option is a setting's flag. */
  readonly [flag: string]: string | boolean | undefined;
}

/** `sky config explain`: what a node started with these flags, this environment and this file would run with. */
export async function run(options: ConfigExplainOptions, io: CliIo): Promise<ExitCode> {
  const { json = false, config: file, ...flags } = options;
  const loaded = readConfig(textsOf(flags), io.env, file);
  if (!loaded.ok) {
    reportFailure(io, loaded.refusal.code, loaded.refusal.message, json);
    return EXIT.usage;
  }
  const settings = explainConfig(loaded.value);
  if (json) io.out(JSON.stringify({ ok: true, settings, warnings: loaded.value.warnings }));
  else io.out(formatExplained(settings));
  if (!json) for (const warning of loaded.value.warnings) io.err(`warning: ${warning}`);
  return EXIT.ok;
}

/** Flags of settings as text: a flag without a value, such as --strict, stands for true. */
export const textsOf = (flags: Readonly<Record<string, string | boolean | undefined>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(flags).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])),
  );
