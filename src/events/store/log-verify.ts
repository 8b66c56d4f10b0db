/** Re-reads a log and checks everything that its hashes promise, in slices, so that its caller may do other work between them. */
import { type Digest, type Height, height as asHeight } from "../../base/brands.ts";
import { ZERO_DIGEST } from "../../base/bytes.ts";
import { decode } from "../../base/codec.ts";
import { assert } from "../../base/errors.ts";
import { BODY_BYTES_MAX, bodyShape } from "../facts/block.ts";
import { LogDamage } from "./damage.ts";
import { type CheckedEvent, type PageLimits, misplaced } from "./event-table.ts";
import type { LogReader } from "./log-reader.ts";

/** The Merkle tree over the block hashes so far; crypto's MerkleFrontier is one. */
export interface LogTree<Self> {
  readonly size: number;
  root(): Digest;
  appended(leaf: Digest): Self;
}

export interface VerifyRange<Tree extends LogTree<Tree>> {
  readonly from: Height;
  /** Last height to check; at most the head's. */
  readonly to: Height;
  /** Tree over the blocks before `from`, from genesis or from an authenticated mark: nothing in the file is trusted for it. */
  readonly tree: Tree;
  /** Hash of the block before `from`, from that mark; 32 zero bytes for genesis. */
  readonly parent: Digest;
}

/** What holds after a slice; enough to go on from, as the next range's `from`, `tree` and `parent`. */
export interface Verified<Tree> {
  readonly next: Height;
  readonly tree: Tree;
  readonly parent: Digest;
}

export type Verdict<Tree> =
  | ({ readonly kind: "sound" } & Verified<Tree>)
  | { readonly kind: "damaged"; readonly height: Height; readonly reason: string };

/** A slice ends after this much: some milliseconds of work, so that the worker's own messages do not wait for a check. */
const SLICE: PageLimits = { limit: 64, bytesMax: 1024 * 1024 };

/**
 * Checks heights `from` to `to`: none missing, header and body bytes against their hashes, parent links, the logRoot chain,
 * and that every bundle named is there with its digest. Yields after each slice; returns the verdict, at the first damage.
 * Finality proofs and signatures are not judged here: they need keys.
 * Throws: Fault LOG_CORRUPT, LOG_READ_FAILED.
 */
export function* verifyRange<Tree extends LogTree<Tree>>(
  reader: LogReader,
  range: VerifyRange<Tree>,
  slice: PageLimits = SLICE,
): Generator<Verified<Tree>, Verdict<Tree>> {
  assert(range.tree.size === range.from, `the tree before height ${range.from} has ${range.from} leaves`);
  let verified: Verified<Tree> = { next: range.from, tree: range.tree, parent: range.parent };
  while (verified.next <= range.to) {
    try {
      verified = verifySlice(reader, verified, { ...slice, limit: Math.min(slice.limit, range.to - verified.next + 1) });
    } catch (error) {
      if (!(error instanceof LogDamage)) throw error;
      return { kind: "damaged", height: error.height ?? verified.next, reason: error.reason };
    }
    yield verified;
  }
  return { kind: "sound", ...verified };
}

/** Where a check from the beginning starts. */
export const fromGenesis = <Tree extends LogTree<Tree>>(to: Height, empty: Tree): VerifyRange<Tree> => ({
  from: asHeight(0),
  to,
  tree: empty,
  parent: ZERO_DIGEST,
});

/** Throws: LogDamage at the first record that does not hold. */
function verifySlice<Tree extends LogTree<Tree>>(reader: LogReader, start: Verified<Tree>, limits: PageLimits): Verified<Tree> {
  let { next, tree, parent } = start;
  const page = reader.eventsWithHeaders(next, limits);
  if (page.length === 0) throw new LogDamage(reader.path, next, "the event is missing");
  for (const checked of page) {
    const { event, header } = checked;
    const wrong =
      misplaced(event, header, next, parent) ??
      (header.logRoot === tree.root() ? missingBundle(reader, checked) : "its logRoot is not the root of the blocks before it");
    if (wrong !== undefined) throw new LogDamage(reader.path, next, wrong);
    tree = tree.appended(event.hash);
    parent = event.hash;
    next = asHeight(next + 1);
  }
  return { next, tree, parent };
}

function missingBundle(reader: LogReader, { event }: CheckedEvent): string | undefined {
  const body = decode(bodyShape, event.block.body, BODY_BYTES_MAX);
  if (!body.ok) return `the body cannot be read (${body.refusal.message})`;
  if (body.value.kind !== "executions") return undefined;
  for (const digest of body.value.bundles) {
    try {
      if (reader.bundle(digest) === undefined) return `bundle ${digest} is missing`;
    } catch (error) {
      if (error instanceof LogDamage) return error.reason;
      throw error;
    }
  }
  return undefined;
}
