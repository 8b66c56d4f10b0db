/** Finality: rule 6, and pruning below the last final block. */
import type { Digest, View } from "../../base/brands.ts";
import { view as viewOf } from "../../base/brands.ts";
import { requestJudgement, rootsFloor } from "./certify.ts";
import type { Turn } from "./turn.ts";
import type { Candidate, FinalBlock } from "./types.ts";
import { enterView } from "./view.ts";

/** A finalization of (view, hash) is held: finalise the block with its ancestors, or remember it until they are here. */
export function adoptFinalization(turn: Turn, view: View, hash: Digest): void {
  const { next } = turn;
  if (view <= next.final.view) return;
  if (next.pendingFinal === null || view > next.pendingFinal.view) next.pendingFinal = { view, hash };
  enterView(turn, viewOf(view + 1));
  next.nullified = 0;
}

/** Tries to complete the chain below the pending finalization. Returns whether anything became final. */
export function resolvePendingFinal(turn: Turn): boolean {
  const { next } = turn;
  const pending = next.pendingFinal;
  if (pending === null) return false;
  const chain: Candidate[] = [];
  for (let hash = pending.hash; hash !== next.final.hash; ) {
    const block = turn.candidate(hash);
    // A final block that was judged invalid here: its proof decides, and says loudly where this member parts from the others.
    if (block === undefined || block.height <= next.final.height || block.body === "invalid")
      return requestSynchronisation(turn, pending);
    chain.push(block);
    hash = block.parent;
  }
  chain.reverse();
  for (const block of chain) {
    if (block.body === "unasked") requestJudgement(turn, block);
    if (block.body !== "valid") return false;
  }
  const last = chain.at(-1);
  if (last === undefined) {
    next.pendingFinal = null;
    return false;
  }
  turn.emit({ type: "recordFinal", hashes: chain.map((block) => block.hash), view: pending.view });
  const ordered = chain.flatMap((block) => block.bundles);
  setFinal(
    turn,
    {
      hash: last.hash,
      height: last.height,
      view: last.view,
      time: last.time,
      executedHeight: last.executedHeight,
      checkpoint: last.checkpoint,
    },
    ordered,
  );
  return true;
}

function requestSynchronisation(turn: Turn, { view, hash }: { readonly view: View; readonly hash: Digest }): false {
  if (turn.next.synchronising === hash) return false;
  turn.next.synchronising = hash;
  turn.emit({ type: "requestSynchronisation", view, hash });
  return false;
}

/** Everything at or below the final view is settled and forgotten: votes there can never be cast again (Turn.castVote). */
export function setFinal(turn: Turn, final: FinalBlock, ordered: readonly Digest[]): void {
  const { next } = turn;
  next.final = final;
  if (next.pendingFinal !== null && next.pendingFinal.view <= final.view) next.pendingFinal = null;
  next.nullified = 0;
  next.proposals = above(next.proposals, final.view);
  next.notarizations = above(next.notarizations, final.view);
  next.nullifications = above(next.nullifications, final.view);
  next.verdicts = above(next.verdicts, final.view);
  next.own = above(next.own, final.view);
  next.tallies = above(next.tallies, final.view);
  next.equivocated = above(next.equivocated, final.view);
  next.candidates = Object.fromEntries(Object.entries(next.candidates).filter(([, block]) => block.view > final.view));
  next.roots = above(next.roots, rootsFloor(next) - 1);
  forgetOrdered(turn, ordered);
  enterView(turn, viewOf(final.view + 1));
}

/** Bundles that stand in final blocks are no work any more. */
export function forgetOrdered({ next }: Turn, ordered: readonly Digest[]): void {
  if (ordered.length === 0) return;
  const gone = new Set(ordered);
  next.mempool = next.mempool.filter((digest) => !gone.has(digest));
}

function above<T>(record: Readonly<Record<number, T>>, floor: number): Record<number, T> {
  const kept: Record<number, T> = {};
  for (const [key, value] of Object.entries(record)) if (Number(key) > floor) kept[Number(key)] = value;
  return kept;
}
