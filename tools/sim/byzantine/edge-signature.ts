/**
 * Ed25519 signatures that implementations judge differently: R has a component of small order, so that the equation holds when both
 * sides are multiplied by the cofactor (RFC 8032's own, ZIP 215) and fails as it stands (OpenSSL). Who accepts both kinds parts.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import { concatBytes, fromHex } from "../../../src/base/bytes.ts";
import { present } from "../../../src/base/errors.ts";
import { hash } from "node:crypto";

const { Point } = ed25519;
const ORDER = Point.Fn.ORDER;
/** A point of order eight. */
const TORSION = Point.fromBytes(
  present(fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "a constant of hex digits"),
  true,
);

function scalarOf(...parts: Uint8Array[]): bigint {
  const digest = hash("sha512", concatBytes(...parts), "buffer");
  return BigInt(`0x${Buffer.from(digest).reverse().toString("hex")}`) % ORDER;
}

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse());
}

export function edgeSignature(seed: Uint8Array, message: Uint8Array): Uint8Array {
  const { scalar, prefix, pointBytes } = ed25519.utils.getExtendedPublicKey(seed);
  const nonce = scalarOf(prefix, message);
  const commitment = Point.BASE.multiply(nonce).add(TORSION).toBytes();
  const challenge = scalarOf(commitment, pointBytes, message);
  return concatBytes(commitment, littleEndian((nonce + challenge * scalar) % ORDER));
}
