/**
 * Proofs as files: what an auditor keeps and hands on, checked anywhere with the founding document alone (verify-proof.ts, ADR 0025).
 *
 * Every proof rests on a *certified header*: q members signed it final, its `logRoot` commits to all blocks before it, and its
 * `executed` to everything that those up to a height did.
 */
import type { Aid, CommandId, Digest } from "../../base/brands.ts";
import {
  type DecodeRefusal,
  type Shape,
  ShapeError,
  bytes,
  decode,
  encode,
  hex,
  integer,
  list,
  nullable,
  record,
  union,
  variant,
} from "../../base/codec.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { domainDigest } from "../../crypto/hash.ts";
import { PROOF_DIGESTS_MAX } from "../../crypto/merkle.ts";
import {
  type Block,
  type Certificate,
  HEADER_BYTES_MAX,
  PROOF_HEADERS_MAX,
  blockShape,
  certificateShape,
} from "./block.ts";
import { BUNDLE_BYTES_MAX } from "./bundle.ts";
import { aidShape, digestShape } from "./command.ts";

/** A header that is final: its own finalization, or a descendant's with the headers from its child down to that one. */
export interface CertifiedHeader {
  readonly header: Uint8Array;
  readonly certificate: Certificate;
  readonly headers: readonly Uint8Array[];
}

/** What of a block is proven. */
export type ProofSubject =
  | { readonly kind: "block" }
  /** A fact, by its place in the block; n = 0 is how a command was settled. */
  | { readonly kind: "fact"; readonly index: number; readonly n: number }
  /** A command, by its author and id. */
  | { readonly kind: "command"; readonly author: Aid; readonly id: CommandId };

/** A block of the log before a certified header, or that header's own. */
export interface Inclusion {
  readonly block: Block;
  /** RFC 6962 path from the block's hash to the `logRoot` of `head`; empty where `head` is the block's own header. */
  readonly path: readonly Digest[];
  readonly head: CertifiedHeader;
}

/** What one block did: its facts as the root hashes them, or only their digest. */
export type ExecutedStep =
  | { readonly kind: "facts"; readonly hash: Digest; readonly facts: Uint8Array }
  | { readonly kind: "digest"; readonly hash: Digest; readonly digest: Digest };

/** From the root before a block to the one that the certified header of its inclusion names, one step for each block. */
export interface Execution {
  readonly before: Digest;
  readonly steps: readonly ExecutedStep[];
}

export interface HeadProof {
  readonly kind: "head";
  readonly head: CertifiedHeader;
}
export interface InclusionProof {
  readonly kind: "inclusion";
  readonly subject: ProofSubject;
  readonly inclusion: Inclusion;
  /** The bundle that carries the command; of the other subjects none. */
  readonly bundle: Uint8Array | null;
  /** What the block did; null where only its place is proven. */
  readonly execution: Execution | null;
}
export interface ConsistencyProof {
  readonly kind: "consistency";
  readonly older: CertifiedHeader;
  readonly newer: CertifiedHeader;
  /** RFC 6962 consistency of the two trees, and inclusion of the older block itself in the newer tree. */
  readonly consistency: readonly Digest[];
  readonly inclusion: readonly Digest[];
}
export interface KeyStateProof {
  readonly kind: "keyState";
  readonly aid: Aid;
  /** The identifier's events in force with what came attached, from its inception to the last: a CESR stream. */
  readonly kel: Uint8Array;
  /** The block that accepted the last of them. */
  readonly inclusion: Inclusion;
  /** That block's facts, then those of each later one up to the height that the key state is proven at, then digests. */
  readonly execution: Execution;
}
export type Proof = HeadProof | InclusionProof | ConsistencyProof | KeyStateProof;

/** A proof file. Facts of some ten thousand commands fit. */
export const PROOF_BYTES_MAX = 64 * 1024 * 1024;
/** Blocks of one execution: days of a quiet cluster, an hour of a busy one. */
export const PROOF_STEPS_MAX = 65_536;
/** Key events of one identifier with their attachments. */
export const PROOF_KEL_BYTES_MAX = 16 * 1024 * 1024;
const FORMAT = "sky proof 1";

