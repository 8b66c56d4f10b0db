/** One consensus machine with its disk, as a value: each step makes a new one, so that scripts and paths can branch anywhere. */
import { type Digest, type Height, height, memberIndex } from "../../../src/base/brands.ts";
import { consensusMachine } from "../../../src/machines/consensus/consensus.machine.ts";
import { type Restored, restoreContext } from "../../../src/machines/consensus/restore.ts";
import {
  type BlockSummary,
  type ConsensusEffect,
  type ConsensusEvent,
  type Context,
  DEFAULT_TIMINGS,
  type FinalBlock,
  type TimerId,
} from "../../../src/machines/consensus/types.ts";
import { type StepRefusal, createStepper } from "../../../src/machines/step.ts";
import { GENESIS, GENESIS_ROOT, epoch } from "../../machines/consensus/values.ts";

/** What a member recorded: all that a restart knows. */
export interface Disk extends Restored {
  readonly log: readonly FinalBlock[];
  readonly executed: Height;
  readonly roots: Readonly<Record<number, Digest>>;
  readonly votesAbove: Context["votesAbove"];
  readonly halted: Context["halted"];
}

type Effect<T extends ConsensusEffect["type"]> = Extract<ConsensusEffect, { type: T }>;

/** What the shell owes the machine; all of it is forgotten when the process ends. */
export interface Duties {
  readonly timers: readonly TimerId[];
  readonly signatures: readonly Effect<"requestSignature">[];
  readonly judgements: readonly Digest[];
  readonly blocks: readonly Digest[];
  readonly proposal: Effect<"requestProposal"> | null;
  readonly synchronisation: Effect<"requestSynchronisation"> | null;
}

const NO_DUTIES: Duties = {
  timers: [],
  signatures: [],
  judgements: [],
  blocks: [],
  proposal: null,
  synchronisation: null,
};

export interface Life {
  readonly self: number;
  readonly size: number;
  readonly snapshot: ReturnType<ReturnType<typeof createStepper<typeof consensusMachine>>["snapshot"]>;
  readonly disk: Disk;
  readonly duties: Duties;
  /** What the last step asked for, in order. */
  readonly effects: readonly ConsensusEffect[];
  readonly refused: StepRefusal | undefined;
}

/** The bytes that the shell keeps: blocks by hash. */
export type Blocks = (hash: Digest) => BlockSummary | undefined;

export const EMPTY_DISK: Disk = {
  votes: [],
  certificates: [],
  verdicts: [],
  proposals: [],
  candidates: [],
  mempool: [],
  log: [GENESIS],
  executed: height(0),
  roots: { 0: GENESIS_ROOT },
  votesAbove: null,
  halted: null,
};

export const finalOf = (disk: Disk): FinalBlock => disk.log.at(-1) ?? GENESIS;

/** A member that has loaded its flags; its first event is `started`. */
export function boot({ self, size, disk }: Pick<Life, "self" | "size" | "disk">): Life {
  const { executed, roots, votesAbove, halted } = disk;
  const membership = {
    epoch: epoch(0),
    self: memberIndex(self),
    size,
    timings: DEFAULT_TIMINGS,
    final: finalOf(disk),
    executed,
    roots,
    votesAbove,
    halted,
  };
  const stepper = createStepper(consensusMachine, { input: restoreContext(membership, disk) });
  return {
    self,
    size,
    disk,
    snapshot: stepper.snapshot(),
    duties: NO_DUTIES,
    effects: stepper.initialEffects,
    refused: undefined,
  };
}

/** Takes one event; what the machine records is on the disk afterwards. Throws: Defect. */
export function take(life: Life, event: ConsensusEvent, blocks: Blocks): Life {
  const stepper = createStepper(consensusMachine, { snapshot: life.snapshot });
  const disk = shellWrites(life.disk, event, blocks);
  const { effects, refused } = stepper.step(event);
  return {
    ...life,
    snapshot: stepper.snapshot(),
    disk: effects.reduce((before, effect) => recorded(before, effect, blocks), disk),
    duties: effects.reduce(owed, answered(life.duties, event)),
    effects,
    refused,
  };
}

/** What the shell writes by itself before it tells the machine. */
function shellWrites(disk: Disk, event: ConsensusEvent, blocks: Blocks): Disk {
  switch (event.type) {
    case "bundleHeld":
      return { ...disk, mempool: [...new Set([...disk.mempool, event.digest])] };
    case "executionReached":
      return { ...disk, executed: event.height, roots: { ...disk.roots, [event.height]: event.root } };
    case "logSynchronised": {
      const appended: FinalBlock[] = [];
      for (
        let at = blocks(event.final.hash);
        at !== undefined && at.height > finalOf(disk).height;
        at = blocks(at.parent)
      )
        appended.unshift(at);
      return settled({ ...disk, log: [...disk.log, ...appended] }, event.bundles);
    }
    default:
      return disk;
  }
}

