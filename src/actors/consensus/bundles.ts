/** Bundles that are in no final block: held in memory, bounded, by digest. */
import type { Digest, MemberIndex } from "../../base/brands.ts";
import { decode, encode } from "../../base/codec.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { signingBytes } from "../../crypto/hash.ts";
import { BUNDLE_BYTES_MAX, bundleBodyShape, bundleShape } from "../../events/facts/bundle.ts";
import type { Electorate } from "../../events/facts/finality.ts";
import { MEMPOOL_MAX } from "../../machines/consensus/consensus.machine.ts";
import type { Committee } from "./ports.ts";

/** What bundles may take of a member's memory, in equal shares; beyond its own a member's clients are refused, its bundles wait to be fetched. */
export const MEMPOOL_BYTES_MAX = 64 * 1024 * 1024;
/** Bundles of one block together; a proposal stops before it, a larger one is not valid (rule 3, bounds). */
export const BLOCK_BUNDLE_BYTES_MAX = 8 * 1024 * 1024;

/** What a member signs of its bundle. */
export const bundleSigningBytes = (committee: Electorate, body: Uint8Array): Uint8Array =>
  signingBytes("bundle", committee.cluster, body);

export function encodeBundleBody(committee: Committee, signed: readonly Uint8Array[]): Uint8Array {
  return encode(bundleBodyShape, {
    cluster: committee.cluster,
    epoch: committee.epoch,
    member: committee.self,
    signed,
  });
}

export interface OpenedBundle {
  readonly member: MemberIndex;
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

/** Opens a stranger's bundle: bounds, cluster, epoch and a member of this committee. Its signature is judged apart. */
export function openBundle(committee: Electorate, bytes: Uint8Array): Result<OpenedBundle> {
  const bundle = decode(bundleShape, bytes, BUNDLE_BYTES_MAX + 128);
  if (!bundle.ok) return bundle;
  const body = decode(bundleBodyShape, bundle.value.body, BUNDLE_BYTES_MAX);
  if (!body.ok) return body;
  const { cluster, epoch, member } = body.value;
  if (cluster !== committee.cluster || epoch !== committee.epoch || committee.keys[member] === undefined) {
    return refuse("FOREIGN_BUNDLE", "The bundle was made for another cluster, epoch or committee.", "peer");
  }
  return ok({ member, body: bundle.value.body, signature: bundle.value.signature });
}

/** Whether the member that the bundle names made it. */
export function isBundleSigned(committee: Electorate, { member, body, signature }: OpenedBundle): boolean {
  const key = committee.keys[member];
  return key !== undefined && committee.verify(key, bundleSigningBytes(committee, body), signature);
}

interface Held {
  readonly bytes: Uint8Array;
  /** Null for what was read from disk. */
  readonly maker: MemberIndex | null;
  /** Beyond its maker's share: here for the blocks that ask for it alone. */
  readonly isBeyond: boolean;
}

/** What a small committee's share of the mempool would leave no room for. */
const SHARE_BYTES_MIN = 2 * BUNDLE_BYTES_MAX;

export class Bundles {
  readonly #held = new Map<Digest, Held>();
  readonly #made: { bytes: number; count: number }[];
  #bytes = 0;

  constructor(size: number) {
    this.#made = Array.from({ length: size }, () => ({ bytes: 0, count: 0 }));
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a member's share is used up: one that floods takes no room from the others. */
  isFull(maker: MemberIndex): boolean {
    const share = Math.max(MEMPOOL_BYTES_MAX / this.#made.length, SHARE_BYTES_MIN);
    const made = this.#made[maker];
    return made === undefined || made.bytes >= share || made.count >= MEMPOOL_MAX / this.#made.length;
  }

  get(digest: Digest): Uint8Array | undefined {
    return this.#held.get(digest)?.bytes;
  }

  has(digest: Digest): boolean {
    return this.#held.has(digest);
  }

  add(digest: Digest, bytes: Uint8Array, maker: MemberIndex | null, isBeyond = false): void {
    if (this.#held.has(digest)) return;
    this.#held.set(digest, { bytes, maker, isBeyond });
    this.#count(bytes.length, 1, maker);
  }

  /** Forgets every bundle that is neither open nor named by a candidate. Returns those of them that were beyond their maker's share. */
  dropAllBut(needed: ReadonlySet<Digest>): readonly Digest[] {
    const beyond: Digest[] = [];
    for (const [digest, { bytes, maker, isBeyond }] of this.#held) {
      if (needed.has(digest)) continue;
      this.#held.delete(digest);
      this.#count(-bytes.length, -1, maker);
      if (isBeyond) beyond.push(digest);
    }
    return beyond;
  }

  #count(bytes: number, count: number, maker: MemberIndex | null): void {
    this.#bytes += bytes;
    const made = maker === null ? undefined : this.#made[maker];
    if (made === undefined) return;
    made.bytes += bytes;
    made.count += count;
  }
}
