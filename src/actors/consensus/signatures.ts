/** Verified signatures of votes, and the certificates made of them. */
import type { Digest, MemberIndex, View } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import type { Certificate, CertificateKind } from "../../events/facts/block.ts";
import { VOTE_OF, type VoteKind, voteBytes } from "../../events/facts/hashing.ts";
import { type SignedByMembers, isCertificateSound } from "../../events/facts/finality.ts";
import { quorumOf } from "../../machines/consensus/committee.ts";
import type { Committee } from "./ports.ts";

/** Different blocks one member's votes of a kind are kept for in a view: two are evidence, more add nothing. */
const VARIANTS_MAX = 2;

const keyOf = (kind: VoteKind, hash: Digest | null): string => `${kind}/${hash ?? ""}`;

interface ViewSignatures {
  readonly votes: Map<string, Map<MemberIndex, Uint8Array>>;
  readonly certificates: Map<CertificateKind, Certificate>;
  readonly messages: Map<string, Uint8Array>;
}

/** The signatures of the lowest q of these members, with their bitmap. */
export function quorumSigned(size: number, signatures: ReadonlyMap<MemberIndex, Uint8Array>): SignedByMembers {
  const chosen = [...signatures].sort(([a], [b]) => a - b).slice(0, quorumOf(size));
  const signers = new Uint8Array(Math.ceil(size / 8));
  for (const [member] of chosen) signers[member >> 3] = (signers[member >> 3] ?? 0) | (1 << (member & 7));
  return { signers, signatures: chosen.map(([, signature]) => signature) };
}

/** Everything signed in the views above the last final one. */
export class Signatures {
  readonly #committee: Committee;
  readonly #views = new Map<View, ViewSignatures>();

  constructor(committee: Committee) {
    this.#committee = committee;
  }

  #at(view: View): ViewSignatures {
    let found = this.#views.get(view);
    if (found === undefined) {
      found = { votes: new Map(), certificates: new Map(), messages: new Map() };
      this.#views.set(view, found);
    }
    return found;
  }

  /** The bytes that a vote signs; encoded once for all members. */
  message(kind: VoteKind, view: View, hash: Digest | null): Uint8Array {
    const { messages } = this.#at(view);
    const key = keyOf(kind, hash);
    let bytes = messages.get(key);
    if (bytes === undefined) {
      bytes = voteBytes(this.#committee.cluster, kind, this.#committee.epoch, view, hash);
      if (messages.size < 64) messages.set(key, bytes);
    }
    return bytes;
  }

  has(kind: VoteKind, view: View, hash: Digest | null, member: MemberIndex): boolean {
    return this.#views.get(view)?.votes.get(keyOf(kind, hash))?.has(member) ?? false;
  }

  get(kind: VoteKind, view: View, hash: Digest | null, member: MemberIndex): Uint8Array | undefined {
    return this.#views.get(view)?.votes.get(keyOf(kind, hash))?.get(member);
  }

  /**
   * Whether a quorum's signatures are here already: what more of them would say is certified at the next drain. Members that said
   * two things in this view do not count: the machine takes the first of them, which may be the other.
   */
  isQuorum(kind: VoteKind, view: View, hash: Digest | null): boolean {
    const votes = this.#views.get(view)?.votes;
    const key = keyOf(kind, hash);
    const signed = votes?.get(key);
    const quorum = quorumOf(this.#committee.keys.length);
    if (votes === undefined || signed === undefined || signed.size < quorum) return false;
    let members = signed.size;
    for (const member of signed.keys()) {
      for (const [other, voters] of votes) {
        if (other === key || !other.startsWith(`${kind}/`) || !voters.has(member)) continue;
        members -= 1;
        break;
      }
    }
    return members >= quorum;
  }

  /** Everything a member is known to have signed in a view: what evidence is made of. */
  ofMember(view: View, member: MemberIndex): { kind: VoteKind; hash: Digest | null; signature: Uint8Array }[] {
    const found: { kind: VoteKind; hash: Digest | null; signature: Uint8Array }[] = [];
    for (const [key, members] of this.#views.get(view)?.votes ?? []) {
      const signature = members.get(member);
      const [kind = "", hash = ""] = key.split("/");
      if (signature !== undefined)
        found.push({ kind: kind as VoteKind, hash: hash === "" ? null : (hash as Digest), signature });
    }
    return found;
  }

  /** Keeps a signature that holds. */
  add(kind: VoteKind, view: View, hash: Digest | null, member: MemberIndex, signature: Uint8Array): void {
    const { votes } = this.#at(view);
    const key = keyOf(kind, hash);
    const signed = votes.get(key);
    if (signed === undefined) votes.set(key, new Map([[member, signature]]));
    else signed.set(member, signature);
  }

  /** Whether this would be one thing too many that this member says in a view, which nobody else said: not worth a check. */
  isBeyond(kind: VoteKind, view: View, hash: Digest | null, member: MemberIndex): boolean {
    const votes = this.#views.get(view)?.votes;
    if (votes === undefined || votes.has(keyOf(kind, hash))) return false;
    let variants = 0;
    for (const [key, members] of votes) if (key.startsWith(`${kind}/`) && members.has(member)) variants += 1;
    return variants >= VARIANTS_MAX;
  }

  /** Checks a vote's signature under its member's key of this epoch. */
  holds(kind: VoteKind, view: View, hash: Digest | null, member: MemberIndex, signature: Uint8Array): boolean {
    const key = this.#committee.keys[member];
    return key !== undefined && this.#committee.verify(key, this.message(kind, view, hash), signature);
  }

  certificate(kind: CertificateKind, view: View): Certificate | undefined {
    return this.#views.get(view)?.certificates.get(kind);
  }

  keep(certificate: Certificate): void {
    this.#at(certificate.view).certificates.set(certificate.kind, certificate);
  }

  /** Judges a stranger's certificate; signatures already checked as votes are not checked again. */
  judges(certificate: Certificate): boolean {
    const vote = VOTE_OF[certificate.kind];
    return isCertificateSound(this.#committee, certificate, (member, signature) => {
      const known = this.get(vote, certificate.view, certificate.blockHash, member);
      return known !== undefined && Buffer.compare(known, signature) === 0;
    });
  }

  /** Makes the certificate of q of the signers, lowest members first. Throws: Defect when a signature is missing. */
  assemble(kind: CertificateKind, view: View, hash: Digest | null, signers: readonly MemberIndex[]): Certificate {
    const size = this.#committee.keys.length;
    const lowest = [...signers].sort((a, b) => a - b).slice(0, quorumOf(size));
    const votes = lowest.map((member): [MemberIndex, Uint8Array] => [
      member,
      present(this.get(VOTE_OF[kind], view, hash, member), "a counted vote has a signature"),
    ]);
    const certificate: Certificate = {
      kind,
      epoch: this.#committee.epoch,
      view,
      blockHash: hash,
      ...quorumSigned(size, new Map(votes)),
    };
    this.keep(certificate);
    return certificate;
  }

  /** Forgets the views below `view`. */
  prune(view: View): void {
    for (const known of this.#views.keys()) if (known < view) this.#views.delete(known);
  }
}
