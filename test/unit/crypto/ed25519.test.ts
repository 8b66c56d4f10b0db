import { createHash } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concatBytes, toHex, utf8 } from "../../../src/base/bytes.ts";
import { isAcceptablePublicKey, publicKeyOf, signer, verify } from "../../../src/crypto/ed25519.ts";
import { hexBytes, vectors } from "./vectors.ts";

interface Wycheproof {
  readonly numberOfTests: number;
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk: string };
    readonly tests: readonly {
      readonly tcId: number;
      readonly msg: string;
      readonly sig: string;
      readonly result: string;
    }[];
  }[];
}

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
const littleEndian = (value: bigint): Uint8Array => hexBytes(value.toString(16).padStart(64, "0")).reverse();
const fromLittleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`);

test("judges every wycheproof vector as it says", () => {
  const file = vectors<Wycheproof>("secrets/wycheproof/ed25519_test.json");
  let judged = 0;
  for (const group of file.testGroups) {
    for (const { tcId, msg, sig, result } of group.tests) {
      const verdict = verify(hexBytes(group.publicKey.pk), hexBytes(msg), hexBytes(sig));
      expect(verdict, `test ${tcId}`).toBe(result === "valid");
      judged += 1;
    }
  }
  expect(judged).toBe(file.numberOfTests);
});

test("signs as another implementation does, and each accepts the other's", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ maxLength: 200 }), (key, message) => {
      const signature = signer(key)(message);
      expect(toHex(publicKeyOf(key))).toBe(toHex(ed25519.getPublicKey(key)));
      expect(toHex(signature)).toBe(toHex(ed25519.sign(message, key)));
      expect(verify(publicKeyOf(key), message, signature)).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test("one changed bit of key, message or signature is refused", () => {
  const message = utf8("a message");
  const parts = [publicKeyOf(seed), message, signer(seed)(message)] as const;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 }), fc.nat(), (which, bit) => {
      const changed = parts.map((part) => Uint8Array.from(part));
      const target = changed[which] as Uint8Array;
      const at = bit % (target.length * 8);
      target[at >> 3] = (target[at >> 3] as number) ^ (1 << (at & 7));
      expect(verify(changed[0] as Uint8Array, changed[1] as Uint8Array, changed[2] as Uint8Array)).toBe(false);
    }),
    { numRuns: 200 },
  );
});

describe("refuses what implementations disagree about", () => {
  const message = utf8("malleable");
  const signature = signer(seed)(message);
  const r = signature.subarray(0, 32);
  const s = fromLittleEndian(signature.subarray(32));

  test("S + L, which satisfies the equation but is a second encoding", () => {
    expect(verify(publicKeyOf(seed), message, concatBytes(r, littleEndian(s + ORDER)))).toBe(false);
  });

  test("public keys of small order, which verify messages nobody signed", () => {
    // Under A = identity the equation is S·B = R for every message.
    const forged = concatBytes(ed25519.Point.BASE.multiply(5n).toBytes(), littleEndian(5n));
    const identity = hexBytes(`01${"00".repeat(31)}`);
    expect(ed25519.verify(forged, message, identity, { zip215: true })).toBe(true);
    expect(verify(identity, message, forged)).toBe(false);
  });

  test("every point of the torsion subgroup in every encoding, as key and as R", () => {
    const torsion = ed25519.Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
    const encodings = new Set<string>();
    for (let k = 0; k < 8; k++) {
      const point = k === 0 ? ed25519.Point.ZERO : torsion.multiplyUnsafe(BigInt(k));
      encodings.add(toHex(point.toBytes()));
    }
    expect(encodings.size).toBe(8);
    for (const encoding of [...encodings]) {
      const flipped = hexBytes(encoding);
      flipped[31] = (flipped[31] as number) ^ 0x80;
      encodings.add(toHex(flipped));
    }
    for (const encoding of encodings) {
      expect(isAcceptablePublicKey(hexBytes(encoding)), encoding).toBe(false);
      expect(verify(hexBytes(encoding), message, signature)).toBe(false);
      expect(verify(publicKeyOf(seed), message, concatBytes(hexBytes(encoding), signature.subarray(32)))).toBe(false);
    }
  });

  test("coordinates from p to 2^255 − 1, of either sign", () => {
    for (let offset = 0; offset < 19; offset++) {
      for (const sign of [0, 0x80]) {
        const encoding = Uint8Array.from({ length: 32 }, () => 0xff);
        encoding[0] = 0xed + offset;
        encoding[31] = 0x7f | sign;
        expect(isAcceptablePublicKey(encoding)).toBe(false);
      }
    }
  });

  test("an R of small order that a signer with the key can make", () => {
    // R = identity: S = h·a satisfies the equation, so only the rule about R refuses it.
    const publicKey = publicKeyOf(seed);
    const identity = hexBytes(`01${"00".repeat(31)}`);
    const { scalar } = ed25519.utils.getExtendedPublicKey(seed);
    const h = fromLittleEndian(hashToScalar(identity, publicKey, message));
    const made = concatBytes(identity, littleEndian((h * scalar) % ORDER));
    expect(ed25519.verify(made, message, publicKey, { zip215: true })).toBe(true);
    expect(verify(publicKey, message, made)).toBe(false);
  });
});

test("wrong lengths are false, not errors", () => {
  const message = utf8("x");
  const signature = signer(seed)(message);
  expect(verify(publicKeyOf(seed).subarray(1), message, signature)).toBe(false);
  expect(verify(publicKeyOf(seed), message, signature.subarray(1))).toBe(false);
  expect(verify(publicKeyOf(seed), message, concatBytes(signature, Uint8Array.of(0)))).toBe(false);
});

test("more keys than the cache holds still verify", () => {
  const message = utf8("cache");
  const signature = signer(seed)(message);
  for (let i = 0; i < 5000; i++) {
    const stranger = new Uint8Array(32);
    stranger[0] = i & 0xff;
    stranger[1] = i >> 8;
    stranger[2] = 1;
    verify(stranger, message, signature);
  }
  expect(verify(publicKeyOf(seed), message, signature)).toBe(true);
});

function hashToScalar(...parts: readonly Uint8Array[]): Uint8Array {
  const digest = createHash("sha512")
    .update(concatBytes(...parts))
    .digest();
  return littleEndian(BigInt(`0x${toHex(digest.reverse())}`) % ORDER);
}
