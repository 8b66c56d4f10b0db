/**
 * Client batches become bundles of this member: at once when none of its own waits, else together when that one is proposed. A
 * bundle costs every member a signature check, a digest and a row, so under load few large ones are worth more than many small.
 */
import type { Digest } from "../../base/brands.ts";
import { encode } from "../../base/codec.ts";
import { present } from "../../base/errors.ts";
import { SIGNED_PER_BUNDLE_MAX, bundleShape } from "../../events/facts/bundle.ts";
import { bundleDigest } from "../../events/facts/hashing.ts";
import { type Bundles, bundleSigningBytes, encodeBundleBody } from "./bundles.ts";
import type { Committee, ConsensusPorts } from "./ports.ts";

/** Bytes of client batches that one bundle carries at most. */
const BUNDLE_TARGET_BYTES = 512 * 1024;
/** Client bytes waiting to be bundled; beyond it clients are refused (DESIGN §8). */
const PENDING_BYTES_MAX = 32 * 1024 * 1024;

export class Bundling {
  readonly #committee: Committee;
  readonly #ports: Pick<ConsensusPorts, "schedule" | "sign">;
  readonly #bundles: Bundles;
  readonly #made: (digest: Digest, bundle: Uint8Array) => void;
  readonly #pending: Uint8Array[] = [];
  readonly #isProposed: (digest: Digest) => boolean;
  #last: Digest | undefined;
  #pendingBytes = 0;
  #busy = false;
  #stopped = false;

  /** `made` takes each bundle when it is signed; `isProposed`: some block above the final one names it. */
  constructor(
    committee: Committee,
    ports: Pick<ConsensusPorts, "schedule" | "sign">,
    bundles: Bundles,
    made: (digest: Digest, bundle: Uint8Array) => void,
    isProposed: (digest: Digest) => boolean,
  ) {
    this.#committee = committee;
    this.#ports = ports;
    this.#bundles = bundles;
    this.#made = made;
    this.#isProposed = isProposed;
  }

  /** Returns false when the member holds as much as it may. */
  submit(signed: Uint8Array): boolean {
    if (this.#stopped || this.#isFull() || this.#pendingBytes + signed.length > PENDING_BYTES_MAX) return false;
    this.#pending.push(signed);
    this.#pendingBytes += signed.length;
    this.goOn();
    return true;
  }

  /** A block may have made room, or named the bundle that waited. */
  goOn(): void {
    if (this.#busy || this.#pending.length === 0 || this.#mustWait()) return;
    this.#busy = true;
    this.#ports.schedule(() => this.#make());
  }

  stop(): void {
    this.#stopped = true;
  }

  /** A bundle of one's own is held that no proposal names: what comes meanwhile goes into the next one, unless that is full. */
  #mustWait(): boolean {
    if (this.#pendingBytes >= BUNDLE_TARGET_BYTES || this.#last === undefined) return false;
    return this.#bundles.has(this.#last) && !this.#isProposed(this.#last);
  }

  #isFull(): boolean {
    return this.#bundles.isFull(this.#committee.self);
  }

  /** Goes on as long as this member's share of the mempool lasts. */
  #make(): void {
    if (this.#isFull() || this.#pending.length === 0 || this.#stopped || this.#mustWait()) {
      this.#busy = false;
      return;
    }
    const signed: Uint8Array[] = [];
    let size = 0;
    while (this.#pending.length > 0 && signed.length < SIGNED_PER_BUNDLE_MAX && size < BUNDLE_TARGET_BYTES) {
      const next = present(this.#pending.shift(), "not empty");
      signed.push(next);
      size += next.length;
    }
    this.#pendingBytes -= size;
    const body = encodeBundleBody(this.#committee, signed);
    this.#ports.sign(bundleSigningBytes(this.#committee, body), (signature) => {
      const bundle = encode(bundleShape, { body, signature });
      this.#last = bundleDigest(bundle);
      this.#made(this.#last, bundle);
      this.#make();
    });
  }
}
