/**
 * The consensus statechart. States are named for what the member waits for; every event is absorbed by one named action,
 * after which the rules run until nothing changes and the eventless transitions settle where the member stands.
 */
import { setup } from "xstate";
import { view as viewOf } from "../../base/brands.ts";
import { unreachable } from "../../base/errors.ts";
import { certifyOpenViews, noteExecution } from "./certify.ts";
import { leaderOf } from "./committee.ts";
import { forgetOrdered, resolvePendingFinal, setFinal } from "./finalise.ts";
import { adoptOwnProposal, considerProposal, proposeIfDue } from "./propose.ts";
import { noteSurvey, requestMissingBlocks, resendOwnVotes, sendHoldings } from "./recovery.ts";
import { ATTEST_EVERY, compareRoots, noteAttestation } from "./roots.ts";
import { Turn } from "./turn.ts";
import type { BlockSummary, ConsensusEffect, ConsensusEvent, Context } from "./types.ts";
import { adoptCertificate, countVote, noteHeard } from "./votes.ts";
import {
  awaitClock,
  backedOff,
  enterView,
  isQuiet,
  leaderIsSilent,
  nullifyCurrent,
  sendEntryCertificate,
  settleTimers,
  without,
} from "./view.ts";

type Of<T extends ConsensusEvent["type"]> = Extract<ConsensusEvent, { type: T }>;

/** Bundles a member holds that are in no final block; beyond it clients are refused (DESIGN §8). */
export const MEMPOOL_MAX = 4096;

/** Runs the rules to their fixpoint. Each changing pass enters a view, casts a vote or settles a verdict, so it ends. */
function applyRules(turn: Turn): void {
  if (turn.next.halted !== null) return;
  let changed = true;
  while (changed) {
    changed = resolvePendingFinal(turn);
    changed = certifyOpenViews(turn) || changed;
    changed = considerProposal(turn) || changed;
    changed = proposeIfDue(turn) || changed;
    changed = skipLeader(turn) || changed;
  }
}

/** Nothing will come of this view: its leader nullified it (rule 7), or was silent for long (rule 1). */
function skipLeader(turn: Turn): boolean {
  const { next } = turn;
  const gaveUp = next.tallies[next.view]?.nullify[turn.leader] === true;
  const silent = next.proposals[next.view] === undefined && leaderIsSilent(next);
  return (gaveUp || silent) && !isQuiet(next) && nullifyCurrent(turn);
}

function absorb(context: Context, event: ConsensusEvent): Turn {
  const turn = new Turn(context);
  HANDLERS[event.type](turn, event as never);
  applyRules(turn);
  settleTimers(turn, context.timersArmed);
  return turn;
}

function addCandidate(turn: Turn, block: BlockSummary): void {
  if (turn.candidate(block.hash) !== undefined || block.view <= turn.next.final.view) return;
  turn.next.candidates = { ...turn.next.candidates, [block.hash]: { ...block, body: "unasked" } };
}

function onProposal(turn: Turn, { from, block, aheadMs }: Of<"proposalVerified">): void {
  const { next } = turn;
  noteHeard(turn, from);
  if (from !== leaderOf(block.view, next.size))
    return turn.refuse("proposal by a member that does not lead its view", from);
  if (block.view > next.view + 1) return turn.refuse("proposal for a view beyond the next", from);
  noteAttestation(turn, from, block.executedHeight, block.executedRoot);
  const first = next.proposals[block.view];
  if (first !== undefined && first !== block.hash && next.equivocated[block.view] !== true) {
    next.equivocated = { ...next.equivocated, [block.view]: true };
    turn.emit({ type: "recordEvidence", evidence: { kind: "twoProposals", member: from, view: block.view } });
  }
  if (block.view > next.final.view && first === undefined) {
    addCandidate(turn, block);
    next.proposals = { ...next.proposals, [block.view]: block.hash };
    if (block.view === next.view) turn.clearTimer("leader"); // rule 3: the first proposal stops t_l
    if (aheadMs > CLOCK_AHEAD_MAX_MS) awaitClock(turn, block.view, aheadMs - CLOCK_AHEAD_MAX_MS);
  }
  countVote(turn, "notarize", block.view, block.hash, from); // the proposal is its notarize vote (rule 2)
}

/** A member whose clock is more than 500 ms behind a proposal's time waits: open, never invalid. */
const CLOCK_AHEAD_MAX_MS = 500;

