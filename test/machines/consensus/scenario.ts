/** One consensus machine and whoever speaks to it: a scenario feeds it events and reads the effects, as data. */
import { type Digest, type MemberIndex, height, logTime, memberIndex, view } from "../../../src/base/brands.ts";
import { epoch } from "./values.ts";
import type { CertificateKind } from "../../../src/events/facts/block.ts";
import { leaderOf, quorumOf } from "../../../src/machines/consensus/committee.ts";
import { consensusMachine, standingOf } from "../../../src/machines/consensus/consensus.machine.ts";
import { type Restored, restoreContext } from "../../../src/machines/consensus/restore.ts";
import {
  type BlockSummary,
  type ConsensusEffect,
  type ConsensusEvent,
  type Context,
  DEFAULT_TIMINGS,
  type FinalBlock,
  type TimerId,
  type VoteKind,
} from "../../../src/machines/consensus/types.ts";
import { type Stepper, createStepper } from "../../../src/machines/step.ts";
import { GENESIS, GENESIS_ROOT, digest, rootAfter } from "./values.ts";

export type Effect<T extends ConsensusEffect["type"]> = Extract<ConsensusEffect, { type: T }>;

export interface ScenarioOptions {
  /** Which member the machine is; member i leads the views v with v mod size = i. */
  readonly self?: number;
  readonly size?: number;
  readonly votesAbove?: Context["votesAbove"];
}

/** A block on `parent` in `at`; the same arguments make the same block. */
export function blockOn(
  parent: BlockSummary | FinalBlock,
  at: number,
  fields: { readonly bundles?: readonly string[]; readonly time?: number; readonly name?: string } & Partial<
    Pick<BlockSummary, "executedHeight" | "executedRoot" | "height" | "parentView" | "lastCheckpoint" | "checkpoint">
  > = {},
): BlockSummary {
  const { bundles = [], time, name = "", lastCheckpoint, checkpoint, ...rest } = fields;
  const executedHeight = rest.executedHeight ?? parent.executedHeight;
  const summary = {
    view: view(at),
    parentView: parent.view,
    parent: parent.hash,
    height: height(parent.height + 1),
    time: logTime(time ?? parent.time + 1),
    executedHeight,
    executedRoot: "executedRoot" in parent ? parent.executedRoot : GENESIS_ROOT,
    bundles: bundles.map(digest),
    ...rest,
  };
  const hash = digest(JSON.stringify([summary, name]));
  return {
    hash,
    ...summary,
    lastCheckpoint: lastCheckpoint ?? parent.checkpoint,
    checkpoint: checkpoint ?? parent.checkpoint,
  };
}

