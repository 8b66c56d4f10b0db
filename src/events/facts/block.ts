/** Blocks, certificates and finality proofs (DESIGN §4, consensus.md). */
import type { Digest, Epoch, Height, LogTime, View } from "../../base/brands.ts";
import {
  type Shape,
  ShapeError,
  bytes,
  integer,
  list,
  nullable,
  oneOf,
  record,
  union,
  variant,
} from "../../base/codec.ts";
import { type CheckpointStatement, checkpointStatementShape } from "./checkpoint.ts";
import { digestShape } from "./command.ts";

export interface Executed {
  readonly height: Height;
  /** Chain of one hash per block over its facts. */
  readonly root: Digest;
}

export interface Header {
  readonly height: Height;
  readonly epoch: Epoch;
  readonly view: View;
  readonly parentView: View;
  readonly parent: Digest;
  readonly bodyHash: Digest;
  /** RFC 6962 root over the hashes of all blocks before this one. */
  readonly logRoot: Digest;
  readonly lastReconfigure: Height;
  readonly lastCheckpoint: Height;
  readonly time: LogTime;
  readonly executed: Executed;
}

/** q distinct members of the statement's epoch signed it. `signatures[i]` belongs to the i-th set bit of `signers`. */
export interface Checkpoint {
  readonly statement: CheckpointStatement;
  /** Bitmap, as a certificate's. */
  readonly signers: Uint8Array;
  readonly signatures: readonly Uint8Array[];
}

/** `assemble` and `reconfigure` follow with epochs; their tags (2, 3) are reserved. */
export type Body =
  | { readonly kind: "genesis"; readonly document: Uint8Array }
  | { readonly kind: "executions"; readonly bundles: readonly Digest[] }
  | { readonly kind: "checkpoint"; readonly checkpoint: Checkpoint };

/** A block as it travels and is stored: the exact bytes that were hashed. */
export interface Block {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

export const CERTIFICATE_KINDS = ["notarization", "nullification", "finalization"] as const;
export type CertificateKind = (typeof CERTIFICATE_KINDS)[number];

/** q = n − f distinct members of the epoch said the same. `signatures[i]` belongs to the i-th set bit of `signers`. */
export interface Certificate {
  readonly kind: CertificateKind;
  readonly epoch: Epoch;
  readonly view: View;
  /** Null for a nullification. */
  readonly blockHash: Digest | null;
  /** Bitmap, bit i of byte i>>3 (least significant first) is member i. */
  readonly signers: Uint8Array;
  readonly signatures: readonly Uint8Array[];
}

/**
 * Why a block is final: a finalization of it or of a descendant, with the headers from its child down to the finalised one.
 * `none`: a later event of its epoch holds one and parent links lead back.
 */
export type FinalityProof =
  | { readonly kind: "none" }
  | { readonly kind: "genesis"; readonly signatures: Uint8Array }
  | { readonly kind: "finalization"; readonly certificate: Certificate; readonly headers: readonly Uint8Array[] };

/** A committed block: one event of the log, at position = height. */
export interface LogEvent {
  readonly height: Height;
  readonly hash: Digest;
  readonly block: Block;
  readonly proof: FinalityProof;
}

export const BUNDLES_PER_BLOCK_MAX = 256;
export const HEADER_BYTES_MAX = 512;
export const BODY_BYTES_MAX = 1024 * 1024;
export const MEMBERS_MAX = 256;
export const CERTIFICATE_BYTES_MAX = 64 * 1024;
export const PROOF_HEADERS_MAX = 1024;

export const headerShape: Shape<Header> = record("header", {
  height: integer<Height>(),
  epoch: integer<Epoch>(),
  view: integer<View>(),
  parentView: integer<View>(),
  parent: digestShape,
  bodyHash: digestShape,
  logRoot: digestShape,
  lastReconfigure: integer<Height>(),
  lastCheckpoint: integer<Height>(),
  time: integer<LogTime>(),
  executed: record<Executed>("executed", { height: integer<Height>(), root: digestShape }),
});

/** A tag that stands for nothing yet: neither read nor written. */
interface Reserved<Kind extends string> {
  readonly kind: Kind;
}
const reserved: Shape<object> = {
  read: () => {
    throw new ShapeError("a body of a kind that is reserved");
  },
  write: () => {
    throw new ShapeError("a body of a kind that is reserved");
  },
  values: 0,
};

const checkpointShape: Shape<Checkpoint> = record("checkpoint", {
  statement: checkpointStatementShape,
  signers: bytes(1, MEMBERS_MAX / 8),
  signatures: list(bytes(64), MEMBERS_MAX, 1),
});

export const bodyShape = union<Body | Reserved<"assemble"> | Reserved<"reconfigure">>(
  variant("genesis", record("genesis", { document: bytes(1, BODY_BYTES_MAX) })),
  variant("executions", record("executions", { bundles: list(digestShape, BUNDLES_PER_BLOCK_MAX) })),
  variant("assemble", reserved),
  variant("reconfigure", reserved),
  variant("checkpoint", record("checkpoint block", { checkpoint: checkpointShape })),
) as Shape<Body>;

export const blockShape: Shape<Block> = record("block", {
  header: bytes(1, HEADER_BYTES_MAX),
  body: bytes(1, BODY_BYTES_MAX),
});

export const certificateShape: Shape<Certificate> = record("certificate", {
  kind: oneOf(...CERTIFICATE_KINDS),
  epoch: integer<Epoch>(),
  view: integer<View>(),
  blockHash: nullable(digestShape),
  signers: bytes(1, MEMBERS_MAX / 8),
  signatures: list(bytes(64), MEMBERS_MAX, 1),
});

export const finalityProofShape: Shape<FinalityProof> = union<FinalityProof>(
  variant("none", record("none", {})),
  variant("genesis", record("genesis", { signatures: bytes(1, BODY_BYTES_MAX) })),
  variant(
    "finalization",
    record("finalization", {
      certificate: certificateShape,
      headers: list(bytes(1, HEADER_BYTES_MAX), PROOF_HEADERS_MAX),
    }),
  ),
);
