/**
 * A Byzantine member: the real actor, whose messages pass through a behaviour that may say something else, or more, signed with the
 * member's own key and no other.
 */
import { type Digest, type Epoch, type MemberIndex, type View, epoch, memberIndex } from "../../../src/base/brands.ts";
import { decode, encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { type Block, HEADER_BYTES_MAX, type Header, headerShape } from "../../../src/events/facts/block.ts";
import { type VoteKind, blockHash, voteBytes } from "../../../src/events/facts/hashing.ts";
import { type PeerMessage, peerMessageShape } from "../../../src/events/facts/peer-message.ts";
import { keyOfMember } from "../founding.ts";
import { edgeSignature } from "./edge-signature.ts";
import type { ByzantineKind } from "../profile.ts";
import type { Random } from "../random.ts";
import type { Replica } from "../replica.ts";

export type Of<K extends PeerMessage["kind"]> = Extract<PeerMessage, { kind: K }>;

export abstract class Behaviour {
  abstract readonly kind: ByzantineKind;
  protected readonly random: Random;
  #replica: Replica | undefined;

  constructor(random: Random) {
    this.random = random;
  }

  attach(replica: Replica): void {
    this.#replica = replica;
  }

  protected get replica(): Replica {
    return present(this.#replica, "a behaviour is attached before it acts");
  }

  /** The actor says this; the behaviour says what it likes. */
  send(to: MemberIndex, frame: Uint8Array, _message: PeerMessage): void {
    this.pass(to, frame);
  }

  /** A frame arrived, before the actor takes it. */
  received(_from: MemberIndex, _frame: Uint8Array): void {}

  /** Now and then. */
  tick(): void {}

  /** Gives a frame to the network as it is. */
  protected pass(to: MemberIndex, frame: Uint8Array): void {
    this.replica.process?.carry(to, frame);
  }

  protected say(to: MemberIndex, message: PeerMessage): void {
    this.pass(to, encode(peerMessageShape, message));
  }

  protected sayAll(message: PeerMessage): void {
    const frame = encode(peerMessageShape, message);
    for (const to of this.others) this.pass(to, frame);
  }

  protected get size(): number {
    return this.replica.committee.keys.length;
  }

  protected get others(): readonly MemberIndex[] {
    return Array.from({ length: this.size }, (_, i) => memberIndex(i)).filter((i) => i !== this.replica.member);
  }

  protected get epoch(): Epoch {
    return epoch(0);
  }

  /** Under the real scheme: a signature that implementations judge differently. */
  protected edgeSignature(message: Uint8Array): Uint8Array {
    const { founding } = this.replica.world;
    const seed = founding.keys.seedOf(keyOfMember(founding, this.replica.member));
    return edgeSignature(present(seed, "a key of the simulation"), message);
  }

  protected sign(message: Uint8Array): Uint8Array {
    const { world, member } = this.replica;
    return world.scheme.sign(keyOfMember(world.founding, member), message);
  }

  protected voteSignature(kind: VoteKind, view: View, hash: Digest | null): Uint8Array {
    return this.sign(voteBytes(this.replica.committee.cluster, kind, this.epoch, view, hash));
  }

  protected vote(kind: VoteKind, view: View, hash: Digest | null): Of<"vote"> {
    const signature = this.voteSignature(kind, view, hash);
    return { kind: "vote", vote: kind, epoch: this.epoch, view, hash, member: this.replica.member, signature };
  }

  /** The block with another header, proposed. Undefined when its header cannot be read. */
  protected proposalLike(block: Block, change: (header: Header) => Partial<Header>): Of<"proposal"> | undefined {
    const header = decode(headerShape, block.header, HEADER_BYTES_MAX);
    if (!header.ok) return undefined;
    const changed: Header = { ...header.value, ...change(header.value) };
    const other = { header: encode(headerShape, changed), body: block.body };
    const signature = this.voteSignature("notarize", changed.view, blockHash(other.header));
    return { kind: "proposal", block: other, signature };
  }
}

export function viewOf(block: Block): View | undefined {
  const header = decode(headerShape, block.header, HEADER_BYTES_MAX);
  return header.ok ? header.value.view : undefined;
}
