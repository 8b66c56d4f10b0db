/**
 * CESR primitives: keys, digests, seeds, signatures, numbers, tags, texts, in the text domain and in the binary one.
 *
 * A primitive is its code and then its bytes, aligned so that text (groups of four characters) and binary (groups of three
 * bytes) are each other's Base64. Bits, lead bytes and extra characters that only align must be zero (or "_"), so that a
 * value has one text.
 * Source: ToIP CESR specification, "Text domain", "Binary domain" and the master code table.
 */
import { concatBytes } from "../../base/bytes.ts";
import { assert, present } from "../../base/errors.ts";
import { type Result, ok } from "../../base/result.ts";
import { base64ToNumber, beginsWithZeros, fromBase64Url, numberToBase64, toBase64Url } from "./base64url.ts";
import { MATTER_SIZES, type MatterCode, type MatterSizes, hardLength, isMatterCode } from "./matter-codes.ts";
import { type CesrRefusal, malformed, short } from "./refusal.ts";

export type { CesrRefusal } from "./refusal.ts";
export type { MatterCode } from "./matter-codes.ts";

export interface Matter {
  readonly code: MatterCode;
  readonly raw: Uint8Array;
  /** What the code itself carries: characters of a tag, without those that align; empty for other codes. */
  readonly soft: string;
}

/** The soft part as it stands in the text: size, or extra characters and then the value. */
function softText(code: MatterCode, sizes: MatterSizes, raw: Uint8Array, soft: string): string {
  if (sizes.full === null) {
    assert((raw.length + sizes.lead) % 3 === 0, `code ${code} carries bytes that fill groups of three with its lead`);
    assert(soft === "", `code ${code} carries no value of its own`);
    const groups = (raw.length + sizes.lead) / 3;
    assert(groups < 64 ** sizes.soft, `code ${code} is large enough for its bytes`);
    return numberToBase64(groups, sizes.soft);
  }
  assert(soft.length === sizes.soft - sizes.extra, `code ${code} carries ${sizes.soft - sizes.extra} characters`);
  assert(/^[A-Za-z0-9_-]*$/.test(soft), `code ${code} carries characters of the URL alphabet of Base64`);
  return "_".repeat(sizes.extra) + soft;
}

/** Text form. Throws: Defect when bytes or characters are not as many as the code says. */
export function encodeMatter(code: MatterCode, raw: Uint8Array, soft = ""): string {
  const sizes: MatterSizes = MATTER_SIZES[code];
  const head = code + softText(code, sizes, raw, soft);
  const pad = head.length % 4;
  const text = head + toBase64Url(concatBytes(new Uint8Array(pad + sizes.lead), raw)).slice(pad);
  assert(sizes.full === null || text.length === sizes.full, `code ${code} does not carry ${raw.length} bytes`);
  return text;
}

/** Binary form. Throws: as encodeMatter. */
export const encodeMatterBinary = (code: MatterCode, raw: Uint8Array, soft = ""): Uint8Array =>
  present(fromBase64Url(encodeMatter(code, raw, soft)), "a primitive is whole groups of four characters");

/** The primitive at `at` of `text`, and how many characters it takes. Refuses: KERI_MALFORMED (`missing` where the text ends early). */
export function readMatter(text: string, at = 0): Result<Matter & { readonly length: number }, CesrRefusal> {
  const first = text.charAt(at);
  if (first === "") return short("a primitive", 4);
  const hard = hardLength(first);
  const code = hard === undefined ? "" : text.slice(at, at + hard);
  if (hard !== undefined && code.length < hard) return short("the code of a primitive", hard - code.length);
  if (!isMatterCode(code)) return malformed(`"${text.slice(at, at + 4)}" begins no CESR primitive.`);
  const sizes: MatterSizes = MATTER_SIZES[code];
  const head = code.length + sizes.soft;
  const left = text.length - at;
  if (left < head) return short(`a primitive of code ${code}`, head - left);
  const soft = text.slice(at + code.length, at + head);
  const length = sizes.full ?? head + (base64ToNumber(soft) ?? 0) * 4;
  if (left < length) return short(`a primitive of code ${code}`, length - left);
  const pad = head % 4;
  const padded = fromBase64Url("A".repeat(pad) + text.slice(at + head, at + length));
  if (padded === undefined || base64ToNumber(soft) === undefined)
    return malformed(`A primitive of code ${code} holds characters outside the URL alphabet of Base64.`);
  if (!beginsWithZeros(padded, pad + sizes.lead))
    return malformed(`A primitive of code ${code} has pad bits or lead bytes that are not zero; send its one text.`);
  if (sizes.full === null) {
    if (length === head && sizes.lead > 0)
      return malformed(`A primitive of code ${code} has no room for its lead bytes.`);
    return ok({ code, raw: padded.slice(sizes.lead), soft: "", length });
  }
  if (!soft.startsWith("_".repeat(sizes.extra)))
    return malformed(`The tag of code ${code} is not aligned by "_"; send its one text.`);
  return ok({ code, raw: padded.slice(pad + sizes.lead), soft: soft.slice(sizes.extra), length });
}

/** The primitive that fills `text`. Refuses: KERI_MALFORMED, also for anything after it. */
export function decodeMatter(text: string): Result<Matter, CesrRefusal> {
  const read = readMatter(text);
  if (!read.ok) return read;
  const { length, ...matter } = read.value;
  if (length !== text.length) return malformed(`Characters follow a primitive of code ${matter.code}.`);
  return ok(matter);
}

/** The primitive that fills `bytes` of the binary domain. Refuses: KERI_MALFORMED, also for anything after it. */
export const decodeMatterBinary = (bytes: Uint8Array): Result<Matter, CesrRefusal> =>
  bytes.length % 3 === 0 ? decodeMatter(toBase64Url(bytes)) : malformed("Binary CESR comes in groups of three bytes.");
