/** The exact bytes that a ceremony hashes, signs and seals: shared by enclave and operators. Source: docs/protocol/ceremony.md. */
import type { Aid, Digest } from "../../base/brands.ts";
import { concatBytes, digestBytes, fromHex, toHex, utf8 } from "../../base/bytes.ts";
import { bytes, encode, hex, integer, list, record, text } from "../../base/codec.ts";
import { present } from "../../base/errors.ts";
import { hkdf } from "../../crypto/hkdf.ts";
import { sha256, sha256Digest, signingBytes } from "../../crypto/hash.ts";
import { digestShape } from "../../events/facts/command.ts";
import { Share as ShareMessage } from "../../wire/generated/com/hellblazer/sanctorum/internal/v1/sanctorum.ts";

/** Which node of which cluster: every byte string below is bound to both. */
export interface Place {
  readonly cluster: Digest;
  readonly node: Aid;
}

export const CEREMONY_ID_BYTES = 16;
export const SHARE_VALUE_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** A sealed share is 32 + 64 bytes in two protobuf fields, and a tag: far below this. */
export const SEALED_SHARE_BYTES_MAX = 256;

const placeBytes = ({ cluster, node }: Place): Uint8Array => concatBytes(digestBytes(cluster), utf8(node));
const idBytes = (ceremony: string): Uint8Array => present(fromHex(ceremony), "a ceremony id is hex");

/** First 16 bytes of SHA-256("sky/ceremony/v1" ‖ cluster ‖ node ‖ session public key), as hex. */
export const ceremonyId = (place: Place, sessionKey: Uint8Array): string =>
  toHex(sha256(concatBytes(utf8("sky/ceremony/v1"), placeBytes(place), sessionKey)).subarray(0, CEREMONY_ID_BYTES));

/** HPKE info of a share on its way to the node. */
export const shareInfo = (place: Place, ceremony: string, purpose: string): Uint8Array =>
  concatBytes(utf8("sky/share/v1"), placeBytes(place), idBytes(ceremony), utf8(purpose));

/** HPKE info of a share on its way from the dealing node to operator `index`. */
export const dealtShareInfo = (place: Place, commitments: Digest, index: number): Uint8Array =>
  concatBytes(utf8("sky/dealt-share/v1"), placeBytes(place), digestBytes(commitments), uint32(index));

export const commitmentsHash = (commitments: readonly Uint8Array[]): Digest =>
  sha256Digest(concatBytes(...commitments));

export interface RootKeys {
  /** Wraps the keystore's data key. */
  readonly key: Uint8Array;
  /** Tells a wrong root from a damaged keystore. */
  readonly check: Uint8Array;
}

/** Keys of a node's root scalar. */
export function rootKeys(place: Place, scalar: Uint8Array, commitments: Digest): RootKeys {
  const salt = digestBytes(commitments);
  return {
    key: hkdf(scalar, salt, concatBytes(utf8("sky/root/v1"), placeBytes(place)), 32),
    check: hkdf(scalar, salt, concatBytes(utf8("sky/root-check/v1"), placeBytes(place)), 32),
  };
}

/** What an operator signs over its share: info ‖ i (four bytes, big-endian) ‖ y_i. */
export const shareSigningBytes = (info: Uint8Array, index: number, value: Uint8Array): Uint8Array =>
  concatBytes(info, uint32(index), value);

/** Share{key = i, share = y_i ‖ signature}, as HPKE seals it. */
export const encodeShare = (index: number, value: Uint8Array, signature: Uint8Array): Uint8Array =>
  ShareMessage.encode({ key: index, share: Buffer.from(concatBytes(value, signature)) }).finish();

/** Undefined when the bytes are no share. */
export function decodeShare(
  plaintext: Uint8Array,
): { readonly index: number; readonly value: Uint8Array; readonly signature: Uint8Array } | undefined {
  try {
    const { key, share } = ShareMessage.decode(plaintext);
    if (share.length !== SHARE_VALUE_BYTES + SIGNATURE_BYTES) return undefined;
    return {
      index: key,
      value: new Uint8Array(share.subarray(0, SHARE_VALUE_BYTES)),
      signature: new Uint8Array(share.subarray(SHARE_VALUE_BYTES)),
    };
  } catch {
    return undefined;
  }
}

export interface SessionKeyClaim {
  readonly ceremony: string;
  readonly publicKey: Uint8Array;
  /** Units: ms since 1970, the node's clock. */
  readonly expiry: number;
}

const sessionKeyShape = record<{ node: Aid } & SessionKeyClaim>("session key", {
  node: text<Aid>(44),
  ceremony: hex(CEREMONY_ID_BYTES),
  publicKey: bytes(32),
  expiry: integer(),
});

/** What the boot key signs for a session key. */
export const sessionKeySigningBytes = ({ cluster, node }: Place, claim: SessionKeyClaim): Uint8Array =>
  signingBytes("session-key", cluster, encode(sessionKeyShape, { node, ...claim }));

const tableShape = record<{ node: Aid; commitments: Digest; operators: readonly Aid[] }>("dealing", {
  node: text<Aid>(44),
  commitments: digestShape,
  operators: list(text<Aid>(44), 255, 1),
});

/** What the node's identifier signs: which commitments, and which operator has which index. */
export const dealingSigningBytes = (
  { cluster, node }: Place,
  commitments: Digest,
  operators: readonly Aid[],
): Uint8Array => signingBytes("dealing", cluster, encode(tableShape, { node, commitments, operators }));

const acknowledgementShape = record<{ node: Aid; index: number; commitments: Digest }>("acknowledgement", {
  node: text<Aid>(44),
  index: integer(1, 255),
  commitments: digestShape,
});

/** What an operator signs when it holds its share. */
export const acknowledgementSigningBytes = ({ cluster, node }: Place, index: number, commitments: Digest): Uint8Array =>
  signingBytes("share-acknowledged", cluster, encode(acknowledgementShape, { node, index, commitments }));

function uint32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}
