/** A member of the committee: its machine, and the shell's duties played at its ports (disk, timers, fetching, execution). */
import type { Digest, MemberIndex } from "../../../src/base/brands.ts";
import type { CertificateKind } from "../../../src/events/facts/block.ts";
import { leaderOf } from "../../../src/machines/consensus/committee.ts";
import { consensusMachine } from "../../../src/machines/consensus/consensus.machine.ts";
import { type Restored, restoreContext } from "../../../src/machines/consensus/restore.ts";
import {
  type BlockSummary,
  type ConsensusEffect,
  type ConsensusEvent,
  type Context,
  DEFAULT_TIMINGS,
  type Evidence,
  type FinalBlock,
  type PeerNotice,
  type TimerId,
  type VoteKind,
} from "../../../src/machines/consensus/types.ts";
import { type Stepper, createStepper } from "../../../src/machines/step.ts";
import type { Cluster } from "./cluster.ts";
import { GENESIS, GENESIS_ROOT, ZERO, digest, epoch, height, logTime, memberIndex, rootAfter, view } from "./values.ts";

export type Wire =
  | { readonly kind: "proposal"; readonly block: BlockSummary }
  | {
      readonly kind: "vote";
      readonly vote: VoteKind;
      readonly view: number;
      readonly hash: Digest | null;
      readonly member: number;
    }
  | {
      readonly kind: "certificate";
      readonly certificate: CertificateKind;
      readonly view: number;
      readonly hash: Digest | null;
      readonly signers: readonly MemberIndex[];
    }
  | { readonly kind: "bundle"; readonly digest: Digest }
  | { readonly kind: "block"; readonly block: BlockSummary }
  | { readonly kind: "blockRequest"; readonly hash: Digest }
  | { readonly kind: "ancestryRequest"; readonly view: number }
  | { readonly kind: "surveyRequest" }
  | { readonly kind: "survey"; readonly view: number }
  | { readonly kind: "root"; readonly height: number; readonly root: Digest };

export type Tamper = (to: MemberIndex, message: Wire) => readonly Wire[];

interface Disk {
  restored: { -readonly [K in keyof Restored]: Restored[K][number][] };
  log: { block: BlockSummary; view: number }[];
  votesAbove: Context["votesAbove"];
  readonly certificates: Map<string, readonly MemberIndex[]>;
}

export class Member {
  readonly index: MemberIndex;
  readonly cluster: Cluster;
  readonly disk: Disk = {
    restored: { votes: [], certificates: [], verdicts: [], proposals: [], candidates: [], mempool: [] },
    log: [],
    votesAbove: null,
    certificates: new Map(),
  };
  machine: Stepper<typeof consensusMachine>;
  alive = true;
  generation = 0;
  readonly blocks = new Map<Digest, BlockSummary>();
  readonly bundles = new Set<Digest>();
  readonly certificates = new Map<string, readonly MemberIndex[]>();
  readonly timers = new Map<TimerId, number>();
  readonly evidence: Evidence[] = [];
  readonly refusals: string[] = [];
  roots = new Map<number, Digest>([[0, GENESIS_ROOT]]);
  /** Every vote this member ever sent, over all its lives. */
  readonly sent: { kind: VoteKind; view: number; hash: Digest | null }[] = [];
  halted = false;
  skew = 0;
  #tokens = 0;
  /** A Byzantine member says something else than its machine: what goes to whom instead of each message. */
  tamper: Tamper | undefined;

  constructor(cluster: Cluster, index: MemberIndex) {
    this.cluster = cluster;
    this.index = index;
    this.machine = this.boot();
  }

  get byzantine(): boolean {
    return this.tamper !== undefined;
  }

  /** Every member's clock is a little wrong. Units: ms. */
  get clock(): number {
    return Math.floor(this.cluster.now + this.skew);
  }

  get context(): Context {
    return this.machine.context();
  }

  get log(): readonly Digest[] {
    return this.disk.log.map(({ block }) => block.hash);
  }

