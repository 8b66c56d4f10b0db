/** The digests of our types, and what is signed for consensus messages (DESIGN §4, consensus.md). */
import type { Digest, Epoch, Height, MemberIndex, View } from "../../base/brands.ts";
import { epoch, height, logTime, view } from "../../base/brands.ts";
import { ZERO_DIGEST } from "../../base/bytes.ts";
import { type Shape, encode, integer, nullable, record, withEncoding } from "../../base/codec.ts";
import { domainDigest, domainOf, sha256Digest, signingBytes } from "../../crypto/hash.ts";
import { EMPTY_ROOT } from "../../crypto/merkle.ts";
import { type Block, type CertificateKind, type LogEvent, bodyShape, headerShape } from "./block.ts";
import { type Command, commandShape, digestShape } from "./command.ts";
import { type FoundingSignature, type SignedFounding, foundingSignatureListShape } from "./founding.ts";

/** Block hash: of the header's exact bytes. */
export const blockHash = (header: Uint8Array): Digest => domainDigest("block", header);
export const bodyHash = (body: Uint8Array): Digest => domainDigest("body", body);
/** Of the whole bundle as it travels, signature included. */
export const bundleDigest = (bundle: Uint8Array): Digest => domainDigest("bundle", bundle);
/** A batch of commands as it travels; what verdicts on its signature are kept by. */
export const signedDigest = (signed: Uint8Array): Digest => domainDigest("signed-batch", signed);
/** Of a command's encoding: tells the same command from another under the same id. */
export const commandDigest = (command: Command): Digest =>
  withEncoding(domainOf("command"), commandShape, command, sha256Digest);
/** Cluster id: SHA-256 of the founding document's bytes without its signatures (DESIGN §6). */
export const clusterOf = (document: Uint8Array): Digest => sha256Digest(document);

export type VoteKind = "notarize" | "nullify" | "finalize";

export const VOTE_OF: { readonly [K in CertificateKind]: VoteKind } = {
  notarization: "notarize",
  nullification: "nullify",
  finalization: "finalize",
};

interface VoteBody {
  readonly epoch: Epoch;
  readonly view: View;
  readonly hash: Digest | null;
}
const voteShape: Shape<VoteBody> = record("vote", {
  epoch: integer<Epoch>(),
  view: integer<View>(),
  hash: nullable(digestShape),
});

/** What a member signs when it votes; certificates hold such signatures. A nullify vote names no block. */
export const voteBytes = (cluster: Digest, kind: VoteKind, at: Epoch, inView: View, hash: Digest | null): Uint8Array =>
  signingBytes(kind, cluster, encode(voteShape, { epoch: at, view: inView, hash }));

interface RootBody {
  readonly member: MemberIndex;
  readonly height: Height;
  readonly root: Digest;
}
const rootShape: Shape<RootBody> = record("root", {
  member: integer<MemberIndex>(0, 255),
  height: integer<Height>(),
  root: digestShape,
});

/** What a member signs when it says which root it has at a height. */
export const rootBytes = (cluster: Digest, member: MemberIndex, at: Height, root: Digest): Uint8Array =>
  signingBytes("root", cluster, encode(rootShape, { member, height: at, root }));

/** Genesis is derived, not voted (consensus.md). */
export function genesisEvent(founding: SignedFounding): LogEvent {
  const body = encode(bodyShape, { kind: "genesis", document: founding.document });
  const header = encode(headerShape, {
    height: height(0),
    epoch: epoch(0),
    view: view(0),
    parentView: view(0),
    parent: ZERO_DIGEST,
    bodyHash: bodyHash(body),
    logRoot: EMPTY_ROOT,
    lastReconfigure: height(0),
    lastCheckpoint: height(0),
    time: logTime(0),
    executed: { height: height(0), root: ZERO_DIGEST },
  });
  const block: Block = { header, body };
  const signatures = encode(foundingSignatureListShape, founding.signatures as readonly FoundingSignature[]);
  return { height: height(0), hash: blockHash(header), block, proof: { kind: "genesis", signatures } };
}
