/**
 * CESR indexed signatures: which key of a list signed, and at which place of the prior next-key list it was committed to.
 * Source: ToIP CESR specification, indexed code table (Ed25519, secp256k1 and P-256 signatures).
 */
import { concatBytes } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import { type Result, ok, refuse } from "../base/result.ts";
import { base64ToNumber, fromBase64Url, numberToBase64, toBase64Url } from "./base64url.ts";
import type { CesrRefusal } from "./matter.ts";

/** Small codes hold an index below 64; big ones an index and a prior index below 4096. "current" ones have no prior index. */
const CODES = {
  A: { algorithm: "ed25519", big: false, current: false },
  B: { algorithm: "ed25519", big: false, current: true },
  C: { algorithm: "secp256k1", big: false, current: false },
  D: { algorithm: "secp256k1", big: false, current: true },
  E: { algorithm: "p256", big: false, current: false },
  F: { algorithm: "p256", big: false, current: true },
  "2A": { algorithm: "ed25519", big: true, current: false },
  "2B": { algorithm: "ed25519", big: true, current: true },
  "2C": { algorithm: "secp256k1", big: true, current: false },
  "2D": { algorithm: "secp256k1", big: true, current: true },
  "2E": { algorithm: "p256", big: true, current: false },
  "2F": { algorithm: "p256", big: true, current: true },
} as const;

export type IndexerCode = keyof typeof CODES;
export type SignatureAlgorithm = (typeof CODES)[IndexerCode]["algorithm"];

export interface Indexed {
  readonly code: IndexerCode;
  readonly index: number;
  /** Place in the prior next-key list; undefined where the code says that there is none. */
  readonly priorIndex: number | undefined;
  readonly raw: Uint8Array;
}

const SIGNATURE_BYTES = 64;
/** 64 bytes need two more for whole groups of three; the code's two or six characters stand in their place. */
const PAD = 2;
const malformed = (message: string) => refuse("KERI_MALFORMED", message, "peer");
const isIndexerCode = (code: string): code is IndexerCode => Object.hasOwn(CODES, code);

export const signatureAlgorithm = (code: IndexerCode): SignatureAlgorithm => CODES[code].algorithm;

/** Text form. Throws: Defect when an index does not fit its code. */
export function encodeIndexed({ code, index, priorIndex, raw }: Indexed): string {
  const { big, current } = CODES[code];
  assert(raw.length === SIGNATURE_BYTES, "a signature has 64 bytes");
  assert(index >= 0 && index < (big ? 4096 : 64), "the index fits the code");
  assert(
    current ? priorIndex === undefined : priorIndex !== undefined,
    "a prior index stands exactly where the code has one",
  );
  if (!big) assert(current || priorIndex === index, "a small code has one index for both lists");
  const soft = big ? numberToBase64(index, 2) + numberToBase64(priorIndex ?? 0, 2) : numberToBase64(index, 1);
  return code + soft + toBase64Url(concatBytes(new Uint8Array(PAD), raw)).slice(PAD);
}

/** The indexed signature at the start of `text`, and how many characters it takes. Refuses: KERI_MALFORMED. */
export function readIndexed(text: string): Result<Indexed & { readonly length: number }, CesrRefusal> {
  const code = text.slice(0, text.startsWith("2") ? 2 : 1);
  if (!isIndexerCode(code)) return malformed(`"${text.slice(0, 2)}" begins no indexed signature that is read here.`);
  const { big, current } = CODES[code];
  const head = code.length + (big ? 4 : 1);
  const length = head + 86;
  if (text.length < length)
    return malformed(`An indexed signature of code ${code} has ${length} characters; ${text.length} are left.`);
  const index = base64ToNumber(text.slice(code.length, code.length + (big ? 2 : 1)));
  const prior = big ? base64ToNumber(text.slice(code.length + 2, head)) : index;
  const padded = fromBase64Url("A".repeat(PAD) + text.slice(head, length));
  if (index === undefined || prior === undefined || padded === undefined) {
    return malformed(`An indexed signature of code ${code} holds characters outside the URL alphabet of Base64.`);
  }
  if (padded.subarray(0, PAD).some((byte) => byte !== 0))
    return malformed(`An indexed signature of code ${code} has pad bits that are not zero.`);
  if (big && current && prior !== 0)
    return malformed(`An indexed signature of code ${code} has no prior index; 0 must stand there.`);
  return ok({ code, index, priorIndex: current ? undefined : prior, raw: padded.slice(PAD), length });
}

/** The usual signature of key `index` by Ed25519 over both lists (code A), as text. Throws: Defect for an index of 64 or more. */
export const indexedEd25519 = (index: number, signature: Uint8Array): string =>
  encodeIndexed({ code: "A", index, priorIndex: index, raw: signature });
