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

const isGroup = (entry: WeightEntry): entry is Extract<WeightEntry, { readonly kind: "group" }> =>
  entry.kind === "group";

/** How many keys a threshold speaks of: a number needs at least so many, weights stand for one key each. */
export function thresholdSize(threshold: Threshold): number {
  if (typeof threshold === "number") return threshold;
  let size = 0;
  for (const clause of threshold.clauses) for (const entry of clause) size += isGroup(entry) ? entry.members.length : 1;
  return size;
}

/** Whether weights sum to at least 1, exactly. */
export function reachesOne(weights: Iterable<Weight>): boolean {
  let numerator = 0n;
  let denominator = 1n;
  for (const weight of weights) {
    if (weight.denominator === denominator) numerator += weight.numerator;
    else {
      numerator = numerator * weight.denominator + weight.numerator * denominator;
      denominator *= weight.denominator;
    }
  }
  return numerator >= denominator;
}

/**
 * Whether the keys at these positions may sign together. A position counts once however often it is given; the caller has
 * checked that each is one of the list. No keys never suffice.
 */
export function isThresholdMet(threshold: Threshold, indices: Iterable<number>): boolean {
  const signed = indices instanceof Set ? indices : new Set(indices);
  if (signed.size === 0) return false;
  if (typeof threshold === "number") return signed.size >= threshold;
  let position = 0;
  for (const clause of threshold.clauses) {
    const counted: Weight[] = [];
    for (const entry of clause) {
      if (!isGroup(entry)) {
        if (signed.has(position)) counted.push(entry.weight);
        position += 1;
        continue;
      }
      const start = position;
      position += entry.members.length;
      if (reachesOne(entry.members.filter((_, i) => signed.has(start + i)))) counted.push(entry.weight);
    }
    if (!reachesOne(counted)) return false;
  }
  return true;
}
