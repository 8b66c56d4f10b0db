/**
 * Signing thresholds: how many, or which weights, of a list of keys must sign together.
 * Source: ToIP KERI specification, "Reserved field values: signing threshold". Exact rationals, never floating point.
 */

/** A fraction in lowest terms, between 0 and 1. */
export interface Weight {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** A key's weight, or a group of keys that count with one weight when their own weights sum to at least 1. */
export type WeightEntry =
  | { readonly kind: "key"; readonly weight: Weight }
  | { readonly kind: "group"; readonly weight: Weight; readonly members: readonly Weight[] };

/** Every clause must sum to at least 1 over the keys that signed. Keys are counted through clauses and groups in order. */
export type Threshold = number | { readonly clauses: readonly (readonly WeightEntry[])[] };
