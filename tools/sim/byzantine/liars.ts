/** Members that withhold, forge, repeat, and lie to whoever catches up. */
import {
  type Digest,
  type Epoch,
  type Height,
  type MemberIndex,
  type View,
  height,
  logTime,
  view,
} from "../../../src/base/brands.ts";
import { decode, encode } from "../../../src/base/codec.ts";
import { sha256Digest, signingBytes } from "../../../src/crypto/hash.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import type { CertificateKind, Header } from "../../../src/events/facts/block.ts";
import { BUNDLE_BYTES_MAX, bundleBodyShape, bundleShape } from "../../../src/events/facts/bundle.ts";
import { blockHash, rootBytes, voteBytes } from "../../../src/events/facts/hashing.ts";
import type { PeerMessage } from "../../../src/events/facts/peer-message.ts";
import { quorumOf } from "../../../src/machines/consensus/committee.ts";
import { messageOf } from "../process.ts";
import { Behaviour, type Of, viewOf } from "./behaviour.ts";
import { CheckpointLies } from "./checkpoint-lies.ts";

/** Proposes blocks whose bodies it does not give: bundles reach few, requests are not answered. */
export class Withholder extends Behaviour {
  override readonly kind = "withholder";

  override send(to: MemberIndex, frame: Uint8Array, message: PeerMessage): void {
    const { kind } = message;
    if ((kind === "block" || kind === "events" || kind === "segment") && this.random.chance(0.95)) return;
    if (kind === "bundle" && this.random.chance(0.7)) return;
    if (kind === "proposal" && this.random.chance(0.3)) return;
    this.pass(to, frame);
  }
}

/** Says again what it heard and said before, its own and others', to anybody. */
export class Replayer extends Behaviour {
  override readonly kind = "replayer";
  readonly #frames: Uint8Array[] = [];

  override received(_from: MemberIndex, frame: Uint8Array): void {
    this.#keep(frame);
  }

  override send(to: MemberIndex, frame: Uint8Array): void {
    this.#keep(frame);
    this.pass(to, frame);
  }

