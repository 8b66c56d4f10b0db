/**
 * JSON bodies of key events, judged by their raw bytes: compact, canonical numbers and escapes, no duplicate keys. Whatever
 * parses and serialises to the very same text is that; everything else (white space, a repeated key, 1.0, "\u0061") is refused.
 */
import { fromUtf8 } from "../base/bytes.ts";
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";
import { malformed } from "./malformed.ts";

/** 64 KiB: an inception of some hundred keys and witnesses, and what a fact may carry. */
export const EVENT_BYTES_MAX = 65_536;
/** Weighted thresholds nest lists four deep, seals less; the parser must not be led down a stranger's thousand brackets. */
export const BODY_DEPTH_MAX = 16;

export type EventFields = Readonly<Record<string, unknown>>;
export type JsonRefusal = Refusal<"KERI_MALFORMED" | "TOO_LARGE">;

/** The object that fills the bytes. Bounds: 64 KiB, 16 levels. Refuses: KERI_MALFORMED, TOO_LARGE. */
export function parseEventJson(bytes: Uint8Array): Result<EventFields, JsonRefusal> {
  if (bytes.length > EVENT_BYTES_MAX)
    return refuse("TOO_LARGE", `The event has ${bytes.length} bytes; at most ${EVENT_BYTES_MAX} are read.`, "peer");
  const text = fromUtf8(bytes);
  if (text === undefined) return malformed("The event is not UTF-8.");
  if (nestsTooDeep(text)) return malformed(`The event nests deeper than ${BODY_DEPTH_MAX} levels.`);
  const value = parsed(text);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return malformed("The event is not one JSON object.");
  if (JSON.stringify(value) !== text) {
    return malformed(
      "The event is not compact canonical JSON: write it without white space, repeated keys, or other spellings of numbers and text.",
    );
  }
  return ok(value as EventFields);
}

/** Whether the fields are exactly these, in this order. */
export function hasFields(fields: EventFields, names: readonly string[]): boolean {
  const keys = Object.keys(fields);
  return keys.length === names.length && keys.every((key, i) => key === names[i]);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function nestsTooDeep(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (quoted) {
      if (character === "\\") i += 1;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === "{" || character === "[") {
      depth += 1;
      if (depth > BODY_DEPTH_MAX) return true;
    } else if (character === "}" || character === "]") depth -= 1;
  }
  return false;
}
