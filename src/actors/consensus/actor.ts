/**
 * The consensus actor: one drain steps every waiting event, makes what must survive durable, then lets the messages go.
 * What it decides, the machine decided (src/machines/consensus); what it verifies and fetches stands in the files beside it.
 */
import type { Digest, Height, MemberIndex, View } from "../../base/brands.ts";
import { height as heightOf, logTime, view as viewOf } from "../../base/brands.ts";
import { encode } from "../../base/codec.ts";
import { assert, present } from "../../base/errors.ts";
import type { MerkleFrontier } from "../../crypto/merkle.ts";
import { type LogEvent, bodyShape, headerShape } from "../../events/facts/block.ts";
import { SIGNED_PER_BUNDLE_MAX, bundleShape } from "../../events/facts/bundle.ts";
import { type VoteKind, blockHash, bodyHash, bundleDigest } from "../../events/facts/hashing.ts";
import { type PeerMessage, peerMessageShape } from "../../events/facts/peer-message.ts";
import type { Candidate, JournalRecord, LogBatch, StoredBundle } from "../../events/store/log-batch.ts";
import { leaderOf } from "../../machines/consensus/committee.ts";
import { consensusMachine, standingOf } from "../../machines/consensus/consensus.machine.ts";
import type { ConsensusEffect, ConsensusEvent, Context, PeerNotice, TimerId } from "../../machines/consensus/types.ts";
import { type Stepper, createStepper } from "../../machines/step.ts";
import { Blocks, type OpenedBlock, finalOf, openBlock, summaryOf } from "./blocks.ts";
import { BLOCK_BUNDLE_BYTES_MAX, Bundles, bundleSigningBytes, encodeBundleBody } from "./bundles.ts";
import { Delivery } from "./delivery.ts";
import { Fetching } from "./fetching.ts";
import { Ingress } from "./ingress.ts";
import { certificateRow, evidenceMark, journalRow } from "./journal.ts";
import type { Committee, ConsensusPorts } from "./ports.ts";
import { Signatures } from "./signatures.ts";
import { type Start, votesAboveMark } from "./start.ts";
import { checkPage } from "./synchronisation.ts";

/** Bytes of client batches that one bundle carries at most. */
const BUNDLE_TARGET_BYTES = 512 * 1024;
/** Client bytes waiting to be bundled; beyond it clients are refused (DESIGN §8). */
const PENDING_BYTES_MAX = 32 * 1024 * 1024;
const SYNCHRONISATION = "events";

interface Mail {
  readonly event: ConsensusEvent;
  /** Of a timer: only the newest setting of its id may fire. */
  readonly token?: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface Batch {
  readonly bundles: StoredBundle[];
  readonly candidates: Candidate[];
  readonly journal: JournalRecord[];
  readonly events: LogEvent[];
  readonly heights: { digest: Digest; height: Height }[];
  readonly marks: { name: string; value: Uint8Array }[];
}

export class ConsensusActor {
  readonly committee: Committee;
  readonly signatures: Signatures;
  readonly blocks: Blocks;
  readonly bundles: Bundles;
  readonly fetching: Fetching;
  readonly #ports: ConsensusPorts;
  readonly #machine: Stepper<typeof consensusMachine>;
  readonly #delivery: Delivery;
  readonly #ingress: Ingress;
  readonly #timers = new Map<TimerId, { token: number; handle: unknown }>();
  /** Bodies being judged, by block, with the bundles still missing. */
  readonly #judging = new Map<Digest, Set<Digest>>();
  readonly #executed: { height: Height; root: Digest }[] = [];
  readonly #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #bundling = false;
  #mailbox: Mail[] = [];
  #drainDue = false;
  #draining = false;
  #tokens = 0;
  #frontier: MerkleFrontier;
  #stopped = false;

