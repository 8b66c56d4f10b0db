/** What members say to each other on the CLUSTER port: one MessagePack value to a frame. */
import type { Digest, Epoch, Height, MemberIndex, View } from "../../base/brands.ts";
import { type Shape, bytes, integer, list, nullable, oneOf, record, union, variant } from "../../base/codec.ts";
import {
  type Block,
  type Certificate,
  type FinalityProof,
  BUNDLES_PER_BLOCK_MAX,
  blockShape,
  certificateShape,
  finalityProofShape,
} from "./block.ts";
import { BUNDLE_BYTES_MAX } from "./bundle.ts";
import { type CheckpointStatement, SEGMENTS_MAX, SEGMENT_BYTES_MAX, checkpointStatementShape } from "./checkpoint.ts";
import { digestShape } from "./command.ts";
import type { VoteKind } from "./hashing.ts";

/** An event on its way to a member that lacks it, with the bundles that its block names, in order. */
export interface EventWithBundles {
  readonly block: Block;
  readonly proof: FinalityProof;
  readonly bundles: readonly Uint8Array[];
}

export type PeerMessage =
  /** The leader's block; the signature is its notarize vote (rule 2). */
  | { readonly kind: "proposal"; readonly block: Block; readonly signature: Uint8Array }
  | {
      readonly kind: "vote";
      readonly vote: VoteKind;
      readonly epoch: Epoch;
      readonly view: View;
      readonly hash: Digest | null;
      readonly member: MemberIndex;
      readonly signature: Uint8Array;
    }
  | { readonly kind: "certificate"; readonly certificate: Certificate }
  | { readonly kind: "bundle"; readonly bundle: Uint8Array }
  | { readonly kind: "bundleRequest"; readonly digests: readonly Digest[] }
  | { readonly kind: "blockRequest"; readonly hash: Digest }
  | { readonly kind: "block"; readonly block: Block }
  | { readonly kind: "ancestryRequest"; readonly epoch: Epoch; readonly view: View }
  | { readonly kind: "eventsRequest"; readonly from: Height }
  | { readonly kind: "events"; readonly from: Height; readonly events: readonly EventWithBundles[] }
  | {
      readonly kind: "root";
      readonly height: Height;
      readonly root: Digest;
      readonly member: MemberIndex;
      readonly signature: Uint8Array;
    }
  | { readonly kind: "surveyRequest"; readonly nonce: Uint8Array }
  | { readonly kind: "survey"; readonly nonce: Uint8Array; readonly view: View }
  /** What a member says of the state at a height: q of them make a checkpoint block. */
  | {
      readonly kind: "statement";
      readonly statement: CheckpointStatement;
      readonly member: MemberIndex;
      readonly signature: Uint8Array;
    }
  /** A member that is behind: answered with the newest checkpoint of a height above `above`, else with a page of events from `from`. */
  | { readonly kind: "checkpointRequest"; readonly from: Height; readonly above: Height }
  /** A checkpoint block, why it is final, and the digests of its segments, which fit the root it names. */
  | {
      readonly kind: "checkpoint";
      readonly block: Block;
      readonly proof: FinalityProof;
      readonly segments: readonly Digest[];
    }
  | { readonly kind: "segmentRequest"; readonly digest: Digest }
  | { readonly kind: "segment"; readonly segment: Uint8Array };

/** Largest frame a member reads; a page of events stays below it. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;
/** A page of events ends after this much. */
export const EVENTS_PAGE_BYTES = 4 * 1024 * 1024;
export const EVENTS_PAGE_MAX = 512;

const member = integer<MemberIndex>(0, 255);
const signature = bytes(64);

export const peerMessageShape: Shape<PeerMessage> = union<PeerMessage>(
  variant("proposal", record("proposal", { block: blockShape, signature })),
  variant(
    "vote",
    record("vote", {
      vote: oneOf("notarize", "nullify", "finalize"),
      epoch: integer<Epoch>(),
      view: integer<View>(),
      hash: nullable(digestShape),
      member,
      signature,
    }),
  ),
  variant("certificate", record("certificate", { certificate: certificateShape })),
  variant("bundle", record("bundle", { bundle: bytes(1, BUNDLE_BYTES_MAX + 128) })),
  variant("bundleRequest", record("request", { digests: list(digestShape, BUNDLES_PER_BLOCK_MAX, 1) })),
  variant("blockRequest", record("request", { hash: digestShape })),
  variant("block", record("block", { block: blockShape })),
  variant("ancestryRequest", record("request", { epoch: integer<Epoch>(), view: integer<View>() })),
  variant("eventsRequest", record("request", { from: integer<Height>() })),
  variant(
    "events",
    record("events", {
      from: integer<Height>(),
      events: list(
        record<EventWithBundles>("event", {
          block: blockShape,
          proof: finalityProofShape,
          bundles: list(bytes(1, BUNDLE_BYTES_MAX + 128), BUNDLES_PER_BLOCK_MAX),
        }),
        EVENTS_PAGE_MAX,
      ),
    }),
  ),
  variant("root", record("root", { height: integer<Height>(), root: digestShape, member, signature })),
  variant("surveyRequest", record("request", { nonce: bytes(16) })),
  variant("survey", record("survey", { nonce: bytes(16), view: integer<View>() })),
  variant("statement", record("statement", { statement: checkpointStatementShape, member, signature })),
  variant("checkpointRequest", record("request", { from: integer<Height>(), above: integer<Height>() })),
  variant(
    "checkpoint",
    record("checkpoint", {
      block: blockShape,
      proof: finalityProofShape,
      segments: list(digestShape, SEGMENTS_MAX, 1),
    }),
  ),
  variant("segmentRequest", record("request", { digest: digestShape })),
  variant("segment", record("segment", { segment: bytes(1, SEGMENT_BYTES_MAX) })),
);
