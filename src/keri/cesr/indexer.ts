/**
 * CESR indexed signatures: which key of a list signed, and at which place of the prior next-key list it was committed to.
 * Source: ToIP CESR specification, indexed code table.
 */
import { concatBytes } from "../../base/bytes.ts";
import { assert, present } from "../../base/errors.ts";
import { type Result, ok } from "../../base/result.ts";
import { base64ToNumber, beginsWithZeros, fromBase64Url, numberToBase64, toBase64Url } from "./base64url.ts";
import { type CesrRefusal, malformed, short } from "./refusal.ts";

interface IndexerSizes {
  /** Null for the code that the specification reserves for tests of variable size, whose index is its size. */
  readonly algorithm: "ed25519" | "secp256k1" | "p256" | "ed448" | null;
  /** Characters of the index, and of the index in the prior next list after it (none: one index for both). */
  readonly index: number;
  readonly ondex: number;
  /** The key stands in the current list only. */
  readonly current: boolean;
  /** Characters of the whole; null where the index says how many groups of four follow. */
  readonly full: number | null;
}

const sizes = (
  algorithm: IndexerSizes["algorithm"],
  [index, ondex]: readonly [number, number],
  current: boolean,
  full: number | null,
): IndexerSizes => ({ algorithm, index, ondex, current, full });

const CODES = {
  A: sizes("ed25519", [1, 0], false, 88),
  B: sizes("ed25519", [1, 0], true, 88),
  C: sizes("secp256k1", [1, 0], false, 88),
  D: sizes("secp256k1", [1, 0], true, 88),
  E: sizes("p256", [1, 0], false, 88),
  F: sizes("p256", [1, 0], true, 88),
  "0A": sizes("ed448", [1, 1], false, 156),
  "0B": sizes("ed448", [1, 1], true, 156),
  "2A": sizes("ed25519", [2, 2], false, 92),
  "2B": sizes("ed25519", [2, 2], true, 92),
  "2C": sizes("secp256k1", [2, 2], false, 92),
  "2D": sizes("secp256k1", [2, 2], true, 92),
  "2E": sizes("p256", [2, 2], false, 92),
  "2F": sizes("p256", [2, 2], true, 92),
  "3A": sizes("ed448", [3, 3], false, 160),
  "3B": sizes("ed448", [3, 3], true, 160),
  "0z": sizes(null, [2, 0], true, null),
} as const satisfies Record<string, IndexerSizes>;

export type IndexerCode = keyof typeof CODES;
export type SignatureAlgorithm = NonNullable<IndexerSizes["algorithm"]>;

export interface Indexed {
  readonly code: IndexerCode;
  readonly index: number;
  /** Place in the prior next-key list; null where the code says that there is none. */
  readonly ondex: number | null;
  readonly raw: Uint8Array;
}

const isIndexerCode = (code: string): code is IndexerCode => Object.hasOwn(CODES, code);

/** Algorithm of a code's signatures; null for the code that tests variable sizes. */
export const signatureAlgorithm = (code: IndexerCode): SignatureAlgorithm | null => CODES[code].algorithm;

const SMALL = { ed25519: ["A", "B"], secp256k1: ["C", "D"], p256: ["E", "F"], ed448: ["0A", "0B"] } as const;
const BIG = { ed25519: ["2A", "2B"], secp256k1: ["2C", "2D"], p256: ["2E", "2F"], ed448: ["3A", "3B"] } as const;

/** The smallest code that states these places. */
export function indexerCode(algorithm: SignatureAlgorithm, index: number, ondex: number | null): IndexerCode {
  const small = index < 64 && (ondex === null || ondex === index || (algorithm === "ed448" && ondex < 64));
  return (small ? SMALL : BIG)[algorithm][ondex === null ? 1 : 0];
}

