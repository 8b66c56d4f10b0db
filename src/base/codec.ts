import { Octets, PackedSequence, type Wire, pack, unpack, unpackSequence, withPacked } from "./packing.ts";
import { type Refusal, type Result, ok, refuse } from "./result.ts";
import { ShapeError } from "./shape-error.ts";

export { ShapeError } from "./shape-error.ts";

/**
 * Primitives of our wire format: MessagePack arrays of fixed length behind small codecs.
 *
 * A *shape* judges what msgpackr unpacked and turns it into a domain value, or names what is wrong; and it makes of a domain value
 * what msgpackr packs. Numbers are integers up to 2^53−1 (never floating point); bytes are always copied out of the input.
 * `decode` accepts only the shortest encoding of every value, so that no two byte strings mean the same thing.
 */
export interface Shape<T> {
  /** Throws: ShapeError (caught by `decode`). */
  readonly read: (wire: unknown) => T;
  /** Throws: ShapeError for what the shape cannot carry. */
  readonly write: (value: T) => Wire;
  /** How many MessagePack values, lists and what they hold, one of these is at most. */
  readonly values: number;
  /** Of records: reads the fields into an object that has some already. */
  readonly fill?: (wire: unknown, out: Record<string, unknown>) => void;
}

const expected = (what: string): ShapeError => new ShapeError(`expected ${what}`).within("");

/** Whatever was thrown while the value at `step` was read, seen from around it. */
const within = (error: unknown, step: string): unknown => (error instanceof ShapeError ? error.within(step) : error);

/** An integer within [min, max], none negative. */
export const integer = <T extends number = number>(min = 0, max = Number.MAX_SAFE_INTEGER): Shape<T> => ({
  read: (wire) => {
    if (typeof wire !== "number" || !Number.isSafeInteger(wire) || wire < min || wire > max)
      throw expected(`an integer in [${min}, ${max}]`);
    return wire as T;
  },
  write: (value) => {
    if (!Number.isSafeInteger(value) || value < 0) throw new ShapeError(`${value} is no integer of ours`);
    return value > 0xffffffff ? BigInt(value) : value;
  },
  values: 1,
});

export const boolean: Shape<boolean> = {
  read: (wire) => {
    if (typeof wire !== "boolean") throw expected("a boolean");
    return wire;
  },
  write: (value) => value,
  values: 1,
};

/** Text of at most `max` UTF-8 bytes. Throws: ShapeError on writing lone surrogates, which UTF-8 cannot carry. */
export const text = <T extends string = string>(max: number): Shape<T> => ({
  read: (wire) => {
    if (typeof wire !== "string" || (wire.length * 3 > max && Buffer.byteLength(wire) > max))
      throw expected(`text of at most ${max} bytes`);
    return wire as T;
  },
  write: (value) => {
    if (!value.isWellFormed()) throw new ShapeError("text: expected well-formed Unicode (no lone surrogates)");
    return value;
  },
  values: 1,
});

/** Bytes of a length within [min, max]. */
export const bytes = (min: number, max: number = min): Shape<Uint8Array> => ({
  read: (wire) => {
    if (!(wire instanceof Uint8Array) || wire.length < min || wire.length > max)
      throw expected(min === max ? `${min} bytes` : `between ${min} and ${max} bytes`);
    return new Uint8Array(wire); // a copy; Uint8Array.from costs 40 times as much
  },
  write: (value) => new Octets(value),
  values: 1,
});

/** What a Buffer's toString("hex") calls; it takes other byte arrays, too, and to make Buffers of those takes as long again. */
const { hexSlice } = Buffer.prototype as unknown as {
  readonly hexSlice: (this: Uint8Array, start: number, end: number) => string;
};

/** Fixed number of bytes on the wire, lower-case hex in the domain. */
export const hex = <T extends string>(length: number): Shape<T> => ({
  read: (wire) => {
    if (!(wire instanceof Uint8Array) || wire.length !== length) throw expected(`${length} bytes`);
    return hexSlice.call(wire, 0, length) as T;
  },
  write: (value) => {
    if (value.length !== 2 * length) throw expected(`${length} bytes in hex`);
    return new Octets(value);
  },
  values: 1,
});

export const nullable = <T>(shape: Shape<T>): Shape<T | null> => ({
  read: (wire) => (wire === null ? null : shape.read(wire)),
  write: (value) => (value === null ? null : shape.write(value)),
  values: shape.values,
});

/** One of a fixed list of words, as its index on the wire. */
export const oneOf = <const Words extends readonly string[]>(...words: Words): Shape<Words[number]> => ({
  read: (wire) => {
    const word = typeof wire === "number" ? words[wire] : undefined;
    if (word === undefined) throw expected(words.join(" | "));
    return word;
  },
  write: (value) => {
    const place = words.indexOf(value);
    if (place < 0) throw expected(words.join(" | "));
    return place;
  },
  values: 1,
});

/** A list of between `min` and `max` items. */
export const list = <T>(item: Shape<T>, max: number, min = 0): Shape<readonly T[]> => ({
  read: (wire) => {
    if (!Array.isArray(wire) || wire.length < min || wire.length > max) throw expected(`a list of ${min} to ${max}`);
    const { length } = wire;
    const items: T[] = [];
    try {
      while (items.length < length) items.push(item.read(wire[items.length]));
    } catch (error) {
      throw within(error, `[${items.length}]`);
    }
    return items;
  },
  write: (value) => {
    const wire: Wire[] = [];
    for (const entry of value) wire.push(item.write(entry));
    return wire;
  },
  values: 1 + max * item.values,
});

