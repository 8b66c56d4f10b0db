/** Whose bytes are whose: what is shared, reused or copied on the way between values and bytes. */
import { describe, expect, test } from "vitest";
import { concatBytes, toHex, utf8 } from "../../../src/base/bytes.ts";
import {
  EncodedSequence,
  type Shape,
  ShapeError,
  bytes,
  decode,
  decodeSequence,
  encode,
  encodeSequence,
  hex,
  integer,
  list,
  record,
  text,
  withEncoding,
} from "../../../src/base/codec.ts";

const ROOM = 64 * 1024 * 1024;
const anyText = text(100_000);

test("what is decoded does not change when the input does, or something else is decoded", () => {
  const shape = list(bytes(1, 10_000), 3);
  for (const length of [1, 3000, 9000]) {
    const value = [new Uint8Array(length).fill(1), Uint8Array.of(3)];
    const input = encode(shape, value);
    const decoded = decode(shape, input, ROOM);
    const sequence = decodeSequence(shape, input);
    input.fill(0);
    decode(shape, encode(shape, [new Uint8Array(length).fill(7)]), ROOM);
    expect(decoded).toStrictEqual({ ok: true, value });
    expect(sequence).toStrictEqual({ ok: true, value: [value] });
  }
});

test("an input may lie anywhere in a larger buffer, and is left as it was", () => {
  const shape = list(record("r", { name: anyText, data: bytes(0, 10_000), id: hex(2) }), 3);
  for (const length of [0, 100, 5000]) {
    const value = [{ name: "a".repeat(length), data: new Uint8Array(length).fill(1), id: "abcd" }];
    const encoded = encode(shape, value);
    for (const around of [new Uint8Array(20_000).fill(0xc1), Buffer.alloc(20_000, 0xc1)]) {
      around.set(encoded, 777);
      const input = around.subarray(777, 777 + encoded.length);
      const keys = Reflect.ownKeys(input);
      expect(decode(shape, input, ROOM)).toStrictEqual({ ok: true, value });
      expect(decodeSequence(shape, input)).toStrictEqual({ ok: true, value: [value] });
      expect(Buffer.compare(input, encoded)).toBe(0);
      expect(Reflect.ownKeys(input)).toEqual(keys);
    }
  }
});

test("what is encoded does not change when something else is encoded", () => {
  const first = encode(anyText, "first");
  const copy = Uint8Array.from(first);
  for (let i = 0; i < 100; i++) encode(anyText, "second");
  expect(first).toEqual(copy);
  expect(first.byteLength).toBe(first.buffer.byteLength);
});

describe("what is looked at without a copy", () => {
  const name = text(300_000);

  test("is prefix and encoding, of any size", () => {
    for (const before of [0, 1, 15, 255, 256, 5000])
      for (const length of [0, 10, 4000, 70_000, 300_000]) {
        const prefix = new Uint8Array(before).fill(7);
        const value = "a".repeat(length);
        const seen = withEncoding(prefix, name, value, (given) => Uint8Array.from(given));
        expect(Buffer.compare(seen, concatBytes(prefix, encode(name, value))), `${before}, ${length}`).toBe(0);
      }
  });

  test("stays as it is while more is encoded, and whatever is thrown meanwhile", () => {
    const outer = withEncoding(utf8("outer"), name, "first", (given) => {
      for (const length of [5, 100, 70_000, 300_000]) {
        encode(name, "b".repeat(length));
        withEncoding(utf8("inner"), name, "c".repeat(length), () => undefined);
        expect(() => encode(name, "\ud800")).toThrow(ShapeError);
        expect(() => encode(list(hex(1), 2), ["00", "zz"])).toThrow(ShapeError);
        expect(() => withEncoding(utf8("x"), list(hex(1), 2), ["00", "zz"], () => undefined)).toThrow(ShapeError);
      }
      return Uint8Array.from(given);
    });
    expect(outer).toEqual(concatBytes(utf8("outer"), encode(name, "first")));
    expect(() =>
      withEncoding(utf8("x"), name, "y", () => {
        throw new RangeError("of the user");
      }),
    ).toThrow(RangeError);
    expect(toHex(encode(name, "abc"))).toBe("a3616263");
  });
});

describe("a sequence", () => {
  const shape = record("r", { n: integer(), name: text(100_000), data: bytes(0, 100_000) });
  const values = [0, 1, 300, 2 ** 40].flatMap((n) =>
    [0, 5, 90, 3000, 40_000].map((length) => ({ n, name: "é".repeat(length), data: new Uint8Array(length).fill(n) })),
  );

  test("is its values' encodings, one after the other", () => {
    const encoded = encodeSequence(shape, values);
    expect(Buffer.concat(values.map((value) => encode(shape, value))).equals(encoded)).toBe(true);
    expect(encoded.byteLength).toBe(encoded.buffer.byteLength);
    const decoded = decodeSequence(shape, encoded);
    expect(decoded.ok && Buffer.compare(encodeSequence(shape, decoded.value), encoded)).toBe(0);
    expect(encodeSequence(shape, [])).toEqual(new Uint8Array(0));
    expect(decodeSequence(shape, new Uint8Array(0))).toEqual({ ok: true, value: [] });
  });

  test("under way is not disturbed by what else is encoded, and begins anew when it was taken", () => {
    const sequence = new EncodedSequence(shape);
    for (let round = 0; round < 3; round++) {
      for (const value of values) {
        sequence.add(value);
        encode(shape, { n: 1, name: "other", data: new Uint8Array(9) });
      }
      expect(() => sequence.add({ n: -1, name: "", data: new Uint8Array(0) })).toThrow(ShapeError);
      expect(Buffer.compare(sequence.take(), encodeSequence(shape, values))).toBe(0);
    }
    expect(sequence.take()).toEqual(new Uint8Array(0));
  });

  test("names the value that is wrong, or where it is cut short", () => {
    const other = record("r", { n: integer(0, 5), name: text(9), data: bytes(0, 9) });
    const two = encodeSequence(shape, [
      { n: 5, name: "a", data: new Uint8Array(1) },
      { n: 6, name: "a", data: new Uint8Array(1) },
    ]);
    expect(decodeSequence(other, two)).toMatchObject({
      ok: false,
      refusal: { code: "MALFORMED", message: "value 1: $.n: expected an integer in [0, 5]", blame: "none" },
    });
    expect(decodeSequence(shape, two.subarray(0, two.length - 1))).toMatchObject({ ok: false });
    expect(decodeSequence(shape, two)).toMatchObject({ ok: true });
  });
});

test("a shape may decode while it reads", () => {
  for (const length of [1, 3000, 5000]) {
    const other = encode(bytes(0, 5000), new Uint8Array(length).fill(9));
    const meanwhile: Shape<unknown> = {
      read: () => decode(bytes(0, 5000), other, ROOM).ok,
      write: () => true,
      values: 1,
    };
    const three = record("three", { first: hex(2), meanwhile, last: bytes(1, 5000) });
    for (const value of [
      { first: "0102", meanwhile: true, last: Uint8Array.of(3, 4) },
      { first: "0102", meanwhile: true, last: new Uint8Array(5000).fill(5) },
    ])
      expect(decode(three, encode(three, value), ROOM)).toEqual({ ok: true, value });
  }
});
