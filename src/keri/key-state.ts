import type { Aid, Said } from "../base/brands.ts";
import type { KeySet } from "../crypto/key-set.ts";

/** Who may speak for an identifier: what its last establishment event says. */
export interface KeyState extends KeySet {
  readonly aid: Aid;
  /** Sequence number and SAID of the establishment event that set these keys. */
  readonly sn: number;
  readonly said: Said;
  /** Digests of the texts of the keys that may follow; none: the identifier never rotates again. */
  readonly nextDigests: readonly Said[];
  readonly nextThreshold: number;
  readonly witnesses: readonly string[];
  readonly witnessThreshold: number;
}
