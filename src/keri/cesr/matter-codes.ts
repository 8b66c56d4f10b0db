/**
 * Codes of CESR primitives and their sizes.
 * Source: ToIP CESR specification, master code table for genus KERI/ACDC; the same for versions 1 and 2 of the genus, which
 * differ in their counters only.
 */

export interface MatterSizes {
  /** Characters of the soft part: a value within the code itself, or the size of what follows. */
  readonly soft: number;
  /** Characters of the soft part that only align it; they stand first and are all "_". */
  readonly extra: number;
  /** Characters of the whole primitive; null where the soft part says how many groups of four follow. */
  readonly full: number | null;
  /** Zero bytes before the raw ones. */
  readonly lead: number;
}

const fixed = (full: number, lead = 0): MatterSizes => ({ soft: 0, extra: 0, full, lead });
const special = (soft: number, full: number, extra = 0, lead = 0): MatterSizes => ({ soft, extra, full, lead });
const variable = (soft: number, lead: number): MatterSizes => ({ soft, extra: 0, full: null, lead });

export const MATTER_SIZES = {
  /** Ed25519 seed, non-transferable key, X25519 public key, transferable key. */
  A: fixed(44),
  B: fixed(44),
  C: fixed(44),
  D: fixed(44),
  /** Digests of 256 bits: Blake3, Blake2b, Blake2s, SHA3, SHA2. */
  E: fixed(44),
  F: fixed(44),
  G: fixed(44),
  H: fixed(44),
  I: fixed(44),
  /** Seeds: secp256k1; Ed448; private and public X448. */
  J: fixed(44),
  K: fixed(76),
  L: fixed(76),
  /** Numbers of 2 and 8 bytes. */
  M: fixed(4),
  N: fixed(12),
  /** X25519 private key; sealed box of a seed; P-256 seed. */
  O: fixed(44),
  P: fixed(124),
  Q: fixed(44),
  /** Numbers of 5, 11, 14, 17 bytes. */
  R: fixed(8),
  S: fixed(16),
  T: fixed(20),
  U: fixed(24),
  /** Labels of 1 and 2 bytes. */
  V: fixed(4, 1),
  W: fixed(4),
  /** Tags of 3, 7, 11 characters; blinding factor. */
  X: special(3, 4),
  Y: special(7, 8),
  Z: special(11, 12),
  a: fixed(44),
  /** Salt, and number of 16 bytes; signatures Ed25519, secp256k1; digests of 512 bits; number of 4 bytes; signature P-256. */
  "0A": fixed(24),
  "0B": fixed(88),
  "0C": fixed(88),
  "0D": fixed(88),
  "0E": fixed(88),
  "0F": fixed(88),
  "0G": fixed(88),
  "0H": fixed(8),
  "0I": fixed(88),
  /** Tags of 1, 2, 5, 6, 9, 10 characters. */
  "0J": special(2, 4, 1),
  "0K": special(2, 4),
  "0L": special(6, 8, 1),
  "0M": special(6, 8),
  "0N": special(10, 12, 1),
  "0O": special(10, 12),
  /** Heads of memogram segments. */
  "0P": special(22, 32),
  "0Q": special(22, 28),
  "0R": special(22, 76),
  "0S": special(22, 72),
  /** Keys secp256k1 (non-transferable, transferable), Ed448 (the same); signature Ed448. */
  "1AAA": fixed(48),
  "1AAB": fixed(48),
  "1AAC": fixed(80),
  "1AAD": fixed(80),
  "1AAE": fixed(156),
  /** Tag of 4 characters; date and time; sealed box of a salt; keys P-256 (non-transferable, transferable). */
  "1AAF": special(4, 8),
  "1AAG": fixed(36),
  "1AAH": fixed(100),
  "1AAI": fixed(48),
  "1AAJ": fixed(48),
  /** Null, no, yes; tag of 8 characters; escape; empty. */
  "1AAK": fixed(4),
  "1AAL": fixed(4),
  "1AAM": fixed(4),
  "1AAN": special(8, 12),
  "1AAO": fixed(4),
  "1AAP": fixed(4),
  /** Reserved by the specification for tests of alignment. */
  "1__-": special(2, 12),
  "1___": fixed(8),
  "2__-": special(2, 12, 0, 1),
  "2___": fixed(8, 1),
  "3__-": special(2, 12, 0, 2),
  "3___": fixed(8, 2),
  /** Of variable size: text in Base64 characters; bytes; sealed boxes (X25519) of a stream, of Base64 text, of a next key, of its digest. */
  "4A": variable(2, 0),
  "5A": variable(2, 1),
  "6A": variable(2, 2),
  "7AAA": variable(4, 0),
  "8AAA": variable(4, 1),
  "9AAA": variable(4, 2),
  "4B": variable(2, 0),
  "5B": variable(2, 1),
  "6B": variable(2, 2),
  "7AAB": variable(4, 0),
  "8AAB": variable(4, 1),
  "9AAB": variable(4, 2),
  "4C": variable(2, 0),
  "5C": variable(2, 1),
  "6C": variable(2, 2),
  "7AAC": variable(4, 0),
  "8AAC": variable(4, 1),
  "9AAC": variable(4, 2),
  "4D": variable(2, 0),
  "5D": variable(2, 1),
  "6D": variable(2, 2),
  "7AAD": variable(4, 0),
  "8AAD": variable(4, 1),
  "9AAD": variable(4, 2),
  "4E": variable(2, 0),
  "5E": variable(2, 1),
  "6E": variable(2, 2),
  "7AAE": variable(4, 0),
  "8AAE": variable(4, 1),
  "9AAE": variable(4, 2),
  "4F": variable(2, 0),
  "5F": variable(2, 1),
  "6F": variable(2, 2),
  "7AAF": variable(4, 0),
  "8AAF": variable(4, 1),
  "9AAF": variable(4, 2),
  "4H": variable(2, 0),
  "5H": variable(2, 1),
  "6H": variable(2, 2),
  "7AAH": variable(4, 0),
  "8AAH": variable(4, 1),
  "9AAH": variable(4, 2),
} as const satisfies Record<string, MatterSizes>;

export type MatterCode = keyof typeof MATTER_SIZES;

export const isMatterCode = (code: string): code is MatterCode => Object.hasOwn(MATTER_SIZES, code);

/** Characters of a code's hard part, by its first; undefined where the table has none. Source: CESR, "Selector codes". */
export function hardLength(first: string): number | undefined {
  if (/^[A-Za-z]$/.test(first)) return 1;
  if (/^[04-6]$/.test(first)) return 2;
  return /^[1-37-9]$/.test(first) ? 4 : undefined;
}
