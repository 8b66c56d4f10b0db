/**
 * The keystore: a node's secret keys under a data key, and that data key under a passphrase (until `initialise`) or the root.
 * Bytes in, bytes out; randomness is an argument. Every ciphertext is bound to the node it belongs to, and to its version.
 */
import type { Aid, Digest } from "../../base/brands.ts";
import { concatBytes, digestBytes, equalBytes, utf8 } from "../../base/bytes.ts";
import { type Shape, bytes, decode, encode, integer, record, text, union, variant } from "../../base/codec.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { AEAD_KEY_BYTES, AEAD_NONCE_BYTES, openAead, passphraseKey, sealAead } from "../../crypto/aead.ts";
import { digestShape } from "../../events/facts/command.ts";
import type { RootKeys } from "./ceremony-bytes.ts";
import { type NodeKeys, firstKeysShape, nodeKeysShape, upgraded } from "./node-keys.ts";

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

export const KEYSTORE_BYTES_MAX = 128 * 1024;
/** What is written. Version 1, before keys rotated, is read and written as this one the next time keys change. */
const VERSION = 2;

const boxShape: Shape<Box> = record("box", { nonce: bytes(AEAD_NONCE_BYTES), sealed: bytes(16, 96 * 1024) });
const keystoreShape: Shape<Keystore> = record("keystore", {
  version: integer(1, VERSION),
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
  const body = sealedKeys(node, keys, dataKey, random);
  const salt = random(16);
  const key = passphraseKey(passphrase, salt);
  const box = seal(key, dataKey, wrapAad(node, "passphrase"), random);
  key.fill(0);
  dataKey.fill(0);
  return encode(keystoreShape, { version: VERSION, node, body, wrap: { kind: "passphrase", salt, box } });
}

/** The same keystore with other keys in it, of this version. */
export const withKeys = (keystore: Keystore, dataKey: Uint8Array, keys: NodeKeys, random: Random): Uint8Array =>
  encode(keystoreShape, { ...keystore, version: VERSION, body: sealedKeys(keystore.node, keys, dataKey, random) });

function sealedKeys(node: Aid, keys: NodeKeys, dataKey: Uint8Array, random: Random): Box {
  const plaintext = encode(nodeKeysShape, keys);
  const body = seal(dataKey, plaintext, bodyAad(node, VERSION), random);
  plaintext.fill(0);
  return body;
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
  const { version, node } = keystore;
  const plaintext = open(dataKey, keystore.body, bodyAad(node, version));
  if (plaintext === undefined) return damaged("its keys do not open");
  const read: Result<NodeKeys> =
    version === 1
      ? mapped(decode(firstKeysShape, plaintext, KEYSTORE_BYTES_MAX), (keys) => upgraded(node, keys))
      : decode(nodeKeysShape, plaintext, KEYSTORE_BYTES_MAX);
  plaintext.fill(0);
  return read.ok ? read : damaged(read.refusal.message);
}

const mapped = <T, U>(result: Result<T>, map: (value: T) => U): Result<U> =>
  result.ok ? ok(map(result.value)) : result;

const bodyAad = (node: Aid, version: number): Uint8Array => utf8(`sky/keystore/v${version}\0${node}`);
const wrapAad = (node: Aid, kind: string): Uint8Array => utf8(`sky/keystore-${kind}/v1\0${node}`);
const rootAad = (node: Aid, cluster: Digest, commitments: Digest): Uint8Array =>
  concatBytes(wrapAad(node, "root"), digestBytes(cluster), digestBytes(commitments));

function seal(key: Uint8Array, plaintext: Uint8Array, aad: Uint8Array, random: Random): Box {
  const nonce = random(AEAD_NONCE_BYTES);
  return { nonce, sealed: sealAead(key, nonce, plaintext, aad) };
}

const open = (key: Uint8Array, box: Box, aad: Uint8Array): Uint8Array | undefined =>
  openAead(key, box.nonce, box.sealed, aad);