  constructor(committee: Committee, ports: ConsensusPorts, start: Start) {
    this.committee = committee;
    this.#ports = ports;
    this.signatures = new Signatures(committee);
    this.bundles = new Bundles(committee.keys.length);
    for (const certificate of start.certificates) this.signatures.keep(certificate);
    this.#frontier = start.frontier;
    this.blocks = new Blocks(start.context.final.hash, start.frontier);
    for (const opened of start.blocks) this.blocks.add(opened);
    for (const { digest, bytes } of start.bundles) this.bundles.add(digest, bytes, null);
    this.fetching = new Fetching(ports);
    this.#delivery = new Delivery(ports.log, ports.executor.deliver);
    this.#machine = createStepper(consensusMachine, { input: start.context });
    this.#ingress = new Ingress(this, ports);
    this.post({ type: "started" });
  }

  get context(): Context {
    return this.#machine.context();
  }

  /** Puts an event in the mailbox; the drain comes soon. */
  post(event: ConsensusEvent): void {
    this.#mail({ event });
  }

  #mail(mail: Mail): void {
    if (this.#stopped) return;
    this.#mailbox.push(mail);
    if (this.#drainDue || this.#draining) return;
    this.#drainDue = true;
    this.#ports.schedule(() => {
      this.#drainDue = false;
      this.drain();
    });
  }