function onVoteSigned(turn: Turn, { kind, view, hash }: Of<"voteSigned">): void {
  const { next } = turn;
  if (view <= next.final.view) return;
  const proposes =
    kind === "notarize" && leaderOf(view, next.size) === next.self && hash !== null && next.proposals[view] === hash;
  turn.broadcast(proposes ? { kind: "proposal", hash } : { kind: "vote", vote: kind, view, hash });
  countVote(turn, kind, view, hash, next.self);
}

function onBodyJudged(turn: Turn, { hash, valid }: Of<"bodyJudged">): void {
  const block = turn.candidate(hash);
  if (block === undefined) return;
  turn.next.candidates = { ...turn.next.candidates, [hash]: { ...block, body: valid ? "valid" : "invalid" } };
}

function onTimer(turn: Turn, { timer }: Of<"timerFired">): void {
  const { next } = turn;
  switch (timer) {
    case "leader":
    case "advance":
      if (next.mempool.length > 0) turn.broadcast({ kind: "bundles", digests: next.mempool.slice(0, 64) }); // rule 1
      nullifyCurrent(turn);
      return;
    case "repeat":
      if (turn.ownVotes(next.view).nullify !== true) return;
      turn.broadcast({ kind: "vote", vote: "nullify", view: next.view, hash: null });
      sendEntryCertificate(turn);
      turn.setTimer("repeat", backedOff(next, next.timings.repeat));
      return;
    case "standstill":
      next.asked = null; // what was asked may have been lost: ask again
      next.synchronising = null;
      if (next.votesAbove === "unknown") turn.broadcast({ kind: "surveyRequest" });
      sendHoldings(turn, (notice) => turn.broadcast(notice));
      turn.setTimer("standstill", backedOff(next, next.timings.standstill));
      return;
    case "propose":
      if (next.proposing === "forFinalization" || next.proposing === "forParent") next.proposing = "due";
      return;
    case "clock":
      next.awaitsClock = without(next.awaitsClock, next.view);
      return;
    default:
      unreachable(timer);
  }
}

function onExecution(turn: Turn, { height, root }: Of<"executionReached">): void {
  const isNew = height > turn.next.executed;
  noteExecution(turn, height, root);
  if (isNew && height % ATTEST_EVERY === 0) turn.broadcast({ kind: "root", height, root });
  compareRoots(turn, height);
}

const HANDLERS: { readonly [T in ConsensusEvent["type"]]: (turn: Turn, event: Of<T>) => void } = {
  started: (turn) => {
    if (turn.next.votesAbove === "unknown") turn.broadcast({ kind: "surveyRequest" });
    resendOwnVotes(turn);
    requestMissingBlocks(turn);
  },
  bundleHeld: (turn, { digest }) => {
    const { mempool } = turn.next;
    if (mempool.includes(digest)) return;
    if (mempool.length >= MEMPOOL_MAX) return turn.refuse("mempool is full", null);
    turn.next.mempool = [...mempool, digest];
  },
  proposalVerified: onProposal,
  blockFetched: (turn, { block }) => addCandidate(turn, block),
  bodyJudged: onBodyJudged,
  voteVerified: (turn, { kind, view, hash, member }) => countVote(turn, kind, view, hash, member),
  memberHeard: (turn, { member }) => noteHeard(turn, member),
  certificateVerified: (turn, { kind, view, hash, signers }) =>
    adoptCertificate(turn, kind, view, hash, signers, false),
  voteSigned: onVoteSigned,
  proposalBuilt: (turn, { block }) => adoptOwnProposal(turn, block),
  proposalFailed: (turn, { view }) => {
    if (view !== turn.next.view) return;
    turn.next.proposing = "no";
    nullifyCurrent(turn); // rule 2: if it cannot build, nullify
  },
  executionReached: onExecution,
  rootAttested: (turn, { member, height, root }) => noteAttestation(turn, member, height, root),
  checkpointProvable: (turn, { height }) => {
    if (height > turn.next.provable) turn.next.provable = height;
  },
  logSynchronised: (turn, { final, finalizedView, bundles }) => {
    if (final.height <= turn.next.final.height) return forgetOrdered(turn, bundles); // older than a checkpoint
    setFinal(turn, final, bundles);
    enterView(turn, viewOf(finalizedView + 1));
    turn.next.asked = null;
    turn.next.synchronising = null;
  },
  peerConnected: (turn, { member }) => {
    sendHoldings(turn, (notice) => turn.emit({ type: "send", to: member, notice }));
    if (turn.next.votesAbove === "unknown") turn.emit({ type: "send", to: member, notice: { kind: "surveyRequest" } });
  },
  highestCertificateReported: (turn, { member, view }) => noteSurvey(turn, member, view),
  timerFired: onTimer,
};

