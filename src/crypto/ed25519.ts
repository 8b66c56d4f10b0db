/**
 * Ed25519 by node:crypto, behind one strict check, so that every replica judges every signature alike.
 *
 * Source: RFC 8032. Deviates: stricter; refuses before the curve arithmetic what implementations disagree about: S ≥ L,
 * coordinates ≥ p, and public keys or R of small order (any message would verify under some of them). What remains is
 * OpenSSL's cofactorless equation, one answer for every input.
 */
import { type KeyObject, createPrivateKey, createPublicKey, sign, verify as verifyNode } from "node:crypto";
import { concatBytes, fromHex, toHex } from "../base/bytes.ts";
import { assert, present } from "../base/errors.ts";
import { KeyObjectCache } from "./key-object-cache.ts";

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const constant = (text: string): Uint8Array => present(fromHex(text), "a constant of hex digits");

/** DER around the 32 raw bytes. Source: RFC 8410 §4 and §7. */
const SPKI_PREFIX = constant("302a300506032b6570032100");
const PKCS8_PREFIX = constant("302e020100300506032b657004220420");

/** Order of the base point, little-endian. */
const ORDER = constant("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
/** The field's prime 2^255 − 19, little-endian. */
const PRIME = constant("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");

/** y of the eight points of small order (each but the first of both signs), little-endian: 1, −1, 0 and two of order 8. */
const SMALL_ORDER_Y = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map(constant);

/** 4096: every member, client and witness key of a busy hour, at about 1 KB each; importing one anew costs 20 to 50 µs. */
const cachedKeys = new KeyObjectCache(4096);

/** Little-endian comparison of the 32 bytes at `offset`, the top bit of the last one left out if `masked`. */
function isBelow(bytes: Uint8Array, offset: number, limit: Uint8Array, masked: boolean): boolean {
  for (let i = KEY_BYTES - 1; i >= 0; i--) {
    const digit = (bytes[offset + i] as number) & (masked && i === KEY_BYTES - 1 ? 0x7f : 0xff);
    const bound = limit[i] as number;
    if (digit !== bound) return digit < bound;
  }
  return false;
}

function isSmallOrder(bytes: Uint8Array, offset: number): boolean {
  return SMALL_ORDER_Y.some((y) => {
    for (let i = 0; i < KEY_BYTES; i++) {
      if (((bytes[offset + i] as number) & (i === KEY_BYTES - 1 ? 0x7f : 0xff)) !== y[i]) return false;
    }
    return true;
  });
}

/** Whether the encoding has y < p and is none of the small-order points (their sign bit left out: x = 0 has only one sign). */
const isAcceptablePoint = (bytes: Uint8Array, offset: number): boolean =>
  isBelow(bytes, offset, PRIME, true) && !isSmallOrder(bytes, offset);

/** Whether 32 bytes may stand as a public key at all: canonical and not of small order. Whether the point exists, `verify` says. */
export const isAcceptablePublicKey = (publicKey: Uint8Array): boolean =>
  publicKey.length === KEY_BYTES && isAcceptablePoint(publicKey, 0);

function privateKeyObject(seed: Uint8Array): KeyObject {
  assert(seed.length === KEY_BYTES, "an Ed25519 seed has 32 bytes");
  const der = Buffer.from(concatBytes(PKCS8_PREFIX, seed));
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  return key;
}

/** The 32 raw bytes of an Ed25519 KeyObject, public or private. */
export function rawPublicKey(key: KeyObject): Uint8Array {
  const spki = (key.type === "private" ? createPublicKey(key) : key).export({ format: "der", type: "spki" });
  return new Uint8Array(spki.subarray(SPKI_PREFIX.length));
}

/** KeyObject of a raw public key, from a bounded cache (least recently used goes first). */
export function publicKeyObject(publicKey: Uint8Array): KeyObject {
  assert(publicKey.length === KEY_BYTES, "an Ed25519 public key has 32 bytes");
  return cachedKeys.get(toHex(publicKey), () =>
    createPublicKey({ key: Buffer.from(concatBytes(SPKI_PREFIX, publicKey)), format: "der", type: "spki" }),
  );
}

/** Public key of a seed, 32 bytes. Throws: Defect unless the seed has 32 bytes. */
export const publicKeyOf = (seed: Uint8Array): Uint8Array => rawPublicKey(privateKeyObject(seed));

/** Signs with one seed; the key is imported once. The same message always gets the same 64 bytes. Throws: Defect unless the seed has 32 bytes. */
export function signer(seed: Uint8Array): (message: Uint8Array) => Uint8Array {
  const key = privateKeyObject(seed);
  return (message) => new Uint8Array(sign(null, message, key));
}

/** Whether the signature holds. Never throws: wrong lengths and refused points are false. */
export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  if (!isBelow(signature, KEY_BYTES, ORDER, false)) return false;
  if (!isAcceptablePoint(signature, 0) || !isAcceptablePoint(publicKey, 0)) return false;
  return verifyNode(null, message, publicKeyObject(publicKey), signature);
}