  /** A frame of an authenticated peer. */
  receive(from: MemberIndex, frame: Uint8Array): void {
    if (!this.#stopped) this.#ingress.receive(from, frame);
  }

  /**
   * Takes an encoded `Signed` batch of a client, already judged by the host, into the next bundle.
   * Returns false when the member holds as much as it may: nothing was taken, the client should come back.
   */
  submit(signed: Uint8Array): boolean {
    if (
      this.#stopped ||
      this.bundles.isFull(this.committee.self) ||
      this.#pendingBytes + signed.length > PENDING_BYTES_MAX
    )
      return false;
    this.#pending.push(signed);
    this.#pendingBytes += signed.length;
    this.#goOnBundling();
    return true;
  }

  #goOnBundling(): void {
    if (this.#bundling || this.#pending.length === 0) return;
    this.#bundling = true;
    this.#ports.schedule(() => this.#makeBundle());
  }

  /** The executor wants blocks from this height on, and tells what it executed. */
  startDelivery(from: Height): void {
    this.#delivery.start(from);
  }

  executed(height: Height, root: Digest): void {
    this.#executed.push({ height, root });
    this.#delivery.executed(height);
    this.post({ type: "executionReached", height, root });
  }

  /** Stops taking part: timers and fetches end, nothing more is sent. What was recorded stays. */
  stop(): void {
    if (this.#executed.length > 0) this.#ports.log.commit({ executed: this.#executed.splice(0) });
    this.#stopped = true;
    this.fetching.stop();
    for (const { handle } of this.#timers.values()) this.#ports.clock.clear(handle);
    this.#timers.clear();
  }

  /** Synchronous, never re-entered: steps, records, then sends (DESIGN §2). */
  drain(): void {
    assert(!this.#draining, "a drain is never re-entered");
    this.#draining = true;
    try {
      while (this.#mailbox.length > 0 && !this.#stopped) {
        const mailbox = this.#mailbox;
        this.#mailbox = [];
        const effects: ConsensusEffect[] = [];
        for (const { event, token } of mailbox) {
          if (event.type === "timerFired" && this.#timers.get(event.timer)?.token !== token) continue;
          effects.push(...this.#machine.step(event).effects);
        }
        this.#record(effects);
        for (const effect of effects) this.#perform(effect);
      }
    } finally {
      this.#draining = false;
    }
    this.#delivery.pump();
    this.#report();
  }

  #report(): void {
    const { view, final, executed, mempool, nullified } = this.context;
    this.#ports.observer.advanced({
      state: standingOf(this.context),
      view,
      finalHeight: final.height,
      executedHeight: executed,
      mempool: mempool.length,
      nullified,
    });
  }

  /** 1. Everything that must survive a crash, in one synced transaction. */
  #record(effects: readonly ConsensusEffect[]): void {
    const batch: Batch = { bundles: [], candidates: [], journal: [], events: [], heights: [], marks: [] };
    let last: OpenedBlock | undefined;
    for (const effect of effects) last = this.#recordOne(effect, batch) ?? last;
    const log: Mutable<LogBatch> = {};
    if (batch.bundles.length > 0) log.bundles = batch.bundles;
    if (batch.candidates.length > 0) log.candidates = batch.candidates;
    if (batch.journal.length > 0) log.journal = batch.journal;
    if (batch.marks.length > 0) log.marks = batch.marks;
    const [first] = batch.events;
    if (first !== undefined && last !== undefined) {
      log.append = { expected: first.height, events: batch.events };
      log.bundleHeights = batch.heights;
      log.pruneBelow = { epoch: this.committee.epoch, view: viewOf(last.header.view + 1) };
    }
    if (Object.keys(log).length === 0) return;
    if (this.#executed.length > 0) log.executed = this.#executed.splice(0);
    this.#ports.log.commit(log);
    if (last !== undefined) this.#settled(last);
  }

  #recordOne(effect: ConsensusEffect, batch: Batch): OpenedBlock | undefined {
    switch (effect.type) {
      case "recordVote":
      case "recordProposal":
      case "recordVerdict":
        batch.journal.push(journalRow(this.committee, effect));
        return undefined;
      case "recordCertificate": {
        const certificate =
          effect.signers === null
            ? present(this.signatures.certificate(effect.kind, effect.view), "a received certificate is kept")
            : this.signatures.assemble(effect.kind, effect.view, effect.hash, effect.signers);
        batch.journal.push(certificateRow(certificate));
        return undefined;
      }
      case "recordVotesAbove":
        batch.marks.push(votesAboveMark(effect.view));
        return undefined;
      case "recordCandidate":
        this.#recordCandidate(present(this.blocks.get(effect.hash), "a candidate has its bytes"), batch);
        return undefined;
      case "recordFinal":
        return this.#recordFinal(effect, batch);
      case "recordEvidence": {
        const { kind, member, view } = effect.evidence;
        batch.marks.push(evidenceMark(this.committee, effect.evidence, this.signatures));
        this.#ports.observer.evidence(kind, member, view);
        return undefined;
      }
      default:
        return undefined;
    }
  }

  #recordCandidate({ hash, header, block, bundles }: OpenedBlock, batch: Batch): void {
    batch.candidates.push({ hash, epoch: header.epoch, view: header.view, block });
    for (const digest of bundles) batch.bundles.push({ digest, bytes: this.#bundleBytes(digest) });
  }

  #recordFinal(effect: Extract<ConsensusEffect, { type: "recordFinal" }>, batch: Batch): OpenedBlock | undefined {
    let last: OpenedBlock | undefined;
    for (const hash of effect.hashes) {
      const opened = present(this.blocks.get(hash), "a final block has its bytes");
      const { header, block } = opened;
      batch.events.push({ height: header.height, hash, block, proof: { kind: "none" } });
      const bundles = opened.bundles.map((digest) => this.#bundleBytes(digest));
      for (const [i, digest] of opened.bundles.entries()) {
        batch.bundles.push({ digest, bytes: present(bundles[i], "as many as digests") });
        batch.heights.push({ digest, height: header.height });
      }
      this.#delivery.offer({ height: header.height, hash, header: block.header, block, bundles });
      last = opened;
    }
    const final = batch.events.pop();
    if (final !== undefined) {
      const certificate = present(this.signatures.certificate("finalization", effect.view), "a finalization is kept");
      batch.events.push({ ...final, proof: { kind: "finalization", certificate, headers: [] } });
    }
    return last;
  }

  /** The log ends with this block now: what lies at or below it is settled. */
  #settled(last: OpenedBlock): void {
    this.#frontier = this.blocks.finalise(last);
    const { mempool, candidates } = this.context;
    const needed = new Set(mempool);
    for (const candidate of Object.values(candidates)) for (const digest of candidate.bundles) needed.add(digest);
    this.bundles.dropAllBut(needed);
    this.#goOnBundling();
    for (const hash of this.#judging.keys()) if (this.blocks.get(hash) === undefined) this.#judging.delete(hash);
    const kept = this.signatures.certificate("finalization", last.header.view);
    this.signatures.prune(viewOf(last.header.view + (kept === undefined ? 1 : 0)));
  }

  #perform(effect: ConsensusEffect): void {
    switch (effect.type) {
      case "send":
        for (const frame of this.#frames(effect.notice)) this.#ports.peers.send(effect.to, frame);
        return;
      case "broadcast":
        this.#broadcast(this.#frames(effect.notice));
        if (effect.notice.kind === "root") this.#attest(effect.notice.height, effect.notice.root);
        return;
      case "setTimer":
        this.#setTimer(effect.timer, effect.ms);
        return;
      case "clearTimer":
        this.#clearTimer(effect.timer);
        return;
      case "requestSignature":
        this.#signVote(effect.kind, effect.view, effect.hash);
        return;
      case "requestJudgement":
        this.#judge(effect.hash);
        return;
      case "requestBlock":
        this.fetching.want(`block/${effect.hash}`, leaderOf(effect.view, this.committee.keys.length), (peer) => {
          if (this.context.final.view >= effect.view || this.blocks.get(effect.hash) !== undefined)
            this.fetching.done(`block/${effect.hash}`);
          else this.#send(peer, { kind: "blockRequest", hash: effect.hash });
        });
        return;
      case "requestProposal":
        this.#buildProposal(effect);
        return;
      case "requestSynchronisation":
        this.#synchronise(effect.view);
        return;
      case "halt":
        this.#ports.observer.halted(effect.height, effect.root, effect.theirs);
        return;
      case "refuseInput":
        this.#ports.observer.refused(effect.reason, effect.member);
        return;
      default:
        return; // recorded above
    }
  }

  #setTimer(timer: TimerId, ms: number): void {
    this.#clearTimer(timer);
    const token = ++this.#tokens;
    const handle = this.#ports.clock.set(ms, () => this.#mail({ event: { type: "timerFired", timer }, token }));
    this.#timers.set(timer, { token, handle });
  }

  #clearTimer(timer: TimerId): void {
    const set = this.#timers.get(timer);
    if (set === undefined) return;
    this.#ports.clock.clear(set.handle);
    this.#timers.delete(timer);
  }

  #send(to: MemberIndex, message: PeerMessage): void {
    this.#ports.peers.send(to, encode(peerMessageShape, message));
  }

