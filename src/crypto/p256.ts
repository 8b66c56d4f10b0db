import { type KeyObject, createPrivateKey, createPublicKey } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { scalarFromUniform } from "./feldman.ts";

/** Key pair of a TLS listener or an issuer. */
export interface KeyObjectPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const base64Url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");

/** ECDSA P-256 key pair from 48 uniform bytes (FIPS 186-5 A.2.1); the same bytes give the same pair. Throws: Defect for another length. */
export function p256KeyPair(random: Uint8Array): KeyObjectPair {
  const scalar = scalarFromUniform(random);
  const point = p256.getPublicKey(scalar, false);
  const key = {
    kty: "EC",
    crv: "P-256",
    d: base64Url(scalar),
    x: base64Url(point.subarray(1, 33)),
    y: base64Url(point.subarray(33)),
  };
  scalar.fill(0);
  const privateKey = createPrivateKey({ key, format: "jwk" });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}
