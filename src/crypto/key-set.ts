import { type Threshold, isThresholdMet } from "./threshold.ts";
import { type VerificationKey, verifySignature } from "./verification-key.ts";

/** Keys of which some must sign together; a KERI key state is one. */
export interface KeySet {
  /** Public keys in the order that indices count. */
  readonly keys: readonly VerificationKey[];
  /** How many distinct keys must sign, or with what weights. */
  readonly threshold: Threshold;
}

export interface KeySignature {
  readonly index: number;
  /** 64 bytes, by the algorithm of the key at `index`. */
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
    if (key === undefined || signers.has(index) || !verifySignature(key, message, sig)) return false;
    signers.add(index);
  }
  return isThresholdMet(keySet.threshold, signers);
}
