import { ShapeError } from "./shape-error.ts";

/** 12: deeper than any of our types; a stranger's tower of lists ends here. */
const DEPTH_MAX = 12;
/** What is still to come of each list around the one that is walked, the outermost first. */
const outer = new Uint32Array(DEPTH_MAX);

/** Kinds of value. A scalar is a number, true, false or nil. */
const SCALAR = 0;
const REFUSED = 1;
const LIST = 2;
const TEXT = 3;
const BYTES = 4;

/** By head: the kind of value, the bytes of the number behind the head, and the least number that needs so many. */
const KINDS = new Uint8Array(256).fill(REFUSED);
const WIDTHS = new Uint8Array(256);
const SMALLEST = new Float64Array(256);

KINDS.fill(SCALAR, 0x00, 0x80); // the numbers up to 127
KINDS.fill(LIST, 0x90, 0xa0); // of up to 15 items
KINDS.fill(TEXT, 0xa0, 0xc0); // of up to 31 bytes
for (const [head, kind, width, smallest] of [
  [0xc0, SCALAR, 0, 0], // nil
  [0xc2, SCALAR, 0, 0], // false
  [0xc3, SCALAR, 0, 0], // true
  [0xc4, BYTES, 1, 0],
  [0xc5, BYTES, 2, 0x100],
  [0xc6, BYTES, 4, 0x1_0000],
  [0xcc, SCALAR, 1, 0x80],
  [0xcd, SCALAR, 2, 0x100],
  [0xce, SCALAR, 4, 0x1_0000],
  [0xd3, SCALAR, 8, 0x1_0000_0000], // int64: what msgpackr makes of a bigint
  [0xd9, TEXT, 1, 32],
  [0xda, TEXT, 2, 0x100],
  [0xdb, TEXT, 4, 0x1_0000],
  [0xdc, LIST, 2, 16],
  [0xdd, LIST, 4, 0x1_0000],
] as const) {
  KINDS[head] = kind;
  WIDTHS[head] = width;
  SMALLEST[head] = smallest;
}

/** A text that msgpackr does not read as it stands: see `withMarks` of packing.ts. */
export interface MarkedText {
  /** Its place among the texts of the value, from 0. */
  readonly place: number;
  readonly bytes: number;
}
/** Longer texts msgpackr gives to a TextDecoder that drops a byte order mark. */
const MARK_KEPT_BYTES_MAX = 64;
const NONE: readonly MarkedText[] = [];

/**
 * Walks over the one value that `bytes` begin with, which is to end at `end`, and refuses what is not of our encoding (ADR 0004):
 * maps, extensions, floats, negative numbers and those beyond 2^53−1, what has a shorter encoding, text that is not UTF-8. It comes
 * before anything is allocated for the value.
 * Bounds: lengths within the end; nesting up to 12; no more than `valuesMax` values, lists and what they hold.
 * Throws: ShapeError.
 */
export function checkStructure(bytes: Uint8Array, end: number, valuesMax: number): readonly MarkedText[] {
  let marked: MarkedText[] | undefined;
  let texts = 0;
  let values = 0;
  let depth = 0;
  let items = 1;
  let at = 0;
  for (;;) {
    while (items === 0) {
      if (depth === 0) {
        if (at !== end) throw new ShapeError("bytes after the value");
        return marked ?? NONE;
      }
      depth -= 1;
      items = outer[depth] as number;
    }
    items -= 1;
    values += 1;
    if (values > valuesMax) throw new ShapeError(`more than ${valuesMax} values`);
    if (at >= end) throw new ShapeError("truncated");
    const head = bytes[at] as number;
    const kind = KINDS[head] as number;
    const size = sizeBehind(bytes, at, end, kind);
    at += 1 + (WIDTHS[head] as number);
    if (kind === SCALAR) continue;
    if (size > end - at) throw new ShapeError(kind === LIST ? "truncated list" : "truncated");
    if (kind === LIST) {
      if (depth === DEPTH_MAX) throw new ShapeError(`nested deeper than ${DEPTH_MAX}`);
      outer[depth] = items;
      depth += 1;
      items = size;
      continue;
    }
    if (kind === TEXT) {
      if (!isUtf8(bytes, at, at + size)) throw new ShapeError("text that is not UTF-8");
      if (losesMark(bytes, at, size)) (marked ??= []).push({ place: texts, bytes: size });
      texts += 1;
    }
    at += size;
  }
}

/** Length of the value whose head stands here, which is given in the head or behind it; of numbers, nothing that is of use. */
function sizeBehind(bytes: Uint8Array, at: number, end: number, kind: number): number {
  const head = bytes[at] as number;
  const width = WIDTHS[head] as number;
  if (kind === REFUSED) throw new ShapeError(`byte 0x${head.toString(16)} is not of our encoding`);
  if (width === 0) return head & (kind === LIST ? 0x0f : 0x1f);
  if (width >= end - at) throw new ShapeError("truncated");
  const size = uint(bytes, at + 1, width);
  if (size < (SMALLEST[head] as number)) throw new ShapeError("not the shortest encoding");
  if (size > Number.MAX_SAFE_INTEGER) throw new ShapeError("an integer beyond 2^53−1");
  return size;
}

const losesMark = (bytes: Uint8Array, at: number, size: number): boolean =>
  size > MARK_KEPT_BYTES_MAX && bytes[at] === 0xef && uint(bytes, at, 3) === 0xefbbbf;

/** The unsigned number that stands in so many bytes; beyond 2^53 one near it. */
function uint(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}

/** Whether the bytes are well-formed UTF-8. Source: Unicode 17, table 3-7. */
function isUtf8(bytes: Uint8Array, from: number, end: number): boolean {
  let at = from;
  while (at < end) {
    const first = bytes[at++] as number;
    if (first < 0x80) continue;
    const more = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0;
    if (more === 0 || more > end - at) return false;
    const second = bytes[at] as number;
    if (second < (first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80)) return false; // overlong
    if (second > (first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf)) return false; // a surrogate, or beyond U+10FFFF
    for (let i = 1; i < more; i++) if (((bytes[at + i] as number) & 0xc0) !== 0x80) return false;
    at += more;
  }
  return true;
}