export class Scenario {
  readonly self: MemberIndex;
  readonly size: number;
  /** What every step since the last `forget` asked for, in order. */
  effects: ConsensusEffect[] = [];
  readonly #disk: { -readonly [K in keyof Restored]: Restored[K][number][] } = {
    votes: [],
    certificates: [],
    verdicts: [],
    proposals: [],
    candidates: [],
    mempool: [],
  };
  readonly #blocks = new Map<Digest, BlockSummary>();
  #final: FinalBlock = GENESIS;
  #roots: Record<number, Digest> = { 0: GENESIS_ROOT };
  #executed = height(0);
  #votesAbove: Context["votesAbove"];
  #halted: Context["halted"] = null;
  #machine: Stepper<typeof consensusMachine>;

  constructor({ self = 0, size = 4, votesAbove = null }: ScenarioOptions = {}) {
    this.self = memberIndex(self);
    this.size = size;
    this.#votesAbove = votesAbove;
    this.#machine = this.#boot();
    this.take({ type: "started" });
  }

  get context(): Context {
    return this.#machine.context();
  }

  get standing(): string {
    return standingOf(this.context);
  }

  get others(): readonly MemberIndex[] {
    return Array.from({ length: this.size }, (_, i) => memberIndex(i)).filter((member) => member !== this.self);
  }

  #boot(): Stepper<typeof consensusMachine> {
    const membership = {
      epoch: epoch(0),
      self: this.self,
      size: this.size,
      timings: DEFAULT_TIMINGS,
      final: this.#final,
      executed: this.#executed,
      roots: this.#roots,
      votesAbove: this.#votesAbove,
      halted: this.#halted,
    };
    return createStepper(consensusMachine, { input: restoreContext(membership, this.#disk) });
  }

  /** Loses everything that was not recorded, and starts again. */
  restart(): this {
    this.#machine = this.#boot();
    return this.take({ type: "started" });
  }

  forget(): this {
    this.effects = [];
    return this;
  }

  take(event: ConsensusEvent): this {
    const { effects } = this.#machine.step(event);
    for (const effect of effects) this.#record(effect);
    this.effects.push(...effects);
    return this;
  }

  #record(effect: ConsensusEffect): void {
    switch (effect.type) {
      case "recordVote":
        this.#disk.votes.push(effect);
        return;
      case "recordProposal":
        this.#disk.proposals.push(effect);
        return;
      case "recordVerdict":
        this.#disk.verdicts.push(effect);
        return;
      case "recordCertificate":
        this.#disk.certificates.push(effect);
        return;
      case "recordVotesAbove":
        this.#votesAbove = effect.view;
        return;
      case "halt": {
        const { height: at, root, theirs } = effect;
        this.#halted = { height: at, root, theirs };
        return;
      }
      case "recordCandidate": {
        const block = this.#blocks.get(effect.hash);
        if (block === undefined) throw new Error("a candidate without its bytes was recorded");
        this.#disk.candidates.push({ block, judged: true });
        return;
      }
      case "recordFinal":
        for (const hash of effect.hashes) {
          const block = this.#blocks.get(hash);
          if (block === undefined) throw new Error("a final block without its bytes was recorded");
          this.#final = block;
        }
        return;
      default:
        return;
    }
  }

  /** The leader's proposal arrives and its body is judged valid as soon as the machine asks. */
  propose(block: BlockSummary, { aheadMs = 0, from = leaderOf(block.view, this.size), judged = true } = {}): this {
    this.#blocks.set(block.hash, block);
    this.take({ type: "proposalVerified", from, block, aheadMs });
    return judged ? this.judge(block) : this;
  }

  judge(block: BlockSummary, valid = true): this {
    return this.take({ type: "bodyJudged", hash: block.hash, valid });
  }

  fetch(block: BlockSummary, { judged = true } = {}): this {
    this.#blocks.set(block.hash, block);
    this.take({ type: "blockFetched", block });
    return judged ? this.judge(block) : this;
  }

  built(block: BlockSummary): this {
    this.#blocks.set(block.hash, block);
    return this.take({ type: "proposalBuilt", block });
  }

  vote(kind: VoteKind, at: number, block: BlockSummary | null, ...members: readonly number[]): this {
    for (const member of members) {
      const hash = block?.hash ?? null;
      this.take({ type: "voteVerified", kind, view: view(at), hash, member: memberIndex(member) });
    }
    return this;
  }

  certificate(kind: CertificateKind, at: number, block: BlockSummary | null): this {
    const signers = Array.from({ length: quorumOf(this.size) }, (_, i) => memberIndex(i));
    return this.take({ type: "certificateVerified", kind, view: view(at), hash: block?.hash ?? null, signers });
  }

  fires(timer: TimerId): this {
    return this.take({ type: "timerFired", timer });
  }

  hold(name: string): this {
    return this.take({ type: "bundleHeld", digest: digest(name) });
  }

  connected(member: number): this {
    return this.take({ type: "peerConnected", member: memberIndex(member) });
  }

  executed(block: BlockSummary): Digest {
    const before = this.#roots[block.height - 1] ?? GENESIS_ROOT;
    const root = rootAfter(before, block.hash);
    this.#roots = { ...this.#roots, [block.height]: root };
    this.#executed = block.height;
    this.take({ type: "executionReached", height: block.height, root });
    return root;
  }

  /** A block that everybody likes: proposed, notarized, finalised. */
  finalise(block: BlockSummary): this {
    this.propose(block);
    this.certificate("notarization", block.view, block);
    return this.certificate("finalization", block.view, block);
  }

  asked<T extends ConsensusEffect["type"]>(type: T): Effect<T>[] {
    return this.effects.filter((effect): effect is Effect<T> => effect.type === type);
  }

  /** Votes cast since the last `forget`, as "kind view". */
  get votes(): string[] {
    return this.asked("recordVote").map(({ kind, view: at }) => `${kind} ${at}`);
  }

  /** Notices sent or broadcast since the last `forget`. */
  get notices() {
    return this.effects.flatMap((effect) =>
      effect.type === "send" || effect.type === "broadcast" ? [effect.notice] : [],
    );
  }

  /** Certificates sent, broadcast or passed on since the last `forget`, as "kind view". */
  get certificates(): string[] {
    return this.effects.flatMap((effect) => {
      if (effect.type === "passOn") return [`${effect.certificate} ${effect.view}`];
      if (effect.type !== "send" && effect.type !== "broadcast") return [];
      return effect.notice.kind === "certificate" ? [`${effect.notice.certificate} ${effect.notice.view}`] : [];
    });
  }

  get timers(): string[] {
    return this.asked("setTimer").map(({ timer }) => timer);
  }

  get refusals(): string[] {
    return this.asked("refuseInput").map(({ reason }) => reason);
  }
}