const pathShape = list(digestShape, PROOF_DIGESTS_MAX);
const certifiedHeaderShape: Shape<CertifiedHeader> = record("certified header", {
  header: bytes(1, HEADER_BYTES_MAX),
  certificate: certificateShape,
  headers: list(bytes(1, HEADER_BYTES_MAX), PROOF_HEADERS_MAX),
});
const inclusionShape: Shape<Inclusion> = record("inclusion", {
  block: blockShape,
  path: pathShape,
  head: certifiedHeaderShape,
});
const subjectShape: Shape<ProofSubject> = union<ProofSubject>(
  variant("block", record("block", {})),
  variant("fact", record("fact", { index: integer(), n: integer() })),
  variant("command", record("command", { author: aidShape, id: hex<CommandId>(16) })),
);
const stepShape: Shape<ExecutedStep> = union<ExecutedStep>(
  variant("facts", record("facts", { hash: digestShape, facts: bytes(0, PROOF_BYTES_MAX) })),
  variant("digest", record("digest", { hash: digestShape, digest: digestShape })),
);
const executionShape: Shape<Execution> = record("execution", {
  before: digestShape,
  steps: list(stepShape, PROOF_STEPS_MAX, 1),
});

/** Tags are positions and never change: proofs are kept for years. */
const proofShape: Shape<Proof> = union<Proof>(
  variant("head", record("head", { head: certifiedHeaderShape })),
  variant(
    "inclusion",
    record("inclusion proof", {
      subject: subjectShape,
      inclusion: inclusionShape,
      bundle: nullable(bytes(1, BUNDLE_BYTES_MAX + 128)),
      execution: nullable(executionShape),
    }),
  ),
  variant(
    "consistency",
    record("consistency proof", {
      older: certifiedHeaderShape,
      newer: certifiedHeaderShape,
      consistency: pathShape,
      inclusion: pathShape,
    }),
  ),
  variant(
    "keyState",
    record("key state proof", {
      aid: aidShape,
      kel: bytes(1, PROOF_KEL_BYTES_MAX),
      inclusion: inclusionShape,
      execution: executionShape,
    }),
  ),
);

interface ProofFile {
  readonly format: typeof FORMAT;
  readonly cluster: Digest;
  /** Of `proof`: a copy that was damaged on its way says so, instead of proving something else or nothing. */
  readonly digest: Digest;
  readonly proof: Uint8Array;
}
/** Text, so that whoever looks into the file sees what it is. */
const formatShape: Shape<typeof FORMAT> = {
  read: (wire) => {
    if (wire !== FORMAT) throw new ShapeError(`expected "${FORMAT}"`);
    return FORMAT;
  },
  write: () => FORMAT,
  values: 1,
};
const fileShape: Shape<ProofFile> = record("proof file", {
  format: formatShape,
  cluster: digestShape,
  digest: digestShape,
  proof: bytes(1, PROOF_BYTES_MAX),
});

export type ProofFileRefusal = DecodeRefusal | Refusal<"PROOF_DAMAGED">;

/** A proof as the file that is kept. Throws: ShapeError for more than the bounds. */
export function encodeProof(cluster: Digest, proof: Proof): Uint8Array {
  const inner = encode(proofShape, proof);
  const digest = domainDigest("proof", inner);
  return encode<ProofFile>(fileShape, { format: FORMAT, cluster, digest, proof: inner });
}

/** Opens a stranger's file without judging what it proves. Bounds: PROOF_BYTES_MAX. Refuses: see ProofFileRefusal. */
export function decodeProof(
  file: Uint8Array,
): Result<{ readonly cluster: Digest; readonly proof: Proof }, ProofFileRefusal> {
  const opened = decode(fileShape, file, PROOF_BYTES_MAX);
  if (!opened.ok) return opened;
  const { cluster, digest, proof: inner } = opened.value;
  if (domainDigest("proof", inner) !== digest)
    return refuse("PROOF_DAMAGED", "The file is not what was written: copy it again.", "peer");
  const proof = decode(proofShape, inner, PROOF_BYTES_MAX);
  return proof.ok ? ok({ cluster, proof: proof.value }) : proof;
}
