import { z } from "zod";

/** What a setting's value is written as, for reading text and for the documentation. */
export type SettingKind = "text" | "integer" | "number" | "boolean" | "list" | "choice";

/** One configurable value. Its key is its name in the YAML file; its flag is the key in kebab-case. */
export interface Setting<T> {
  readonly kind: SettingKind;
  readonly schema: z.ZodType<T>;
  /** Environment variable. */
  readonly env: string;
  /** A value, or how it follows from the other settings. */
  readonly fallback: T | Derived<T>;
  readonly description: string;
  /** What a value may be, in words. */
  readonly bounds: string;
  /** Never shown, and settable only by the environment. */
  readonly secret: boolean;
}

/** A default computed from another setting. */
export interface Derived<T> {
  readonly from: string;
  readonly rule: string;
  readonly compute: (value: number) => T;
}

export const isDerived = (fallback: unknown): fallback is Derived<unknown> =>
  typeof fallback === "object" && fallback !== null && "compute" in fallback;

interface Common<T> {
  readonly env: string;
  readonly fallback: T | Derived<T>;
  readonly description: string;
}

const define = <T>(kind: SettingKind, bounds: string, schema: z.ZodType<T>, common: Common<T>): Setting<T> => ({
  kind,
  bounds,
  schema,
  secret: false,
  ...common,
});

export const integerSetting = (min: number, max: number, common: Common<number>): Setting<number> =>
  define("integer", `an integer from ${min} to ${max}`, z.number().int().min(min).max(max), common);

export const numberSetting = (min: number, max: number, common: Common<number>): Setting<number> =>
  define("number", `a number from ${min} to ${max}`, z.number().min(min).max(max), common);

export const booleanSetting = (common: Common<boolean>): Setting<boolean> =>
  define("boolean", "true or false", z.boolean(), common);

/** Path or address. Bounds: 1 to 4,096 characters, none of them a control character. */
export const textSetting = (common: Common<string>): Setting<string> =>
  define("text", "text", z.string().min(1).max(4096).regex(PRINTABLE), common);

export const optionalTextSetting = (common: Common<string | undefined>): Setting<string | undefined> =>
  define("text", "text", z.string().min(1).max(4096).regex(PRINTABLE).optional(), common);

/** http:// or https://, a host, perhaps a port and a path; no query, no fragment, nobody's name. */
export const optionalUrlSetting = (common: Common<string | undefined>): Setting<string | undefined> =>
  define(
    "text",
    "URL, http or https",
    z
      .string()
      .max(1024)
      .regex(WEB_URL)
      .refine((url) => URL.canParse(url))
      .optional(),
    common,
  );

/** Known only to the environment, shown to nobody. */
export const secretSetting = (common: Common<string | undefined>): Setting<string | undefined> => ({
  ...optionalTextSetting(common),
  secret: true,
});

export const choiceSetting = <const Words extends readonly [string, ...string[]]>(
  words: Words,
  common: Common<Words[number]>,
): Setting<Words[number]> => define("choice", words.join(" | "), z.enum(words), common);

/** Addresses as host:port, separated by commas in text. Bounds: at most 100. */
export const addressesSetting = (common: Common<readonly string[]>): Setting<readonly string[]> =>
  define(
    "list",
    "up to 100 addresses host:port, separated by commas",
    z.array(z.string().regex(ADDRESS)).max(100),
    common,
  );

/** Without control characters. */
const PRINTABLE = /^[^\u0000-\u001f\u007f]*$/;

const WEB_URL = /^https?:\/\/[A-Za-z0-9.[\]:-]{1,260}(?:\/[A-Za-z0-9._~-]{1,255}){0,8}\/?$/;

/** A name, an IPv4 address or a bracketed IPv6 address, and a port from 1 to 65535. */
const ADDRESS =
  /^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?):(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$/;

/** What text from a flag or the environment stands for; text that stands for nothing is returned as it is, for the schema to refuse. */
export function fromText(kind: SettingKind, text: string): unknown {
  switch (kind) {
    case "integer":
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    case "number":
      return /^-?\d{1,15}(?:\.\d{1,15})?$/.test(text) ? Number(text) : text;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "list":
      return text === "" ? [] : text.split(",").map((item) => item.trim());
    case "text":
    case "choice":
      return text;
  }
}
