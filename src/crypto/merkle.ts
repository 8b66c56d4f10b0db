/**
 * Merkle tree of the log: its leaves are block hashes, so that one root commits to every block before it.
 *
 * A *frontier* is the roots of the complete subtrees that a size splits into, largest first: enough to append and to give
 * the root, never more than 53 digests. Proofs read complete subtrees through a `Subtrees` port, so that a store may keep
 * some of them instead of hashing a million leaves for every proof.
 * Source: RFC 6962 §2.1 (hashing), RFC 9162 §2.1.3 and §2.1.4 (verification).
 */
import type { Digest } from "../base/brands.ts";
import { assert, present } from "../base/errors.ts";
import { sha256Digest } from "./hash.ts";

/** Root of the tree without leaves: SHA-256 of nothing. */
export const EMPTY_ROOT: Digest = sha256Digest(new Uint8Array(0));

/** More than any tree of 2^53 leaves needs (inclusion 53, consistency 54). */
export const PROOF_DIGESTS_MAX = 64;

/** Filled and hashed within one synchronous call: a leaf is 0x00 ‖ 32 bytes, a node 0x01 ‖ 32 ‖ 32. */
const leafScratch = Buffer.alloc(33, 0x00);
const nodeScratch = Buffer.alloc(65, 0x01);

/** Hash of a leaf: SHA-256(0x00 ‖ block hash). Throws: Defect if what is typed Digest is not 64 hex digits. */
export function leafHash(leaf: Digest): Digest {
  assert(leafScratch.write(leaf, 1, "hex") === 32, "a digest has 32 bytes");
  return sha256Digest(leafScratch);
}

/** Hash of a node: SHA-256(0x01 ‖ left ‖ right). Throws: as leafHash. */
export function nodeHash(left: Digest, right: Digest): Digest {
  assert(
    nodeScratch.write(left, 1, "hex") === 32 && nodeScratch.write(right, 33, "hex") === 32,
    "a digest has 32 bytes",
  );
  return sha256Digest(nodeScratch);
}

/** A frontier as plain data, for journals, checkpoints and machine contexts. */
export interface FrontierState {
  readonly size: number;
  /** Roots of the complete subtrees, one for each set bit of `size`, largest first. */
  readonly subtrees: readonly Digest[];
}

/** The tree after some number of leaves; never changes, appending gives another. */
export class MerkleFrontier {
  static readonly empty = new MerkleFrontier({ size: 0, subtrees: [] });
  readonly #state: FrontierState;

  private constructor(state: FrontierState) {
    this.#state = state;
  }

  /** A frontier from its plain data. Throws: Defect if the subtrees do not fit the size. */
  static from(state: FrontierState): MerkleFrontier {
    assert(Number.isSafeInteger(state.size) && state.size >= 0, "a tree's size is a natural number");
    assert(
      state.subtrees.length === setBits(state.size),
      `a tree of ${state.size} has ${setBits(state.size)} subtrees`,
    );
    return new MerkleFrontier({ size: state.size, subtrees: [...state.subtrees] });
  }

  /** Whether a stranger's plain data is a frontier: one subtree for each set bit of its size. */
  static fits({ size, subtrees }: FrontierState): boolean {
    return Number.isSafeInteger(size) && size >= 0 && subtrees.length === setBits(size);
  }

  get size(): number {
    return this.#state.size;
  }

  get state(): FrontierState {
    return this.#state;
  }

