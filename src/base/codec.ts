import { Packr, Unpackr } from "msgpackr";
import { fromUtf8 } from "./bytes.ts";
import { type Refusal, type Result, ok, refuse } from "./result.ts";

/**
 * Primitives of our wire format: MessagePack arrays of fixed length behind small codecs.
 *
 * A *shape* judges a decoded value and turns it into a domain value, or names what is wrong. Numbers are integers up to
 * 2^53−1 (never floating point); bytes are always copied out of the input, since msgpackr's Buffers alias it.
 * `decode` accepts only the shortest encoding of every value, so that no two byte strings mean the same thing (msgpackr
 * alone accepts non-minimal integers and over-long lengths).
 */
export type Wire = number | bigint | string | boolean | null | Uint8Array | readonly Wire[];

export interface Shape<T> {
  /** Turns a decoded value into T. Throws: ShapeError (caught by `decode`). */
  readonly read: (wire: unknown, path: string) => T;
  readonly write: (value: T) => Wire;
}

export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: false });
const unpackr = new Unpackr({ useRecords: false, int64AsType: "number", mapsAsObjects: false });

const fail = (path: string, expected: string): never => {
  throw new ShapeError(`${path}: expected ${expected}`);
};

/** An integer within [min, max], none negative. Beyond 32 bits it travels as int64: msgpackr would write a float64. */
export const integer = <T extends number = number>(min = 0, max = Number.MAX_SAFE_INTEGER): Shape<T> => ({
  read: (wire, path) =>
    typeof wire === "number" && Number.isSafeInteger(wire) && wire >= min && wire <= max
      ? (wire as T)
      : fail(path, `an integer in [${min}, ${max}]`),
  write: (value) => (value > 0xffffffff ? BigInt(value) : value),
});

export const boolean: Shape<boolean> = {
  read: (wire, path) => (typeof wire === "boolean" ? wire : fail(path, "a boolean")),
  write: (value) => value,
};

/** Text of at most `max` UTF-8 bytes. Throws: ShapeError on writing lone surrogates, which UTF-8 cannot carry. */
export const text = <T extends string = string>(max: number): Shape<T> => ({
  read: (wire, path) =>
    typeof wire === "string" && wire.length <= max && wire.isWellFormed() && Buffer.byteLength(wire) <= max
      ? (wire as T)
      : fail(path, `text of at most ${max} bytes`),
  write: (value) => (value.isWellFormed() ? value : fail("text", "well-formed Unicode (no lone surrogates)")),
});

/** Bytes of a length within [min, max]. */
export const bytes = (min: number, max: number = min): Shape<Uint8Array> => ({
  read: (wire, path) =>
    wire instanceof Uint8Array && wire.length >= min && wire.length <= max
      ? new Uint8Array(wire) // a copy; Uint8Array.from costs 40 times as much
      : fail(path, min === max ? `${min} bytes` : `between ${min} and ${max} bytes`),
  write: (value) => value,
});

/** Fixed number of bytes on the wire, lower-case hex in the domain. */
export const hex = <T extends string>(length: number): Shape<T> => ({
  read: (wire, path) =>
    wire instanceof Uint8Array && wire.length === length
      ? (Buffer.from(wire.buffer, wire.byteOffset, wire.length).toString("hex") as T)
      : fail(path, `${length} bytes`),
  write: (value) => Buffer.from(value, "hex"),
});

export const nullable = <T>(shape: Shape<T>): Shape<T | null> => ({
  read: (wire, path) => (wire === null ? null : shape.read(wire, path)),
  write: (value) => (value === null ? null : shape.write(value)),
});

/** One of a fixed list of words, as its index on the wire. */
export const oneOf = <const Words extends readonly string[]>(...words: Words): Shape<Words[number]> => ({
  read: (wire, path) =>
    typeof wire === "number" && words[wire] !== undefined
      ? (words[wire] as Words[number])
      : fail(path, words.join(" | ")),
  write: (value) => words.indexOf(value),
});

