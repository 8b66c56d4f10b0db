/** A whole committee of real consensus machines over a seeded network: the shell's duties are played here, at its ports. */
import { createHash } from "node:crypto";
import type { Digest, MemberIndex } from "../../../src/base/brands.ts";
import { epoch, height, logTime, memberIndex, view, ZERO } from "./values.ts";
import type { CertificateKind } from "../../../src/events/facts/block.ts";
import { leaderOf, quorumOf } from "../../../src/machines/consensus/committee.ts";
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
import { createStepper, type Stepper } from "../../../src/machines/step.ts";

export const GENESIS: FinalBlock = {
  hash: digest("genesis"),
  height: height(0),
  view: view(0),
  time: logTime(0),
  executedHeight: height(0),
};
export const GENESIS_ROOT = digest("root of genesis");

export function digest(text: string): Digest {
  return createHash("sha256").update(text).digest("hex") as Digest;
}

/** Roots depend on the chain, as the executor's do. */
export const rootAfter = (before: Digest, block: Digest): Digest => digest(`${before}/${block}`);

export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

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

interface Disk {
  restored: { -readonly [K in keyof Restored]: Restored[K][number][] };
  log: { block: BlockSummary; view: number }[];
  votesAbove: Context["votesAbove"];
  readonly certificates: Map<string, readonly MemberIndex[]>;
}

interface Task {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export interface NetworkOptions {
  readonly seed: number;
  readonly size?: number;
  /** Chance that one message is lost. */
  readonly loss?: number;
  readonly delayMsMax?: number;
  readonly duplicate?: number;
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

  constructor(cluster: Cluster, index: MemberIndex) {
    this.cluster = cluster;
    this.index = index;
    this.machine = this.boot();
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
    const { restored, log } = this.disk;
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
        this.#notify(
          effect.notice,
          cluster.members.filter((other) => other !== this).map(({ index }) => index),
        );
        return;
      case "setTimer": {
        const token = cluster.tick();
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
          time: Math.max(effect.parentTime + 1, Math.floor(cluster.now)),
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
        this.blocks.set(message.block.hash, message.block);
        this.take({
          type: "proposalVerified",
          from,
          block: message.block,
          aheadMs: message.block.time - this.cluster.now,
        });
        return;
      case "vote":
        this.take({
          type: "voteVerified",
          kind: message.vote,
          view: view(message.view),
          hash: message.hash,
          member: memberIndex(message.member),
        });
        return;
      case "certificate":
        if (message.signers.length < quorumOf(this.cluster.size)) return;
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

export class Cluster {
  readonly size: number;
  readonly members: readonly Member[];
  readonly random: () => number;
  readonly bundlesMade = new Set<Digest>();
  now = 0;
  /** Decides what happens to a message; the default obeys the options. */
  filter: (from: number, to: number, message: Wire) => boolean = () => true;
  reaches: (from: number, to: number) => boolean = () => true;
  onStep?: (member: Member, event: ConsensusEvent) => void;
  readonly #options: Required<NetworkOptions>;
  readonly #queue: Task[] = [];
  #order = 0;

  constructor(options: NetworkOptions) {
    this.#options = { size: 4, loss: 0, delayMsMax: 5, duplicate: 0, ...options };
    this.size = this.#options.size;
    this.random = mulberry32(options.seed);
    this.members = Array.from({ length: this.size }, (_, index) => new Member(this, memberIndex(index)));
    for (const member of this.members) member.take({ type: "started" });
  }

  tick(): number {
    return ++this.#order;
  }

  calm(): void {
    Object.assign(this.#options, { loss: 0, duplicate: 0, delayMsMax: 5 });
    this.filter = () => true;
    this.reaches = () => true;
  }

  pick(except: number): MemberIndex {
    const other = Math.floor(this.random() * (this.size - 1));
    return memberIndex(other >= except ? other + 1 : other);
  }

  later(ms: number, run: () => void): void {
    this.#queue.push({ at: this.now + ms, order: this.tick(), run });
    let child = this.#queue.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!before(this.#queue[child], this.#queue[parent])) break;
      this.#swap(child, parent);
      child = parent;
    }
  }

  send(from: MemberIndex, to: MemberIndex, message: Wire): void {
    if (!this.filter(from, to, message) || !this.reaches(from, to)) return;
    const copies = this.random() < this.#options.duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.random() < this.#options.loss) continue;
      this.later(this.random() * this.#options.delayMsMax, () => this.members[to]?.receive(from, message));
    }
  }

  submit(name: string, at: number): Digest {
    const one = digest(name);
    this.bundlesMade.add(one);
    const member = this.members[at];
    if (member?.alive === true) {
      member.hold(one);
      for (const other of this.members)
        if (other !== member) this.send(member.index, other.index, { kind: "bundle", digest: one });
    }
    return one;
  }

  /** Runs until the condition holds. Returns false when the time is over first, or nothing is left to happen. */
  run(ms: number, until: () => boolean = () => false): boolean {
    const end = this.now + ms;
    while (!until()) {
      const task = this.#pop(end);
      if (task === undefined) return until();
      this.now = task.at;
      task.run();
    }
    return true;
  }

  get pending(): number {
    return this.#queue.length;
  }

  #pop(end: number): Task | undefined {
    const first = this.#queue[0];
    if (first === undefined || first.at > end) return undefined;
    const last = this.#queue.pop();
    if (last !== undefined && last !== first) {
      this.#queue[0] = last;
      for (let parent = 0; ; ) {
        let least = parent;
        for (const child of [2 * parent + 1, 2 * parent + 2])
          if (before(this.#queue[child], this.#queue[least])) least = child;
        if (least === parent) break;
        this.#swap(parent, least);
        parent = least;
      }
    }
    return first;
  }

  #swap(a: number, b: number): void {
    const [x, y] = [this.#queue[a], this.#queue[b]];
    if (x === undefined || y === undefined) return;
    this.#queue[a] = y;
    this.#queue[b] = x;
  }
}

const before = (a: Task | undefined, b: Task | undefined): boolean =>
  a !== undefined && b !== undefined && (a.at < b.at || (a.at === b.at && a.order < b.order));

/** Agreement on prefixes; no member ever broke rule 8 over all its lives. Throws with the reason. */
export function assertSafe(cluster: Cluster): void {
  const longest = cluster.members.reduce((a, b) => (b.log.length > a.log.length ? b : a)).log;
  for (const member of cluster.members) {
    member.log.forEach((hash, at) => {
      if (hash !== longest[at]) throw new Error(`members part at height ${at + 1}`);
    });
    const votes = new Map<string, string>();
    for (const { kind, view: at, hash } of member.sent) {
      const earlier = votes.get(`${kind}/${at}`);
      if (earlier !== undefined && earlier !== String(hash))
        throw new Error(`member ${member.index} voted twice in view ${at}`);
      votes.set(`${kind}/${at}`, String(hash));
      const opposite = kind === "nullify" ? "finalize" : kind === "finalize" ? "nullify" : undefined;
      if (opposite !== undefined && votes.has(`${opposite}/${at}`))
        throw new Error(`member ${member.index} nullified and finalised view ${at}`);
    }
  }
}

export { leaderOf };
