import { type LoadedConfig, describeSource } from "./load.ts";
import { type SettingKey, SETTING_KEYS, flagOf, settingOf } from "./schema.ts";

export interface ExplainedSetting {
  readonly key: SettingKey;
  readonly value: unknown;
  /** Where the value came from, in words. */
  readonly source: string;
  readonly flag: string | null;
  readonly env: string;
}

/** Each value and where it came from; secrets are shown as present or absent. */
export function explainConfig({ config, sources }: LoadedConfig): readonly ExplainedSetting[] {
  return SETTING_KEYS.map((key) => {
    const { secret, env } = settingOf(key);
    const value = config[key];
    return {
      key,
      value: secret && value !== undefined ? "(hidden)" : (value ?? null),
      source: describeSource(sources[key]),
      flag: secret ? null : `--${flagOf(key)}`,
      env,
    };
  });
}

/** The same as lines of text. */
export function formatExplained(settings: readonly ExplainedSetting[]): string {
  const rows = settings.map(({ key, value, source }) => [key, format(value), source] as const);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(([key, value, source]) => `${key.padEnd(widths[0] ?? 0)}  ${value.padEnd(widths[1] ?? 0)}  ${source}`)
    .join("\n");
}

const format = (value: unknown): string => {
  if (value === null) return "-";
  if (Array.isArray(value)) return value.length === 0 ? "-" : value.join(",");
  return typeof value === "string" ? value : JSON.stringify(value);
};