  override tick(): void {
    if (this.#frames.length === 0) return;
    for (let n = this.random.below(8); n > 0; n--)
      this.pass(this.random.pick(this.others), this.random.pick(this.#frames));
  }

  #keep(frame: Uint8Array): void {
    if (this.#frames.length < 300) this.#frames.push(frame);
    else this.#frames[this.random.below(300)] = frame;
  }
}

/** Makes up votes, certificates, roots, bundles and blocks, as far as its own key goes. */
export class Forger extends Behaviour {
  override readonly kind = "forger";
  /** Signatures of others that it has seen, by what they say. */
  readonly #votes: Of<"vote">[] = [];
  readonly #bundles: Uint8Array[] = [];
  readonly #blocks = new Map<View, Of<"proposal"> | undefined>();
  #view = 1;

  override received(from: MemberIndex, frame: Uint8Array): void {
    const message = messageOf(frame);
    if (message?.kind === "bundle" && this.#bundles.length < 50) this.#bundles.push(message.bundle);
    const vote = message?.kind === "proposal" ? voteOfLeader(from, this.epoch, message) : message;
    if (vote?.kind !== "vote") return;
    this.#view = Math.max(this.#view, vote.view);
    this.#votes.push(vote);
    if (this.#votes.length > 60) this.#votes.shift();
    // At once: a moment later the members have a certificate of their own.
    if (this.random.chance(0.3)) this.sayAll(this.#relabelled(vote));
  }

  override send(to: MemberIndex, frame: Uint8Array, message: PeerMessage): void {
    if (message.kind === "vote" && this.replica.world.scheme.name === "Ed25519" && this.random.chance(0.5))
      return this.say(to, this.#onTheEdge(message));
    const forged = message.kind === "proposal" ? this.#block(message) : undefined;
    if (forged === undefined) this.pass(to, frame);
    else this.say(to, forged);
  }

  override tick(): void {
    const message = this.#forged();
    if (message === undefined) return;
    if (this.random.chance(0.5)) this.sayAll(message);
    else this.say(this.random.pick(this.others), message);
  }

  #forged(): PeerMessage | undefined {
    switch (this.random.below(5)) {
      case 0:
        return this.#vote();
      case 1:
        return this.#certificate();
      case 2:
        return this.#root();
      case 3:
        return this.#bundle();
      default:
        return this.#votes.length === 0 ? undefined : this.#relabelled(this.random.pick(this.#votes));
    }
  }

  #onTheEdge(message: Of<"vote">): Of<"vote"> {
    const { vote, epoch, view: at, hash } = message;
    const signed = voteBytes(this.replica.committee.cluster, vote, epoch, at, hash);
    return { ...message, signature: this.edgeSignature(signed) };
  }

  #digest(): Digest {
    return sha256Digest(utf8(String(this.random.next())));
  }

  #garbage(): Uint8Array {
    return Uint8Array.from({ length: 64 }, () => this.random.below(256));
  }

  #someView(): View {
    return view(Math.max(1, this.#view - 2 + this.random.below(5)));
  }

  /** Half of its blocks are forged: mostly one for everybody, which a quorum that judged too little would make final. */
  #block(message: Of<"proposal">): Of<"proposal"> | undefined {
    const at = viewOf(message.block);
    if (at === undefined || this.random.chance(0.03)) return this.#forgedBlock(message);
    if (!this.#blocks.has(at)) this.#blocks.set(at, this.random.chance(0.5) ? this.#forgedBlock(message) : undefined);
    return this.#blocks.get(at);
  }

  #forgedBlock(message: Of<"proposal">): Of<"proposal"> | undefined {
    const changes: readonly ((header: Header) => Partial<Header>)[] = [
      () => ({ logRoot: this.#digest() }),
      ({ executed }) => ({ executed: { height: executed.height, root: this.#digest() } }),
      ({ executed }) => ({ executed: { height: height(executed.height + 3), root: executed.root } }),
      (header) => ({ height: height(header.height + 1) }),
      ({ time }) => ({ time: logTime(Math.max(0, time - 60_000)) }),
      ({ time }) => ({ time: logTime(time + 60_000) }),
      () => ({ parent: this.#digest() }),
      ({ parentView }) => ({ parentView: view(Math.max(0, parentView - 1)) }),
      () => ({ lastReconfigure: height(1) }),
    ];
    return this.proposalLike(message.block, this.random.pick(changes));
  }

  /** In another's name, or in its own with a signature that is none. */
  #vote(): PeerMessage {
    const vote = this.vote(this.random.pick(["notarize", "finalize"]), this.#someView(), this.#digest());
    return this.random.chance(0.5)
      ? { ...vote, member: this.random.pick(this.others) }
      : { ...vote, signature: this.#garbage() };
  }

  /** Too few signers, one of them many times, or none that signed. */
  #certificate(): PeerMessage {
    const kind = this.random.pick<CertificateKind>(["notarization", "nullification", "finalization"]);
    const hash = kind === "nullification" ? null : this.#digest();
    const at = this.#someView();
    const voteKind = kind === "notarization" ? "notarize" : kind === "nullification" ? "nullify" : "finalize";
    const own = this.voteSignature(voteKind, at, hash);
    const count = this.random.chance(0.5) ? quorumOf(this.size) : 1;
    const signers = new Uint8Array(Math.ceil(this.size / 8));
    for (let i = 0; i < count; i++) signers[i >> 3] = (signers[i >> 3] ?? 0) | (1 << (i & 7));
    const signatures = Array.from({ length: count }, () => (this.random.chance(0.7) ? own : this.#garbage()));
    return {
      kind: "certificate",
      certificate: { kind, epoch: this.epoch, view: at, blockHash: hash, signers, signatures },
    };
  }

  /** Real signatures of those that voted alike, and its own, under a certificate of the same or of another kind. */
  #relabelled({ view: at, hash, vote }: Of<"vote">): PeerMessage {
    const same = new Map(
      [this.vote(vote, at, hash), ...this.#votes]
        .filter((one) => one.view === at && one.hash === hash && one.vote === vote)
        .map((one) => [one.member, one]),
    );
    const signers = new Uint8Array(Math.ceil(this.size / 8));
    const signatures: Uint8Array[] = [];
    for (const [member, { signature }] of [...same].sort(([a], [b]) => a - b)) {
      signers[member >> 3] = (signers[member >> 3] ?? 0) | (1 << (member & 7));
      signatures.push(signature);
    }
    const kind = hash === null ? "nullification" : this.random.pick<CertificateKind>(["notarization", "finalization"]);
    return {
      kind: "certificate",
      certificate: { kind, epoch: this.epoch, view: at, blockHash: hash, signers, signatures },
    };
  }

  #root(): PeerMessage {
    const { cluster } = this.replica.committee;
    const at = height(this.random.below(40)) as Height;
    const root = this.#digest();
    const signature = this.sign(rootBytes(cluster, this.replica.member, at, root));
    return { kind: "root", height: at, root, member: this.replica.member, signature };
  }

  /** Garbage in a bundle of its own, others' batches again, or a bundle in another's name. */
  #bundle(): PeerMessage {
    const { cluster } = this.replica.committee;
    const signed: Uint8Array[] = [];
    if (this.#bundles.length > 0 && this.random.chance(0.6)) {
      const outer = decode(bundleShape, this.random.pick(this.#bundles), BUNDLE_BYTES_MAX + 128);
      const inner = outer.ok ? decode(bundleBodyShape, outer.value.body, BUNDLE_BYTES_MAX) : outer;
      if (inner.ok) signed.push(...inner.value.signed);
    }
    if (signed.length === 0) signed.push(utf8(`no batch ${this.random.next()}`));
    const member = this.random.chance(0.8) ? this.replica.member : this.random.pick(this.others);
    const body = encode(bundleBodyShape, { cluster, epoch: this.epoch, member, signed });
    const signature = this.sign(signingBytes("bundle", cluster, body));
    return { kind: "bundle", bundle: encode(bundleShape, { body, signature }) };
  }
}

/** A leader's proposal is its notarize vote. */
function voteOfLeader(member: MemberIndex, epoch: Epoch, { block, signature }: Of<"proposal">): Of<"vote"> | undefined {
  const view = viewOf(block);
  const hash = blockHash(block.header);
  return view === undefined ? undefined : { kind: "vote", vote: "notarize", epoch, view, hash, member, signature };
}

/** Answers who catches up, or lost its journal, with pages, blocks, surveys and checkpoints that are not true. */
export class LiarInSync extends Behaviour {
  override readonly kind = "liarInSync";
  #lies: CheckpointLies | undefined;

  get #checkpoints(): CheckpointLies {
    const { replica, random } = this;
    this.#lies ??= new CheckpointLies(replica, random.fork("checkpoints"), (bytes) => this.sign(bytes));
    return this.#lies;
  }

  override tick(): void {
    const unasked = this.#lies?.unasked();
    if (unasked !== undefined) this.say(this.random.pick(this.others), unasked);
  }

  override send(to: MemberIndex, frame: Uint8Array, message: PeerMessage): void {
    const lie = this.random.chance(0.8) ? this.#lie(to, message) : message;
    if (lie === message) this.pass(to, frame);
    else if (lie !== undefined) this.say(to, lie);
  }

  #lie(to: MemberIndex, message: PeerMessage): PeerMessage | undefined {
    switch (message.kind) {
      case "events":
        return this.#page(message);
      case "checkpoint":
        return this.#checkpoints.checkpoint(to, message);
      case "segment":
        return this.#checkpoints.segment(to, message);
      case "statement":
        return this.#checkpoints.statement(message);
      case "survey":
        return { ...message, view: this.random.pick([view(0), view(1), view(1_000_000)]) };
      case "block":
        return { ...message, block: { header: message.block.header, body: Uint8Array.of(1, 2, 3) } };
      default:
        return message;
    }
  }

  #page({ from, events }: Of<"events">): PeerMessage | undefined {
    switch (this.random.below(5)) {
      case 0:
        return { kind: "events", from, events: events.slice(0, -1) };
      case 1:
        return { kind: "events", from, events: events.slice(1) };
      case 2:
        return { kind: "events", from, events: events.map((event) => ({ ...event, proof: { kind: "none" } })) };
      case 3:
        return { kind: "events", from, events: events.map((event) => ({ ...event, bundles: [] })) };
      default:
        return {
          kind: "events",
          from,
          events: events.map((event) =>
            event.proof.kind === "finalization"
              ? {
                  ...event,
                  proof: {
                    ...event.proof,
                    certificate: { ...event.proof.certificate, view: view(event.proof.certificate.view + 1) },
                  },
                }
              : event,
          ),
        };
    }
  }
}
