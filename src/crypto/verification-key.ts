import { ecdsaJwk, isCompressedPoint, verifyEcdsa } from "./ecdsa.ts";
import { isAcceptablePublicKey, verify } from "./ed25519.ts";

export type KeyAlgorithm = "ed25519" | "secp256k1" | "p256";

/** A public key with the algorithm that it is for. Plain data: it travels to worker threads. */
export interface VerificationKey {
  readonly algorithm: KeyAlgorithm;
  /** 32 bytes for Ed25519; a compressed point of 33 bytes for the others. */
  readonly bytes: Uint8Array;
}

export const ed25519Key = (bytes: Uint8Array): VerificationKey => ({ algorithm: "ed25519", bytes });

/** Whether the bytes may stand as a key of the algorithm: canonical, on the curve (Ed25519: `verify` says), not of small order. */
export const isAcceptableKey = ({ algorithm, bytes }: VerificationKey): boolean =>
  algorithm === "ed25519" ? isAcceptablePublicKey(bytes) : isCompressedPoint(algorithm, bytes);

/** Members of the public JSON Web Key of a key that `isAcceptableKey`. Source: RFC 8037 §2, RFC 7518 §6.2. */
export const publicJwkOf = ({ algorithm, bytes }: VerificationKey): Readonly<Record<string, string>> =>
  algorithm === "ed25519"
    ? { kty: "OKP", crv: "Ed25519", x: Buffer.from(bytes).toString("base64url") }
    : ecdsaJwk(algorithm, bytes);

/** Whether the 64-byte signature holds. Never throws: keys and signatures of a wrong length or shape are false. */
export const verifySignature = (key: VerificationKey, message: Uint8Array, signature: Uint8Array): boolean =>
  key.algorithm === "ed25519"
    ? verify(key.bytes, message, signature)
    : verifyEcdsa(key.algorithm, key.bytes, message, signature);
