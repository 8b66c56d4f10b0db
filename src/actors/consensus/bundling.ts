/** Client batches become bundles of this member: at once when there is work, several to a bundle under load. */
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
  #pendingBytes = 0;
  #busy = false;
  #stopped = false;

  /** `made` takes each bundle when it is signed. */
  constructor(
    committee: Committee,
    ports: Pick<ConsensusPorts, "schedule" | "sign">,
    bundles: Bundles,
    made: (digest: Digest, bundle: Uint8Array) => void,
  ) {
    this.#committee = committee;
    this.#ports = ports;
    this.#bundles = bundles;
    this.#made = made;
  }

  /** Returns false when the member holds as much as it may. */
  submit(signed: Uint8Array): boolean {
    if (this.#stopped || this.#isFull() || this.#pendingBytes + signed.length > PENDING_BYTES_MAX) return false;
    this.#pending.push(signed);
    this.#pendingBytes += signed.length;
    this.goOn();
    return true;
  }

  /** Blocks may have made room. */
  goOn(): void {
    if (this.#busy || this.#pending.length === 0) return;
    this.#busy = true;
    this.#ports.schedule(() => this.#make());
  }

  stop(): void {
    this.#stopped = true;
  }

  #isFull(): boolean {
    return this.#bundles.isFull(this.#committee.self);
  }

  /** Goes on as long as this member's share of the mempool lasts. */
  #make(): void {
    if (this.#isFull() || this.#pending.length === 0 || this.#stopped) {
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
      this.#made(bundleDigest(bundle), bundle);
      this.#make();
    });
  }
}