/** A list of between `min` and `max` items. */
export const list = <T>(item: Shape<T>, max: number, min = 0): Shape<readonly T[]> => ({
  read: (wire, path) =>
    Array.isArray(wire) && wire.length >= min && wire.length <= max
      ? wire.map((entry, i) => item.read(entry, `${path}[${i}]`))
      : fail(path, `a list of ${min} to ${max}`),
  write: (value) => value.map((entry) => item.write(entry)),
});

/** A record as an array of fixed length, fields in the order given. */
export const record = <T extends object>(name: string, fields: { readonly [K in keyof T]: Shape<T[K]> }): Shape<T> => {
  const entries = Object.entries(fields) as [keyof T & string, Shape<T[keyof T & string]>][];
  return {
    read: (wire, path) => {
      if (!Array.isArray(wire) || wire.length !== entries.length) fail(path, `${name}: an array of ${entries.length}`);
      const out: Partial<T> = {};
      for (const [i, [key, shape]] of entries.entries())
        out[key] = shape.read((wire as unknown[])[i], `${path}.${key}`);
      return out as T;
    },
    write: (value) => entries.map(([key, shape]) => shape.write(value[key])),
  };
};

/** One alternative of a union; the shape covers every field but `kind`. */
export interface Variant<Kind extends string, Fields> {
  readonly kind: Kind;
  readonly shape: Shape<Fields>;
}
type VariantOf<T> = T extends { readonly kind: infer Kind extends string } ? Variant<Kind, Omit<T, "kind">> : never;

export const variant = <const Kind extends string, Fields>(
  kind: Kind,
  shape: Shape<Fields>,
): Variant<Kind, Fields> => ({
  kind,
  shape,
});

/** A union told apart by its `kind`: [tag, fields] on the wire; tags are positions in the list given and never change. */
export const union = <T extends { readonly kind: string }>(...variants: readonly VariantOf<T>[]): Shape<T> => {
  const list = variants as readonly Variant<string, unknown>[];
  const tags = new Map(list.map((entry, tag) => [entry.kind, { tag, shape: entry.shape }]));
  return {
    read: (wire, path) => {
      if (!Array.isArray(wire) || wire.length !== 2) return fail(path, "[tag, value]");
      const found = typeof wire[0] === "number" ? list[wire[0]] : undefined; // the text "0" would index a list, too
      if (found === undefined) return fail(path, `a tag below ${list.length}`);
      return { kind: found.kind, ...(found.shape.read(wire[1], `${path}.${found.kind}`) as object) } as T;
    },
    write: (value) => {
      const found = tags.get(value.kind);
      if (found === undefined) throw new ShapeError(`no variant ${value.kind}`);
      return [found.tag, found.shape.write(value)];
    },
  };
};

/** Bytes of an already judged wire value, in a buffer of their own. */
export const packWire = (wire: Wire): Uint8Array => new Uint8Array(packr.pack(wire));

export const encode = <T>(shape: Shape<T>, value: T): Uint8Array => packWire(shape.write(value));

export type DecodeRefusal = Refusal<"MALFORMED" | "TOO_LARGE">;

/**
 * Decodes exactly one value that fills its input.
 * Bounds: refuses more than `maxBytes` before reading and nesting deeper than 12 before allocating.
 * Refuses: MALFORMED, TOO_LARGE.
 */
export function decode<T>(shape: Shape<T>, input: Uint8Array, maxBytes: number): Result<T, DecodeRefusal> {
  if (input.length > maxBytes)
    return refuse("TOO_LARGE", `${input.length} bytes; at most ${maxBytes} are read.`, "peer");
  try {
    checkStructure(input);
    const wire: unknown = unpackr.unpack(input.subarray()); // a view: msgpackr leaves a property on what it is given
    return ok(shape.read(wire, "$"));
  } catch (error) {
    return refuse("MALFORMED", error instanceof Error ? error.message : "unreadable", "peer");
  }
}

/** Decodes values that stand one after the other, as this process encoded them: shapes are judged, shortest encodings are not. */
export function decodeSequence<T>(shape: Shape<T>, input: Uint8Array): Result<readonly T[], DecodeRefusal> {
  try {
    const values = input.length === 0 ? [] : ((unpackr.unpackMultiple(input.subarray()) ?? []) as readonly unknown[]);
    return ok(values.map((wire, i) => shape.read(wire, `$[${i}]`)));
  } catch (error) {
    return refuse("MALFORMED", error instanceof Error ? error.message : "unreadable", "none");
  }
}

