/**
 * ECDSA over secp256k1 and P-256 with SHA-256, by node:crypto: compressed points in, r ‖ s as two 32-byte numbers.
 *
 * Source: FIPS 186-5 §6.4, SEC 1 §2.3.4. Both of (r, s) and (r, n − s) hold, as they do for keripy (which verifies by OpenSSL
 * too): what is counted are keys, never signatures, so a second spelling of one gains nothing.
 */
import { type KeyObject, createPublicKey, verify as verifyNode } from "node:crypto";
import { concatBytes, fromHex, toHex } from "../base/bytes.ts";
import { present } from "../base/errors.ts";
import { KeyObjectCache } from "./key-object-cache.ts";

export type EcdsaCurve = "secp256k1" | "p256";

const POINT_BYTES = 33;
const SIGNATURE_BYTES = 64;

/** DER around a compressed point. Source: RFC 5480 §2. */
const SPKI_PREFIX: Readonly<Record<EcdsaCurve, Uint8Array>> = {
  secp256k1: present(fromHex("3036301006072a8648ce3d020106052b8104000a032200"), "a constant of hex digits"),
  p256: present(fromHex("3039301306072a8648ce3d020106082a8648ce3d030107032200"), "a constant of hex digits"),
};

/** 1024: these keys are rarer than Ed25519 ones; importing one takes a square root, about 100 µs. */
const cachedKeys = new KeyObjectCache(1024);

/** Undefined for what is no compressed point of the curve (wrong length or tag, x not below p, no such y). */
function keyObject(curve: EcdsaCurve, point: Uint8Array): KeyObject | undefined {
  if (point.length !== POINT_BYTES || (point[0] !== 2 && point[0] !== 3)) return undefined;
  try {
    return cachedKeys.get(`${curve}:${toHex(point)}`, () =>
      createPublicKey({ key: Buffer.from(concatBytes(SPKI_PREFIX[curve], point)), format: "der", type: "spki" }),
    );
  } catch {
    return undefined;
  }
}

/** Members of the public JSON Web Key (RFC 7518 §6.2) of a point that `isCompressedPoint`. */
export function ecdsaJwk(curve: EcdsaCurve, point: Uint8Array): Readonly<Record<string, string>> {
  const { kty, crv, x, y } = present(keyObject(curve, point), "the point was judged").export({ format: "jwk" });
  return Object.fromEntries(Object.entries({ kty, crv, x, y }).map(([name, value]) => [name, String(value)]));
}

/** Whether 33 bytes are a compressed point of the curve. */
export const isCompressedPoint = (curve: EcdsaCurve, point: Uint8Array): boolean =>
  keyObject(curve, point) !== undefined;

/** Whether the signature holds over SHA-256 of the message. Never throws: wrong lengths and points are false. */
export function verifyEcdsa(curve: EcdsaCurve, point: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const key = keyObject(curve, point);
  return key !== undefined && verifyNode("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
}
