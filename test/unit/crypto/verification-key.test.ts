import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, utf8 } from "../../../src/base/bytes.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { isSignedBy } from "../../../src/crypto/key-set.ts";
import {
  type VerificationKey,
  ed25519Key,
  isAcceptableKey,
  verifySignature,
} from "../../../src/crypto/verification-key.ts";
import { hexBytes, vectors } from "./vectors.ts";

interface Wycheproof {
  readonly testGroups: readonly {
    readonly publicKey: { readonly uncompressed: string };
    readonly tests: readonly {
      readonly tcId: number;
      readonly msg: string;
      readonly sig: string;
      readonly result: string;
    }[];
  }[];
}

const seed = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
const curves = { secp256k1, p256 } as const;
const message = utf8("a message");

const compressed = (uncompressed: Uint8Array): Uint8Array =>
  Uint8Array.from([2 + ((uncompressed[64] ?? 0) & 1), ...uncompressed.subarray(1, 33)]);

/** r ‖ s of a DER signature; undefined where DER is not strict or a number does not fit 32 bytes: such have no other form. */
function rawSignature(der: string): Uint8Array | undefined {
  const found = /^30(..)02(..)(.*)$/.exec(der);
  if (found === null) return undefined;
  const [, total = "", first = "", rest = ""] = found;
  const rLength = 2 * Number.parseInt(first, 16);
  const sMark = rest.slice(rLength, rLength + 2);
  const sLength = 2 * Number.parseInt(rest.slice(rLength + 2, rLength + 4), 16);
  const r = rest.slice(0, rLength);
  const s = rest.slice(rLength + 4);
  if (der.length !== 4 + 2 * Number.parseInt(total, 16) || sMark !== "02" || s.length !== sLength) return undefined;
  const numbers = [r, s].map((text) => {
    if (/^[89a-f]/.test(text) || /^00[0-7]/.test(text) || text === "") return undefined;
    return text.replace(/^00/, "");
  });
  if (numbers.some((text) => text === undefined || text.length > 64)) return undefined;
  return fromHex(numbers.map((text) => (text ?? "").padStart(64, "0")).join(""));
}

test("P-256 judges every wycheproof vector that r ‖ s can carry as it says", () => {
  const judged = { valid: 0, invalid: 0 };
  for (const group of vectors<Wycheproof>("secrets/wycheproof/ecdsa_secp256r1_sha256_test.json").testGroups) {
    const key: VerificationKey = { algorithm: "p256", bytes: compressed(hexBytes(group.publicKey.uncompressed)) };
    expect(isAcceptableKey(key)).toBe(true);
    for (const { tcId, msg, sig, result } of group.tests) {
      const signature = rawSignature(sig);
      if (signature === undefined) {
        expect(result, `test ${tcId} has no raw form`).toBe("invalid");
        continue;
      }
      expect(verifySignature(key, hexBytes(msg), signature), `test ${tcId}`).toBe(result === "valid");
      judged[result === "valid" ? "valid" : "invalid"] += 1;
    }
  }
  expect(judged.valid).toBeGreaterThan(150);
  expect(judged.invalid).toBeGreaterThan(30);
});

describe.each(["secp256k1", "p256"] as const)("%s", (algorithm) => {
  const curve = curves[algorithm];
  const key: VerificationKey = { algorithm, bytes: curve.getPublicKey(seed, true) };
  const signature = curve.sign(message, seed);
  const half = (at: number): bigint => BigInt(`0x${Buffer.from(signature.subarray(at, at + 32)).toString("hex")}`);
  const order = curve.Point.Fn.ORDER;
  const pair = (r: bigint, s: bigint): Uint8Array =>
    hexBytes(r.toString(16).padStart(64, "0") + s.toString(16).padStart(64, "0"));

  test("what another implementation signs holds, for this key and message only", () => {
    expect(verifySignature(key, message, signature)).toBe(true);
    expect(verifySignature(key, utf8("another"), signature)).toBe(false);
    const other = {
      algorithm,
      bytes: curve.getPublicKey(
        Uint8Array.from(seed, (byte) => byte + 1),
        true,
      ),
    };
    expect(verifySignature(other, message, signature)).toBe(false);
    fc.assert(
      fc.property(fc.nat({ max: 511 }), (bit) => {
        const changed = Uint8Array.from(signature);
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(verifySignature(key, message, changed)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  test("both s and n − s hold, as keripy has it; no numbers outside 1 … n − 1", () => {
    const [r, s] = [half(0), half(32)];
    expect(verifySignature(key, message, pair(r, order - s))).toBe(true);
    for (const [r2, s2] of [
      [0n, s],
      [r, 0n],
      [r, order],
      [order, s],
      [0n, 0n],
    ] as const)
      expect(verifySignature(key, message, pair(r2, s2))).toBe(false);
    if (s + order < 2n ** 256n) expect(verifySignature(key, message, pair(r, s + order))).toBe(false);
  });

  const isPoint = (bytes: Uint8Array): boolean => {
    try {
      curve.Point.fromBytes(bytes).assertValidity();
      return true;
    } catch {
      return false;
    }
  };

  test("what is no compressed point is no key, and nothing holds under it", () => {
    const uncompressed = curve.getPublicKey(seed, false);
    const { p } = curve.Point.CURVE();
    const xOf = (x: number): Uint8Array => Uint8Array.from({ length: 33 }, (_, i) => (i === 0 ? 2 : i === 32 ? x : 0));
    const offCurve = [1, 2, 3, 4, 5, 6, 7, 8].map(xOf).filter((bytes) => !isPoint(bytes));
    expect(offCurve.length).toBeGreaterThan(0);
    const notBelowP = hexBytes(`02${p.toString(16)}`);
    for (const bytes of [
      uncompressed,
      uncompressed.subarray(0, 33),
      key.bytes.subarray(0, 32),
      ...offCurve,
      notBelowP,
      new Uint8Array(0),
    ]) {
      expect(isAcceptableKey({ algorithm, bytes })).toBe(false);
      expect(verifySignature({ algorithm, bytes }, message, signature)).toBe(false);
    }
  });

  test("signatures of another length are refused", () => {
    for (const length of [0, 63, 65]) expect(verifySignature(key, message, new Uint8Array(length))).toBe(false);
  });
});

test("a set of keys of three algorithms is signed by each key's own algorithm, counted by position", () => {
  const keys: readonly VerificationKey[] = [
    ed25519Key(publicKeyOf(seed)),
    { algorithm: "secp256k1", bytes: secp256k1.getPublicKey(seed, true) },
    { algorithm: "p256", bytes: p256.getPublicKey(seed, true) },
  ];
  const all = [signer(seed)(message), secp256k1.sign(message, seed), p256.sign(message, seed)].map((sig, index) => ({
    index,
    sig,
  }));
  expect(isSignedBy({ keys, threshold: 3 }, message, all)).toBe(true);
  expect(isSignedBy({ keys, threshold: 3 }, message, all.slice(1))).toBe(false);
  expect(isSignedBy({ keys, threshold: 2 }, message, all.slice(1))).toBe(true);
  const [first, second, third] = all;
  if (first === undefined || second === undefined || third === undefined) return expect.unreachable("three");
  // A signature under another key's position is a false one, not a missing one.
  expect(isSignedBy({ keys, threshold: 2 }, message, [first, { index: 1, sig: third.sig }])).toBe(false);
  expect(isSignedBy({ keys, threshold: 2 }, message, [second, second])).toBe(false);
});
