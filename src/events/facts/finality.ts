/**
 * Whether a block is final, judged from bytes alone: q distinct members of the epoch signed, directly or a descendant (DESIGN §4).
 * Members that catch up, auditors and proofs judge by this one rule.
 */
import { type Digest, type Epoch, type MemberIndex, epoch, memberIndex } from "../../base/brands.ts";
import { decode } from "../../base/codec.ts";
import { quorumOf } from "../../base/quorum.ts";
import { verify } from "../../crypto/ed25519.ts";
import { type Certificate, type FinalityProof, HEADER_BYTES_MAX, headerShape } from "./block.ts";
import type { FoundingDocument } from "./founding.ts";
import { VOTE_OF, blockHash, voteBytes } from "./hashing.ts";

/** Who may certify in an epoch. */
export interface Electorate {
  readonly cluster: Digest;
  readonly epoch: Epoch;
  /** Public keys that sign consensus messages, by member. */
  readonly keys: readonly Uint8Array[];
  /** Whether a signature holds under a key: Ed25519, and in the simulator mostly a keyed hash. */
  readonly verify: (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
}

/** Who certifies by a founding document: epoch 0, the only one that there is. */
export const electorateOf = ({
  cluster,
  document: { founders },
}: {
  readonly cluster: Digest;
  readonly document: Pick<FoundingDocument, "founders">;
}): Electorate => ({ cluster, epoch: epoch(0), keys: founders.map(({ epochKey }) => epochKey), verify });

/** What certificates and checkpoints have in common. */
export interface SignedByMembers {
  readonly signers: Uint8Array;
  readonly signatures: readonly Uint8Array[];
}

/** The bitmap's members in ascending order; undefined when it names one that does not exist or its length is wrong. */
export function signersOf(
  { signers }: Pick<SignedByMembers, "signers">,
  size: number,
): readonly MemberIndex[] | undefined {
  if (signers.length !== Math.ceil(size / 8)) return undefined;
  const members: MemberIndex[] = [];
  for (let i = 0; i < signers.length * 8; i++) {
    if (((signers[i >> 3] ?? 0) & (1 << (i & 7))) === 0) continue;
    if (i >= size) return undefined;
    members.push(memberIndex(i));
  }
  return members;
}

/** Vouches for signatures that were checked before. */
type Known = (member: MemberIndex, signature: Uint8Array) => boolean;
const nothingKnown: Known = () => false;

/**
 * Whether q distinct members of the committee signed what the certificate says (DESIGN §4: q, never 2f+1; nobody twice).
 * `known` may vouch for signatures that were already checked as votes.
 */
export function isCertificateSound(
  committee: Electorate,
  certificate: Certificate,
  known: Known = nothingKnown,
): boolean {
  const { kind, epoch: at, view, blockHash: hash } = certificate;
  if (at !== committee.epoch || (hash === null) !== (kind === "nullification")) return false;
  return isSignedByQuorum(committee, voteBytes(committee.cluster, VOTE_OF[kind], at, view, hash), certificate, known);
}

/** Whether q distinct members of the committee signed the message. */
export function isSignedByQuorum(
  committee: Electorate,
  message: Uint8Array,
  signed: SignedByMembers,
  known: Known = nothingKnown,
): boolean {
  const { signatures } = signed;
  const size = committee.keys.length;
  const members = signersOf(signed, size);
  if (members === undefined || members.length < quorumOf(size) || members.length !== signatures.length) return false;
  return members.every((member, i) => {
    const signature = signatures[i];
    const key = committee.keys[member];
    if (signature === undefined || key === undefined) return false;
    return known(member, signature) || committee.verify(key, message, signature);
  });
}

/** Whether a finalization makes this block final, directly or through the headers of its descendants. */
export function finalises(
  committee: Electorate,
  block: Digest,
  { certificate, headers }: Extract<FinalityProof, { kind: "finalization" }>,
): boolean {
  let hash = block;
  for (const bytes of headers) {
    const header = decode(headerShape, bytes, HEADER_BYTES_MAX);
    if (!header.ok || header.value.parent !== hash) return false;
    hash = blockHash(bytes);
  }
  if (certificate.kind !== "finalization" || certificate.blockHash !== hash) return false;
  return isCertificateSound(committee, certificate);
}
