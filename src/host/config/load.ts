/** Reads a node's configuration: flag before environment before YAML file before default; what nobody knows is refused by name. */
import { parseDocument } from "yaml";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { nearest } from "./nearest.ts";
import { type NodeConfig, type SettingKey, SETTING_KEYS, flagOf, settingOf } from "./schema.ts";
import { fromText, isDerived } from "./setting.ts";

/** Where a value came from. */
export type Source =
  | { readonly kind: "flag"; readonly name: string }
  | { readonly kind: "environment"; readonly name: string }
  | { readonly kind: "file"; readonly name: string }
  | { readonly kind: "default"; readonly rule?: string };

export interface ConfigInput {
  /** Values of flags by setting key, as text. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The YAML file, if there is one. */
  readonly file?: { readonly path: string; readonly text: string };
}

export interface LoadedConfig {
  readonly config: NodeConfig;
  readonly sources: Readonly<Record<SettingKey, Source>>;
  /** Sentences for the operator. */
  readonly warnings: readonly string[];
}

export type ConfigRefusal = Refusal<"CONFIG_INVALID">;

/** A configuration file is a page, not a data set. */
export const CONFIG_BYTES_MAX = 262_144;

interface Found {
  readonly raw: unknown;
  readonly source: Source;
}

/**
 * Judges everything before anything starts. `message` of a refusal holds one line for each problem.
 * Refuses: CONFIG_INVALID.
 */
export function loadConfig(input: ConfigInput): Result<LoadedConfig, ConfigRefusal> {
  const problems: string[] = [];
  const found = new Map<SettingKey, Found>();
  readFile(input.file, found, problems);
  readEnvironment(input.env, found, problems);
  readFlags(input.flags, found, problems);

  const values: Record<string, unknown> = {};
  const sources: Record<string, Source> = {};
  for (const key of SETTING_KEYS) {
    const { value, source } = settle(key, found.get(key), values, problems);
    values[key] = value;
    sources[key] = source;
  }
  const config = values as NodeConfig;
  const warnings = judgeTogether(config, problems);
  if (problems.length > 0) return refuse("CONFIG_INVALID", problems.join("\n"));
  return ok({ config, sources: sources as Record<SettingKey, Source>, warnings });
}

/** The value in force: what was found, else the default. Settings come after those that their defaults are derived from. */
function settle(
  key: SettingKey,
  found: Found | undefined,
  earlier: Readonly<Record<string, unknown>>,
  problems: string[],
) {
  const setting = settingOf(key);
  if (found === undefined) {
    const { fallback } = setting;
    if (!isDerived(fallback)) return { value: fallback, source: { kind: "default" } satisfies Source };
    const base = earlier[fallback.from];
    return {
      value: typeof base === "number" ? fallback.compute(base) : undefined,
      source: { kind: "default", rule: fallback.rule } satisfies Source,
    };
  }
  const parsed = setting.schema.safeParse(found.raw);
  if (!parsed.success) {
    const shown = setting.secret ? "(hidden)" : JSON.stringify(found.raw);
    problems.push(`${describeSource(found.source)}: ${shown} is not ${setting.bounds}.`);
  }
  return { value: parsed.data, source: found.source };
}

/** What no single setting can say. Returns warnings. */
function judgeTogether(config: NodeConfig, problems: string[]): readonly string[] {
  const ports = SETTING_KEYS.filter((key) => key.endsWith("Port"));
  for (const [i, key] of ports.entries()) {
    const twin = ports.slice(0, i).find((other) => config[other] !== 0 && config[other] === config[key]);
    if (twin !== undefined)
      problems.push(`${twin} and ${key} are both ${String(config[key])}; each port needs its own number.`);
  }
  if (config.timeoutCapMs < config.advanceTimeoutMs) {
    problems.push(
      `timeoutCapMs (${config.timeoutCapMs}) is below advanceTimeoutMs (${config.advanceTimeoutMs}); raise it.`,
    );
  }
  if (config.provisionedToken === undefined) return [];
  if (config.strict) {
    problems.push(
      "PROVISIONED_TOKEN: refused with strict; put the token into a file and name it in PROVISIONED_TOKEN_FILE.",
    );
  }
  return ["PROVISIONED_TOKEN is deprecated: an environment is readable by others. Use PROVISIONED_TOKEN_FILE."];
}

function readFile(file: ConfigInput["file"], found: Map<SettingKey, Found>, problems: string[]): void {
  if (file === undefined) return;
  if (Buffer.byteLength(file.text) > CONFIG_BYTES_MAX) {
    problems.push(`${file.path}: larger than ${CONFIG_BYTES_MAX} bytes.`);
    return;
  }
  const document = parseDocument(file.text, { uniqueKeys: true });
  if (document.errors.length > 0) {
    problems.push(...document.errors.map((error) => `${file.path}: ${error.message}`));
    return;
  }
  const content = contentOf(document);
  if (content === null) return;
  if (typeof content !== "object" || Array.isArray(content)) {
    problems.push(`${file.path}: must be a map of settings, such as "apiPort: 8123", without aliases.`);
    return;
  }
  for (const [name, raw] of Object.entries(content)) {
    const key = SETTING_KEYS.find((one) => one === name);
    if (key === undefined) problems.push(`${file.path}: unknown setting ${name}${suggestion(name, SETTING_KEYS)}`);
    else if (settingOf(key).secret) problems.push(`${file.path}: ${name} does not belong into a file.`);
    else found.set(key, { raw, source: { kind: "file", name: `${file.path}: ${name}` } });
  }
}

/** The document as plain data. Aliases are refused, since a few lines of them can stand for gigabytes. */
function contentOf(document: { toJS: (options: { readonly maxAliasCount: number }) => unknown }): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch {
    return undefined;
  }
}

/** Names of the environment that we answer for: whatever begins so and is unknown is a mistake. */
const PREFIX = "SKY_";

function readEnvironment(env: ConfigInput["env"], found: Map<SettingKey, Found>, problems: string[]): void {
  const known = new Map(SETTING_KEYS.map((key) => [settingOf(key).env, key]));
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined) continue;
    const key = known.get(name);
    if (key !== undefined)
      found.set(key, { raw: fromText(settingOf(key).kind, text), source: { kind: "environment", name } });
    else if (name.startsWith(PREFIX))
      problems.push(`unknown environment variable ${name}${suggestion(name, [...known.keys()])}`);
  }
}

function readFlags(flags: ConfigInput["flags"], found: Map<SettingKey, Found>, problems: string[]): void {
  for (const [name, text] of Object.entries(flags)) {
    if (text === undefined) continue;
    const key = SETTING_KEYS.find((one) => one === name);
    if (key === undefined) problems.push(`unknown flag ${name}${suggestion(name, SETTING_KEYS)}`);
    else if (settingOf(key).secret) problems.push(`--${flagOf(key)}: a secret is never a flag.`);
    else
      found.set(key, { raw: fromText(settingOf(key).kind, text), source: { kind: "flag", name: `--${flagOf(key)}` } });
  }
}

const suggestion = (name: string, known: readonly string[]): string => {
  const near = nearest(name, known);
  return near === undefined ? "." : `; did you mean ${near}?`;
};

export const describeSource = (source: Source): string => {
  switch (source.kind) {
    case "flag":
    case "environment":
    case "file":
      return source.name;
    case "default":
      return source.rule === undefined ? "default" : `default (${source.rule})`;
  }
};
