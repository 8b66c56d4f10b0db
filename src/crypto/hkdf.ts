import { hkdfSync } from "node:crypto";

/** HKDF with SHA-256: `length` bytes. Bounds: at most 8160 bytes. Throws: RangeError beyond. Source: RFC 5869. */
export const hkdf = (ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", ikm, salt, info, length));
