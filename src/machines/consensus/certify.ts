/** Certification: rule 4. */
import { height as heightOf, view as viewOf, type View } from "../../base/brands.ts";
import { unreachable } from "../../base/errors.ts";
import { headerDefect, judgeParent } from "./ancestry.ts";
import type { Turn } from "./turn.ts";
import type { Candidate, Context, Verdict } from "./types.ts";
import { enterView, nullifyCurrent } from "./view.ts";

/** Judges every notarized view whose verdict is open, oldest first. Returns whether anything changed. */
export function certifyOpenViews(turn: Turn): boolean {
  let changed = false;
  for (const view of turn.viewsAboveFinal(turn.next.notarizations)) {
    if (turn.next.verdicts[view] !== undefined) continue;
    const hash = turn.next.notarizations[view];
    const block = hash === undefined ? undefined : turn.candidate(hash);
    if (block === undefined) continue; // its block was requested when the notarization was adopted
    const verdict = verdictOf(turn, block);
    if (verdict === "open") continue;
    applyVerdict(turn, view, block, verdict);
    changed = true;
  }
  return changed;
}

/** The same on every honest member, sooner or later: parent, body, and root equal to one's own. */
function verdictOf(turn: Turn, block: Candidate): Verdict | "open" {
  const parent = judgeParent(turn, block);
  switch (parent.kind) {
    case "open":
    case "missing":
      return "open";
    case "refused":
      return "refused";
    case "certified": {
      if (headerDefect(block, parent.parent) !== undefined) return "refused";
      if (block.body === "unasked") requestJudgement(turn, block);
      if (block.body === "invalid") return "refused";
      if (block.body !== "valid") return "open";
      if (block.executedHeight > turn.next.executed) return "open";
      const root = turn.next.roots[block.executedHeight];
      if (root === undefined) return "open"; // executed in an earlier life, its root is still being reported
      return root === block.executedRoot ? "certified" : "refused";
    }
    default:
      return unreachable(parent);
  }
}

export function requestJudgement(turn: Turn, block: Candidate): void {
  turn.next.candidates = { ...turn.next.candidates, [block.hash]: { ...block, body: "asked" } };
  turn.emit({ type: "requestJudgement", hash: block.hash });
}

function applyVerdict(turn: Turn, view: View, block: Candidate, verdict: Verdict): void {
  const { next } = turn;
  next.verdicts = { ...next.verdicts, [view]: verdict };
  turn.emit({ type: "recordVerdict", view, hash: block.hash, verdict });
  if (verdict === "refused") {
    turn.refuse(`block of view ${view} refused at certification`, null);
    if (view === next.view) nullifyCurrent(turn);
    return;
  }
  const own = turn.ownVotes(view);
  // With the vote for it, it was recorded; whatever is certified must be there for the blocks built on it after a restart.
  if (own.notarize !== block.hash) turn.emit({ type: "recordCandidate", hash: block.hash });
  next.nullified = 0;
  enterView(turn, viewOf(view + 1));
  // Its own vote for another block outlives a restart, and only a leader that proposed two can have got both (rule 4).
  const votedForNoOther = own.notarize === undefined || own.notarize === block.hash;
  const free = own.nullify !== true && own.finalize === undefined && turn.mayVote(view);
  if (free && next.equivocated[view] !== true && votedForNoOther) {
    turn.castVote("finalize", view, block.hash);
  }
}

/** How many executed heights below the newest keep their roots, so that attestations can still be compared. */
const ROOTS_KEPT = 64;

/** Lowest height whose root a live proposal may name or a late attestation may be compared with. */
export const rootsFloor = ({ final, executed }: Pick<Context, "final" | "executed">): number =>
  Math.min(final.executedHeight, executed - ROOTS_KEPT);

/** The executor reached a height: its root is what proposals that name it must carry. A restarted one tells of all heights again. */
export function noteExecution(turn: Turn, height: number, root: Candidate["hash"]): void {
  const { next } = turn;
  if (height > next.executed) next.executed = heightOf(height);
  if (height >= rootsFloor(next)) next.roots = { ...next.roots, [height]: root };
}
