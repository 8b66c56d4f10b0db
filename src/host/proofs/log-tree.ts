/** The log's Merkle tree for proofs: block hashes come from the log, larger subtrees are kept, so that a proof does not hash a million leaves. */
import type { Digest } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import { type Subtrees, nodeHash, subtreesOf } from "../../crypto/merkle.ts";
import type { ReadableLog } from "../../events/store/log.ts";

/** 2^8 leaves: a proof then hashes some hundreds of leaves, and a million blocks keep 8,000 digests. */
const KEPT_FROM_LEVEL = 8;

/** Complete subtrees never change, so they are kept for good. Throws: Defect for a height that the log does not have. */
export function logTree(log: Pick<ReadableLog, "hashAt">): Subtrees {
  const kept = new Map<string, Digest>();
  const small = subtreesOf((index) => present(log.hashAt(heightOf(index)), `the log has height ${index}`));
  const subtree: Subtrees = (level, index) => {
    if (level < KEPT_FROM_LEVEL) return small(level, index);
    const key = `${level}/${index}`;
    let digest = kept.get(key);
    if (digest === undefined) {
      digest = level === KEPT_FROM_LEVEL ? small(level, index) : joined(level, index);
      kept.set(key, digest);
    }
    return digest;
  };
  const joined = (level: number, index: number): Digest =>
    nodeHash(subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1));
  return subtree;
}