/** Text form. Throws: Defect when an index or the bytes do not fit the code. */
export function encodeIndexed({ code, index, ondex, raw }: Indexed): string {
  const table: IndexerSizes = CODES[code];
  const fits = (value: number, length: number) => Number.isInteger(value) && value >= 0 && value < 64 ** length;
  assert(fits(index, table.index), "the index fits the code");
  assert(table.current === (ondex === null), "a prior index stands exactly where the code has one");
  if (table.ondex === 0) assert(ondex === null || ondex === index, "a small code has one index for both lists");
  else assert(fits(ondex ?? 0, table.ondex), "the prior index fits the code");
  const head = code + numberToBase64(index, table.index) + numberToBase64(ondex ?? 0, table.ondex);
  const pad = head.length % 4;
  const text = head + toBase64Url(concatBytes(new Uint8Array(pad), raw)).slice(pad);
  assert(text.length === (table.full ?? head.length + index * 4), `code ${code} does not carry ${raw.length} bytes`);
  return text;
}

/** Binary form. Throws: as encodeIndexed. */
export const encodeIndexedBinary = (indexed: Indexed): Uint8Array =>
  present(fromBase64Url(encodeIndexed(indexed)), "an indexed signature is whole groups of four characters");

/** The code at `at`; undefined where the table has none. */
function codeAt(text: string, at: number): IndexerCode | undefined {
  const first = text.charAt(at);
  const code = first === "0" || first === "2" || first === "3" ? text.slice(at, at + 2) : first;
  return isIndexerCode(code) ? code : undefined;
}

/** The indexed signature at `at` of `text`, and how many characters it takes. Refuses: KERI_MALFORMED (`missing` where the text ends early). */
export function readIndexed(text: string, at = 0): Result<Indexed & { readonly length: number }, CesrRefusal> {
  const left = text.length - at;
  // Every one is whole groups of four characters.
  if (left < 4) return short("an indexed signature", 4 - left);
  const code = codeAt(text, at);
  if (code === undefined) return malformed(`"${text.slice(at, at + 2)}" begins no indexed signature.`);
  const table: IndexerSizes = CODES[code];
  const head = code.length + table.index + table.ondex;
  if (left < head) return short(`an indexed signature of code ${code}`, head - left);
  const index = base64ToNumber(text.slice(at + code.length, at + code.length + table.index));
  const ondex = base64ToNumber(text.slice(at + code.length + table.index, at + head));
  const length = table.full ?? head + (index ?? 0) * 4;
  if (left < length) return short(`an indexed signature of code ${code}`, length - left);
  const pad = head % 4;
  const padded = fromBase64Url("A".repeat(pad) + text.slice(at + head, at + length));
  if (index === undefined || ondex === undefined || padded === undefined)
    return malformed(`An indexed signature of code ${code} holds characters outside the URL alphabet of Base64.`);
  if (!beginsWithZeros(padded, pad))
    return malformed(`An indexed signature of code ${code} has pad bits that are not zero; send its one text.`);
  if (table.current && ondex !== 0)
    return malformed(`An indexed signature of code ${code} has no prior index; 0 must stand there.`);
  const both = table.ondex === 0 ? index : ondex;
  return ok({ code, index, ondex: table.current ? null : both, raw: padded.slice(pad), length });
}

/** The indexed signature that fills `bytes` of the binary domain. Refuses: KERI_MALFORMED, also for anything after it. */
export function decodeIndexedBinary(bytes: Uint8Array): Result<Indexed, CesrRefusal> {
  if (bytes.length % 3 !== 0) return malformed("Binary CESR comes in groups of three bytes.");
  const read = readIndexed(toBase64Url(bytes));
  if (!read.ok) return read;
  const { length, ...indexed } = read.value;
  return length * 3 === bytes.length * 4 ? ok(indexed) : malformed("Bytes follow an indexed signature.");
}

/** The usual signature of key `index` by Ed25519 over both lists (code A), as text. Throws: Defect for an index of 64 or more. */
export const indexedEd25519 = (index: number, signature: Uint8Array): string =>
  encodeIndexed({ code: "A", index, ondex: index, raw: signature });
