/** Frames of peers: decoded within bounds, judged, and turned into what the machine understands. */
import type { Digest, MemberIndex, View } from "../../base/brands.ts";
import { view as viewOf } from "../../base/brands.ts";
import { equalBytes } from "../../base/bytes.ts";
import { decode } from "../../base/codec.ts";
import type { Result } from "../../base/result.ts";
import { CERTIFICATE_KINDS } from "../../events/facts/block.ts";
import { VOTE_OF, bundleDigest, rootBytes } from "../../events/facts/hashing.ts";
import { FRAME_BYTES_MAX, type PeerMessage, peerMessageShape } from "../../events/facts/peer-message.ts";
import { leaderOf } from "../../machines/consensus/committee.ts";
import type { ConsensusActor } from "./actor.ts";
import { Allowance, FAULTS } from "./allowance.ts";
import { Answering } from "./answering.ts";
import { openBlock, summaryOf } from "./blocks.ts";
import { isBundleSigned, openBundle } from "./bundles.ts";
import type { Waiting } from "./passing-on.ts";
import type { ConsensusPorts } from "./ports.ts";
import { signersOf } from "../../events/facts/finality.ts";

type Of<K extends PeerMessage["kind"]> = Extract<PeerMessage, { kind: K }>;

/** What one member's roots may cost: it says one every 16 blocks, more only while it catches up. Units: signature checks. */
const ROOTS = { burst: 64, perSecond: 32 };

export class Ingress {
  readonly surveyNonce: Uint8Array;
  readonly #actor: ConsensusActor;
  readonly #ports: ConsensusPorts;
  readonly #answering: Answering;
  readonly #faults = new Allowance(FAULTS);
  readonly #roots = new Allowance(ROOTS);
  /** View of each member's last late vote. */
  readonly #late = new Map<MemberIndex, number>();
  #isOfUse = false;

