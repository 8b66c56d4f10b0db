/**
 * CESR primitives of fixed size: keys, digests, seeds, signatures, numbers, as text.
 *
 * A primitive is its code and then its bytes, aligned so that text and binary are whole multiples of each other; the bits
 * that alignment leaves over must be zero, so that a value has one text.
 * Source: ToIP CESR specification, master code table. Deviates: codes of variable size or with soft parts (tags, strings,
 * counters) have their own tables; here they are unknown.
 */
import { concatBytes } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";
import { fromBase64Url, toBase64Url } from "./base64url.ts";

/** Bytes that each code carries. */
const RAW_BYTES = {
  /** Ed25519 seed, non-transferable key, X25519 public key, transferable key. */
  A: 32,
  B: 32,
  C: 32,
  D: 32,
  /** Digests: Blake3, Blake2b, Blake2s, SHA3, SHA2, of 256 bits. */
  E: 32,
  F: 32,
  G: 32,
  H: 32,
  I: 32,
  /** secp256k1 seed, X25519 private key, P-256 seed. */
  J: 32,
  O: 32,
  Q: 32,
  /** Numbers of 2, 8, 5, 11, 14, 17 bytes. */
  M: 2,
  N: 8,
  R: 5,
  S: 11,
  T: 14,
  U: 17,
  /** X25519 sealed box of a seed. */
  P: 92,
  /** Salt; signatures Ed25519, secp256k1, P-256; digests of 512 bits; number of 4 bytes. */
  "0A": 16,
  "0B": 64,
  "0C": 64,
  "0D": 64,
  "0E": 64,
  "0F": 64,
  "0G": 64,
  "0H": 4,
  "0I": 64,
  /** Keys secp256k1 (non-transferable, transferable) and P-256 (the same); date and time; sealed box of a salt. */
  "1AAA": 33,
  "1AAB": 33,
  "1AAG": 24,
  "1AAH": 72,
  "1AAI": 33,
  "1AAJ": 33,
} as const satisfies Record<string, number>;

export type MatterCode = keyof typeof RAW_BYTES;

export interface Matter {
  readonly code: MatterCode;
  readonly raw: Uint8Array;
}

export type CesrRefusal = Refusal<"KERI_MALFORMED">;

const malformed = (message: string) => refuse("KERI_MALFORMED", message, "peer");

const isMatterCode = (code: string): code is MatterCode => Object.hasOwn(RAW_BYTES, code);

/** Characters of a code, by its first; undefined where our tables have none. */
function codeLength(first: string): number | undefined {
  if (/^[A-Za-z]$/.test(first)) return 1;
  if (first === "0") return 2;
  return first === "1" ? 4 : undefined;
}

/** Zero bytes before the raw ones that make whole groups of three. */
const padLength = (rawLength: number): number => (3 - (rawLength % 3)) % 3;

/** Characters of the text form of a code. */
const textLength = (code: MatterCode): number => {
  const pad = padLength(RAW_BYTES[code]);
  return code.length - pad + ((RAW_BYTES[code] + pad) / 3) * 4;
};

/** Text form. Throws: Defect when the bytes are not as many as the code says. */
export function encodeMatter(code: MatterCode, raw: Uint8Array): string {
  assert(raw.length === RAW_BYTES[code], `code ${code} carries ${RAW_BYTES[code]} bytes`);
  const pad = padLength(raw.length);
  return code + toBase64Url(concatBytes(new Uint8Array(pad), raw)).slice(pad);
}

/** The primitive at the start of `text`, and how many characters it takes. Refuses: KERI_MALFORMED. */
export function readMatter(text: string): Result<Matter & { readonly length: number }, CesrRefusal> {
  const code = text.slice(0, codeLength(text.slice(0, 1)) ?? 0);
  if (!isMatterCode(code)) return malformed(`"${text.slice(0, 4)}" begins no CESR primitive that is read here.`);
  const length = textLength(code);
  if (text.length < length)
    return malformed(`A primitive of code ${code} has ${length} characters; ${text.length} are left.`);
  const pad = padLength(RAW_BYTES[code]);
  const padded = fromBase64Url("A".repeat(pad) + text.slice(code.length, length));
  if (padded === undefined)
    return malformed(`A primitive of code ${code} holds characters outside the URL alphabet of Base64.`);
  if (padded.subarray(0, pad).some((byte) => byte !== 0))
    return malformed(`A primitive of code ${code} has pad bits that are not zero.`);
  return ok({ code, raw: padded.slice(pad), length });
}

/** The primitive that fills `text`. Refuses: KERI_MALFORMED, also for anything after it. */
export function decodeMatter(text: string): Result<Matter, CesrRefusal> {
  const read = readMatter(text);
  if (!read.ok) return read;
  if (read.value.length !== text.length) return malformed(`Characters follow a primitive of code ${read.value.code}.`);
  return ok({ code: read.value.code, raw: read.value.raw });
}
