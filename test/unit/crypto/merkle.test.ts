import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Digest } from "../../../src/base/brands.ts";
import { digestBytes, digestOf, toHex } from "../../../src/base/bytes.ts";
import {
  EMPTY_ROOT,
  MerkleFrontier,
  consistencyProof,
  inclusionProof,
  subtreesOf,
  verifyConsistency,
  verifyInclusion,
} from "../../../src/crypto/merkle.ts";

/** RFC 6962 §2.1 word for word, over bytes. */
function naiveRoot(leaves: readonly Digest[]): Digest {
  const mth = (part: readonly Digest[]): Buffer => {
    if (part.length === 0) return createHash("sha256").digest();
    if (part.length === 1)
      return createHash("sha256")
        .update(Buffer.of(0))
        .update(digestBytes(part[0] as Digest))
        .digest();
    let k = 1;
    while (k * 2 < part.length) k *= 2;
    return createHash("sha256")
      .update(Buffer.of(1))
      .update(mth(part.slice(0, k)))
      .update(mth(part.slice(k)))
      .digest();
  };
  return toHex(mth(leaves)) as Digest;
}

const leavesOf = (count: number, salt = 0): readonly Digest[] =>
  Array.from({ length: count }, (_, i) => createHash("sha256").update(`${salt}/${i}`).digest("hex") as Digest);
const frontierOf = (leaves: readonly Digest[]): MerkleFrontier =>
  leaves.reduce((frontier, leaf) => frontier.appended(leaf), MerkleFrontier.empty);
const readerOf = (leaves: readonly Digest[]) => subtreesOf((index) => leaves[index] as Digest);
const otherDigest = digestOf(new Uint8Array(32).fill(7));

test("the empty tree's root is the SHA-256 of nothing", () => {
  expect(MerkleFrontier.empty.root()).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(EMPTY_ROOT).toBe(naiveRoot([]));
});

test("every size up to 70 has the root that RFC 6962 defines, and appending leaves the earlier frontier as it was", () => {
  const leaves = leavesOf(70);
  let frontier = MerkleFrontier.empty;
  for (let size = 0; size < 70; size++) {
    const before = frontier.root();
    expect(before).toBe(naiveRoot(leaves.slice(0, size)));
    const next = frontier.appended(leaves[size] as Digest);
    expect(frontier.root()).toBe(before);
    expect(frontier.size).toBe(size);
    frontier = next;
  }
});

test("a frontier goes through JSON and goes on as if nothing had happened", () => {
  const leaves = leavesOf(40);
  const restored = MerkleFrontier.from(JSON.parse(JSON.stringify(frontierOf(leaves.slice(0, 23)).state)));
  expect(
    leaves
      .slice(23)
      .reduce((f, leaf) => f.appended(leaf), restored)
      .root(),
  ).toBe(naiveRoot(leaves));
});

test("a frontier whose subtrees do not fit its size is refused", () => {
  expect(() => MerkleFrontier.from({ size: 3, subtrees: [otherDigest] })).toThrow("subtrees");
});

describe("inclusion", () => {
  test("every leaf of every size up to 40 is proved, and by no other leaf, place, size or root", () => {
    const leaves = leavesOf(40);
    for (let size = 1; size <= 40; size++) {
      const root = naiveRoot(leaves.slice(0, size));
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(readerOf(leaves), index, size);
        const leaf = leaves[index] as Digest;
        expect(verifyInclusion(leaf, index, size, root, proof)).toBe(true);
        expect(verifyInclusion(otherDigest, index, size, root, proof)).toBe(false);
        expect(verifyInclusion(leaf, index + 1, size, root, proof)).toBe(false);
        expect(verifyInclusion(leaf, index, size, otherDigest, proof)).toBe(false);
        expect(verifyInclusion(leaf, index, size, root, [...proof, otherDigest])).toBe(false);
        if (proof.length > 0) expect(verifyInclusion(leaf, index, size, root, proof.slice(1))).toBe(false);
      }
    }
  });

  test("sizes and places that are no natural numbers are false, not errors", () => {
    const root = naiveRoot(leavesOf(1));
    for (const bad of [-1, 0.5, Number.NaN, 2 ** 60]) {
      expect(verifyInclusion(otherDigest, bad, 1, root, [])).toBe(false);
      expect(verifyInclusion(otherDigest, 0, bad, root, [])).toBe(false);
    }
    const long = Array.from({ length: 1000 }, () => otherDigest);
    expect(verifyInclusion(otherDigest, 0, Number.MAX_SAFE_INTEGER, root, long)).toBe(false);
  });
});

describe("consistency", () => {
  test("every pair of sizes up to 32 is proved, and no changed history is", () => {
    const leaves = leavesOf(32);
    for (let size = 0; size <= 32; size++) {
      const newer = { size, root: naiveRoot(leaves.slice(0, size)) };
      for (let old = 0; old <= size; old++) {
        const older = { size: old, root: naiveRoot(leaves.slice(0, old)) };
        const proof = consistencyProof(readerOf(leaves), old, size);
        expect(verifyConsistency(older, newer, proof), `${old} in ${size}`).toBe(true);
        expect(verifyConsistency({ ...older, root: otherDigest }, newer, proof)).toBe(false);
        expect(verifyConsistency(older, newer, [...proof, otherDigest])).toBe(false);
        if (old > 0) expect(verifyConsistency(older, { ...newer, root: otherDigest }, proof)).toBe(false);
        if (old > 0 && old < size) {
          const forged = { size: old, root: naiveRoot(leavesOf(old, 1)) };
          expect(
            verifyConsistency(
              forged,
              newer,
              consistencyProof(readerOf([...leavesOf(old, 1), ...leaves.slice(old)]), old, size),
            ),
          ).toBe(false);
        }
      }
    }
  });

  test("large random trees prove their prefixes and leaves; one changed digest of a proof does not", () => {
    const leaves = leavesOf(1500);
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 1500 }), fc.nat(), fc.nat(), (size, oldSeed, changeSeed) => {
        const old = 1 + (oldSeed % size);
        const newer = { size, root: frontierOf(leaves.slice(0, size)).root() };
        const older = { size: old, root: frontierOf(leaves.slice(0, old)).root() };
        const consistency = consistencyProof(readerOf(leaves), old, size);
        const inclusion = inclusionProof(readerOf(leaves), old - 1, size);
        expect(verifyConsistency(older, newer, consistency)).toBe(true);
        expect(verifyInclusion(leaves[old - 1] as Digest, old - 1, size, newer.root, inclusion)).toBe(true);
        const changed = <T>(list: readonly T[], to: T): readonly T[] => list.with(changeSeed % list.length, to);
        if (consistency.length > 0)
          expect(verifyConsistency(older, newer, changed(consistency, otherDigest))).toBe(false);
        expect(
          verifyInclusion(leaves[old - 1] as Digest, old - 1, size, newer.root, changed(inclusion, otherDigest)),
        ).toBe(false);
      }),
      { numRuns: 30 },
    );
  });
});