  constructor(actor: ConsensusActor, ports: ConsensusPorts) {
    this.#actor = actor;
    this.#ports = ports;
    this.#answering = new Answering(ports, {
      block: (hash) => actor.blocks.get(hash)?.block,
      bundle: (digest) => actor.bundles.get(digest),
    });
    this.surveyNonce = Uint8Array.from({ length: 16 }, () => Math.floor(ports.random() * 256));
  }

  /**
   * Returns whether the frame was of use: it said something new, or what was asked for. What has a share of its own (requests, roots) and
   * what comes seldom does not count as such: it is cheap, and not much of it comes from an honest member.
   */
  receive(from: MemberIndex, frame: Uint8Array): boolean {
    this.#isOfUse = false;
    this.#receive(from, frame);
    return this.#isOfUse;
  }

  #receive(from: MemberIndex, frame: Uint8Array): void {
    if (!this.#faults.has(from, this.#ports.clock.now())) return this.#refuse("PEER_SENDS_FAULTS", from);
    const message = decode(peerMessageShape, frame, FRAME_BYTES_MAX);
    if (!message.ok) return this.#fault(message.refusal.code, from);
    this.#ports.observer.delivered?.(from, message.value);
    this.#take(from, message.value);
  }

  /** What no honest member sends. */
  #fault(reason: string, from: MemberIndex): void {
    this.#faults.spend(from, 1, this.#ports.clock.now());
    this.#refuse(reason, from);
  }

  /** What the peer is to blame for counts as its fault. */
  taken(from: MemberIndex, taken: Result<void>): void {
    if (taken.ok) return;
    const { code, blame } = taken.refusal;
    if (blame === "peer") this.#fault(code, from);
    else this.#refuse(code, from);
  }

  #refuse(reason: string, from: MemberIndex): void {
    this.#ports.observer.refused(reason, from);
  }

  #take(from: MemberIndex, message: PeerMessage): void {
    switch (message.kind) {
      case "proposal":
        return this.#proposal(from, message);
      case "vote":
        return this.#vote(from, message);
      case "certificate":
        return this.#certificate(from, message);
      case "bundle":
        return this.#bundle(from, message.bundle);
      case "bundleRequest":
        return this.#answering.bundles(from, message.digests);
      case "blockRequest":
        return this.#answering.block(from, message.hash);
      case "block":
        return this.#block(from, message);
      case "ancestryRequest":
        return this.#ancestryRequest(from, message);
      case "eventsRequest":
        return this.#answering.events(from, message.from);
      case "events":
        return this.#events(from, message);
      case "root":
        return this.#root(from, message);
      case "surveyRequest":
        return this.#surveyRequest(from, message.nonce);
      case "survey":
        return this.#survey(from, message);
      case "statement":
        return this.taken(from, this.#actor.statements.take(from, message));
      case "checkpointRequest":
        return this.#answering.checkpoint(from, message, this.#actor.context.final.checkpoint);
      case "checkpoint":
        return this.taken(from, this.#actor.catchUp.offer(from, message));
      case "segmentRequest":
        return this.#answering.segment(from, message.digest);
      case "segment":
        return this.#segment(from, message.segment);
    }
  }

  #events(from: MemberIndex, message: Of<"events">): void {
    const { fetching } = this.#actor;
    const { answers } = fetching;
    const taken = this.#actor.synchronised(from, message);
    this.#isOfUse = taken.ok && fetching.answers > answers;
    this.taken(from, taken);
  }

  #segment(from: MemberIndex, segment: Uint8Array): void {
    const { catchUp } = this.#actor;
    const { kept } = catchUp;
    const taken = catchUp.segment(from, segment);
    this.#isOfUse = taken.ok && catchUp.kept > kept;
    this.taken(from, taken);
  }

  #proposal(from: MemberIndex, { block, signature }: Of<"proposal">): void {
    const { context, committee, signatures, blocks } = this.#actor;
    const opened = openBlock(block);
    if (!opened.ok) return this.#fault(opened.refusal.code, from);
    const { hash, header } = opened.value;
    const { view } = header;
    if (header.epoch !== committee.epoch) return this.#refuse("proposal of another epoch", from);
    if (leaderOf(view, committee.keys.length) !== from)
      return this.#refuse("proposal by a member that does not lead its view", from);
    if (view > context.view + 1) return this.#refuse("proposal for a view beyond the next", from);
    if (view <= context.final.view) return this.#lateVote(from, view);
    if (!signatures.has("notarize", view, hash, from)) {
      if (signatures.isBeyond("notarize", view, hash, from)) return this.#fault("too many proposals in one view", from);
      if (!signatures.holds("notarize", view, hash, from, signature)) return this.#fault("BAD_SIGNATURE", from);
      signatures.add("notarize", view, hash, from, signature);
      this.#isOfUse = true;
    }
    if (blocks.get(hash) === undefined) blocks.add(opened.value);
    const aheadMs = header.time - this.#ports.clock.now();
    this.#actor.post({ type: "proposalVerified", from, block: summaryOf(opened.value), aheadMs });
  }

  #vote(from: MemberIndex, { vote: kind, epoch, view, hash, member, signature }: Of<"vote">): void {
    const { context, committee, signatures } = this.#actor;
    if (member !== from) return this.#refuse("vote of another member", from);
    if (epoch !== committee.epoch) return this.#refuse("vote of another epoch", from);
    if ((hash === null) !== (kind === "nullify")) return this.#fault("MALFORMED", from);
    if (view > context.view + 1) {
      this.#actor.post({ type: "memberHeard", member: from }); // no silent leader (rule 1)
      return this.#refuse("vote for a view beyond the next", from);
    }
    if (view <= context.final.view) return this.#lateVote(from, view);
    if (kind === "finalize") this.#seen(from, "notarization", view); // rule 8: only whoever holds it votes so
    if (signatures.has(kind, view, hash, from)) return;
    if (signatures.isQuorum(kind, view, hash) || this.#isSettled(kind, view, hash))
      return this.#actor.post({ type: "memberHeard", member: from });
    if (signatures.isBeyond(kind, view, hash, from)) return this.#fault("too many votes in one view", from);
    if (!signatures.holds(kind, view, hash, from, signature)) return this.#fault("BAD_SIGNATURE", from);
    signatures.add(kind, view, hash, from, signature);
    this.#isOfUse = true;
    this.#actor.post({ type: "voteVerified", kind, view, hash, member });
  }

  /** Of views that this member may still pass something on for. */
  #seen(from: MemberIndex, kind: Waiting, view: View): void {
    const { context, passingOn } = this.#actor;
    if (view >= context.final.view && view <= context.view + 1) passingOn.seen(from, kind, view);
  }

  /** A certificate of this kind and view says the same: the vote adds nothing, so its signature is not checked. */
  #isSettled(kind: Of<"vote">["vote"], view: Of<"vote">["view"], hash: Digest | null): boolean {
    const { notarizations, nullifications } = this.#actor.context;
    if (kind === "notarize") return notarizations[view] === hash;
    return kind === "nullify" && nullifications[view] === true;
  }

  /** Rule 1: answered with the last finalization; the first vote of the final view itself only crossed it on its way. */
  #lateVote(from: MemberIndex, view: number): void {
    const { final } = this.#actor.context;
    const certificate = this.#actor.signatures.certificate("finalization", final.view);
    this.#actor.post({ type: "memberHeard", member: from });
    const crossed = view === final.view && this.#late.get(from) !== view;
    this.#late.set(from, view);
    if (certificate !== undefined && !crossed) this.#answering.reply(from, { kind: "certificate", certificate });
  }

  #certificate(from: MemberIndex, { certificate }: Of<"certificate">): void {
    const { context, committee, signatures } = this.#actor;
    const { kind, epoch, view, blockHash } = certificate;
    if (epoch !== committee.epoch) return this.#refuse("certificate of another epoch", from);
    if (kind !== "nullification") this.#seen(from, kind, view);
    if (view <= context.final.view || signatures.certificate(kind, view) !== undefined) return;
    if (signatures.isQuorum(VOTE_OF[kind], view, blockHash)) return; // one's own is assembled at the next drain
    if (!signatures.judges(certificate)) return this.#fault("BAD_CERTIFICATE", from);
    signatures.keep(certificate);
    this.#isOfUse = true;
    const signers = signersOf(certificate, committee.keys.length) ?? [];
    this.#actor.post({ type: "certificateVerified", kind, view, hash: blockHash, signers });
  }

  #bundle(from: MemberIndex, bytes: Uint8Array): void {
    const { bundles, committee } = this.#actor;
    const digest = bundleDigest(bytes);
    if (bundles.has(digest)) return;
    const wanted = this.#actor.isWanted(digest);
    if (!wanted && this.#ports.log.bundle(digest) !== undefined) return; // ordered already
    const opened = openBundle(committee, bytes);
    if (!opened.ok) return this.#fault(opened.refusal.code, from);
    const { member } = opened.value;
    if (bundles.isFull(member) && !wanted) return this.#refuse("MEMPOOL_SHARE_USED", from);
    if (!isBundleSigned(committee, opened.value)) return this.#fault("BAD_SIGNATURE", from);
    this.#actor.hold(digest, bytes, member);
    this.#isOfUse = true;
  }

  /** A block that was asked for by hash; its certificate is what makes it worth having. */
  #block(from: MemberIndex, { block }: Of<"block">): void {
    const { signatures, blocks, fetching } = this.#actor;
    const opened = openBlock(block);
    if (!opened.ok) return this.#fault(opened.refusal.code, from);
    const { hash, header } = opened.value;
    if (signatures.certificate("notarization", header.view)?.blockHash !== hash)
      return this.#refuse("block that was not asked for", from);
    fetching.done(`block/${hash}`);
    if (blocks.get(hash) === undefined) blocks.add(opened.value);
    this.#actor.post({ type: "blockFetched", block: summaryOf(opened.value) });
  }

  /** Rule 3's request: the certificates of a view, and the block if it was notarized, even below one's own floor. */
  #ancestryRequest(from: MemberIndex, { epoch, view }: Of<"ancestryRequest">): void {
    const { committee, signatures, blocks, context } = this.#actor;
    if (epoch !== committee.epoch) return this.#refuse("request of another epoch", from);
    if (!this.#answering.mayAsk(from)) return;
    const final = signatures.certificate("finalization", context.final.view);
    if (view <= context.final.view && final !== undefined)
      this.#answering.reply(from, { kind: "certificate", certificate: final });
    for (const kind of ["nullification", "notarization"] as const) {
      const certificate = signatures.certificate(kind, view);
      if (certificate === undefined) continue;
      this.#answering.reply(from, { kind: "certificate", certificate });
      const opened = certificate.blockHash === null ? undefined : blocks.get(certificate.blockHash);
      if (opened !== undefined) this.#answering.reply(from, { kind: "block", block: opened.block });
    }
  }

  /** "Lost journal": the highest certificate goes first, so that whoever asked can check the number that follows it. */
  #surveyRequest(from: MemberIndex, nonce: Uint8Array): void {
    if (!this.#answering.mayAsk(from)) return;
    const { signatures, context } = this.#actor;
    const { final, pendingFinal, notarizations, nullifications } = context;
    let view = pendingFinal?.view ?? final.view;
    for (const above of [notarizations, nullifications])
      for (const key of Object.keys(above)) if (Number(key) > view) view = viewOf(Number(key));
    for (const kind of CERTIFICATE_KINDS) {
      const certificate = signatures.certificate(kind, view);
      if (certificate !== undefined) this.#answering.reply(from, { kind: "certificate", certificate });
    }
    this.#answering.reply(from, { kind: "survey", nonce, view });
  }

  #survey(from: MemberIndex, { nonce, view }: Of<"survey">): void {
    const { signatures, context } = this.#actor;
    if (!equalBytes(nonce, this.surveyNonce)) return this.#refuse("survey of another life", from);
    const shown = CERTIFICATE_KINDS.some((kind) => signatures.certificate(kind, view) !== undefined);
    if (view > context.final.view && !shown) return this.#refuse("SURVEY_WITHOUT_CERTIFICATE", from);
    this.#actor.post({ type: "highestCertificateReported", member: from, view });
  }

  #root(from: MemberIndex, { height, root, member, signature }: Of<"root">): void {
    const { committee } = this.#actor;
    const key = committee.keys[from];
    if (member !== from || key === undefined) return this.#refuse("root of another member", from);
    const now = this.#ports.clock.now();
    if (!this.#roots.has(from, now)) return this.#refuse("ROOTS_TOO_MANY", from); // of the next ones the newest says as much
    this.#roots.spend(from, 1, now);
    if (!committee.verify(key, rootBytes(committee.cluster, member, height, root), signature))
      return this.#fault("BAD_SIGNATURE", from);
    this.#actor.post({ type: "rootAttested", member, height, root });
  }
}