/** Where the member stands, read off its context; states are these, one guard each. */
export const standings = {
  halted: (context: Context) => context.halted !== null,
  surveying: (context: Context) => context.votesAbove === "unknown",
  quiet: (context: Context) => isQuiet(context),
  nullifying: (context: Context) => context.own[context.view]?.nullify === true,
  certifying: (context: Context) => context.notarizations[context.view] !== undefined,
  collectingVotes: (context: Context) => context.own[context.view]?.notarize !== undefined,
  proposing: (context: Context) => leaderOf(context.view, context.size) === context.self,
  judgingProposal: (context: Context) => context.proposals[context.view] !== undefined,
  awaitingProposal: () => true,
} as const;

type Standing = keyof typeof standings;
const ORDER = Object.keys(standings) as Standing[];

const settled = new WeakMap<Context, Standing>();

/** The first standing that holds, in the order above; computed once per context, since every guard asks. */
export function standingOf(context: Context): Standing {
  let standing = settled.get(context);
  if (standing === undefined) {
    standing = ORDER.find((name) => standings[name](context)) ?? "awaitingProposal";
    settled.set(context, standing);
  }
  return standing;
}

const guardOf =
  (name: Standing) =>
  ({ context }: { readonly context: Context }): boolean =>
    standingOf(context) === name;

/** Leaves a state for whichever other standing holds now. */
const settle = (self: Standing) =>
  ORDER.filter((name) => name !== self).map((name) => ({ guard: name, target: name }) as const);

const machine = setup({
  types: {} as { context: Context; events: ConsensusEvent; input: Context },
  guards: {
    halted: guardOf("halted"),
    surveying: guardOf("surveying"),
    quiet: guardOf("quiet"),
    nullifying: guardOf("nullifying"),
    certifying: guardOf("certifying"),
    collectingVotes: guardOf("collectingVotes"),
    proposing: guardOf("proposing"),
    judgingProposal: guardOf("judgingProposal"),
    awaitingProposal: guardOf("awaitingProposal"),
  },
  actions: {
    effect: (_scope, _effect: ConsensusEffect) => {},
  },
});

const absorbEvent = machine.enqueueActions(({ context, event, enqueue }) => {
  const turn = absorb(context, event);
  enqueue.assign(turn.next);
  for (const effect of turn.effects) enqueue({ type: "effect", params: effect });
});

const on = Object.fromEntries(Object.keys(HANDLERS).map((type) => [type, { actions: absorbEvent }])) as {
  readonly [T in ConsensusEvent["type"]]: { readonly actions: typeof absorbEvent };
};

export const consensusMachine = machine.createMachine({
  id: "consensus",
  context: ({ input }) => input,
  initial: "quiet",
  states: {
    /** Nothing to order, nothing unfinished: no timer runs (rule 1). */
    quiet: { on, always: settle("quiet") },
    /** Waits for the leader's proposal, or t_l (rules 1, 7). */
    awaitingProposal: { on, always: settle("awaitingProposal") },
    /** Holds the proposal; waits for its ancestry, body, bundles or the clock (rule 3). */
    judgingProposal: { on, always: settle("judgingProposal") },
    /** Leads the view: waits for work, ancestry, execution or its own block (rule 2). */
    proposing: { on, always: settle("proposing") },
    /** Notarized; waits for a quorum (rule 4). */
    collectingVotes: { on, always: settle("collectingVotes") },
    /** Holds the notarization; its verdict is open (rule 4). */
    certifying: { on, always: settle("certifying") },
    /** Nullified; waits for any certificate of the view (rules 5, 7). */
    nullifying: { on, always: settle("nullifying") },
    /** The journal was lost: follows without voting until q others have reported (lost journal). */
    surveying: { on, always: settle("surveying") },
    /** f+1 others executed something else: votes and serves no more (DESIGN §4); every event is refused. */
    halted: {},
  },
});
