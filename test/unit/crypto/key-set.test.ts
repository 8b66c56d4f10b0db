import { secp256k1 } from "@noble/curves/secp256k1.js";
import { expect, test } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { ed25519Key } from "../../../src/crypto/verification-key.ts";
import check from "../../../src/host/executor/crypto-task.ts";

const seeds = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
const message = utf8("a message");
const weight = (numerator: bigint, denominator: bigint) =>
  ({ kind: "key", weight: { numerator, denominator } }) as const;

test("a thread of the crypto pool judges weights and other algorithms as this thread does, from a copy", () => {
  const keys = seeds.map((seed, i) =>
    i === 2
      ? ({ algorithm: "secp256k1", bytes: secp256k1.getPublicKey(seed, true) } as const)
      : ed25519Key(publicKeyOf(seed)),
  );
  const sigs = seeds.map((seed, index) => ({
    index,
    sig: index === 2 ? secp256k1.sign(message, seed) : signer(seed)(message),
  }));
  const threshold = { clauses: [[weight(1n, 2n), weight(1n, 2n), weight(1n, 1n)]] };
  const pick = (...indices: readonly number[]) => sigs.filter(({ index }) => indices.includes(index));
  const task = [pick(0, 1), pick(2), pick(0), pick(1), []].map((signatures) => ({
    keys,
    threshold,
    message,
    signatures,
  }));
  expect(check(structuredClone(task))).toEqual([true, true, false, false, false]);
  expect(check(structuredClone(task).map((one) => ({ ...one, message: utf8("another") })))).not.toContain(true);
});
