import { type Refusal, type Result, ok, refuse } from "./result.ts";
import { ShapeError, WireReader, WireWriter } from "./messagepack.ts";

export { ShapeError } from "./messagepack.ts";

/**
 * Primitives of our wire format: MessagePack arrays of fixed length behind small codecs.
 *
 * A *shape* reads one value within its bounds, or names what is wrong, and writes one. Numbers are integers up to 2^53−1 (never
 * floating point); bytes are always copied out of the input. `decode` accepts only the shortest encoding of every value, so
 * that no two byte strings mean the same thing.
 */
export interface Shape<T> {
  /** Reads one value. Throws: ShapeError (caught by `decode`). */
  readonly take: (input: WireReader) => T;
  readonly put: (value: T, out: WireWriter) => void;
  /** Of records: reads the value's fields into an object that has some already. */
  readonly fill?: (input: WireReader, out: Record<string, unknown>) => void;
}

const expected = (what: string): ShapeError => new ShapeError(`expected ${what}`).within("");

/** Whatever was thrown while the value at `step` was read, seen from around it. */
const within = (error: unknown, step: string): unknown => (error instanceof ShapeError ? error.within(step) : error);

/** An integer within [min, max], none negative. */
export const integer = <T extends number = number>(min = 0, max = Number.MAX_SAFE_INTEGER): Shape<T> => ({
  take: (input) => {
    const value = input.integer();
    if (value === undefined || value < min || value > max) throw expected(`an integer in [${min}, ${max}]`);
    return value as T;
  },
  put: (value, out) => out.integer(value),
});

export const boolean: Shape<boolean> = {
  take: (input) => {
    const value = input.boolean();
    if (value === undefined) throw expected("a boolean");
    return value;
  },
  put: (value, out) => out.boolean(value),
};

/** Text of at most `max` UTF-8 bytes. Throws: ShapeError on writing lone surrogates, which UTF-8 cannot carry. */
export const text = <T extends string = string>(max: number): Shape<T> => ({
  take: (input) => {
    const value = input.text(max);
    if (value === undefined) throw expected(`text of at most ${max} bytes`);
    return value as T;
  },
  put: (value, out) => out.text(value),
});

/** Bytes of a length within [min, max]. */
export const bytes = (min: number, max: number = min): Shape<Uint8Array> => ({
  take: (input) => {
    const value = input.bytes(min, max);
    if (value === undefined) throw expected(min === max ? `${min} bytes` : `between ${min} and ${max} bytes`);
    return value;
  },
  put: (value, out) => out.bytes(value),
});

/** Fixed number of bytes on the wire, lower-case hex in the domain. */
export const hex = <T extends string>(length: number): Shape<T> => ({
  take: (input) => {
    const value = input.hex(length);
    if (value === undefined) throw expected(`${length} bytes`);
    return value as T;
  },
  put: (value, out) => out.hex(value),
});

export const nullable = <T>(shape: Shape<T>): Shape<T | null> => ({
  take: (input) => (input.nil() ? null : shape.take(input)),
  put: (value, out) => (value === null ? out.nil() : shape.put(value, out)),
});

/** One of a fixed list of words, as its index on the wire. */
export const oneOf = <const Words extends readonly string[]>(...words: Words): Shape<Words[number]> => ({
  take: (input) => {
    const place = input.integer();
    const word = place === undefined ? undefined : words[place];
    if (word === undefined) throw expected(words.join(" | "));
    return word;
  },
  put: (value, out) => {
    const place = words.indexOf(value);
    if (place < 0) throw expected(words.join(" | "));
    out.integer(place);
  },
});

/** A list of between `min` and `max` items. */
export const list = <T>(item: Shape<T>, max: number, min = 0): Shape<readonly T[]> => ({
  take: (input) => {
    const length = input.open();
    if (length < min || length > max) throw expected(`a list of ${min} to ${max}`);
    const items: T[] = [];
    try {
      while (items.length < length) items.push(item.take(input));
    } catch (error) {
      throw within(error, `[${items.length}]`);
    }
    input.close();
    return items;
  },
  put: (value, out) => {
    out.array(value.length);
    for (const entry of value) item.put(entry, out);
  },
});