  boot(): Stepper<typeof consensusMachine> {
    const last = this.disk.log.at(-1)?.block;
    const final: FinalBlock = last ?? GENESIS;
    const executed = last?.height ?? height(0);
    return createStepper(consensusMachine, {
      input: restoreContext(
        {
          epoch: epoch(0),
          self: this.index,
          size: this.cluster.size,
          timings: DEFAULT_TIMINGS,
          final,
          executed,
          roots: Object.fromEntries(this.roots),
          votesAbove: this.disk.votesAbove,
          halted: null, // one that halted takes nothing more, in no life
        },
        this.disk.restored,
      ),
    });
  }

  crash(): void {
    this.alive = false;
    this.generation += 1;
    this.timers.clear();
  }

  restart(options: { readonly loseDisk?: boolean } = {}): void {
    if (options.loseDisk === true) {
      for (const list of Object.values(this.disk.restored)) list.length = 0;
      this.disk.log.length = 0;
      this.disk.certificates.clear();
      this.disk.votesAbove = "unknown";
      this.roots = new Map([[0, GENESIS_ROOT]]);
    }
    for (const memory of [this.blocks, this.bundles, this.certificates]) memory.clear();
    for (const [name, signers] of this.disk.certificates) this.certificates.set(name, signers);
    for (const { block } of [...this.disk.log, ...this.disk.restored.candidates]) {
      this.blocks.set(block.hash, block);
      for (const one of block.bundles) this.bundles.add(one);
    }
    this.alive = true;
    this.machine = this.boot();
    this.take({ type: "started" });
    for (const other of this.cluster.members) {
      if (other === this || !other.alive) continue;
      this.take({ type: "peerConnected", member: other.index });
      other.take({ type: "peerConnected", member: this.index });
    }
  }

  take(event: ConsensusEvent): void {
    if (!this.alive || this.halted) return;
    const { effects } = this.machine.step(event);
    this.perform(effects);
    this.cluster.onStep?.(this, event);
  }

  perform(effects: readonly ConsensusEffect[]): void {
    for (const effect of effects) this.#record(effect);
    for (const effect of effects) this.#act(effect);
  }

