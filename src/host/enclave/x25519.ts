import { createPrivateKey, createPublicKey } from "node:crypto";

/** DER around the 32 raw bytes. Source: RFC 8410 §7. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
const SPKI_PREFIX_BYTES = 12;

/** X25519 public key of 32 private bytes. */
export function x25519PublicKey(privateKey: Uint8Array): Uint8Array {
  const der = Buffer.concat([PKCS8_PREFIX, privateKey]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  return new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" }).subarray(SPKI_PREFIX_BYTES));
}
