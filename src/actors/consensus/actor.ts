/**
 * The consensus actor: one drain steps every waiting event, makes what must survive durable, then lets the messages go.
 * What it decides, the machine decided (src/machines/consensus); what it verifies and fetches stands in the files beside it.
 */
import type { Digest, Height, MemberIndex, View } from "../../base/brands.ts";
import { height as heightOf, logTime, view as viewOf } from "../../base/brands.ts";
import { encode } from "../../base/codec.ts";
import { assert } from "../../base/errors.ts";
import type { Result } from "../../base/result.ts";
import type { MerkleFrontier } from "../../crypto/merkle.ts";
import { bodyShape, headerShape } from "../../events/facts/block.ts";
import { type VoteKind, blockHash, bodyHash } from "../../events/facts/hashing.ts";
import type { PeerMessage } from "../../events/facts/peer-message.ts";
import { leaderOf } from "../../machines/consensus/committee.ts";
import { consensusMachine, standingOf } from "../../machines/consensus/consensus.machine.ts";
import type { ConsensusEffect, ConsensusEvent, Context } from "../../machines/consensus/types.ts";
import { type Stepper, createStepper } from "../../machines/step.ts";
import { Blocks, type OpenedBlock, openBlock, summaryOf } from "./blocks.ts";
import { Bundling } from "./bundling.ts";
import { BLOCK_BUNDLE_BYTES_MAX, Bundles } from "./bundles.ts";
import { CatchUp } from "./catch-up.ts";
import { Delivery } from "./delivery.ts";
import { Fetching } from "./fetching.ts";
import { Ingress } from "./ingress.ts";
import { Judging } from "./judging.ts";
import { Outgoing } from "./outgoing.ts";
import { PassingOn } from "./passing-on.ts";
import { OlderBlocks } from "./older-blocks.ts";
import type { Committee, ConsensusPorts } from "./ports.ts";
import { recordingOf } from "./recording.ts";
import { Signatures } from "./signatures.ts";
import { Statements } from "./statements.ts";
import type { Start } from "./start.ts";
import { Timers } from "./timers.ts";

interface Mail {
  readonly event: ConsensusEvent;
  /** Of a timer: only the newest setting of its id may fire. */
  readonly token?: number;
}

type Of<T extends ConsensusEffect["type"]> = Extract<ConsensusEffect, { type: T }>;

export class ConsensusActor {
  readonly committee: Committee;
  readonly signatures: Signatures;
  readonly blocks: Blocks;
  readonly bundles: Bundles;
  readonly fetching: Fetching;
  readonly statements: Statements;
  readonly #ports: ConsensusPorts;
  readonly #machine: Stepper<typeof consensusMachine>;
  readonly #delivery: Delivery;
  readonly #ingress: Ingress;
  readonly #timers: Timers;
  readonly #outgoing: Outgoing;
  readonly passingOn: PassingOn;
  readonly #judging: Judging;
  readonly #bundling: Bundling;
  readonly catchUp: CatchUp;
  readonly #older: OlderBlocks;
  readonly #executed: { height: Height; root: Digest }[] = [];
  #mailbox: Mail[] = [];
  #drainDue = false;
  #draining = false;
  /** Views that ended without a block, in this life. */
  #nullified = 0;
  #frontier: MerkleFrontier;
  #stopped = false;

