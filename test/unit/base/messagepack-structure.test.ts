import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/base/bytes.ts";
import { ShapeError, encode } from "../../../src/base/codec.ts";
import { checkStructure } from "../../../src/base/messagepack-structure.ts";
import { hexBytes } from "../crypto/vectors.ts";
import { isOurs } from "./messagepack-reference.ts";
import { WIRE_TYPES } from "./wire-types.ts";

describe("the walk over the structure lets pass what MessagePack by its specification says is ours, and nothing else", () => {
  const passes = (input: Uint8Array): boolean => {
    try {
      checkStructure(input, input.length, Infinity);
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(ShapeError);
      return false;
    }
  };

  test("of any head, whatever follows it", () => {
    const judgedOtherwise: string[] = [];
    const judge = (input: Uint8Array): void => {
      if (passes(input) !== isOurs(input)) judgedOtherwise.push(toHex(input));
    };
    for (let head = 0; head < 256; head++) {
      judge(Uint8Array.of(head));
      for (const next of [0, 1, 15, 16, 31, 32, 33, 64, 127, 128, 129, 144, 192, 254, 255])
        for (const zeros of [0, 1, 2, 3, 4, 7, 31, 32]) judge(Uint8Array.of(head, next, ...new Uint8Array(zeros)));
    }
    expect(judgedOtherwise).toEqual([]);
  });

  test.each([
    ["d30000000100000000", true],
    ["d3001fffffffffffff", true],
    ["d300000000ffffffff", false],
    ["d30020000000000000", false],
    ["d30020000000000001", false],
    ["d37fffffffffffffff", false],
    ["d3ffffffffffffffff", false],
    ["cf0000000100000000", false],
  ])("of numbers of eight bytes: %s", (encoded, ours) => {
    expect(passes(hexBytes(encoded))).toBe(ours);
    expect(isOurs(hexBytes(encoded))).toBe(ours);
  });

  const byte = fc.oneof(
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(0x90, 0x91, 0x92, 0xa1, 0xa3, 0xc4, 0xcc, 0xd9, 0xdc, 0x00, 0x01, 0x20, 0x80, 0xbf, 0xe2, 0xf0),
  );
  test("of random bytes", () => {
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 24 }), (given) => {
        const input = Uint8Array.from(given);
        expect(passes(input)).toBe(isOurs(input));
      }),
      { numRuns: 5000 },
    );
  });

  test("of text that is random bytes", () => {
    const ill = fc.constantFrom(...hexBytes("808f909fa0bfc0c1c2e0edeff0f4f5"));
    fc.assert(
      fc.property(fc.array(fc.oneof(ill, ill, byte), { maxLength: 12 }), (given) => {
        const input = Uint8Array.of(0xa0 + given.length, ...given);
        expect(passes(input)).toBe(isOurs(input));
      }),
      { numRuns: 5000 },
    );
  });

  test.each(WIRE_TYPES)("of $name with bytes changed", ({ shape, values }) => {
    fc.assert(
      fc.property(values, fc.array(fc.tuple(fc.nat(), byte), { maxLength: 3 }), (value, changes) => {
        const changed = encode(shape, value);
        for (const [at, other] of changes) changed[at % changed.length] = other;
        expect(passes(changed)).toBe(isOurs(changed));
      }),
      { numRuns: 60 },
    );
  });
});

test("no more values are walked over than are wanted, lists and what they hold", () => {
  const whole = hexBytes("930192a161c00f"); // [1, ["a", null], 15]
  expect(() => checkStructure(whole, whole.length, 6)).not.toThrow();
  expect(() => checkStructure(whole, whole.length, 5)).toThrow("more than 5 values");
});
