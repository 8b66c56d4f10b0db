/** A bundle: what one member batched for its clients; blocks name bundles by digest (DESIGN §4). */
import type { Digest, Epoch, MemberIndex } from "../../base/brands.ts";
import { type Shape, bytes, integer, list, record } from "../../base/codec.ts";
import { SIGNED_BYTES_MAX, digestShape } from "./command.ts";

export interface BundleBody {
  readonly cluster: Digest;
  readonly epoch: Epoch;
  readonly member: MemberIndex;
  /** Encoded `Signed` batches. */
  readonly signed: readonly Uint8Array[];
}

export interface Bundle {
  /** Encoded BundleBody: the bytes that the member signed. */
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

export const SIGNED_PER_BUNDLE_MAX = 1000;
export const BUNDLE_BYTES_MAX = 2 * 1024 * 1024;

export const bundleBodyShape: Shape<BundleBody> = record("bundle body", {
  cluster: digestShape,
  epoch: integer<Epoch>(),
  member: integer<MemberIndex>(0, 255),
  signed: list(bytes(1, SIGNED_BYTES_MAX), SIGNED_PER_BUNDLE_MAX, 1),
});

export const bundleShape: Shape<Bundle> = record("bundle", {
  body: bytes(1, BUNDLE_BYTES_MAX),
  signature: bytes(64),
});