/** Ordered bundles leave the mempool, as the store's row of a final block says. */
const settled = (disk: Disk, ordered: readonly Digest[]): Disk => ({
  ...disk,
  mempool: disk.mempool.filter((one) => !ordered.includes(one)),
});

function recorded(disk: Disk, effect: ConsensusEffect, blocks: Blocks): Disk {
  switch (effect.type) {
    case "recordVote":
      return { ...disk, votes: [...disk.votes, effect] };
    case "recordProposal":
      return { ...disk, proposals: [...disk.proposals, effect] };
    case "recordVerdict":
      return { ...disk, verdicts: [...disk.verdicts, effect] };
    case "recordCertificate":
      return { ...disk, certificates: [...disk.certificates, effect] };
    case "recordVotesAbove":
      return { ...disk, votesAbove: effect.view };
    case "halt": {
      const { height: at, root, theirs } = effect;
      return { ...disk, halted: { height: at, root, theirs } };
    }
    case "recordCandidate":
      return { ...disk, candidates: [...disk.candidates, { block: known(effect.hash, blocks), judged: true }] };
    case "recordFinal": {
      const appended = effect.hashes.map((hash) => known(hash, blocks));
      return settled(
        { ...disk, log: [...disk.log, ...appended] },
        appended.flatMap(({ bundles }) => bundles),
      );
    }
    default:
      return disk;
  }
}

function known(hash: Digest, blocks: Blocks): BlockSummary {
  const block = blocks(hash);
  if (block === undefined) throw new Error("a block is recorded whose bytes nobody ever gave this member");
  return block;
}

const without = <T>(list: readonly T[], one: T): readonly T[] => list.filter((other) => other !== one);

/** What is still owed once this event was told. */
function answered(duties: Duties, event: ConsensusEvent): Duties {
  switch (event.type) {
    case "timerFired":
      return { ...duties, timers: without(duties.timers, event.timer) };
    case "voteSigned":
      return { ...duties, signatures: duties.signatures.filter((asked) => !isAbout(asked, event)) };
    case "bodyJudged":
      return { ...duties, judgements: without(duties.judgements, event.hash) };
    case "blockFetched":
      return { ...duties, blocks: without(duties.blocks, event.block.hash) };
    case "proposalBuilt":
    case "proposalFailed":
      return { ...duties, proposal: null };
    case "logSynchronised":
      return { ...duties, synchronisation: null };
    default:
      return duties;
  }
}

function owed(duties: Duties, effect: ConsensusEffect): Duties {
  switch (effect.type) {
    case "setTimer":
      return { ...duties, timers: [...without(duties.timers, effect.timer), effect.timer] };
    case "clearTimer":
      return { ...duties, timers: without(duties.timers, effect.timer) };
    case "requestSignature":
      return { ...duties, signatures: [...duties.signatures.filter((asked) => !isAbout(asked, effect)), effect] };
    case "requestJudgement":
      return { ...duties, judgements: [...without(duties.judgements, effect.hash), effect.hash] };
    case "requestBlock":
      return { ...duties, blocks: [...without(duties.blocks, effect.hash), effect.hash] };
    case "requestProposal":
      return { ...duties, proposal: effect };
    case "requestSynchronisation":
      return { ...duties, synchronisation: effect };
    default:
      return duties;
  }
}

type Vote = Pick<Effect<"requestSignature">, "kind" | "view" | "hash">;
const isAbout = (one: Vote, other: Vote): boolean =>
  one.kind === other.kind && one.view === other.view && one.hash === other.hash;

/** Whether the shell would say this now: timers that run, signatures, judgements and blocks that were asked for. */
export function isOwed({ timers, signatures, judgements, blocks, ...duties }: Duties, event: ConsensusEvent): boolean {
  switch (event.type) {
    case "timerFired":
      return timers.includes(event.timer);
    case "voteSigned":
      return signatures.some((asked) => isAbout(asked, event));
    case "bodyJudged":
      return judgements.includes(event.hash);
    case "blockFetched":
      return blocks.includes(event.block.hash);
    case "proposalBuilt":
      return duties.proposal !== null && fits(event.block, duties.proposal);
    case "proposalFailed":
      return duties.proposal?.view === event.view;
    case "logSynchronised":
      return duties.synchronisation !== null;
    default:
      return true;
  }
}

/** Whether a block is the one that the machine asked for; its time is the shell's choice. */
export const fits = (block: BlockSummary, asked: Effect<"requestProposal">): boolean =>
  block.view === asked.view &&
  block.parent === asked.parent &&
  block.parentView === asked.parentView &&
  block.height === asked.parentHeight + 1 &&
  block.executedHeight === asked.executedHeight &&
  block.executedRoot === asked.executedRoot &&
  block.lastCheckpoint === asked.lastCheckpoint &&
  (block.checkpoint === block.height) === (asked.checkpoint !== null) &&
  block.bundles.join() === asked.bundles.join();
