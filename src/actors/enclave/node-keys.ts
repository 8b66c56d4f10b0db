/**
 * What the keystore holds, and how a node's identifier rotates in it: the next key is made and kept before the rotation is submitted,
 * and takes over in one step once the log has it. Pure.
 */
import type { Aid, Said } from "../../base/brands.ts";
import { utf8 } from "../../base/bytes.ts";
import { type Shape, bytes, integer, list, nullable, record } from "../../base/codec.ts";
import { hkdf } from "../../crypto/hkdf.ts";
import { type KeyStateRef, saidShape } from "../../events/facts/command.ts";

/** A rotation that this node signed, and whose place in the log is not known yet. */
export interface PendingRotation extends KeyStateRef {
  /** The event with its signatures, as it is submitted, again and again, until the log has it. */
  readonly stream: Uint8Array;
  /** Seed of the key that the rotation after this one will expose. */
  readonly next: Uint8Array;
}

/** Everything a node signs and opens with, but its boot key. Seeds are of Ed25519, 32 bytes. */
export interface NodeKeys {
  /** KERI identifier: the key in force, and the one that its next rotation exposes. */
  readonly current: Uint8Array;
  readonly next: Uint8Array;
  /** Establishment event that set `current`. */
  readonly keyState: KeyStateRef;
  /** When that came into force, by this node's clock; 0 when that is not known. Units: ms since 1970. */
  readonly since: number;
  readonly pending: PendingRotation | null;
  /** The newest rotations in force, oldest first, as they were submitted: shown to whoever has not seen them yet. */
  readonly rotations: readonly Uint8Array[];
  /** Seed of the non-transferable identifier that the node witnesses others' events as. */
  readonly witness: Uint8Array;
  /** Seed that signs consensus messages of epoch 0. */
  readonly epoch: Uint8Array;
  /** ECDSA P-256, PKCS#8: the key of the issuer certificate. */
  readonly issuerKey: Uint8Array;
  readonly issuerCertificate: Uint8Array;
  /** 32 uniform bytes: authenticates what the node tells itself across restarts. */
  readonly mark: Uint8Array;
}

/** What version 1 held. */
export type FirstKeys = Pick<NodeKeys, "current" | "next" | "epoch" | "issuerKey" | "issuerCertificate" | "mark">;

const seed = bytes(32);
/** One rotation of one key has 500 bytes; the bound leaves room for others' keys and for anchors. */
const ROTATION_BYTES_MAX = 4096;
/** Rotations kept: ten years of monthly ones, and as many as a certificate can show. */
export const ROTATIONS_MAX = 128;
/** Bytes of rotations kept; TLS takes certificate chains of 100 KiB. */
export const ROTATIONS_BYTES_MAX = 64 * 1024;

export const firstKeysShape: Shape<FirstKeys> = record("node keys", {
  current: seed,
  next: seed,
  epoch: seed,
  issuerKey: bytes(1, 1024),
  issuerCertificate: bytes(1, 4096),
  mark: seed,
});

export const nodeKeysShape: Shape<NodeKeys> = record("node keys", {
  current: seed,
  next: seed,
  keyState: record<KeyStateRef>("key state", { sn: integer(), said: saidShape }),
  since: integer(),
  pending: nullable(
    record<PendingRotation>("pending rotation", {
      sn: integer(),
      said: saidShape,
      stream: bytes(1, ROTATION_BYTES_MAX),
      next: seed,
    }),
  ),
  rotations: list(bytes(1, ROTATION_BYTES_MAX), ROTATIONS_MAX),
  witness: seed,
  epoch: seed,
  issuerKey: bytes(1, 1024),
  issuerCertificate: bytes(1, 4096),
  mark: seed,
});

/** A new node's keys: its inception is in force, nothing rotates. */
export const newNodeKeys = (aid: Aid, keys: FirstKeys & Pick<NodeKeys, "witness" | "since">): NodeKeys => ({
  ...keys,
  keyState: { sn: 0, said: inceptionOf(aid) },
  pending: null,
  rotations: [],
});

/** The identifiers of nodes are self-addressing: they are the digests of their inceptions. */
const inceptionOf = (aid: Aid): Said => aid as string as Said;

/**
 * Version 1 as version 2: the same at every reading, since nothing is written before keys change. The witness key is therefore
 * derived, from bytes that serve nothing else under this label.
 */
export const upgraded = (aid: Aid, keys: FirstKeys): NodeKeys =>
  newNodeKeys(aid, {
    ...keys,
    since: 0,
    witness: hkdf(keys.mark, new Uint8Array(0), utf8(`sky/witness/v1\0${aid}`), 32),
  });

/** The keys after the pending rotation has come into force. The seed that was in force is the caller's to erase. */
export function promoted(keys: NodeKeys, pending: PendingRotation, now: number): NodeKeys {
  const { sn, said, stream, next } = pending;
  return {
    ...keys,
    current: keys.next,
    next,
    keyState: { sn, said },
    since: now,
    pending: null,
    rotations: newest([...keys.rotations, stream]),
  };
}

/** The newest rotations within the bounds. */
export function newest(rotations: readonly Uint8Array[]): readonly Uint8Array[] {
  const kept: Uint8Array[] = [];
  let size = 0;
  for (const rotation of rotations.toReversed()) {
    size += rotation.length;
    if (kept.length === ROTATIONS_MAX || size > ROTATIONS_BYTES_MAX) break;
    kept.unshift(rotation);
  }
  return kept;
}

/** Whose key stands behind what the node says of itself: the newest one that it may show, whether or not the log has it yet. */
export interface Shown {
  readonly keySn: number;
  readonly seed: Uint8Array;
  /** Rotations up to that key state, for whoever knows an older one. */
  readonly rotations: readonly Uint8Array[];
}

/**
 * While a rotation is pending, certificates are signed by its keys already: who has seen it takes them for its own sake, who has not
 * finds it beside them and sees that the keys were committed to. So none that is in use is refused at the height of the rotation,
 * and a node that died in between is known to both when it returns.
 */
export const shownBy = ({ keyState, current, next, rotations, pending }: NodeKeys): Shown =>
  pending === null
    ? { keySn: keyState.sn, seed: current, rotations }
    : { keySn: pending.sn, seed: next, rotations: newest([...rotations, pending.stream]) };

export function eraseKeys({ current, next, witness, epoch, issuerKey, mark, pending }: NodeKeys): void {
  for (const secret of [current, next, witness, epoch, issuerKey, mark]) secret.fill(0);
  pending?.next.fill(0);
}
