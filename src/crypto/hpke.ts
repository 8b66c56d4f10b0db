/**
 * Sealing to a holder's X25519 key: HPKE in base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; one message a context.
 * Source: RFC 9180.
 */
import { createPrivateKey, createPublicKey } from "node:crypto";
import { Aes256Gcm, type AeadInterface, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { concatBytes, fromHex } from "../base/bytes.ts";
import { assert, present } from "../base/errors.ts";

const KEY_BYTES = 32;
const NOTHING = new Uint8Array(0);

export interface Sealed {
  /** Encapsulated key: an ephemeral X25519 public key, 32 bytes. */
  readonly enc: Uint8Array;
  /** Ciphertext ‖ tag. */
  readonly ciphertext: Uint8Array;
}

export interface HpkeContext {
  /** Binds the message to its purpose: cluster, node, ceremony. */
  readonly info: Uint8Array;
  readonly aad?: Uint8Array;
}

/** DER around the 32 raw bytes of a private key, and the length of that around a public one. Source: RFC 8410. */
const PKCS8_PREFIX = present(fromHex("302e020100300506032b656e04220420"), "a constant of hex digits");
const SPKI_PREFIX_BYTES = 12;

/** X25519 public key of a private one, 32 bytes. Throws: Defect unless the private key has 32 bytes. */
export function hpkePublicKeyOf(privateKey: Uint8Array): Uint8Array {
  assert(privateKey.length === KEY_BYTES, "an X25519 private key has 32 bytes");
  const der = Buffer.from(concatBytes(PKCS8_PREFIX, privateKey));
  const publicKey = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
  der.fill(0);
  return new Uint8Array(publicKey.export({ format: "der", type: "spki" }).subarray(SPKI_PREFIX_BYTES));
}

const suiteOf = (aead: AeadInterface): CipherSuite =>
  new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead });
const ours = suiteOf(new Aes256Gcm());

/** The library wants ArrayBuffers; a view's own bytes, copied. */
const buffer = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

/**
 * Seals a message to a public key. `ephemeral` are 32 fresh uniform bytes: the same twice would reuse key and nonce.
 * Throws: Defect for wrong lengths; the library's error for a public key of small order.
 */
export async function sealHpke(
  publicKey: Uint8Array,
  ephemeral: Uint8Array,
  plaintext: Uint8Array,
  context: HpkeContext,
): Promise<Sealed> {
  assert(
    publicKey.length === KEY_BYTES && ephemeral.length === KEY_BYTES,
    "X25519 keys and the ephemeral key's material have 32 bytes",
  );
  const sender = await ours.createSenderContext({
    recipientPublicKey: await ours.kem.importKey("raw", buffer(publicKey), true),
    info: buffer(context.info),
    ekm: buffer(ephemeral),
  });
  const ciphertext = await sender.seal(buffer(plaintext), buffer(context.aad ?? NOTHING));
  return { enc: new Uint8Array(sender.enc), ciphertext: new Uint8Array(ciphertext) };
}

/**
 * Opens what was sealed to this private key; undefined when it was not, or for another purpose, or was changed. Never rejects for
 * what a stranger sent. Throws: Defect for a private key that is not 32 bytes.
 */
export const openHpke = (
  privateKey: Uint8Array,
  sealed: Sealed,
  context: HpkeContext,
): Promise<Uint8Array | undefined> => openWith(ours, privateKey, sealed, context);

/** As `openHpke`, with another AEAD: RFC 9180 has no vectors for X25519 with AES-256-GCM. */
export const openHpkeWith = (
  aead: AeadInterface,
  privateKey: Uint8Array,
  sealed: Sealed,
  context: HpkeContext,
): Promise<Uint8Array | undefined> => openWith(suiteOf(aead), privateKey, sealed, context);

async function openWith(
  suite: CipherSuite,
  privateKey: Uint8Array,
  sealed: Sealed,
  context: HpkeContext,
): Promise<Uint8Array | undefined> {
  assert(privateKey.length === KEY_BYTES, "an X25519 private key has 32 bytes");
  if (sealed.enc.length !== KEY_BYTES) return undefined;
  const recipientKey = await suite.kem.importKey("raw", buffer(privateKey), false);
  try {
    const recipient = await suite.createRecipientContext({
      recipientKey,
      enc: buffer(sealed.enc),
      info: buffer(context.info),
    });
    return new Uint8Array(await recipient.open(buffer(sealed.ciphertext), buffer(context.aad ?? NOTHING)));
  } catch {
    return undefined;
  }
}
