/**
 * The keystore: a node's secret keys under a data key, and that data key under a passphrase (until `initialise`) or the root.
 * Bytes in, bytes out; randomness is an argument. Every ciphertext is bound to the node it belongs to.
 */
import type { Aid, Digest } from "../../base/brands.ts";
import { concatBytes, digestBytes, equalBytes, utf8 } from "../../base/bytes.ts";
import { type Shape, bytes, decode, encode, integer, record, text, union, variant } from "../../base/codec.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { AEAD_KEY_BYTES, AEAD_NONCE_BYTES, openAead, passphraseKey, sealAead } from "../../crypto/aead.ts";
import { digestShape } from "../../events/facts/command.ts";
import type { RootKeys } from "./ceremony-bytes.ts";

/** Everything a node signs and opens with, but its boot key. */
export interface NodeKeys {
  /** KERI identifier: current and next Ed25519 seeds. */
  readonly current: Uint8Array;
  readonly next: Uint8Array;
  /** Ed25519 seed that signs consensus messages of epoch 0. */
  readonly epoch: Uint8Array;
  /** ECDSA P-256, PKCS#8: the key of the issuer certificate. */
  readonly issuerKey: Uint8Array;
  readonly issuerCertificate: Uint8Array;
  /** 32 uniform bytes: authenticates what the node tells itself across restarts. */
  readonly mark: Uint8Array;
}

interface Box {
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array;
}

export type Wrap =
  | { readonly kind: "passphrase"; readonly salt: Uint8Array; readonly box: Box }
  | {
      readonly kind: "root";
      readonly cluster: Digest;
      readonly commitments: Digest;
      readonly check: Uint8Array;
      readonly box: Box;
    };

export interface Keystore {
  readonly version: number;
  readonly node: Aid;
  readonly body: Box;
  readonly wrap: Wrap;
}

export type KeystoreRefusal = Refusal<"KEYSTORE_DAMAGED" | "PASSPHRASE_WRONG" | "ROOT_WRONG">;

export const KEYSTORE_BYTES_MAX = 64 * 1024;
const VERSION = 1;

const boxShape: Shape<Box> = record("box", { nonce: bytes(AEAD_NONCE_BYTES), sealed: bytes(16, 32 * 1024) });
const keystoreShape: Shape<Keystore> = record("keystore", {
  version: integer(VERSION, VERSION),
  node: text<Aid>(44),
  body: boxShape,
  wrap: union<Wrap>(
    variant("passphrase", record("passphrase", { salt: bytes(16), box: boxShape })),
    variant(
      "root",
      record("root", { cluster: digestShape, commitments: digestShape, check: bytes(32), box: boxShape }),
    ),
  ),
});
const nodeKeysShape: Shape<NodeKeys> = record("node keys", {
  current: bytes(32),
  next: bytes(32),
  epoch: bytes(32),
  issuerKey: bytes(1, 1024),
  issuerCertificate: bytes(1, 4096),
  mark: bytes(32),
});

export type Random = (length: number) => Uint8Array;

const damaged = (detail: string) =>
  refuse("KEYSTORE_DAMAGED", `the keystore was changed or damaged (${detail}); restore it from a backup`, "none");

export function readKeystore(file: Uint8Array): Result<Keystore, KeystoreRefusal> {
  const read = decode(keystoreShape, file, KEYSTORE_BYTES_MAX);
  return read.ok ? read : damaged(read.refusal.message);
}

/** A new keystore under a passphrase. */
export function createKeystore(node: Aid, keys: NodeKeys, passphrase: Uint8Array, random: Random): Uint8Array {
  const dataKey = random(AEAD_KEY_BYTES);
  const plaintext = encode(nodeKeysShape, keys);
  const body = seal(dataKey, plaintext, bodyAad(node), random);
  plaintext.fill(0);
  const salt = random(16);
  const key = passphraseKey(passphrase, salt);
  const box = seal(key, dataKey, wrapAad(node, "passphrase"), random);
  key.fill(0);
  dataKey.fill(0);
  return encode(keystoreShape, { version: VERSION, node, body, wrap: { kind: "passphrase", salt, box } });
}

/** The data key of a keystore that has not been initialised. Refuses: PASSPHRASE_WRONG, KEYSTORE_DAMAGED. */
export function openWithPassphrase(keystore: Keystore, passphrase: Uint8Array): Result<Uint8Array, KeystoreRefusal> {
  if (keystore.wrap.kind !== "passphrase")
    return refuse("PASSPHRASE_WRONG", "the keystore is under its root by now; operators unseal it", "client");
  const key = passphraseKey(passphrase, keystore.wrap.salt);
  const dataKey = open(key, keystore.wrap.box, wrapAad(keystore.node, "passphrase"));
  key.fill(0);
  return dataKey === undefined
    ? refuse("PASSPHRASE_WRONG", "the passphrase is wrong, or the keystore was changed", "client")
    : ok(dataKey);
}

/** The same keystore with its data key under the root; the passphrase opens it no more. */
export function rewrapUnderRoot(
  keystore: Keystore,
  dataKey: Uint8Array,
  root: RootKeys,
  cluster: Digest,
  commitments: Digest,
  random: Random,
): Uint8Array {
  const box = seal(root.key, dataKey, rootAad(keystore.node, cluster, commitments), random);
  return encode(keystoreShape, { ...keystore, wrap: { kind: "root", cluster, commitments, check: root.check, box } });
}

/** The data key of an initialised keystore. Refuses: ROOT_WRONG (another root's shares), KEYSTORE_DAMAGED. */
export function openWithRoot(keystore: Keystore, root: RootKeys): Result<Uint8Array, KeystoreRefusal> {
  const { wrap } = keystore;
  if (wrap.kind !== "root") return damaged("its data key is not under a root");
  if (!equalBytes(wrap.check, root.check))
    return refuse(
      "ROOT_WRONG",
      "the shares make another root than the keystore's; boot file and keystore do not belong together",
      "none",
    );
  const dataKey = open(root.key, wrap.box, rootAad(keystore.node, wrap.cluster, wrap.commitments));
  return dataKey === undefined ? damaged("its data key does not open") : ok(dataKey);
}

/** Bounds: copies the keys out; the caller erases them. Refuses: KEYSTORE_DAMAGED. */
export function openKeys(keystore: Keystore, dataKey: Uint8Array): Result<NodeKeys, KeystoreRefusal> {
  const plaintext = open(dataKey, keystore.body, bodyAad(keystore.node));
  if (plaintext === undefined) return damaged("its keys do not open");
  const keys = decode(nodeKeysShape, plaintext, KEYSTORE_BYTES_MAX);
  plaintext.fill(0);
  return keys.ok ? keys : damaged(keys.refusal.message);
}

const bodyAad = (node: Aid): Uint8Array => utf8(`sky/keystore/v1\0${node}`);
const wrapAad = (node: Aid, kind: string): Uint8Array => utf8(`sky/keystore-${kind}/v1\0${node}`);
const rootAad = (node: Aid, cluster: Digest, commitments: Digest): Uint8Array =>
  concatBytes(wrapAad(node, "root"), digestBytes(cluster), digestBytes(commitments));

function seal(key: Uint8Array, plaintext: Uint8Array, aad: Uint8Array, random: Random): Box {
  const nonce = random(AEAD_NONCE_BYTES);
  return { nonce, sealed: sealAead(key, nonce, plaintext, aad) };
}

const open = (key: Uint8Array, box: Box, aad: Uint8Array): Uint8Array | undefined =>
  openAead(key, box.nonce, box.sealed, aad);