/** A record as an array of fixed length, fields in the order given. */
export const record = <T extends object>(name: string, fields: { readonly [K in keyof T]: Shape<T[K]> }): Shape<T> => {
  const entries = Object.entries(fields) as [keyof T & string, Shape<T[keyof T & string]>][];
  const keys = entries.map(([key]) => key);
  const shapes = entries.map(([, shape]) => shape);
  const fill = (input: WireReader, out: Record<string, unknown>): void => {
    if (input.open() !== keys.length) throw expected(`${name}: an array of ${keys.length}`);
    let i = 0;
    try {
      for (; i < keys.length; i++) out[keys[i] as string] = (shapes[i] as Shape<unknown>).take(input);
    } catch (error) {
      throw within(error, `.${keys[i] ?? ""}`);
    }
    input.close();
  };
  return {
    fill,
    take: (input) => {
      const out: Record<string, unknown> = {};
      fill(input, out);
      return out as T;
    },
    put: (value, out) => {
      out.array(keys.length);
      for (let i = 0; i < keys.length; i++) (shapes[i] as Shape<unknown>).put(value[keys[i] as keyof T], out);
    },
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
    take: (input) => {
      if (input.open() !== 2) throw expected("[tag, value]");
      const tag = input.integer();
      const found = tag === undefined ? undefined : list[tag];
      if (found === undefined) throw expected(`a tag below ${list.length}`);
      const out: Record<string, unknown> = { kind: found.kind };
      try {
        if (found.shape.fill !== undefined) found.shape.fill(input, out);
        else Object.assign(out, found.shape.take(input));
      } catch (error) {
        throw within(error, `.${found.kind}`);
      }
      input.close();
      return out as unknown as T;
    },
    put: (value, out) => {
      const found = tags.get(value.kind);
      if (found === undefined) throw new ShapeError(`no variant ${value.kind}`);
      out.array(2);
      out.integer(found.tag);
      found.shape.put(value, out);
    },
  };
};

const writer = new WireWriter();

/** Writes within `work`, and takes it back when that is over; what is encoded from within a `put` comes after what stands there. */
function scratch<R>(work: (start: number) => R): R {
  const start = writer.at;
  try {
    return work(start);
  } finally {
    writer.backTo(start);
  }
}

/** The value's bytes, in a buffer of their own. Throws: ShapeError for what the shape cannot carry. */
export const encode = <T>(shape: Shape<T>, value: T): Uint8Array =>
  scratch((start) => {
    shape.put(value, writer);
    return writer.copyFrom(start);
  });

/** What `use` makes of prefix ‖ encoding: bytes that it may only look at, and only until it returns. */
export const withEncoding = <T, R>(prefix: Uint8Array, shape: Shape<T>, value: T, use: (bytes: Uint8Array) => R): R =>
  scratch((start) => {
    writer.raw(prefix);
    shape.put(value, writer);
    return use(writer.viewFrom(start));
  });

/** The values' encodings, one after the other. */
export const encodeSequence = <T>(shape: Shape<T>, values: readonly T[]): Uint8Array =>
  scratch((start) => {
    for (const value of values) shape.put(value, writer);
    return writer.copyFrom(start);
  });

/** A sequence under way: values are added as they come, their encodings taken together at the end. */
export class EncodedSequence<T> {
  readonly #shape: Shape<T>;
  readonly #out = new WireWriter();

  constructor(shape: Shape<T>) {
    this.#shape = shape;
  }

  add(value: T): void {
    this.#shape.put(value, this.#out);
  }

  /** All that were added since the last time. */
  take(): Uint8Array {
    const bytes = this.#out.copyFrom(0);
    this.#out.backTo(0);
    return bytes;
  }
}

export type DecodeRefusal = Refusal<"MALFORMED" | "TOO_LARGE">;

/**
 * Decodes exactly one value that fills its input.
 * Bounds: refuses more than `maxBytes` before reading; a list that claims more items than bytes remain, and nesting deeper than
 * 12, before allocating.
 * Refuses: MALFORMED, TOO_LARGE.
 */
export function decode<T>(shape: Shape<T>, input: Uint8Array, maxBytes: number): Result<T, DecodeRefusal> {
  if (input.length > maxBytes)
    return refuse("TOO_LARGE", `${input.length} bytes; at most ${maxBytes} are read.`, "peer");
  try {
    const reader = new WireReader(input);
    const value = shape.take(reader);
    if (!reader.ended) throw new ShapeError("bytes after the value");
    return ok(value);
  } catch (error) {
    return refuse("MALFORMED", error instanceof Error ? error.message : "unreadable", "peer");
  }
}

/** Decodes values that stand one after the other, as this process encoded them. Refuses: MALFORMED. */
export function decodeSequence<T>(shape: Shape<T>, input: Uint8Array): Result<readonly T[], DecodeRefusal> {
  const reader = new WireReader(input);
  const values: T[] = [];
  try {
    while (!reader.ended) values.push(shape.take(reader));
    return ok(values);
  } catch (error) {
    const message = error instanceof Error ? error.message : "unreadable";
    return refuse("MALFORMED", `value ${values.length}: ${message}`, "none");
  }
}
