/** What the leader does (rule 2), and how a member judges what a leader proposed (rule 3). */
import { view as viewOf } from "../../base/brands.ts";
import type { Digest, Height } from "../../base/brands.ts";
import { findParent, headerDefect, judgeParent, type Parent } from "./ancestry.ts";
import { requestJudgement } from "./certify.ts";
import type { Turn } from "./turn.ts";
import type { BlockSummary, Candidate } from "./types.ts";
import { isQuiet, nullifyCurrent } from "./view.ts";

/** Bundles that a proposal names at most: BUNDLES_PER_BLOCK_MAX of the codec, of which machines see types only (a test compares). */
export const PROPOSED_BUNDLES_MAX = 256;

/** Blocks a leader's execution may lag behind its proposal's parent before it proposes empty blocks only (DESIGN §4). */
const EXECUTION_LAG_MAX = 8;

/** Rule 2. Returns whether something was set in motion. */
export function proposeIfDue(turn: Turn): boolean {
  const { next } = turn;
  if (!turn.leads || !turn.mayVote(next.view) || next.proposing === "building") return false;
  const own = turn.ownVotes(next.view);
  if (own.notarize !== undefined || own.nullify === true || isQuiet(next)) return false;
  const search = findParent(turn);
  if (search.kind === "missing") {
    if (next.asked !== search.view) {
      next.asked = search.view;
      turn.broadcast({ kind: "ancestryRequest", view: search.view });
    }
    return false;
  }
  const { parent } = search;
  const executedHeight = Math.min(next.executed, parent.height);
  const executedRoot = next.roots[executedHeight];
  if (executedHeight < parent.executedHeight || executedRoot === undefined) return false; // catches up first; stays eligible
  const checkpoint = dueCheckpoint(turn, parent, executedHeight);
  const lags = parent.height - executedHeight > EXECUTION_LAG_MAX;
  const bundles = checkpoint !== null || lags ? [] : eligibleBundles(turn, parent);
  if (mustWait(turn, parent, checkpoint !== null || bundles.length > 0)) return false;
  next.proposing = "building";
  turn.emit({
    type: "requestProposal",
    view: next.view,
    parent: parent.hash,
    parentView: parent.view,
    parentHeight: parent.height,
    parentTime: parent.time,
    executedHeight: executedHeight as BlockSummary["executedHeight"],
    executedRoot,
    bundles,
    lastCheckpoint: parent.checkpoint,
    checkpoint,
  });
  return true;
}

/**
 * consensus.md, "Checkpoint": the state to be proved by a block of its own, before any bundles: one block in thousands. It lies above
 * the newest checkpoint block, so that each proves more than the one before, and was executed by whoever accepts the header.
 */
function dueCheckpoint({ next }: Turn, parent: Parent, executedHeight: number): Height | null {
  return next.provable > parent.checkpoint && next.provable <= executedHeight ? next.provable : null;
}

/**
 * Without work: Δ for any outstanding finalization, then an empty block (rule 1). With bundles or a checkpoint: while the parent is not final
 * here, Δ/10 at most. What comes meanwhile goes into the same block, so that under load few blocks carry much (ADR 0016).
 */
function mustWait(turn: Turn, parent: Parent, hasWork: boolean): boolean {
  const { next } = turn;
  if (next.proposing === "due") return false;
  const open = parent.hash !== next.final.hash && parent.view === next.view - 1; // its finalization may come any moment
  const wait = !hasWork ? "forFinalization" : open ? "forParent" : undefined;
  if (wait === undefined) return false;
  if (next.proposing === "no" || (wait === "forParent" && next.proposing === "forFinalization")) {
    next.proposing = wait;
    turn.setTimer("propose", Math.ceil(next.timings.delta / (wait === "forParent" ? 10 : 1)));
  }
  return true;
}

/** Bundles held that neither the parent nor any of its ancestors above the final block names. */
function eligibleBundles(turn: Turn, parent: Parent): readonly Digest[] {
  const named = new Set<Digest>();
  for (let hash = parent.hash; hash !== turn.next.final.hash; ) {
    const block = turn.candidate(hash);
    if (block === undefined) break;
    for (const digest of block.bundles) named.add(digest);
    hash = block.parent;
  }
  const eligible: Digest[] = [];
  for (const digest of turn.next.mempool) {
    if (eligible.length === PROPOSED_BUNDLES_MAX) break;
    if (!named.has(digest)) eligible.push(digest);
  }
  return eligible;
}

/** The shell built the block that was asked for: journal it, vote for it; the signed vote is the proposal. */
export function adoptOwnProposal(turn: Turn, block: BlockSummary): void {
  const { next } = turn;
  const own = turn.ownVotes(next.view);
  if (block.view !== next.view || next.proposing !== "building" || own.notarize !== undefined || own.nullify === true) {
    turn.refuse("proposal built for a view that is over", null);
    return;
  }
  next.proposing = "no";
  next.candidates = { ...next.candidates, [block.hash]: { ...block, body: "valid" } };
  next.proposals = { ...next.proposals, [block.view]: block.hash };
  turn.emit({ type: "recordCandidate", hash: block.hash });
  turn.emit({ type: "recordProposal", view: block.view, hash: block.hash });
  turn.clearTimer("leader");
  turn.castVote("notarize", block.view, block.hash);
}

/** Rule 3: judge the leader's first proposal for the current view. Returns whether a vote was cast. */
export function considerProposal(turn: Turn): boolean {
  const { next } = turn;
  const hash = next.proposals[next.view];
  const block = hash === undefined ? undefined : turn.candidate(hash);
  const own = turn.ownVotes(next.view);
  if (block === undefined || own.notarize !== undefined || own.nullify === true || !turn.mayVote(next.view))
    return false;
  const judgement = judgeProposal(turn, block);
  if (judgement === "open") return false;
  if (judgement !== "valid") {
    turn.refuse(`proposal of view ${next.view}: ${judgement.reason}`, turn.leader);
    return nullifyCurrent(turn);
  }
  turn.emit({ type: "recordCandidate", hash: block.hash });
  turn.castVote("notarize", next.view, block.hash);
  return true;
}

function judgeProposal(turn: Turn, block: Candidate): "valid" | "open" | { readonly reason: string } {
  const { next } = turn;
  if (block.parentView >= next.view) return { reason: "its parent's view is not below its own" };
  // From the final view on: what lies below it is settled, and its number is the proposer's to choose.
  for (let view = Math.max(block.parentView, next.final.view) + 1; view < next.view; view++) {
    if (next.nullifications[view] !== true) return askLeader(turn, viewOf(view));
  }
  const verdict = judgeParent(turn, block);
  if (verdict.kind === "refused") return { reason: verdict.reason };
  if (verdict.kind === "missing") return askLeader(turn, verdict.view);
  if (verdict.kind === "open") return "open";
  const defect = headerDefect(block, verdict.parent);
  if (defect !== undefined) return { reason: defect };
  if (next.awaitsClock[next.view] !== undefined) return "open";
  if (block.body === "unasked") requestJudgement(turn, block);
  if (block.body === "invalid") return { reason: "its body is not valid" };
  return block.body === "valid" ? "valid" : "open";
}

/** Requests the first missing thing from that leader, even below one's own floor, and looks again at each delivery. */
function askLeader(turn: Turn, view: ReturnType<typeof viewOf>): "open" {
  if (turn.next.asked !== view && !turn.leads) {
    turn.next.asked = view;
    turn.emit({ type: "send", to: turn.leader, notice: { kind: "ancestryRequest", view } });
  }
  return "open";
}
