/**
 * Verifiable secret sharing over P-256: a dealer gives n shares of which any k make the secret, and k commitments against
 * which every share can be checked by itself, so that a wrong share is refused and its giver named.
 *
 * The secret is f(0) of a polynomial of degree k − 1, share i is f(i), commitment j is (coefficient j)·G.
 * Source: Feldman, "A practical scheme for non-interactive verifiable secret sharing", 1987; ceremony.md, "A root per node".
 * Numbers are BigInts while one call runs; they cannot be wiped from memory (LIMITATIONS).
 */
import { p256 } from "@noble/curves/nist.js";
import { fromHex, toHex } from "../base/bytes.ts";
import { assert, present } from "../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";

const Point = p256.Point;
type Point = InstanceType<typeof Point>;
const ORDER = Point.Fn.ORDER;
const SCALAR_BYTES = 32;
const COMMITMENT_BYTES = 33;

/** Founding documents name at most 100 operators; a share's index is one byte. */
export const SHARES_MAX = 255;

export interface Share {
  /** 1..n; 0 would be the secret's own place. */
  readonly index: number;
  /** f(index), 32 bytes big-endian, in [1, order − 1]. */
  readonly value: Uint8Array;
}

export interface Dealing {
  readonly shares: readonly Share[];
  /** k points, 33 bytes each (compressed). The first is secret·G. */
  readonly commitments: readonly Uint8Array[];
}

export type CombineRefusal = Refusal<"SHARES_MISCOUNTED" | "SHARE_REPEATED" | "SHARE_INVALID" | "COMMITMENTS_INVALID">;

/** 48 uniform bytes as a scalar in [1, order − 1], 32 bytes; its bias is below 2^−128. Source: FIPS 186-5 A.4.1. */
export function scalarFromUniform(random: Uint8Array): Uint8Array {
  assert(random.length === 48, "a scalar is drawn from 48 uniform bytes");
  return scalarBytes((BigInt(`0x${toHex(random)}`) % (ORDER - 1n)) + 1n);
}

/**
 * Deals `secret` to `n` holders, `coefficients.length + 1` of whom restore it. Secret and coefficients are the caller's uniform
 * scalars (`scalarFromUniform`), never used before.
 * Throws: Defect for scalars outside [1, order − 1], for no or more than 255 holders, for a threshold above n.
 */
export function deal(secret: Uint8Array, coefficients: readonly Uint8Array[], n: number): Dealing {
  const polynomial = [secret, ...coefficients].map((bytes) =>
    present(readScalar(bytes), "a scalar of 32 bytes in [1, order − 1]"),
  );
  assert(Number.isInteger(n) && n >= 1 && n <= SHARES_MAX, `between 1 and ${SHARES_MAX} shares`);
  assert(polynomial.length <= n, "the threshold is at most the number of shares");
  const shares = Array.from({ length: n }, (_, i) => {
    const value = evaluate(polynomial, BigInt(i + 1));
    assert(value !== 0n, "a share of zero (one chance in 2^256) means that the randomness is broken");
    return { index: i + 1, value: scalarBytes(value) };
  });
  const commitments = polynomial.map((coefficient) => Point.BASE.multiply(coefficient).toBytes(true));
  return { shares, commitments };
}

/** Whether the share lies on the committed polynomial. Never throws: malformed shares and commitments are false. */
export function verifyShare(commitments: readonly Uint8Array[], { index, value }: Share): boolean {
  const scalar = readScalar(value);
  const points = readCommitments(commitments);
  if (scalar === undefined || points === undefined || !isIndex(index)) return false;
  return Point.BASE.multiply(scalar).equals(expectedPoint(points, BigInt(index)));
}

/**
 * The secret of exactly k = commitments.length shares of distinct indices, each checked, and the secret too.
 * Refuses: SHARES_MISCOUNTED, SHARE_REPEATED, SHARE_INVALID, COMMITMENTS_INVALID.
 */
export function combine(
  commitments: readonly Uint8Array[],
  shares: readonly Share[],
): Result<Uint8Array, CombineRefusal> {
  const points = readCommitments(commitments);
  if (points === undefined)
    return refuse(
      "COMMITMENTS_INVALID",
      "The commitments are not points of P-256; the file that holds them is damaged.",
      "none",
    );
  if (shares.length !== points.length)
    return refuse(
      "SHARES_MISCOUNTED",
      `Exactly ${points.length} shares restore the secret; ${shares.length} were given.`,
    );
  if (new Set(shares.map(({ index }) => index)).size !== shares.length)
    return refuse("SHARE_REPEATED", "Two shares have the same index; give shares of different holders.");
  const wrong = shares.find((share) => !verifyShare(commitments, share));
  if (wrong !== undefined)
    return refuse(
      "SHARE_INVALID",
      `Share ${wrong.index} does not fit the commitments; ask its holder for the right one.`,
    );
  const scalars = shares.map(({ index, value }) => ({
    x: BigInt(index),
    y: present(readScalar(value), "a verified share"),
  }));
  const secret = scalars.reduce(
    (sum, { x, y }) =>
      modulo(
        sum +
          y *
            lagrangeAtZero(
              x,
              scalars.map((other) => other.x),
            ),
      ),
    0n,
  );
  assert(
    secret !== 0n && Point.BASE.multiply(secret).equals(present(points[0], "at least one commitment")),
    "shares that fit restore what was committed",
  );
  return ok(scalarBytes(secret));
}

const modulo = (value: bigint): bigint => Point.Fn.create(value);
const isIndex = (index: number): boolean => Number.isInteger(index) && index >= 1 && index <= SHARES_MAX;
const scalarBytes = (value: bigint): Uint8Array =>
  present(fromHex(value.toString(16).padStart(2 * SCALAR_BYTES, "0")), "a number is hex");

function readScalar(bytes: Uint8Array): bigint | undefined {
  if (bytes.length !== SCALAR_BYTES) return undefined;
  const value = BigInt(`0x${toHex(bytes)}`);
  return value >= 1n && value < ORDER ? value : undefined;
}

function readCommitments(commitments: readonly Uint8Array[]): readonly Point[] | undefined {
  if (commitments.length < 1 || commitments.length > SHARES_MAX) return undefined;
  try {
    return commitments.map((bytes) => {
      assert(bytes.length === COMMITMENT_BYTES, "a commitment is a compressed point");
      return Point.fromBytes(bytes);
    });
  } catch {
    return undefined;
  }
}

/** f(x) by Horner's rule. */
const evaluate = (polynomial: readonly bigint[], x: bigint): bigint =>
  polynomial.reduceRight((sum, coefficient) => modulo(sum * x + coefficient), 0n);

/** f(x)·G from the commitments, by Horner's rule; everything in it is public. */
const expectedPoint = (points: readonly Point[], x: bigint): Point =>
  points.reduceRight((sum, point) => sum.multiplyUnsafe(x).add(point), Point.ZERO);

/** The weight of the share at x: Π other / (other − x). */
function lagrangeAtZero(x: bigint, all: readonly bigint[]): bigint {
  const others = all.filter((other) => other !== x);
  const numerator = others.reduce((product, other) => modulo(product * other), 1n);
  const denominator = others.reduce((product, other) => modulo(product * (other - x)), 1n);
  return modulo(numerator * Point.Fn.inv(denominator));
}
