import { verify } from "./ed25519.ts";

/** Keys of which some number must sign together; a KERI key state is one. */
export interface KeySet {
  /** Ed25519 public keys, 32 bytes each, in the order that indices count. */
  readonly keys: readonly Uint8Array[];
  /** How many distinct keys must sign. */
  readonly threshold: number;
}

export interface KeySignature {
  readonly index: number;
  /** Ed25519, 64 bytes. */
  readonly sig: Uint8Array;
}

/**
 * Whether enough distinct keys of the set signed these bytes. Every signature given must hold: one that does not is the
 * sender's fault, not a missing one.
 */
export function isSignedBy(keySet: KeySet, message: Uint8Array, signatures: readonly KeySignature[]): boolean {
  if (signatures.length > keySet.keys.length) return false;
  const signers = new Set<number>();
  for (const { index, sig } of signatures) {
    const key = keySet.keys[index];
    if (key === undefined || signers.has(index) || !verify(key, message, sig)) return false;
    signers.add(index);
  }
  return signers.size >= keySet.threshold && signers.size > 0;
}
