/** Bundles that are in no final block: held in memory, bounded, by digest. */
import type { Digest, MemberIndex } from "../../base/brands.ts";
import { decode, encode } from "../../base/codec.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { verify } from "../../crypto/ed25519.ts";
import { signingBytes } from "../../crypto/hash.ts";
import { BUNDLE_BYTES_MAX, bundleBodyShape, bundleShape } from "../../events/facts/bundle.ts";
import { MEMPOOL_MAX } from "../../machines/consensus/consensus.machine.ts";
import type { Committee } from "./ports.ts";

/** What bundles may take of a member's memory; beyond it clients are refused and peers' bundles wait to be fetched. */
export const MEMPOOL_BYTES_MAX = 64 * 1024 * 1024;
/** Bundles of one block together; a proposal stops before it, a larger one is not valid (rule 3, bounds). */
export const BLOCK_BUNDLE_BYTES_MAX = 8 * 1024 * 1024;

/** What a member signs of its bundle. */
export const bundleSigningBytes = (committee: Committee, body: Uint8Array): Uint8Array =>
  signingBytes("bundle", committee.cluster, body);

export function encodeBundleBody(committee: Committee, signed: readonly Uint8Array[]): Uint8Array {
  return encode(bundleBodyShape, {
    cluster: committee.cluster,
    epoch: committee.epoch,
    member: committee.self,
    signed,
  });
}

/** Judges a stranger's bundle: bounds, cluster, epoch, and the signature of the member that made it. */
export function judgeBundle(committee: Committee, bytes: Uint8Array): Result<{ readonly member: MemberIndex }> {
  const bundle = decode(bundleShape, bytes, BUNDLE_BYTES_MAX + 128);
  if (!bundle.ok) return bundle;
  const body = decode(bundleBodyShape, bundle.value.body, BUNDLE_BYTES_MAX);
  if (!body.ok) return body;
  const { cluster, epoch, member } = body.value;
  const key = committee.keys[member];
  if (cluster !== committee.cluster || epoch !== committee.epoch || key === undefined) {
    return refuse("FOREIGN_BUNDLE", "The bundle was made for another cluster, epoch or committee.", "peer");
  }
  if (!verify(key, bundleSigningBytes(committee, bundle.value.body), bundle.value.signature)) {
    return refuse("BAD_SIGNATURE", "The bundle is not signed by the member that it names.", "peer");
  }
  return ok({ member });
}

export class Bundles {
  readonly #held = new Map<Digest, Uint8Array>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get full(): boolean {
    return this.#bytes >= MEMPOOL_BYTES_MAX || this.#held.size >= MEMPOOL_MAX;
  }

  get(digest: Digest): Uint8Array | undefined {
    return this.#held.get(digest);
  }

  has(digest: Digest): boolean {
    return this.#held.has(digest);
  }

  add(digest: Digest, bytes: Uint8Array): void {
    if (this.#held.has(digest)) return;
    this.#held.set(digest, bytes);
    this.#bytes += bytes.length;
  }

  /** Forgets every bundle that is neither open nor named by a candidate. */
  dropAllBut(needed: ReadonlySet<Digest>): void {
    for (const [digest, bytes] of this.#held) {
      if (needed.has(digest)) continue;
      this.#bytes -= bytes.length;
      this.#held.delete(digest);
    }
  }
}
