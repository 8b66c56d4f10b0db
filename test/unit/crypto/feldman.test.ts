import { createHash } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/base/bytes.ts";
import { type Share, combine, deal, scalarFromUniform, verifyShare } from "../../../src/crypto/feldman.ts";
import { hexBytes } from "./vectors.ts";

const ORDER = p256.Point.Fn.ORDER;
const scalar = (name: string): Uint8Array =>
  scalarFromUniform(new Uint8Array(createHash("sha384").update(name).digest()));
const fixed = (value: bigint): Uint8Array => hexBytes(value.toString(16).padStart(64, "0"));
const dealt = (k: number, n: number, salt = "x") => {
  const secret = scalar(`${salt}/secret`);
  return {
    secret,
    ...deal(
      secret,
      Array.from({ length: k - 1 }, (_, i) => scalar(`${salt}/${i}`)),
      n,
    ),
  };
};
const codeOf = (result: ReturnType<typeof combine>): string => (result.ok ? toHex(result.value) : result.refusal.code);

test("any k of n shares restore the secret, whatever the order", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }).chain((n) =>
        fc.record({
          n: fc.constant(n),
          order: fc.shuffledSubarray(
            Array.from({ length: n }, (_, i) => i),
            { minLength: 1 },
          ),
          salt: fc.string(),
        }),
      ),
      ({ n, order, salt }) => {
        const { secret, shares, commitments } = dealt(order.length, n, salt);
        expect(commitments.map((point) => point.length)).toEqual(order.map(() => 33));
        expect(
          codeOf(
            combine(
              commitments,
              order.map((i) => shares[i] as Share),
            ),
          ),
        ).toBe(toHex(secret));
      },
    ),
    { numRuns: 15 },
  );
});

test("shares of a known line are its values: secret 7, coefficient 5", () => {
  const { shares, commitments } = deal(fixed(7n), [fixed(5n)], 3);
  expect(shares.map(({ value }) => BigInt(`0x${toHex(value)}`))).toEqual([12n, 17n, 22n]);
  expect(commitments.map(toHex)).toEqual([7n, 5n].map((x) => toHex(p256.Point.BASE.multiply(x).toBytes(true))));
});

test("a secret as large as it may be goes through: order − 1 with a coefficient that wraps around", () => {
  const { shares, commitments } = deal(fixed(ORDER - 1n), [fixed(ORDER - 2n)], 2);
  expect(codeOf(combine(commitments, shares))).toBe(toHex(fixed(ORDER - 1n)));
});

describe("a share is refused", () => {
  const { shares, commitments } = dealt(3, 5);
  const [first, second, third] = shares as readonly [Share, Share, Share];

  test("unless it lies on the committed polynomial at its own index", () => {
    for (const share of shares) expect(verifyShare(commitments, share)).toBe(true);
    expect(verifyShare(commitments, { index: 2, value: first.value })).toBe(false);
    const changed = Uint8Array.from(first.value);
    changed[31] = (changed[31] as number) ^ 1;
    expect(verifyShare(commitments, { index: 1, value: changed })).toBe(false);
    expect(verifyShare(dealt(3, 5, "another").commitments, first)).toBe(false);
  });

  test.each([0, -1, 256, 1.5, Number.NaN])("at index %d", (index) => {
    expect(verifyShare(commitments, { index, value: first.value })).toBe(false);
  });

  test("at index 0 even with the secret itself", () => {
    expect(verifyShare(commitments, { index: 0, value: dealt(3, 5).secret })).toBe(false);
  });

  test("when its value is zero, not below the order, or of another length", () => {
    const beyond = BigInt(`0x${toHex(first.value)}`) + ORDER;
    const values = [fixed(0n), fixed(ORDER), first.value.subarray(1), new Uint8Array(33), new Uint8Array(0)];
    if (beyond < 2n ** 256n) values.push(fixed(beyond));
    for (const value of values) expect(verifyShare(commitments, { index: 1, value })).toBe(false);
  });

  test("against commitments that are no points", () => {
    for (const bad of [
      [],
      [new Uint8Array(33)],
      [hexBytes(`02${"ff".repeat(32)}`)],
      [(commitments[0] as Uint8Array).subarray(1)],
    ]) {
      expect(verifyShare(bad, first)).toBe(false);
      expect(codeOf(combine(bad, [first]))).toBe("COMMITMENTS_INVALID");
    }
  });

  test("and combining names what is wrong", () => {
    expect(codeOf(combine(commitments, [first, second]))).toBe("SHARES_MISCOUNTED");
    expect(codeOf(combine(commitments, shares))).toBe("SHARES_MISCOUNTED");
    expect(codeOf(combine(commitments, [first, second, first]))).toBe("SHARE_REPEATED");
    const wrong = combine(commitments, [first, second, { index: third.index, value: second.value }]);
    expect(wrong.ok ? "" : wrong.refusal.message).toContain(`Share ${third.index}`);
    expect(codeOf(wrong)).toBe("SHARE_INVALID");
  });
});

test("a dealer cannot deal zero, more than the order, too high a threshold, or no shares", () => {
  const good = scalar("good");
  expect(() => deal(fixed(0n), [], 3)).toThrow("scalar");
  expect(() => deal(fixed(ORDER), [], 3)).toThrow("scalar");
  expect(() => deal(good, [fixed(0n)], 3)).toThrow("scalar");
  expect(() => deal(good, [good, good, good], 3)).toThrow("threshold");
  expect(() => deal(good, [], 0)).toThrow("shares");
  expect(() => deal(good, [], 256)).toThrow("shares");
});

test("scalars drawn from the extremes of randomness are within 1 and order − 1", () => {
  expect(toHex(scalarFromUniform(new Uint8Array(48)))).toBe(toHex(fixed(1n)));
  for (const fill of [0xff, 0x80, 0x01]) {
    const value = BigInt(`0x${toHex(scalarFromUniform(new Uint8Array(48).fill(fill)))}`);
    expect(value >= 1n && value < ORDER).toBe(true);
  }
});
