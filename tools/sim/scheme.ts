/**
 * Signature schemes. Most seeds use a keyed hash whose secrets only the simulator holds: nobody in the simulation can forge what it
 * has not signed, and a signature costs a hundredth of a real one. One seed in a hundred uses Ed25519.
 */
import { hash } from "node:crypto";
import { concatBytes, equalBytes, toHex } from "../../src/base/bytes.ts";
import { present } from "../../src/base/errors.ts";
import { publicKeyOf, signer, verify } from "../../src/crypto/ed25519.ts";
import type { KeySet, KeySignature } from "../../src/crypto/key-set.ts";
import { isSignedBy } from "../../src/crypto/key-set.ts";
import { isThresholdMet } from "../../src/crypto/threshold.ts";

export interface Scheme {
  readonly name: "keyed hash" | "Ed25519";
  readonly sign: (key: Uint8Array, message: Uint8Array) => Uint8Array;
  readonly verify: (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  /** Whether enough distinct keys of the set signed these bytes. */
  readonly isSignedBy: (keySet: KeySet, message: Uint8Array, signatures: readonly KeySignature[]) => boolean;
}

/** Seeds by public key, of everybody in the simulation. */
export class Keys {
  readonly #below: Keys | undefined;
  readonly #seeds = new Map<string, Uint8Array>();
  readonly #signers = new Map<string, (message: Uint8Array) => Uint8Array>();

  /** `below`: keys that are there already, and stay as they are. */
  constructor(below?: Keys) {
    this.#below = below;
  }

  /** Makes a key pair of 32 bytes that nobody else has. Returns its public key, an Ed25519 point under either scheme. */
  add(seed: Uint8Array): Uint8Array {
    const key = publicKeyOf(seed);
    this.#seeds.set(toHex(key), seed);
    return key;
  }

  seedOf(key: Uint8Array): Uint8Array | undefined {
    return this.#seeds.get(toHex(key)) ?? this.#below?.seedOf(key);
  }

  signerOf(key: Uint8Array): (message: Uint8Array) => Uint8Array {
    const name = toHex(key);
    let made = this.#signers.get(name);
    if (made === undefined) {
      made = signer(present(this.seedOf(key), "a key of the simulation"));
      this.#signers.set(name, made);
    }
    return made;
  }
}

export const ed25519Scheme = (keys: Keys): Scheme => ({
  name: "Ed25519",
  sign: (key, message) => keys.signerOf(key)(message),
  verify,
  isSignedBy,
});

/** The same bytes, not as a Buffer: those become something else in JSON. */
const plain = ({ buffer, byteOffset, length }: Buffer): Uint8Array => new Uint8Array(buffer, byteOffset, length);

/** SHA-512(secret ‖ message): 64 bytes, as long as an Ed25519 signature. */
export function keyedHashScheme(keys: Keys): Scheme {
  const sign = (key: Uint8Array, message: Uint8Array): Uint8Array =>
    plain(hash("sha512", concatBytes(present(keys.seedOf(key), "a key of the simulation"), message), "buffer"));
  const holds = (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
    keys.seedOf(key) !== undefined && equalBytes(sign(key, message), signature);
  return {
    name: "keyed hash",
    sign,
    verify: holds,
    isSignedBy: ({ keys: set, threshold }, message, signatures) => {
      const signers = new Set<number>();
      for (const { index, sig } of signatures) {
        const key = set[index];
        if (key === undefined || signers.has(index) || !holds(key.bytes, message, sig)) return false;
        signers.add(index);
      }
      return isThresholdMet(threshold, signers);
    },
  };
}