  constructor(committee: Committee, ports: ConsensusPorts, start: Start) {
    this.committee = committee;
    this.#ports = ports;
    this.#frontier = start.frontier;
    this.#machine = createStepper(consensusMachine, { input: start.context });
    ports.observer.began?.(this.#machine.snapshot());
    this.signatures = new Signatures(committee);
    this.blocks = new Blocks(start.context.final.hash, start.frontier);
    this.bundles = new Bundles(committee.keys.length);
    for (const certificate of start.certificates) this.signatures.keep(certificate);
    for (const opened of start.blocks) this.blocks.add(opened);
    for (const { digest, bytes } of start.bundles) this.bundles.add(digest, bytes, null);
    this.fetching = new Fetching(ports);
    this.#delivery = new Delivery(ports.log, ports.executor.deliver);
    this.#timers = new Timers(ports.clock, (timer, token) =>
      this.#mail({ event: { type: "timerFired", timer }, token }),
    );
    this.#ingress = new Ingress(this, ports);
    this.#outgoing = new Outgoing(ports, { ...this.#stores(), surveyNonce: this.#ingress.surveyNonce });
    this.passingOn = new PassingOn(
      ports.clock,
      committee.timings.delta / 10,
      this.#outgoing.others,
      (to, certificate, view) => this.#outgoing.notify(to, { kind: "certificate", certificate, view, hash: null }),
    );
    this.statements = this.#makeStatements();
    this.#judging = new Judging({
      ...this.#stores(),
      size: committee.keys.length,
      log: ports.log,
      outgoing: this.#outgoing,
      statements: this.statements,
      judged: (hash, valid) => this.post({ type: "bodyJudged", hash, valid }),
    });
    this.#bundling = new Bundling(
      committee,
      ports,
      this.bundles,
      (digest, bundle) => {
        // A client came again with what was ordered before: the same bytes make the same bundle, which nobody else would take.
        if (!this.bundles.has(digest) && ports.log.bundle(digest) !== undefined) return;
        this.#outgoing.broadcast({ kind: "bundle", bundle });
        this.hold(digest, bundle, committee.self);
      },
      (digest) => Object.values(this.context.candidates).some(({ bundles }) => bundles.includes(digest)),
    );
    this.catchUp = this.#makeCatchUp();
    this.#older = new OlderBlocks({
      committee,
      ports,
      fetching: this.fetching,
      outgoing: this.#outgoing,
      ordered: (page) => this.post(page),
      joined: () => this.#report(),
    });
    this.#older.start();
    this.catchUp.begin();
    this.post({ type: "started" });
    this.#survey();
  }

  /** While the journal is lost every other member is asked again and again: blocks that come meanwhile are no answer. */
  #survey(): void {
    if (this.context.votesAbove !== "unknown") return;
    this.fetching.want("survey", null, (peer) => {
      if (this.context.votesAbove === "unknown") this.#outgoing.notify(peer, { kind: "surveyRequest" });
      else this.fetching.done("survey");
    });
  }

  #makeStatements(): Statements {
    return new Statements({
      committee: this.committee,
      sign: this.#ports.sign,
      now: this.#ports.clock.now,
      final: () => this.context.final,
      said: (message) => this.#outgoing.broadcast(message),
      provable: (height) => this.post({ type: "checkpointProvable", height }),
      judgedLate: (from, taken) => this.#ingress.taken(from, taken),
    });
  }

  #makeCatchUp(): CatchUp {
    return new CatchUp({
      ...this.#stores(),
      ports: this.#ports,
      outgoing: this.#outgoing,
      context: () => this.context,
      frontier: () => this.#frontier,
      appended: (blocks, last) => {
        for (const one of blocks) this.blocks.add(one);
        this.#settled(last);
      },
      step: (events) => {
        for (const event of events) this.post(event);
        this.drain();
      },
      complete: (found) => {
        this.stop();
        this.#ports.checkpoints?.adopt(found);
      },
    });
  }

  #stores() {
    const { committee, signatures, blocks, bundles, fetching } = this;
    return { committee, signatures, blocks, bundles, fetching };
  }

  get context(): Context {
    return this.#machine.context();
  }

  /** Puts an event in the mailbox; the drain comes soon. */
  post(event: ConsensusEvent): void {
    const own = event.type === "peerConnected" ? this.statements.own() : undefined;
    if (event.type === "peerConnected" && own !== undefined) this.#outgoing.send(event.member, own);
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

  /** A frame of an authenticated peer. Returns whether it was of use: new, or what was asked for. */
  receive(from: MemberIndex, frame: Uint8Array): boolean {
    return this.#stopped || this.#ingress.receive(from, frame);
  }

  /**
   * Takes an encoded `Signed` batch of a client, already judged by the host, into the next bundle.
   * Returns false when the member holds as much as it may: nothing was taken, the client should come back.
   */
  submit(signed: Uint8Array): boolean {
    return this.#bundling.submit(signed);
  }

  /** The executor wants blocks from this height on, and tells what it executed. */
  startDelivery(from: Height): void {
    this.#delivery.start(from, this.context.final.height);
  }

  executed(height: Height, root: Digest): void {
    this.#executed.push({ height, root });
    this.#delivery.executed(height, this.context.final.height);
    this.post({ type: "executionReached", height, root });
  }

  /** The projector wrote the state after this height as segments: the member says so, and a leader may order a checkpoint of it. */
  checkpointWritten(height: Height, root: Digest, segments: Digest): void {
    if (!this.#stopped) this.statements.state({ epoch: this.committee.epoch, height, root, segments });
  }

  /** Stops taking part: timers and fetches end, nothing more is sent. What was recorded stays. */
  stop(): void {
    this.#stopped = true;
    this.#bundling.stop();
    this.#older.stop();
    this.catchUp.stop();
    this.fetching.stop();
    this.#timers.stop();
    this.passingOn.stop();
    if (this.#executed.length > 0) this.#ports.log.commit({ executed: this.#executed.splice(0) });
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
          if (event.type === "timerFired" && token !== undefined && !this.#timers.stands(event.timer, token)) continue;
          const stepped = this.#machine.step(event);
          effects.push(...stepped.effects);
          const { observer } = this.#ports;
          observer.stepped?.(event, stepped.effects, this.#machine.snapshot(), stepped.refused?.message);
          if (stepped.refused !== undefined) observer.refused(stepped.refused.code, null);
        }
        this.#record(effects);
        // Blocks that were fetched are in the log before the machine knows of them: only now their bundles are no work any more.
        if (mailbox.some(({ event }) => event.type === "logSynchronised")) this.#dropBundles();
        for (const effect of effects) this.#perform(effect);
      }
    } finally {
      this.#draining = false;
    }
    this.statements.reached();
    this.#bundling.goOn();
    this.#delivery.pump(this.context.final.height);
    this.#report();
  }

  #report(): void {
    const { view, final, executed, mempool } = this.context;
    this.#ports.observer.advanced({
      state: standingOf(this.context),
      view,
      finalHeight: final.height,
      executedHeight: executed,
      mempool: mempool.length,
      nullified: this.#nullified,
      vouchesFrom: this.#older.vouchesFrom,
    });
  }

  /** 1. Everything that must survive a crash, in one synced transaction. */
  #record(effects: readonly ConsensusEffect[]): void {
    for (const effect of effects)
      if (effect.type === "recordCertificate" && effect.kind === "nullification") this.#nullified += 1;
    const recorded = recordingOf(effects, {
      ...this.#stores(),
      bundleBytes: (digest) => this.#judging.bundleBytes(digest),
    });
    if (recorded === undefined) return;
    const executed = this.#executed.splice(0);
    this.#ports.log.commit({ ...recorded.batch, ...(executed.length > 0 && { executed }) });
    for (const delivery of recorded.final) this.#delivery.offer(delivery);
    if (recorded.last !== undefined) this.#settled(recorded.last);
  }

  /** The log ends with this block now: what lies at or below it is settled. */
  #settled(last: OpenedBlock): void {
    this.#frontier = this.blocks.finalise(last);
    this.#dropBundles();
    this.#judging.settle();
    this.passingOn.prune(last.header.view);
    const kept = this.signatures.certificate("finalization", last.header.view);
    this.signatures.prune(viewOf(last.header.view + (kept === undefined ? 1 : 0)));
  }

  #dropBundles(): void {
    const { mempool, candidates } = this.context;
    const needed = new Set(mempool);
    for (const candidate of Object.values(candidates)) for (const digest of candidate.bundles) needed.add(digest);
    const beyond = this.bundles.dropAllBut(needed);
    // Who voted for a block has its bundles on the disk. Nobody proposes these: were they not ordered, they would stay there for good.
    if (beyond.length > 0) this.#ports.log.dropBundles(beyond);
    this.#bundling.goOn();
  }

  /** 2. Messages, 3. timers, 4. requests. */
  #perform(effect: ConsensusEffect): void {
    switch (effect.type) {
      case "send":
        return this.#outgoing.notify(effect.to, effect.notice);
      case "broadcast":
        return this.#outgoing.notifyAll(effect.notice);
      case "passOn":
        return this.passingOn.add(effect.certificate, effect.view);
      case "setTimer":
        return this.#timers.set(effect.timer, effect.ms);
      case "clearTimer":
        return this.#timers.clear(effect.timer);
      case "requestSignature":
        return this.#signVote(effect.kind, effect.view, effect.hash);
      case "requestJudgement":
        return this.#judging.judge(effect.hash);
      case "requestBlock":
        return this.#fetchBlock(effect);
      case "requestProposal":
        return this.#buildProposal(effect);
      case "requestSynchronisation":
        return this.catchUp.start(effect.view);
      case "halt": {
        const { height, root, theirs } = effect;
        this.catchUp.stop();
        this.fetching.stop();
        return this.#ports.observer.halted({ height, root, theirs });
      }
      case "recordEvidence": {
        const { kind, member, view } = effect.evidence;
        return this.#ports.observer.evidence(kind, member, view);
      }
      case "refuseInput":
        return this.#ports.observer.refused(effect.reason, effect.member);
      default:
        return; // recorded
    }
  }

  /** A notarized block. It may be here already, as the second proposal of a leader that made two. */
  #fetchBlock({ hash, view }: Of<"requestBlock">): void {
    const name = `block/${hash}`;
    const isOver = (): boolean => {
      const here = this.blocks.get(hash);
      if (here !== undefined) this.post({ type: "blockFetched", block: summaryOf(here) });
      return here !== undefined || this.context.final.view >= view;
    };
    if (isOver()) return;
    this.fetching.want(name, leaderOf(view, this.committee.keys.length), (peer) => {
      if (isOver()) this.fetching.done(name);
      else this.#outgoing.send(peer, { kind: "blockRequest", hash });
    });
  }

  #signVote(kind: VoteKind, view: View, hash: Digest | null): void {
    this.#ports.sign(this.signatures.message(kind, view, hash), (signature) => {
      this.signatures.add(kind, view, hash, this.committee.self, signature);
      this.post({ type: "voteSigned", kind, view, hash });
    });
  }

  #buildProposal(request: Of<"requestProposal">): void {
    const frontier = this.blocks.frontierAfter(request.parent);
    assert(frontier !== undefined, "a leader builds on a block that it certified");
    const bundles: Digest[] = [];
    let size = 0;
    for (const digest of request.bundles) {
      size += this.bundles.get(digest)?.length ?? Number.POSITIVE_INFINITY;
      if (size > BLOCK_BUNDLE_BYTES_MAX) break;
      bundles.push(digest);
    }
    const checkpoint = request.checkpoint === null ? null : this.statements.proof(request.checkpoint);
    if (checkpoint === undefined) return this.post({ type: "proposalFailed", view: request.view });
    const body = encode(
      bodyShape,
      checkpoint === null ? { kind: "executions", bundles } : { kind: "checkpoint", checkpoint },
    );
    const header = encode(headerShape, {
      height: heightOf(request.parentHeight + 1),
      epoch: this.committee.epoch,
      view: request.view,
      parentView: request.parentView,
      parent: request.parent,
      bodyHash: bodyHash(body),
      logRoot: frontier.root(),
      lastReconfigure: heightOf(0),
      lastCheckpoint: request.lastCheckpoint,
      time: logTime(Math.max(request.parentTime + 1, this.#ports.clock.now())),
      executed: { height: request.executedHeight, root: request.executedRoot },
    });
    const opened = openBlock({ header, body });
    assert(opened.ok && opened.value.hash === blockHash(header), "one's own block can be opened");
    this.blocks.add(opened.value);
    this.post({ type: "proposalBuilt", block: summaryOf(opened.value) });
  }

  /** A bundle whose maker's signature holds. Beyond its maker's share it is only kept for the blocks that ask for it. */
  hold(digest: Digest, bytes: Uint8Array, maker: MemberIndex): void {
    const open = maker === this.committee.self || !this.bundles.isFull(maker);
    this.bundles.add(digest, bytes, maker, !open);
    this.#ports.executor.bundleHeld(digest, bytes);
    if (open) this.post({ type: "bundleHeld", digest });
    this.#judging.held(digest);
  }

  isWanted(digest: Digest): boolean {
    return this.#judging.isWanted(digest);
  }

  /** A page of events of a peer. */
  synchronised(from: MemberIndex, message: Extract<PeerMessage, { kind: "events" }>): Result<void> {
    return this.#older.take(from, message) ?? this.catchUp.take(from, message);
  }
}