  #broadcast(frames: readonly Uint8Array[]): void {
    for (let i = 0; i < this.committee.keys.length; i++) {
      if (i === this.committee.self) continue;
      for (const frame of frames) this.#ports.peers.send(i as MemberIndex, frame);
    }
  }

  /** The frames of a notice; none when its bytes are gone meanwhile. */
  #frames(notice: PeerNotice): readonly Uint8Array[] {
    const { epoch, self } = this.committee;
    const one = (message: PeerMessage): readonly Uint8Array[] => [encode(peerMessageShape, message)];
    switch (notice.kind) {
      case "vote": {
        const signature = this.signatures.get(notice.vote, notice.view, notice.hash, self);
        if (signature === undefined) return [];
        return one({
          kind: "vote",
          vote: notice.vote,
          epoch,
          view: notice.view,
          hash: notice.hash,
          member: self,
          signature,
        });
      }
      case "proposal": {
        const opened = this.blocks.get(notice.hash);
        const signature = opened && this.signatures.get("notarize", opened.header.view, notice.hash, self);
        return opened === undefined || signature === undefined
          ? []
          : one({ kind: "proposal", block: opened.block, signature });
      }
      case "certificate": {
        const certificate = this.signatures.certificate(notice.certificate, notice.view);
        return certificate === undefined ? [] : one({ kind: "certificate", certificate });
      }
      case "bundles":
        return notice.digests.flatMap((digest) => {
          const bundle = this.bundles.get(digest);
          return bundle === undefined ? [] : one({ kind: "bundle", bundle });
        });
      case "ancestryRequest":
        return one({ kind: "ancestryRequest", epoch, view: notice.view });
      case "surveyRequest":
        return one({ kind: "surveyRequest", nonce: this.#ingress.surveyNonce });
      case "root":
        return []; // signed first: see #attest
    }
  }

  #attest(height: Height, root: Digest): void {
    const member = this.committee.self;
    this.#ports.sign(this.#ingress.rootMessage(member, height, root), (signature) => {
      this.#broadcast([encode(peerMessageShape, { kind: "root", height, root, member, signature })]);
    });
  }

  #signVote(kind: VoteKind, view: View, hash: Digest | null): void {
    this.#ports.sign(this.signatures.message(kind, view, hash), (signature) => {
      this.signatures.add(kind, view, hash, this.committee.self, signature);
      this.post({ type: "voteSigned", kind, view, hash });
    });
  }

  #buildProposal(request: Extract<ConsensusEffect, { type: "requestProposal" }>): void {
    const frontier = this.blocks.frontierAfter(request.parent);
    assert(frontier !== undefined, "a leader builds on a block that it certified");
    const bundles: Digest[] = [];
    let size = 0;
    for (const digest of request.bundles) {
      size += this.bundles.get(digest)?.length ?? Number.POSITIVE_INFINITY;
      if (size > BLOCK_BUNDLE_BYTES_MAX) break;
      bundles.push(digest);
    }
    const body = encode(bodyShape, { kind: "executions", bundles });
    const header = encode(headerShape, {
      height: heightOf(request.parentHeight + 1),
      epoch: this.committee.epoch,
      view: request.view,
      parentView: request.parentView,
      parent: request.parent,
      bodyHash: bodyHash(body),
      logRoot: frontier.root(),
      lastReconfigure: heightOf(0),
      lastCheckpoint: heightOf(0),
      time: logTime(Math.max(request.parentTime + 1, this.#ports.clock.now())),
      executed: { height: request.executedHeight, root: request.executedRoot },
    });
    const opened = openBlock({ header, body });
    assert(opened.ok && opened.value.hash === blockHash(header), "one's own block can be opened");
    this.blocks.add(opened.value);
    this.post({ type: "proposalBuilt", block: summaryOf(opened.value) });
  }

  /** Rule 3, "valid": logRoot, and every bundle here and signed by the member that made it. Fetches what is missing. */
  #judge(hash: Digest): void {
    const opened = this.blocks.get(hash);
    if (opened === undefined || this.#judging.has(hash)) return;
    const before = this.blocks.frontierAfter(opened.header.parent);
    if (before === undefined) return; // asked again when its parent is final here
    if (before.root() !== opened.header.logRoot || new Set(opened.bundles).size !== opened.bundles.length) {
      this.post({ type: "bodyJudged", hash, valid: false });
      return;
    }
    const missing = new Set(opened.bundles.filter((digest) => !this.#restoreBundle(digest)));
    this.#judging.set(hash, missing);
    if (missing.size === 0 || this.#bundleSize(opened) > BLOCK_BUNDLE_BYTES_MAX) return this.#judged(opened);
    this.fetching.want(`bundles/${hash}`, leaderOf(opened.header.view, this.committee.keys.length), (peer) => {
      if (!this.#judging.has(hash)) this.fetching.done(`bundles/${hash}`);
      else this.#send(peer, { kind: "bundleRequest", digests: [...missing] });
    });
  }

  /** A bundle may be ordered twice by different leaders: then it is read back from the log. */
  #restoreBundle(digest: Digest): boolean {
    if (this.bundles.has(digest)) return true;
    const stored = this.#ports.log.bundle(digest);
    if (stored !== undefined) this.bundles.add(digest, stored.bytes, null);
    return stored !== undefined;
  }

  #bundleBytes(digest: Digest): Uint8Array {
    return present(this.bundles.get(digest) ?? this.#ports.log.bundle(digest)?.bytes, "a judged body has its bundles");
  }

  #judged(opened: OpenedBlock): void {
    this.#judging.delete(opened.hash);
    this.fetching.done(`bundles/${opened.hash}`);
    this.post({ type: "bodyJudged", hash: opened.hash, valid: this.#bundleSize(opened) <= BLOCK_BUNDLE_BYTES_MAX });
  }

  /** Bytes of the bundles that a block names and that are here. */
  #bundleSize(opened: OpenedBlock): number {
    return opened.bundles.reduce((sum, digest) => sum + (this.bundles.get(digest)?.length ?? 0), 0);
  }

  /**
   * A bundle whose maker's signature holds. Beyond its maker's share it is only kept for the blocks that ask for it, and a block
   * whose bundles together are too large is judged before the rest of them is taken.
   */
  hold(digest: Digest, bytes: Uint8Array, maker: MemberIndex): void {
    const open = maker === this.committee.self || !this.bundles.isFull(maker);
    this.bundles.add(digest, bytes, maker);
    this.#ports.executor.bundleHeld(digest, bytes);
    if (open) this.post({ type: "bundleHeld", digest });
    for (const [hash, missing] of this.#judging) {
      if (!missing.delete(digest)) continue;
      const opened = this.blocks.get(hash);
      if (opened !== undefined && (missing.size === 0 || this.#bundleSize(opened) > BLOCK_BUNDLE_BYTES_MAX))
        this.#judged(opened);
    }
  }

  isWanted(digest: Digest): boolean {
    for (const missing of this.#judging.values()) if (missing.has(digest)) return true;
    return false;
  }

  /** Bundles what clients gave, as long as this member's share of the mempool lasts; goes on when blocks have made room. */
  #makeBundle(): void {
    if (this.bundles.isFull(this.committee.self)) {
      this.#bundling = false;
      return;
    }
    const signed: Uint8Array[] = [];
    let size = 0;
    while (this.#pending.length > 0 && signed.length < SIGNED_PER_BUNDLE_MAX && size < BUNDLE_TARGET_BYTES) {
      const next = present(this.#pending.shift(), "not empty");
      signed.push(next);
      size += next.length;
    }
    this.#pendingBytes -= size;
    if (signed.length === 0 || this.#stopped) {
      this.#bundling = false;
      return;
    }
    const body = encodeBundleBody(this.committee, signed);
    this.#ports.sign(bundleSigningBytes(this.committee, body), (signature) => {
      const bundle = encode(bundleShape, { body, signature });
      this.#broadcast([encode(peerMessageShape, { kind: "bundle", bundle })]);
      this.hold(bundleDigest(bundle), bundle, this.committee.self);
      this.#makeBundle();
    });
  }

  #synchronise(target: View): void {
    this.fetching.want(SYNCHRONISATION, null, (peer) => {
      const { pendingFinal, final } = this.context;
      if (pendingFinal === null && final.view >= target) this.fetching.done(SYNCHRONISATION);
      else this.#send(peer, { kind: "eventsRequest", from: heightOf(final.height + 1) });
    });
  }

  /** A page of events arrived: checked, appended, and the machine goes on from its end. */
  synchronised(from: MemberIndex, message: Extract<PeerMessage, { kind: "events" }>): void {
    this.drain(); // so that the machine's final block is the log's head
    const { final } = this.context;
    if (!this.fetching.has(SYNCHRONISATION)) return;
    if (message.from !== final.height + 1 || message.events.length === 0) return;
    const page = checkPage(this.committee, final, this.#frontier, message.events);
    if (!page.ok) return this.#ports.observer.refused(page.refusal.message, from);
    const { events, opened, bundles, finalizedView } = page.value;
    const last = present(opened.at(-1), "a checked page is not empty");
    this.#ports.log.commit({
      bundles,
      append: { expected: heightOf(final.height + 1), events },
      bundleHeights: bundles,
      pruneBelow: { epoch: this.committee.epoch, view: viewOf(last.header.view + 1) },
    });
    for (const one of opened) this.blocks.add(one);
    const proof = events.at(-1)?.proof;
    if (proof?.kind === "finalization") this.signatures.keep(proof.certificate);
    this.#settled(last);
    this.post({
      type: "logSynchronised",
      final: finalOf(last),
      finalizedView: viewOf(finalizedView),
      bundles: bundles.map(({ digest }) => digest),
    });
    this.drain();
    if (this.context.pendingFinal === null) this.fetching.done(SYNCHRONISATION);
    else this.fetching.again(SYNCHRONISATION, from);
  }
}