const DEPTH_MAX = 12;

/**
 * Walks the MessagePack structure without allocating: depth, lengths within the input, shortest encodings, no maps,
 * extensions, floats or negative numbers. A list that claims more items than bytes remain is refused here, before msgpackr
 * allocates for it.
 */
function checkStructure(input: Uint8Array): void {
  const data = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const remaining: number[] = [1];
  let at = 0;
  while (remaining.length > 0) {
    const top = remaining.length - 1;
    if (remaining[top] === 0) {
      remaining.pop();
      continue;
    }
    remaining[top] = (remaining[top] as number) - 1;
    if (at >= input.length) throw new ShapeError("truncated");
    const head = input[at] as number;
    at += 1;
    if (isList(head)) {
      const items =
        head === 0xdc
          ? atLeast(data.getUint16(at), 16)
          : head === 0xdd
            ? atLeast(data.getUint32(at), 0x10000)
            : head & 0x0f;
      at += head === 0xdc ? 2 : head === 0xdd ? 4 : 0;
      if (items > input.length - at) throw new ShapeError("truncated list");
      if (remaining.length > DEPTH_MAX) throw new ShapeError(`nested deeper than ${DEPTH_MAX}`);
      remaining.push(items);
    } else {
      const start = at + lengthBytes(head);
      at += scalarLength(head, data, at);
      if (at > input.length) throw new ShapeError("truncated value");
      if (isText(head) && !isUtf8(input, start, at)) throw new ShapeError("text that is not UTF-8");
    }
  }
  if (at !== input.length) throw new ShapeError("bytes after the value");
}

const isText = (head: number): boolean => (head >= 0xa0 && head <= 0xbf) || (head >= 0xd9 && head <= 0xdb);

/** Bytes of the length that follows the head of a text. */
const lengthBytes = (head: number): number => (head === 0xd9 ? 1 : head === 0xda ? 2 : head === 0xdb ? 4 : 0);

/** msgpackr alone replaces ill-formed UTF-8, so that many byte strings would mean the same text. */
function isUtf8(input: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++)
    if ((input[i] as number) >= 0x80) return fromUtf8(input.subarray(i, end)) !== undefined;
  return true;
}

const isList = (head: number): boolean => (head >= 0x90 && head <= 0x9f) || head === 0xdc || head === 0xdd;

/** The value, which a shorter encoding could not have carried. */
function atLeast(value: number, smallest: number): number {
  if (value < smallest) throw new ShapeError("not the shortest encoding");
  return value;
}

/** Bytes that follow the head of a scalar. Throws: ShapeError; RangeError when the input ends within a length. */
function scalarLength(head: number, data: DataView, at: number): number {
  if (head <= 0x7f || head === 0xc0 || head === 0xc2 || head === 0xc3) return 0;
  if (head >= 0xa0 && head <= 0xbf) return head & 0x1f;
  switch (head) {
    case 0xc4:
      return 1 + data.getUint8(at);
    case 0xc5:
      return 2 + atLeast(data.getUint16(at), 0x100);
    case 0xc6:
      return 4 + atLeast(data.getUint32(at), 0x10000);
    case 0xd9:
      return 1 + atLeast(data.getUint8(at), 32);
    case 0xda:
      return 2 + atLeast(data.getUint16(at), 0x100);
    case 0xdb:
      return 4 + atLeast(data.getUint32(at), 0x10000);
    case 0xcc:
      atLeast(data.getUint8(at), 0x80);
      return 1;
    case 0xcd:
      atLeast(data.getUint16(at), 0x100);
      return 2;
    case 0xce:
      atLeast(data.getUint32(at), 0x10000);
      return 4;
    case 0xd3:
      atLeast(data.getInt32(at), 1);
      return 8;
    default:
      throw new ShapeError(`byte 0x${head.toString(16)} is not of our encoding`);
  }
}