  /** The frontier with one more leaf; two hashes on average. */
  appended(leaf: Digest): MerkleFrontier {
    const subtrees = [...this.#state.subtrees];
    let node = leafHash(leaf);
    for (let size = this.#state.size; size % 2 === 1; size = Math.floor(size / 2)) {
      node = nodeHash(present(subtrees.pop(), "one subtree for each set bit"), node);
    }
    subtrees.push(node);
    return new MerkleFrontier({ size: this.#state.size + 1, subtrees });
  }

  root(): Digest {
    const { subtrees } = this.#state;
    let root = subtrees.at(-1);
    if (root === undefined) return EMPTY_ROOT;
    for (let i = subtrees.length - 2; i >= 0; i--) root = nodeHash(present(subtrees[i], "within the list"), root);
    return root;
  }
}

/** Root of the complete subtree of 2^level leaves that begins at leaf index · 2^level; level 0 is the leaf's hash. */
export type Subtrees = (level: number, index: number) => Digest;

/** Subtrees hashed from the leaves on every call: for small trees, and as the bottom of a store's own levels. */
export function subtreesOf(leaf: (index: number) => Digest): Subtrees {
  const subtree: Subtrees = (level, index) =>
    level === 0 ? leafHash(leaf(index)) : nodeHash(subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1));
  return subtree;
}

/**
 * Proof that leaf `index` stands in the tree of `size` leaves: sibling digests from the leaf upwards.
 * Throws: Defect unless 0 ≤ index < size.
 */
export function inclusionProof(subtrees: Subtrees, index: number, size: number): readonly Digest[] {
  assert(
    Number.isSafeInteger(size) && Number.isSafeInteger(index) && index >= 0 && index < size,
    "the leaf is in the tree",
  );
  const path: Digest[] = [];
  let first = 0;
  let count = size;
  while (count > 1) {
    const left = largestPowerBelow(count);
    if (index - first < left) {
      path.push(rangeRoot(subtrees, first + left, count - left));
      count = left;
    } else {
      path.push(rangeRoot(subtrees, first, left));
      first += left;
      count -= left;
    }
  }
  return path.reverse();
}

/**
 * Proof that the tree of `oldSize` leaves is a prefix of the tree of `size`. Empty when they are the same or the old one is empty.
 * Throws: Defect unless 0 ≤ oldSize ≤ size.
 */
export function consistencyProof(subtrees: Subtrees, oldSize: number, size: number): readonly Digest[] {
  assert(
    Number.isSafeInteger(size) && Number.isSafeInteger(oldSize) && oldSize >= 0 && oldSize <= size,
    "the old tree is a prefix",
  );
  if (oldSize === 0 || oldSize === size) return [];
  const path: Digest[] = [];
  let first = 0;
  let count = size;
  let old = oldSize;
  let wholeOldTree = true; // the subtree reached is the old tree itself, whose root the verifier has
  while (old !== count) {
    const left = largestPowerBelow(count);
    if (old <= left) {
      path.push(rangeRoot(subtrees, first + left, count - left));
      count = left;
    } else {
      path.push(rangeRoot(subtrees, first, left));
      first += left;
      count -= left;
      old -= left;
      wholeOldTree = false;
    }
  }
  if (!wholeOldTree) path.push(rangeRoot(subtrees, first, count));
  return path.reverse();
}

/** Whether the proof shows `leaf` (a block hash) at `index` of the tree of `size` leaves with this root. */
export function verifyInclusion(
  leaf: Digest,
  index: number,
  size: number,
  root: Digest,
  proof: readonly Digest[],
): boolean {
  if (!isSize(size) || !isSize(index) || index >= size || proof.length > PROOF_DIGESTS_MAX) return false;
  let at = index;
  let last = size - 1;
  let node = leafHash(leaf);
  for (const sibling of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      node = nodeHash(sibling, node);
      while (at % 2 === 0 && at !== 0) {
        at /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      node = nodeHash(node, sibling);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && node === root;
}

export interface TreeHead {
  readonly size: number;
  readonly root: Digest;
}

/** Whether the proof shows that the older tree is a prefix of the newer one. */
export function verifyConsistency(older: TreeHead, newer: TreeHead, proof: readonly Digest[]): boolean {
  if (!isSize(older.size) || !isSize(newer.size) || older.size > newer.size || proof.length > PROOF_DIGESTS_MAX)
    return false;
  if (older.size === 0) return proof.length === 0 && older.root === EMPTY_ROOT;
  if (older.size === newer.size) return proof.length === 0 && older.root === newer.root;
  const path = isPowerOfTwo(older.size) ? [older.root, ...proof] : proof;
  let at = older.size - 1;
  let last = newer.size - 1;
  while (at % 2 === 1) {
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  const [start, ...rest] = path;
  if (start === undefined) return false;
  let oldNode = start;
  let newNode = start;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      oldNode = nodeHash(sibling, oldNode);
      newNode = nodeHash(sibling, newNode);
      while (at % 2 === 0 && at !== 0) {
        at /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      newNode = nodeHash(newNode, sibling);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && oldNode === older.root && newNode === newer.root;
}

const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** Root of `count` leaves from `first`, which the split of RFC 6962 has aligned. */
function rangeRoot(subtrees: Subtrees, first: number, count: number): Digest {
  if (isPowerOfTwo(count)) return subtrees(Math.log2(count), first / count);
  const left = largestPowerBelow(count);
  return nodeHash(rangeRoot(subtrees, first, left), rangeRoot(subtrees, first + left, count - left));
}

/** Largest power of two that is less than `count`; count ≥ 2. By doubling: shifts are of 32 bits, and a logarithm rounds. */
function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

const isPowerOfTwo = (count: number): boolean => count === 1 || largestPowerBelow(count) * 2 === count;

function setBits(value: number): number {
  let bits = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  return bits;
}