/** A record as an array of fixed length, fields in the order given. */
export const record = <T extends object>(name: string, fields: { readonly [K in keyof T]: Shape<T[K]> }): Shape<T> => {
  const entries = Object.entries(fields) as [keyof T & string, Shape<T[keyof T & string]>][];
  const keys = entries.map(([key]) => key);
  const shapes = entries.map(([, shape]) => shape);
  const { length } = keys;
  const blank: readonly Wire[] = keys.map(() => null);
  const fill = (wire: unknown, out: Record<string, unknown>): void => {
    if (!Array.isArray(wire) || wire.length !== length) throw expected(`${name}: an array of ${length}`);
    let i = 0;
    try {
      for (; i < length; i++) out[keys[i] as string] = (shapes[i] as Shape<unknown>).read(wire[i]);
    } catch (error) {
      throw within(error, `.${keys[i] ?? ""}`);
    }
  };
  return {
    fill,
    read: (wire) => {
      const out: Record<string, unknown> = {};
      fill(wire, out);
      return out as T;
    },
    write: (value) => {
      const wire = blank.slice(); // quicker than to let one grow
      for (let i = 0; i < length; i++) wire[i] = (shapes[i] as Shape<unknown>).write(value[keys[i] as keyof T]);
      return wire;
    },
    values: shapes.reduce((values, shape) => values + shape.values, 1),
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
    read: (wire) => {
      if (!Array.isArray(wire) || wire.length !== 2) throw expected("[tag, value]");
      const tag: unknown = wire[0];
      const found = typeof tag === "number" ? list[tag] : undefined; // the text "0" would index a list, too
      if (found === undefined) throw expected(`a tag below ${list.length}`);
      const out: Record<string, unknown> = { kind: found.kind };
      try {
        if (found.shape.fill !== undefined) found.shape.fill(wire[1], out);
        else Object.assign(out, found.shape.read(wire[1]));
      } catch (error) {
        throw within(error, `.${found.kind}`);
      }
      return out as unknown as T;
    },
    write: (value) => {
      const found = tags.get(value.kind);
      if (found === undefined) throw new ShapeError(`no variant ${value.kind}`);
      return [found.tag, found.shape.write(value)];
    },
    values: 2 + Math.max(...list.map(({ shape }) => shape.values)),
  };
};

/** The value's bytes, in a buffer of their own. Throws: ShapeError for what the shape cannot carry. */
export const encode = <T>(shape: Shape<T>, value: T): Uint8Array => pack(shape.write(value));

/** What `use` makes of prefix ‖ encoding: bytes that it may only look at, and only until it returns. */
export const withEncoding = <T, R>(prefix: Uint8Array, shape: Shape<T>, value: T, use: (bytes: Uint8Array) => R): R =>
  withPacked(prefix, shape.write(value), use);

/** The values' encodings, one after the other. */
export function encodeSequence<T>(shape: Shape<T>, values: readonly T[]): Uint8Array {
  const sequence = new EncodedSequence(shape);
  for (const value of values) sequence.add(value);
  return sequence.take();
}

/** A sequence under way: values are added as they come, their encodings taken together at the end. */
export class EncodedSequence<T> {
  readonly #shape: Shape<T>;
  readonly #packed = new PackedSequence();

  constructor(shape: Shape<T>) {
    this.#shape = shape;
  }

  add(value: T): void {
    this.#packed.add(this.#shape.write(value));
  }

  /** All that were added since the last time. */
  take(): Uint8Array {
    return this.#packed.take();
  }
}

/** 1,000: with so many values too many, a list still says itself how many it may have. */
const VALUES_BEYOND_MAX = 1000;

export type DecodeRefusal = Refusal<"MALFORMED" | "TOO_LARGE">;

/**
 * Decodes exactly one value that fills its input.
 * Bounds: refuses more than `maxBytes` before reading; a list that claims more items than bytes remain, nesting deeper than 12,
 * and many more values than the shape can have, before allocating.
 * Refuses: MALFORMED, TOO_LARGE.
 */
export function decode<T>(shape: Shape<T>, input: Uint8Array, maxBytes: number): Result<T, DecodeRefusal> {
  if (input.length > maxBytes)
    return refuse("TOO_LARGE", `${input.length} bytes; at most ${maxBytes} are read.`, "peer");
  try {
    return ok(unpack(input, shape.values + VALUES_BEYOND_MAX, shape.read));
  } catch (error) {
    return refuse("MALFORMED", error instanceof Error ? error.message : "unreadable", "peer");
  }
}

/**
 * Decodes values that stand one after the other, as this process encoded them: shapes are judged, shortest encodings are not.
 * Refuses: MALFORMED.
 */
export function decodeSequence<T>(shape: Shape<T>, input: Uint8Array): Result<readonly T[], DecodeRefusal> {
  const values: T[] = [];
  try {
    unpackSequence(input, (wire) => {
      values.push(shape.read(wire));
    });
    return ok(values);
  } catch (error) {
    const message = error instanceof Error ? error.message : "unreadable";
    return refuse("MALFORMED", `value ${values.length}: ${message}`, "none");
  }
}
