/** Authenticated encryption of keystores and wrapped keys: AES-256-GCM, and a key from a passphrase. */
import { createCipheriv, createDecipheriv, scryptSync } from "node:crypto";
import { concatBytes } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";

export const AEAD_KEY_BYTES = 32;
export const AEAD_NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NOTHING = new Uint8Array(0);

/**
 * Ciphertext ‖ tag (16). A nonce must never serve twice under one key: the caller draws it, or counts.
 * Throws: Defect unless the key has 32 bytes and the nonce 12. Source: NIST SP 800-38D.
 */
export function sealAead(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  aad: Uint8Array = NOTHING,
): Uint8Array {
  assert(
    key.length === AEAD_KEY_BYTES && nonce.length === AEAD_NONCE_BYTES,
    "AES-256-GCM takes a key of 32 bytes and a nonce of 12",
  );
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  return concatBytes(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

/** The plaintext; undefined when key, nonce, ciphertext or additional data do not belong together. Throws: as sealAead. */
export function openAead(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  aad: Uint8Array = NOTHING,
): Uint8Array | undefined {
  assert(
    key.length === AEAD_KEY_BYTES && nonce.length === AEAD_NONCE_BYTES,
    "AES-256-GCM takes a key of 32 bytes and a nonce of 12",
  );
  if (sealed.length < TAG_BYTES) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plaintext = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    plaintext.fill(0);
    return undefined;
  }
  const out = new Uint8Array(plaintext);
  plaintext.fill(0);
  return out;
}

/** 32 MiB and about 80 ms a guess on the reference machine; a stored file states these numbers beside its salt. */
export const SCRYPT = { N: 2 ** 15, r: 8, p: 1 } as const;
/** scrypt needs 128·N·r bytes and some; Node's default allowance is exactly too small. */
const SCRYPT_MEMORY_MAX = 64 * 1024 * 1024;

/** Key of 32 bytes from a passphrase's UTF-8 bytes. Throws: Defect for a salt under 16 bytes. Source: RFC 7914. */
export function passphraseKey(passphrase: Uint8Array, salt: Uint8Array): Uint8Array {
  assert(salt.length >= 16, "a passphrase's salt has at least 16 bytes");
  return new Uint8Array(scryptSync(passphrase, salt, AEAD_KEY_BYTES, { ...SCRYPT, maxmem: SCRYPT_MEMORY_MAX }));
}
