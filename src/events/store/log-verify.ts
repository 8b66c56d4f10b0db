/** Re-reads a log and checks everything that its hashes promise, in slices, so that its caller may do other work between them. */
import { type Digest, type Height, height as asHeight } from "../../base/brands.ts";
import { ZERO_DIGEST } from "../../base/bytes.ts";
import { decode } from "../../base/codec.ts";
import { assert } from "../../base/errors.ts";
import { BODY_BYTES_MAX, type LogEvent, bodyShape } from "../facts/block.ts";
import { LogDamage } from "./damage.ts";
import { type CheckedEvent, type PageLimits, misplaced } from "./event-table.ts";
import type { StoredBundle } from "./log-batch.ts";
import type { ReadableLog } from "./log.ts";

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
  /** Why an event's finality proof does not hold; undefined when it does. Without it proofs are not judged: they need keys. */
  readonly proofDefect?: (event: LogEvent) => string | undefined;
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

/** A slice ends after this much (bundles included): some milliseconds, so that the worker's own messages do not wait for a check. */
const SLICE: PageLimits = { limit: 64, bytesMax: 1024 * 1024 };

/**
 * Checks heights `from` to `to`: none missing, header and body bytes against their hashes, parent links, the logRoot chain,
 * and that every bundle named is there with its digest. Yields after each slice; returns the verdict, at the first damage.
 * Finality proofs are judged where `proofDefect` is given, client signatures never: they need keys.
 * Throws: Fault LOG_CORRUPT, LOG_READ_FAILED.
 */
export function* verifyRange<Tree extends LogTree<Tree>>(
  reader: ReadableLog,
  range: VerifyRange<Tree>,
  slice: PageLimits = SLICE,
): Generator<Verified<Tree>, Verdict<Tree>> {
  assert(range.tree.size === range.from, `the tree before height ${range.from} has ${range.from} leaves`);
  let verified: Verified<Tree> = { next: range.from, tree: range.tree, parent: range.parent };
  let bytes = 0;
  try {
    while (verified.next <= range.to) {
      const limit = Math.min(slice.limit, range.to - verified.next + 1);
      const page = reader.eventsWithHeaders(verified.next, { ...slice, limit });
      if (page.length === 0) throw new LogDamage(reader.path, verified.next, "the event is missing");
      for (const [i, checked] of page.entries()) {
        bytes += verifyBlock(reader, verified, checked, range.proofDefect);
        verified = extended(verified, checked);
        if (bytes < slice.bytesMax && i + 1 < page.length) continue;
        yield verified;
        bytes = 0;
      }
    }
  } catch (error) {
    if (!(error instanceof LogDamage)) throw error;
    return { kind: "damaged", height: error.height ?? verified.next, reason: error.reason };
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

const extended = <Tree extends LogTree<Tree>>(
  { next, tree }: Verified<Tree>,
  { event }: CheckedEvent,
): Verified<Tree> => ({
  next: asHeight(next + 1),
  tree: tree.appended(event.hash),
  parent: event.hash,
});

/** Bytes read for a block that holds after what is verified. Throws: LogDamage. */
function verifyBlock<Tree extends LogTree<Tree>>(
  reader: ReadableLog,
  before: Verified<Tree>,
  { event, header }: CheckedEvent,
  proofDefect: VerifyRange<Tree>["proofDefect"],
): number {
  const damage = (reason: string) => new LogDamage(reader.path, before.next, reason);
  const wrong = misplaced(event, header, before.next, before.parent);
  if (wrong !== undefined) throw damage(wrong);
  if (header.logRoot !== before.tree.root()) throw damage("its logRoot is not the root of the blocks before it");
  const unproven = proofDefect?.(event);
  if (unproven !== undefined) throw damage(unproven);
  const body = decode(bodyShape, event.block.body, BODY_BYTES_MAX);
  if (!body.ok) throw damage(`the body cannot be read (${body.refusal.message})`);
  let bytes = event.block.header.length + event.block.body.length;
  for (const digest of body.value.kind === "executions" ? body.value.bundles : []) {
    const bundle = soundBundle(reader, digest, damage);
    if (bundle === undefined) throw damage(`bundle ${digest} is missing`);
    bytes += bundle.bytes.length;
  }
  return bytes;
}

/** A bundle by its digest; its damage is the damage of the block that names it. */
function soundBundle(
  reader: ReadableLog,
  digest: Digest,
  damage: (reason: string) => LogDamage,
): StoredBundle | undefined {
  try {
    return reader.bundle(digest);
  } catch (error) {
    throw error instanceof LogDamage ? damage(error.reason) : error;
  }
}