  #record(effect: ConsensusEffect): void {
    const { restored } = this.disk;
    switch (effect.type) {
      case "recordVote":
        restored.votes.push(effect);
        return;
      case "recordProposal":
        restored.proposals.push(effect);
        return;
      case "recordVerdict":
        restored.verdicts.push(effect);
        return;
      case "recordCertificate":
        restored.certificates.push(effect);
        this.#recordCertificate(key(effect.kind, effect.view, effect.hash), effect.signers);
        return;
      case "recordCandidate": {
        const block = this.blocks.get(effect.hash);
        if (block !== undefined) restored.candidates.push({ block, judged: true });
        return;
      }
      case "recordFinal":
        for (const hash of effect.hashes) {
          const block = this.blocks.get(hash);
          if (block === undefined) throw new Error("final without a body");
          this.append(block, effect.view);
        }
        return;
      case "recordVotesAbove":
        this.disk.votesAbove = effect.view;
        return;
      case "recordEvidence":
        this.evidence.push(effect.evidence);
        return;
      case "halt":
        this.halted = true;
        return;
      case "refuseInput":
        this.refusals.push(effect.reason);
        return;
      default:
        return;
    }
  }

  #recordCertificate(name: string, assembled: readonly MemberIndex[] | null): void {
    const signers = assembled ?? this.certificates.get(name);
    if (signers === undefined) throw new Error(`${name} is recorded and not held`);
    this.certificates.set(name, signers);
    this.disk.certificates.set(name, signers);
  }

  append(block: BlockSummary, finalizedView: number): void {
    this.disk.log.push({ block, view: finalizedView });
    const root = rootAfter(this.roots.get(block.height - 1) ?? ZERO, block.hash);
    this.roots.set(block.height, root);
    const generation = this.generation;
    this.cluster.later(this.cluster.random() * 3, () => {
      if (generation === this.generation) this.take({ type: "executionReached", height: block.height, root });
    });
  }

  #notifyOthers(notice: PeerNotice): void {
    this.#notify(
      notice,
      this.cluster.members.filter((other) => other !== this).map(({ index }) => index),
    );
  }

  #act(effect: ConsensusEffect): void {
    const { cluster, generation } = this;
    const soon = (event: ConsensusEvent): void =>
      cluster.later(cluster.random(), () => {
        if (generation === this.generation) this.take(event);
      });
    switch (effect.type) {
      case "send":
        this.#notify(effect.notice, [effect.to]);
        return;
      case "broadcast":
        this.#notifyOthers(effect.notice);
        return;
      case "passOn": {
        const { certificate, view, hash } = effect;
        cluster.later(cluster.random() * (this.context.timings.delta / 5), () => {
          if (generation === this.generation) this.#notifyOthers({ kind: "certificate", certificate, view, hash });
        });
        return;
      }
      case "setTimer": {
        const token = ++this.#tokens;
        this.timers.set(effect.timer, token);
        cluster.later(effect.ms, () => {
          if (generation === this.generation && this.timers.get(effect.timer) === token)
            this.take({ type: "timerFired", timer: effect.timer });
        });
        return;
      }
      case "clearTimer":
        this.timers.delete(effect.timer);
        return;
      case "requestSignature":
        this.sent.push(effect);
        cluster.sign(effect.kind, effect.view, effect.hash, this.index);
        soon({ type: "voteSigned", kind: effect.kind, view: effect.view, hash: effect.hash });
        return;
      case "requestJudgement": {
        const attempt = (): void => {
          const block = this.blocks.get(effect.hash);
          if (generation !== this.generation || block === undefined) return;
          if (block.bundles.every((one) => this.bundles.has(one)))
            this.take({ type: "bodyJudged", hash: effect.hash, valid: true });
          else {
            for (const one of block.bundles) if (cluster.bundlesMade.has(one)) this.bundles.add(one); // fetched from a random peer
            cluster.later(100, attempt);
          }
        };
        cluster.later(cluster.random(), attempt);
        return;
      }
      case "requestBlock": {
        const attempt = (): void => {
          if (generation !== this.generation || this.context.final.view >= effect.view) return;
          const here = this.blocks.get(effect.hash);
          if (here !== undefined) return soon({ type: "blockFetched", block: here });
          cluster.send(this.index, cluster.pick(this.index), { kind: "blockRequest", hash: effect.hash });
          cluster.later(100, attempt);
        };
        attempt();
        return;
      }
      case "requestProposal": {
        const fields = {
          ...effect,
          time: Math.max(effect.parentTime + 1, this.clock),
          leader: this.index,
        };
        const block: BlockSummary = {
          hash: digest(JSON.stringify(fields)),
          view: effect.view,
          parentView: effect.parentView,
          parent: effect.parent,
          height: height(effect.parentHeight + 1),
          time: logTime(fields.time),
          executedHeight: effect.executedHeight,
          executedRoot: effect.executedRoot,
          bundles: effect.bundles,
          lastCheckpoint: effect.lastCheckpoint,
          checkpoint: effect.checkpoint === null ? effect.lastCheckpoint : height(effect.parentHeight + 1),
        };
        this.blocks.set(block.hash, block);
        soon({ type: "proposalBuilt", block });
        return;
      }
      case "requestSynchronisation":
        this.#synchronise(effect.view, generation);
        return;
      default:
        return;
    }
  }

  #synchronise(target: number, generation: number): void {
    const { cluster } = this;
    const attempt = (): void => {
      if (generation !== this.generation || !this.alive || this.context.final.view >= target) return;
      const peer = cluster.members[cluster.pick(this.index)];
      if (
        peer?.alive === true &&
        !peer.byzantine && // its pages do not hold: refused, and another peer is asked
        cluster.reaches(peer.index, this.index) &&
        peer.disk.log.length > this.disk.log.length
      ) {
        const missing = peer.disk.log.slice(this.disk.log.length);
        for (const { block, view: finalizedView } of missing) {
          this.blocks.set(block.hash, block);
          this.append(block, finalizedView);
        }
        const last = missing.at(-1);
        if (last !== undefined) {
          const bundles = missing.flatMap(({ block }) => block.bundles);
          this.take({ type: "logSynchronised", final: last.block, finalizedView: view(last.view), bundles });
        }
      }
      cluster.later(100, attempt);
    };
    cluster.later(1, attempt);
  }

  #notify(notice: PeerNotice, to: readonly MemberIndex[]): void {
    for (const message of this.#wire(notice)) for (const member of to) this.cluster.send(this.index, member, message);
  }

  #wire(notice: PeerNotice): Wire[] {
    switch (notice.kind) {
      case "vote":
        return [{ kind: "vote", vote: notice.vote, view: notice.view, hash: notice.hash, member: this.index }];
      case "proposal": {
        const block = this.blocks.get(notice.hash);
        return block === undefined ? [] : [{ kind: "proposal", block }];
      }
      case "certificate": {
        const signers = this.certificates.get(key(notice.certificate, notice.view, notice.hash));
        return signers === undefined
          ? []
          : [{ kind: "certificate", certificate: notice.certificate, view: notice.view, hash: notice.hash, signers }];
      }
      case "bundles":
        return notice.digests.map((one) => ({ kind: "bundle", digest: one }));
      default:
        return [notice];
    }
  }

  receive(from: MemberIndex, message: Wire): void {
    if (!this.alive) return;
    switch (message.kind) {
      case "proposal":
        if (message.block.view <= this.context.final.view || leaderOf(message.block.view, this.cluster.size) !== from)
          return;
        this.blocks.set(message.block.hash, message.block);
        this.take({
          type: "proposalVerified",
          from,
          block: message.block,
          aheadMs: message.block.time - this.clock,
        });
        return;
      case "vote":
        if (message.member !== from || !this.cluster.isSigned(message.vote, message.view, message.hash, from)) return;
        this.take({
          type: "voteVerified",
          kind: message.vote,
          view: view(message.view),
          hash: message.hash,
          member: memberIndex(message.member),
        });
        return;
      case "certificate":
        if (!this.cluster.isSound(message)) return;
        this.certificates.set(key(message.certificate, message.view, message.hash), message.signers);
        this.take({
          type: "certificateVerified",
          kind: message.certificate,
          view: view(message.view),
          hash: message.hash,
          signers: message.signers,
        });
        return;
      case "bundle":
        this.hold(message.digest);
        return;
      case "block":
        if (this.context.notarizations[message.block.view] !== message.block.hash) return;
        this.blocks.set(message.block.hash, message.block);
        this.take({ type: "blockFetched", block: message.block });
        return;
      case "blockRequest": {
        const block = this.blocks.get(message.hash);
        if (block !== undefined) this.cluster.send(this.index, from, { kind: "block", block });
        return;
      }
      case "ancestryRequest":
        this.#answerAncestry(from, message.view);
        return;
      case "surveyRequest":
        this.cluster.send(this.index, from, { kind: "survey", view: highestCertificate(this.context) });
        return;
      case "survey":
        this.take({ type: "highestCertificateReported", member: from, view: view(message.view) });
        return;
      case "root":
        this.take({ type: "rootAttested", member: from, height: height(message.height), root: message.root });
        return;
    }
  }

  #answerAncestry(to: MemberIndex, asked: number): void {
    for (const [name, signers] of this.certificates) {
      const [certificate, viewText, hashText] = name.split("/") as [CertificateKind, string, string];
      if (Number(viewText) !== asked) continue;
      const hash = hashText === "" ? null : (hashText as Digest);
      this.cluster.send(this.index, to, { kind: "certificate", certificate, view: asked, hash, signers });
      const block = hash === null ? undefined : this.blocks.get(hash);
      if (block !== undefined) this.cluster.send(this.index, to, { kind: "block", block });
    }
  }

  hold(one: Digest): void {
    this.bundles.add(one);
    if (!this.disk.log.some(({ block }) => block.bundles.includes(one))) this.take({ type: "bundleHeld", digest: one });
  }
}

const key = (kind: CertificateKind, at: number, hash: Digest | null): string => `${kind}/${at}/${hash ?? ""}`;

export const highestCertificate = (context: Context): number =>
  Math.max(
    context.final.view,
    ...Object.keys(context.notarizations).map(Number),
    ...Object.keys(context.nullifications).map(Number),
  );
