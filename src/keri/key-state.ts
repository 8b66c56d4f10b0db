/** Who may speak for an identifier: what its last establishment event says. */
import type { Aid, Said } from "../base/brands.ts";
import { verify } from "../crypto/ed25519.ts";

export interface KeyState {
  readonly aid: Aid;
  /** Sequence number and SAID of the establishment event that set these keys. */
  readonly sn: number;
  readonly said: Said;
  /** Ed25519 public keys, 32 bytes each, in the order that indices count. */
  readonly keys: readonly Uint8Array[];
  /** How many distinct keys must sign. */
  readonly threshold: number;
  /** Digests of the texts of the keys that may follow; none: the identifier never rotates again. */
  readonly nextDigests: readonly Said[];
  readonly nextThreshold: number;
  readonly witnesses: readonly string[];
  readonly witnessThreshold: number;
}

export interface KeySignature {
  readonly index: number;
  /** Ed25519, 64 bytes. */
  readonly sig: Uint8Array;
}

/**
 * Whether enough distinct keys of the state signed these bytes. Every signature given must hold: one that does not is the
 * sender's fault, not a missing one.
 */
export function isSignedBy(state: KeyState, message: Uint8Array, signatures: readonly KeySignature[]): boolean {
  if (signatures.length > state.keys.length) return false;
  const signers = new Set<number>();
  for (const { index, sig } of signatures) {
    const key = state.keys[index];
    if (key === undefined || signers.has(index) || !verify(key, message, sig)) return false;
    signers.add(index);
  }
  return signers.size >= state.threshold;
}
