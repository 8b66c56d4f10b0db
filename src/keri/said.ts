/** Self-addressing identifiers: an event names itself by the digest of its own bytes with the name blanked out. */
import { blake2b, blake2s } from "@noble/hashes/blake2.js";
import { blake3 } from "@noble/hashes/blake3.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { sha3_256, sha3_512 } from "@noble/hashes/sha3.js";
import type { Said } from "../base/brands.ts";
import { utf8 } from "../base/bytes.ts";
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";
import { type MatterCode, decodeMatter, encodeMatter } from "./cesr/matter.ts";

/** Digests that events may name. Source: ToIP CESR specification, master code table. */
const DIGESTS = {
  E: (bytes: Uint8Array) => blake3(bytes),
  F: (bytes: Uint8Array) => blake2b(bytes, { dkLen: 32 }),
  G: (bytes: Uint8Array) => blake2s(bytes),
  H: (bytes: Uint8Array) => sha3_256(bytes),
  I: (bytes: Uint8Array) => sha256(bytes),
  "0D": (bytes: Uint8Array) => blake3(bytes, { dkLen: 64 }),
  "0E": (bytes: Uint8Array) => blake2b(bytes, { dkLen: 64 }),
  "0F": (bytes: Uint8Array) => sha3_512(bytes),
  "0G": (bytes: Uint8Array) => sha512(bytes),
} as const satisfies Partial<Record<MatterCode, (bytes: Uint8Array) => Uint8Array>>;

export type DigestCode = keyof typeof DIGESTS;
export type DigestRefusal = Refusal<"KERI_MALFORMED" | "KERI_UNSUPPORTED">;

const isDigestCode = (code: string): code is DigestCode => Object.hasOwn(DIGESTS, code);

/** Characters of the text of a digest of 512 bits. */
const LONG_TEXT = 88;
/** Stands where a digest of code E will stand; of the same length. */
export const SAID_PLACEHOLDER = "#".repeat(44);

/** Stands where a digest of that code will stand. */
export const placeholderOf = (code: DigestCode): string =>
  code.length === 2 ? "#".repeat(LONG_TEXT) : SAID_PLACEHOLDER;

/** Digest of bytes, as text. */
export const digestText = (code: DigestCode, bytes: Uint8Array): Said =>
  encodeMatter(code, DIGESTS[code](bytes)) as Said;

/** Blake3-256 of bytes, code E. */
export const blake3Digest = (bytes: Uint8Array): Said => digestText("E", bytes);

/** What `n` holds for a next key: the digest of the key's *text*. */
export const nextKeyDigest = (keyText: string): Said => blake3Digest(utf8(keyText));

/** The code of a digest's text. Refuses: KERI_MALFORMED, KERI_UNSUPPORTED for what is no digest. */
export function digestCode(text: string): Result<DigestCode, DigestRefusal> {
  const matter = decodeMatter(text);
  if (!matter.ok) return matter;
  return isDigestCode(matter.value.code)
    ? ok(matter.value.code)
    : refuse("KERI_UNSUPPORTED", `Code ${matter.value.code} is no digest that is read here.`, "peer");
}

/** Whether a text is the digest of these bytes, by the algorithm that its code names. */
export function isDigestOf(text: string, bytes: Uint8Array): boolean {
  const code = digestCode(text);
  return code.ok && digestText(code.value, bytes) === text;
}
