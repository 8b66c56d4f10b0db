/** Checkpoints: what members sign of the state at a height, and how its segments are named (consensus.md, "Checkpoint"). */
import type { Digest, Epoch, Height } from "../../base/brands.ts";
import { type Shape, encode, integer, list, record } from "../../base/codec.ts";
import { domainDigest, signingBytes } from "../../crypto/hash.ts";
import { type FrontierState, MerkleFrontier } from "../../crypto/merkle.ts";
import { digestShape } from "./command.ts";

/** What a member says of the state after a block: equal on all replicas that executed the same log. */
export interface CheckpointStatement {
  /** Whose keys sign. */
  readonly epoch: Epoch;
  /** The state is the one after the block of this height. */
  readonly height: Height;
  /** Executed root there. */
  readonly root: Digest;
  /** Merkle root of the segments' digests, in order. */
  readonly segments: Digest;
}

/** Largest segment: what one message brings and one check of a digest costs. */
export const SEGMENT_BYTES_MAX = 1024 * 1024;
/** Segments of one checkpoint: 64 GiB of state, and a list of them that fits a frame. */
export const SEGMENTS_MAX = 65_536;

export const checkpointStatementShape: Shape<CheckpointStatement> = record("checkpoint statement", {
  epoch: integer<Epoch>(),
  height: integer<Height>(1),
  root: digestShape,
  segments: digestShape,
});

/** Plain data of a Merkle frontier; `MerkleFrontier.from` judges whether its subtrees fit its size. */
export const frontierShape: Shape<FrontierState> = record("frontier", {
  size: integer(),
  subtrees: list(digestShape, 64),
});

/** What a member signs of a checkpoint: the same bytes for every member, so that q signatures prove one statement. */
export const checkpointBytes = (cluster: Digest, statement: CheckpointStatement): Uint8Array =>
  signingBytes("checkpoint", cluster, encode(checkpointStatementShape, statement));

/** By which peers ask for a segment and know it again. */
export const segmentDigest = (segment: Uint8Array): Digest => domainDigest("segment", segment);

/** RFC 6962 root over the digests of a checkpoint's segments, in order. */
export function segmentsRoot(digests: readonly Digest[]): Digest {
  let tree = MerkleFrontier.empty;
  for (const digest of digests) tree = tree.appended(digest);
  return tree.root();
}

export const sameStatement = (a: CheckpointStatement, b: CheckpointStatement): boolean =>
  a.epoch === b.epoch && a.height === b.height && a.root === b.root && a.segments === b.segments;
