import fc from "fast-check";
import { Packr, Unpackr } from "msgpackr/pack";
import { afterEach, describe, expect, test, vi } from "vitest";
import { concatBytes, toHex, utf8 } from "../../../src/base/bytes.ts";
import {
  type Shape,
  ShapeError,
  boolean,
  bytes,
  decode,
  decodeSequence,
  encode,
  encodeSequence,
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
import { countOf, readReference, writeReference } from "./messagepack-reference.ts";
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

test.each(WIRE_TYPES)("MessagePack by its specification is the same for $name", ({ shape, values }) => {
  fc.assert(
    fc.property(values, (value) => {
      const encoded = encode(shape, value);
      const read = readReference(encoded);
      expect(writeReference(read)).toEqual(encoded);
      expect(countOf(read)).toBeLessThanOrEqual(shape.values);
    }),
    { numRuns: 40 },
  );
});

describe("written by hand:", () => {
  const items = (length: number): readonly number[] => Array.from({ length }, () => 0);
  test.each([
    ["0", integer(), 0, "00"],
    ["127", integer(), 127, "7f"],
    ["128", integer(), 128, "cc80"],
    ["255", integer(), 255, "ccff"],
    ["256", integer(), 256, "cd0100"],
    ["65535", integer(), 65_535, "cdffff"],
    ["65536", integer(), 65_536, "ce00010000"],
    ["2^31", integer(), 2 ** 31, "ce80000000"],
    ["2^32 − 1", integer(), 2 ** 32 - 1, "ceffffffff"],
    ["2^32", integer(), 2 ** 32, "d30000000100000000"],
    ["a time", integer(), 1_763_790_000_000, "d30000019aaa138f80"],
    ["2^53 − 1", integer(), Number.MAX_SAFE_INTEGER, "d3001fffffffffffff"],
    ["true", boolean, true, "c3"],
    ["false", boolean, false, "c2"],
    ["null", nullable(boolean), null, "c0"],
    ["no text", anyText, "", "a0"],
    ["text", anyText, "aé€😀", "aa61c3a9e282acf09f9880"],
    ["no bytes", bytes(0, 9), new Uint8Array(0), "c400"],
    ["bytes", bytes(0, 9), Uint8Array.of(1, 255), "c40201ff"],
    ["255 bytes", bytes(0, 999), new Uint8Array(255), `c4ff${"00".repeat(255)}`],
    ["256 bytes", bytes(0, 999), new Uint8Array(256), `c50100${"00".repeat(256)}`],
    ["65536 bytes", bytes(0, 99_999), new Uint8Array(65_536), `c600010000${"00".repeat(65_536)}`],
    ["hex", hex(3), "00abff", "c40300abff"],
    ["256 bytes in hex", hex(256), "ab".repeat(256), `c50100${"ab".repeat(256)}`],
    ["no items", list(integer(), 99_999), [], "90"],
    ["15 items", list(integer(), 99_999), items(15), `9f${"00".repeat(15)}`],
    ["16 items", list(integer(), 99_999), items(16), `dc0010${"00".repeat(16)}`],
    ["65536 items", list(integer(), 99_999), items(65_536), `dd00010000${"00".repeat(65_536)}`],
    ["a record", record("r", { a: integer(), b: boolean }), { a: 1, b: true }, "9201c3"],
    ["a word", oneOf("a", "b"), "b", "01"],
  ] as readonly [string, Shape<unknown>, unknown, string][])("%s", (_what, shape, value, encoded) => {
    expect(toHex(encode(shape, value))).toBe(encoded);
    expect(decode(shape, hexBytes(encoded), ROOM)).toEqual({ ok: true, value });
  });
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
    for (const length of [0, 10, 60, 61, 62, 63, 64, 65, 100, 250, 5000, 70_000])
      for (const value of [
        `\ufeff${"a".repeat(length)}\ufeff`,
        `\ufeff\ufeff${"é".repeat(length / 2)}`,
        `${"a".repeat(length)}\ufeff`,
      ])
        expect(decode(anyText, encode(anyText, value), ROOM)).toEqual({ ok: true, value });
  });

  test("keeps the byte order marks of some among others, nested or in a sequence", () => {
    const marked = `\ufeff${"a".repeat(70)}`;
    const plain = "a".repeat(70);
    const several = list(list(anyText, 9), 9);
    const value = [[plain, marked], [], [marked, "\ufeff", plain], ["", marked, `\ufeff${marked}`]];
    expect(decode(several, encode(several, value), ROOM)).toEqual({ ok: true, value });
    const values = [value, [[plain]], [[marked]], []];
    expect(decodeSequence(several, encodeSequence(several, values))).toEqual({ ok: true, value: values });
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
  afterEach(() => vi.restoreAllMocks());

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
    ["a list in a list that has room", `92dd7fffffff${"00".repeat(60)}`],
  ])("claimed but not sent allocates nothing: %s", (_what, encoded) => {
    const before = process.memoryUsage();
    for (let i = 0; i < 200; i++) expect(decode(list(anyText, 2 ** 31), hexBytes(encoded), 100).ok).toBe(false);
    const after = process.memoryUsage();
    // 200 claims of 32 KiB to 2 GiB: had any been believed, there would be at least 6 MiB more (2 GiB would have thrown).
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4 * 1024 * 1024);
  });

  test.each([
    ["truncated", "92"],
    ["not the shortest", "cc01"],
    ["a list that claims more than there is", "dd00ffffff00"],
    ["bytes that claim more than there are", "c6000fffff00"],
    ["text that claims more than there is", "db000fffff00"],
    ["text that is not UTF-8", "a1ff"],
    ["a map", "8101a161"],
    ["an extension", "d40100"],
    ["a record of msgpackr's, which would be compiled", "d4724091a161"],
    ["a float", "ca3f800000"],
    ["nested too deep", `${"91".repeat(13)}00`],
    ["two values", "0101"],
  ])("that is not of our structure never reaches msgpackr: %s", (_what, encoded) => {
    const unpack = vi.spyOn(Unpackr.prototype, "unpack");
    expect(decode(integer(), hexBytes(encoded), ROOM).ok).toBe(false);
    expect(decode(integer(), concatBytes(hexBytes(encoded), new Uint8Array(10_000)), ROOM).ok).toBe(false);
    expect(unpack).not.toHaveBeenCalled();
    expect(decode(integer(), hexBytes("05"), ROOM)).toEqual({ ok: true, value: 5 });
    expect(unpack).toHaveBeenCalledTimes(1);
  });

  test.each([
    ["empty bytes", "c400"],
    ["empty lists", "90"],
    ["nothing", "c0"],
  ])("in values, of which its type cannot have so many, never reaches msgpackr: %s", (_what, one) => {
    const unpack = vi.spyOn(Unpackr.prototype, "unpack");
    const shape = record("r", { n: integer(), names: list(record("name", { name: anyText, last: boolean }), 10) });
    const many = concatBytes(hexBytes("9205dd000f4240"), hexBytes(one.repeat(1_000_000)));
    expect(decode(shape, many, ROOM)).toMatchObject({ ok: false, refusal: { code: "MALFORMED" } });
    expect(unpack).not.toHaveBeenCalled();
  });

  test("in values, when there are a few too many, is named where it is", () => {
    expect(decode(record("r", { flags: list(boolean, 3) }), hexBytes("9194c2c2c2c2"), ROOM)).toMatchObject({
      ok: false,
      refusal: { message: "$.flags: expected a list of 0 to 3" },
    });
  });

  test.each(WIRE_TYPES)("in values is limited for $name", ({ shape }) => {
    expect(shape.values).toBeLessThan(1_000_000);
  });

  test("of nesting is refused at a depth of 13, by a walk that a tower of a million does not slow or overflow", () => {
    interface Nested {
      readonly inner: readonly Nested[];
    }
    const nested: Shape<Nested> = {
      read: (wire) => ({ inner: list(nested, 10).read(wire) }),
      write: ({ inner }) => list(nested, 10).write(inner),
      values: Infinity,
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

test.each([
  ["a number below zero", integer(), -1],
  ["a fraction", integer(), 0.5],
  ["a number beyond 2^53 − 1", integer(), 2 ** 53],
  ["hex of another length", hex(2), "abcdef"],
  ["half a byte in hex", hex(2), "abc"],
  ["what is not hex", hex(2), "abcg"],
  ["a word that is not on the list", oneOf("a"), "b"],
] as readonly [string, Shape<unknown>, unknown][])("%s is not written", (_what, shape, value) => {
  expect(() => encode(shape, value)).toThrow(ShapeError);
  expect(() => encode(list(shape, 9), [value])).toThrow(ShapeError);
});

test("what other users of msgpackr pack stays as it was", () => {
  const plain = new Packr({ useRecords: false, variableMapSize: true });
  const packed = plain.pack({ bytes: Uint8Array.of(1, 2), more: [new Date(0), Buffer.from("a")] });
  expect(toHex(packed)).toBe("82a56279746573c4020102a46d6f726592d6ff00000000c40161");
});

test("a shape names the field that is wrong", () => {
  const shape = record("outer", { list: list(record("inner", { flag: boolean, id: hex(2) }), 5) });
  expect(decode(shape, hexBytes("919192c3c403010203"), 100)).toMatchObject({
    ok: false,
    refusal: { message: "$.list[0].id: expected 2 bytes" },
  });
});
