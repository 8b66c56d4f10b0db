/** What a liar says to whoever comes back by a checkpoint: old ones that it never delivers, others' proofs, wrong segments, wrong statements. */
import type { Digest, Height, MemberIndex } from "../../../src/base/brands.ts";
import { height as heightOf } from "../../../src/base/brands.ts";
import { openBlock } from "../../../src/actors/consensus/blocks.ts";
import { provenEvent } from "../../../src/actors/consensus/synchronisation.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { type CheckpointStatement, checkpointBytes } from "../../../src/events/facts/checkpoint.ts";
import type { PeerMessage } from "../../../src/events/facts/peer-message.ts";
import { withFlippedBit } from "../disk.ts";
import type { Random } from "../random.ts";
import type { Replica } from "../replica.ts";
import type { Of } from "./behaviour.ts";

/** True ones that it has offered, oldest first: to be offered again when their time is over. */
const REMEMBERED_MAX = 8;

export class CheckpointLies {
  readonly #replica: Replica;
  readonly #random: Random;
  readonly #sign: (bytes: Uint8Array) => Uint8Array;
  readonly #offered: Of<"checkpoint">[] = [];
  readonly #segments: Uint8Array[] = [];
  /** Members that were promised a checkpoint and get no segment of it. */
  readonly #cheated = new Set<MemberIndex>();

  constructor(replica: Replica, random: Random, sign: (bytes: Uint8Array) => Uint8Array) {
    this.#replica = replica;
    this.#random = random;
    this.#sign = sign;
  }

  /** What is said instead; undefined: nothing. */
  checkpoint(to: MemberIndex, message: Of<"checkpoint">): PeerMessage | undefined {
    this.#remember(message);
    this.#cheated.delete(to);
    const { segments, block, proof } = message;
    switch (this.#random.below(6)) {
      case 0:
        this.#cheated.add(to);
        return this.#older(message) ?? message;
      case 1:
        this.#cheated.add(to);
        return message;
      case 2:
        return { ...message, segments: this.#random.chance(0.5) ? segments.toReversed() : segments.slice(1) };
      case 3:
        return { ...message, proof: { kind: "none" } };
      case 4:
        return proof.kind === "finalization"
          ? { ...message, proof: { ...proof, headers: [...proof.headers, block.header] } }
          : message;
      default:
        return message; // true: its segments may not be
    }
  }

  /** Undefined: nothing is said. */
  segment(to: MemberIndex, message: Of<"segment">): PeerMessage | undefined {
    const { segment } = message;
    if (this.#segments.length < REMEMBERED_MAX) this.#segments.push(segment);
    if (this.#cheated.has(to)) return undefined;
    switch (this.#random.below(5)) {
      case 0:
        return undefined;
      case 1:
        return { kind: "segment", segment: withFlippedBit(segment, this.#random) };
      case 2:
        return { kind: "segment", segment: segment.subarray(0, this.#random.below(segment.length)) };
      case 3:
        return { kind: "segment", segment: this.#random.pick(this.#segments) };
      default:
        return message;
    }
  }

  /** Signed by itself, as one of its own. */
  statement({ statement, member }: Of<"statement">): PeerMessage {
    const wrong = this.#wrong(statement);
    const signature = this.#sign(checkpointBytes(this.#replica.committee.cluster, wrong));
    return { kind: "statement", statement: wrong, member, signature };
  }

  /** Without being asked: a true one, whose time is over. */
  unasked(): PeerMessage | undefined {
    return this.#offered.length === 0 || !this.#random.chance(0.2) ? undefined : this.#random.pick(this.#offered);
  }

  #wrong(statement: CheckpointStatement): CheckpointStatement {
    switch (this.#random.below(4)) {
      case 0:
        return { ...statement, root: this.#digest() };
      case 1:
        return { ...statement, segments: this.#digest() };
      case 2:
        return { ...statement, height: heightOf(statement.height + 1 + this.#random.below(20)) };
      default:
        return { ...statement, height: heightOf(Math.max(1, statement.height - 1)) };
    }
  }

  #digest(): Digest {
    return sha256Digest(utf8(String(this.#random.next())));
  }

  #remember(message: Of<"checkpoint">): void {
    if (this.#offered.length === REMEMBERED_MAX) this.#offered.shift();
    this.#offered.push(message);
  }

  /** The checkpoint block before that one, with its proof; or one that it offered before. */
  #older({ block }: Of<"checkpoint">): Of<"checkpoint"> | undefined {
    const opened = openBlock(block);
    const before = opened.ok ? opened.value.header.lastCheckpoint : heightOf(0);
    return (before > 0 ? this.#stored(before) : undefined) ?? this.#random.pick(this.#offered);
  }

  #stored(height: Height): Of<"checkpoint"> | undefined {
    const { process, disk } = this.#replica;
    const proven = process?.log === undefined ? undefined : provenEvent(process.log, height);
    const opened = proven && openBlock(proven.event.block);
    const of = opened?.ok === true ? opened.value.checkpoint?.statement.height : undefined;
    const segments = of === undefined ? undefined : disk.checkpoints.segmentsOf(of);
    if (proven === undefined || segments === undefined) return undefined;
    return { kind: "checkpoint", block: proven.event.block, proof: proven.proof, segments };
  }
}
