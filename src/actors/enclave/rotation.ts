/**
 * How a node's identifier rotates. The key after the next one is made, and kept with the signed rotation, before anybody sees the
 * rotation; when the log says that it is in force, the keys take their new places in one write. Whenever the node dies, what is on
 * disk and what is in the log say together how to go on:
 *
 * | on disk | in the log | then |
 * |---|---|---|
 * | no rotation | the key state of the keystore | nothing was begun |
 * | a pending rotation | still the key state of the keystore | the same bytes are submitted again |
 * | a pending rotation | the pending one | it takes its place |
 * | the new key state | an older one | the log is still to bring it |
 * | any | another one | somebody else has the keys, or the keystore is an old backup: the node does not serve |
 */
import type { Aid } from "../../base/brands.ts";
import { concatBytes, utf8 } from "../../base/bytes.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { publicKeyOf, signer } from "../../crypto/ed25519.ts";
import type { KeyStateRef } from "../../events/facts/command.ts";
import { indexedEd25519 } from "../../keri/cesr/indexer.ts";
import { rotate } from "../../keri/compose.ts";
import { keyText } from "../../keri/key-text.ts";
import { nextKeyDigest } from "../../keri/said.ts";
import type { Custody } from "./custody.ts";
import { type NodeKeys, type PendingRotation, promoted } from "./node-keys.ts";
import type { EnclaveRefusal, NodeKeyStatus } from "./ports.ts";

export interface Rekeying {
  readonly node: { readonly aid: Aid; readonly name: string };
  /** Units: ms since 1970. */
  readonly now: () => number;
  readonly random: (length: number) => Uint8Array;
  /** Writes and syncs the keystore with these keys. */
  readonly keep: (dataKey: Uint8Array, keys: NodeKeys) => void;
}

/**
 * The keys with a rotation pending: a new one, or the one that is, since there may be only one for a place in the log.
 * `last`: the identifier's newest event in the log.
 */
export function prepareRotation(custody: Custody, last: KeyStateRef, rekeying: Rekeying): NodeKeyStatus {
  custody.withKeys((keys) => {
    if (keys.pending !== null) return;
    const pending = pendingRotation(rekeying.node.aid, keys, last, rekeying.random(32));
    rekey(custody, { ...keys, pending }, rekeying);
  });
  return custody.status();
}

/**
 * `inForce`: the node's newest establishment event in the log. If that is the pending one, its key is the node's when this returns.
 * Older ones change nothing: the log is still to bring what the keystore knows. Refuses: KEYS_ELSEWHERE.
 */
export function settleRotation(
  custody: Custody,
  inForce: KeyStateRef,
  rekeying: Rekeying,
): Result<NodeKeyStatus, EnclaveRefusal> {
  return custody.withKeys((keys) => {
    const { keyState, pending } = keys;
    if (inForce.sn < keyState.sn || inForce.said === keyState.said) return ok(custody.status());
    if (pending?.said !== inForce.said) return elsewhere(rekeying.node.name, inForce);
    rekey(custody, promoted(keys, pending, rekeying.now()), rekeying);
    return ok(custody.status());
  });
}

const elsewhere = (name: string, { sn }: KeyStateRef) =>
  refuse(
    "KEYS_ELSEWHERE",
    `The log has a rotation of node ${name} (sequence number ${sn}) that its keystore knows nothing of. Restore the newest backup of the keystore; if there is none that knows it, somebody else holds the node's keys.`,
    "none",
  );

/** On disk first. */
function rekey(custody: Custody, keys: NodeKeys, { keep }: Rekeying): void {
  keep(custody.dataKey.reveal(), keys);
  custody.replace(keys);
}

/** One indexed signature of the controller follows. Source: ToIP CESR specification, count codes of version 1. */
const ONE_SIGNATURE = "-AAB";

/** The rotation that exposes the next key and commits to the one of seed `after`; nodes have one key and no witnesses. */
function pendingRotation(aid: Aid, { next }: NodeKeys, last: KeyStateRef, after: Uint8Array): PendingRotation {
  const sn = last.sn + 1;
  const { said, event } = rotate({
    aid,
    sn,
    prior: last.said,
    keys: [keyText(publicKeyOf(next))],
    nextDigests: [nextKeyDigest(keyText(publicKeyOf(after)))],
    witnessThreshold: 0,
  });
  const signature = indexedEd25519(0, signer(next)(event));
  return { sn, said, stream: concatBytes(event, utf8(ONE_SIGNATURE + signature)), next: after };
}
