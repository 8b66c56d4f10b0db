import fc from "fast-check";
import { Packr, Unpackr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import {
  type Shape,
  ShapeError,
  boolean,
  bytes,
  decode,
  encode,
  hex,
  integer,
  list,
  nullable,
  oneOf,
  record,
  text,
  union,
  variant,
} from "../../../src/base/codec.ts";
import { hexBytes } from "../crypto/vectors.ts";
import { WIRE_TYPES } from "./wire-types.ts";

const ROOM = 64 * 1024 * 1024;
const anyText = text(100_000);

describe.each(WIRE_TYPES)("$name", ({ shape, values }) => {
  test("goes there and back, to the same value and the same bytes", () => {
    fc.assert(
      fc.property(values, (value) => {
        const encoded = encode(shape, value);
        const decoded = decode(shape, encoded, ROOM);
        expect(decoded).toEqual({ ok: true, value });
        if (decoded.ok) expect(encode(shape, decoded.value)).toEqual(encoded);
      }),
      { numRuns: 60 },
    );
  });

  test("is refused when cut short anywhere, or followed by anything", () => {
    fc.assert(
      fc.property(values, fc.nat(), (value, at) => {
        const encoded = encode(shape, value);
        expect(decode(shape, encoded.subarray(0, at % encoded.length), ROOM).ok).toBe(false);
        expect(decode(shape, Uint8Array.of(...encoded.subarray(0, 4096), 0xc0), ROOM).ok).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test("has one encoding: changed bytes are refused or are the encoding of what they decode to", () => {
    fc.assert(
      fc.property(
        values,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
        (value, changes) => {
          const changed = encode(shape, value);
          for (const [at, byte] of changes) changed[at % changed.length] = byte;
          const decoded = decode(shape, changed, ROOM);
          if (decoded.ok) expect(encode(shape, decoded.value)).toEqual(changed);
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** An independent reader and writer of the same encoding. */
const unpackr = new Unpackr({ useRecords: false, int64AsType: "number" });
const packr = new Packr({ useRecords: false, variableMapSize: true });
const asMsgpackrWrites = (wire: unknown): unknown =>
  Array.isArray(wire)
    ? wire.map(asMsgpackrWrites)
    : typeof wire === "number" && wire > 0xffffffff
      ? BigInt(wire) // it would write a float64
      : wire;

test.each(WIRE_TYPES)("msgpackr reads and writes $name alike", ({ shape, values }) => {
  fc.assert(
    fc.property(values, (value) => {
      const encoded = encode(shape, value);
      const read: unknown = unpackr.unpack(Uint8Array.from(encoded));
      expect(new Uint8Array(packr.pack(asMsgpackrWrites(read)))).toEqual(encoded);
    }),
    { numRuns: 40 },
  );
});

test("every proper prefix of a header is refused", () => {
  const header = WIRE_TYPES.find(({ name }) => name === "header");
  const [value] = fc.sample(header?.values ?? fc.constant(null), { seed: 1, numRuns: 1 });
  const encoded = encode(header?.shape as Shape<unknown>, value);
  for (let length = 0; length < encoded.length; length++) {
    expect(decode(header?.shape as Shape<unknown>, encoded.subarray(0, length), ROOM).ok, `${length} bytes`).toBe(
      false,
    );
  }
});

describe("text", () => {
  const headLength = (length: number): number => (length < 32 ? 1 : length < 256 ? 2 : length < 65_536 ? 3 : 5);
  const lengths = [
    0, 1, 2, 30, 31, 32, 33, 62, 63, 64, 65, 84, 85, 86, 87, 126, 127, 128, 129, 254, 255, 256, 257, 65_534, 65_535,
    65_536, 65_537,
  ];
  const encodeList = list(anyText, 3);

  test.each(["a", "é", "€", "😀"])(
    "of every length around a head's limits has the shortest head (characters %s)",
    (character) => {
      const width = utf8(character).length;
      for (const length of lengths) {
        // The wide characters before, after, and around the narrow ones that fill up.
        const wide = character.repeat(Math.floor(length / width));
        const fill = "a".repeat(length % width);
        for (const value of [
          wide + fill,
          fill + wide,
          character.repeat(Math.min(1, Math.floor(length / width))) +
            "a".repeat(length < width ? length : length - width),
        ]) {
          expect(utf8(value).length).toBe(length);
          const encoded = encode(anyText, value);
          expect(encoded.length, `${length} bytes of ${character}`).toBe(headLength(length) + length);
          expect(decode(anyText, encoded, ROOM)).toEqual({ ok: true, value });
          const among = encode(encodeList, [value, "x", value]);
          expect(decode(encodeList, among, ROOM)).toEqual({ ok: true, value: [value, "x", value] });
          expect(among.length).toBe(1 + 2 * (headLength(length) + length) + 2);
        }
      }
    },
  );

  test("keeps a byte order mark, at every length", () => {
    for (const length of [0, 10, 60, 100, 5000]) {
      const value = `\ufeff${"a".repeat(length)}\ufeff`;
      expect(decode(anyText, encode(anyText, value), ROOM)).toEqual({ ok: true, value });
    }
  });

  test.each([
    ["a stray byte", "a1ff"],
    ["an overlong zero", "a2c080"],
    ["a surrogate", "a3eda080"],
    ["a character cut short", "a1c3"],
    ["beyond U+10FFFF", "a4f4908080"],
  ])("that is not UTF-8 is refused: %s", (_what, encoded) => {
    expect(decode(anyText, hexBytes(encoded), 100)).toMatchObject({ ok: false, refusal: { code: "MALFORMED" } });
  });

  test("with a lone surrogate is not written", () => {
    expect(() => encode(anyText, "\ud800")).toThrow(ShapeError);
  });

  test("is measured in bytes, not characters", () => {
    expect(decode(text(3), encode(anyText, "€"), 100).ok).toBe(true);
    expect(decode(text(2), encode(anyText, "€"), 100).ok).toBe(false);
  });
});

describe("refused although msgpackr reads it:", () => {
  const anything = nullable(list(integer(), 1000));
  test.each([
    ["1 in two bytes", "cc01", integer()],
    ["255 in three bytes", "cd00ff", integer()],
    ["65535 in five bytes", "ce0000ffff", integer()],
    ["2^32 − 1 in nine bytes", "d300000000ffffffff", integer()],
    ["an unsigned 64-bit number", "cf0000000100000000", integer()],
    ["a number above 2^53 − 1", "d30020000000000000", integer()],
    ["a negative number", "ff", integer()],
    ["a float", "ca3f800000", integer()],
    ["a double", "cb3ff0000000000000", integer()],
    ["31 bytes of text with a long head", `d91f${"61".repeat(31)}`, anyText],
    ["255 bytes of text with a longer head", `da00ff${"61".repeat(255)}`, anyText],
    ["bytes with a long head", "c5000161", bytes(0, 10)],
    ["a list with a long head", "dc000101", anything],
    ["a map", "8101a161", anything],
    ["an extension", "d40100", anything],
    ["undefined", "d40000", anything],
    ["a time stamp", "d6ff00000000", anything],
    ["two values", "0101", integer()],
    ["nothing", "", integer()],
  ] as readonly [string, string, Shape<unknown>][])("%s", (_what, encoded, shape) => {
    expect(decode(shape, hexBytes(encoded), 1000)).toMatchObject({
      ok: false,
      refusal: { code: "MALFORMED", blame: "peer" },
    });
  });

  test("a union's tag as text", () => {
    const one: Shape<{ readonly kind: "a"; readonly n: number }> = union<{ readonly kind: "a"; readonly n: number }>(
      variant("a", record("a", { n: integer() })),
    );
    expect(decode(one, hexBytes("92009105"), 100)).toEqual({ ok: true, value: { kind: "a", n: 5 } });
    for (const tag of ["a130", "a6" + "6c656e677468", "c2", "c0", "01"])
      expect(decode(one, hexBytes(`92${tag}9105`), 100).ok).toBe(false);
  });

  test("a word's place as text", () => {
    expect(decode(oneOf("a", "b"), hexBytes("a130"), 100).ok).toBe(false);
    expect(decode(oneOf("a", "b"), hexBytes("02"), 100).ok).toBe(false);
    expect(decode(oneOf("a", "b"), hexBytes("01"), 100)).toEqual({ ok: true, value: "b" });
  });
});

describe("a stranger's size", () => {
  test("beyond the limit is refused before it is read", () => {
    expect(decode(anyText, new Uint8Array(101).fill(0xff), 100)).toMatchObject({
      ok: false,
      refusal: { code: "TOO_LARGE" },
    });
  });

  test.each([
    ["a list", "dd7fffffff"],
    ["a list of lists", "9fdd7fffffff"],
    ["text", "db7fffffff"],
    ["bytes", "c67fffffff"],
    ["short text", "da7fff"],
  ])("claimed but not sent allocates nothing: %s", (_what, encoded) => {
    const before = process.memoryUsage();
    for (let i = 0; i < 200; i++) expect(decode(list(anyText, 2 ** 31), hexBytes(encoded), 100).ok).toBe(false);
    const after = process.memoryUsage();
    // 200 claims of 32 KiB to 2 GiB: had any been believed, there would be at least 6 MiB more (2 GiB would have thrown).
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4 * 1024 * 1024);
  });

  test("of nesting is refused at a depth of 13, by a walk that a tower of a million does not slow or overflow", () => {
    interface Nested {
      readonly inner: readonly Nested[];
    }
    const nested: Shape<Nested> = {
      take: (input) => ({ inner: list(nested, 10).take(input) }),
      put: ({ inner }, out) => list(nested, 10).put(inner, out),
    };
    const tower = (depth: number): Uint8Array =>
      new Uint8Array([...Array.from({ length: depth - 1 }, () => 0x91), 0x90]);
    expect(decode(nested, tower(12), ROOM).ok).toBe(true);
    expect(decode(nested, tower(13), ROOM)).toMatchObject({
      ok: false,
      refusal: { message: expect.stringContaining("nested deeper than 12") as string },
    });
    const million = new Uint8Array(1_000_000).fill(0x91);
    expect(decode(nested, million, ROOM)).toMatchObject({
      ok: false,
      refusal: { message: expect.stringContaining("nested deeper than 12") as string },
    });
  });
});

test("what is decoded does not change when the input does", () => {
  const input = encode(list(bytes(1, 10), 3), [Uint8Array.of(1, 2), Uint8Array.of(3)]);
  const decoded = decode(list(bytes(1, 10), 3), input, 100);
  input.fill(0);
  expect(decoded).toEqual({ ok: true, value: [Uint8Array.of(1, 2), Uint8Array.of(3)] });
});

test("what is encoded does not change when something else is encoded", () => {
  const first = encode(anyText, "first");
  const copy = Uint8Array.from(first);
  for (let i = 0; i < 100; i++) encode(anyText, "second");
  expect(first).toEqual(copy);
  expect(first.byteLength).toBe(first.buffer.byteLength);
});

test("a shape names the field that is wrong", () => {
  const shape = record("outer", { list: list(record("inner", { flag: boolean, id: hex(2) }), 5) });
  expect(decode(shape, hexBytes("919192c3c403010203"), 100)).toMatchObject({
    ok: false,
    refusal: { message: "$.list[0].id: expected 2 bytes" },
  });
});
