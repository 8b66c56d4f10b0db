/** Which block a proposal may build on (rules 2 and 3). */
import type { Digest, Height, LogTime, View } from "../../base/brands.ts";
import { view as viewOf } from "../../base/brands.ts";
import type { Turn } from "./turn.ts";
import type { BlockSummary, Candidate } from "./types.ts";

export interface Parent {
  readonly hash: Digest;
  readonly view: View;
  readonly height: Height;
  readonly time: LogTime;
  readonly executedHeight: Height;
  readonly checkpoint: Height;
}

export type ParentSearch =
  | { readonly kind: "found"; readonly parent: Parent }
  | { readonly kind: "missing"; readonly view: View };

export const finalParent = (turn: Turn): Parent => turn.next.final;

/** The certified block of a view, if this member certified one. */
export function certifiedIn(turn: Turn, view: View): Candidate | undefined {
  const hash = turn.next.notarizations[view];
  return hash !== undefined && turn.next.verdicts[view] === "certified" ? turn.candidate(hash) : undefined;
}

/** Rule 2: the highest certified or final block with a nullification of every view between it and the current one. */
export function findParent(turn: Turn): ParentSearch {
  const { next } = turn;
  for (let view = next.view - 1; view > next.final.view; view--) {
    const certified = certifiedIn(turn, viewOf(view));
    if (certified !== undefined) return { kind: "found", parent: certified };
    if (next.nullifications[view] !== true) return { kind: "missing", view: viewOf(view) };
  }
  return { kind: "found", parent: finalParent(turn) };
}

export type ParentVerdict =
  | { readonly kind: "certified"; readonly parent: Parent }
  | { readonly kind: "open" }
  | { readonly kind: "missing"; readonly view: View }
  | { readonly kind: "refused"; readonly reason: string };

/** What this member knows of a block's parent: "I do not know yet" is never "invalid" (rule 3). */
export function judgeParent(turn: Turn, block: Candidate): ParentVerdict {
  const { final, notarizations, verdicts } = turn.next;
  if (block.parent === final.hash && block.parentView === final.view)
    return { kind: "certified", parent: finalParent(turn) };
  if (block.parentView <= final.view) return { kind: "refused", reason: "it does not extend the final block" };
  const notarized = notarizations[block.parentView];
  if (notarized === undefined) return { kind: "missing", view: block.parentView };
  if (notarized !== block.parent)
    return { kind: "refused", reason: "another block was notarized in its parent's view" };
  const verdict = verdicts[block.parentView];
  if (verdict === "refused") return { kind: "refused", reason: "its parent was refused" };
  const parent = turn.candidate(block.parent);
  return verdict === undefined || parent === undefined ? { kind: "open" } : { kind: "certified", parent };
}

/** Rule 3: what the header must say, given its parent. Returns what is wrong. */
export function headerDefect(block: BlockSummary, parent: Parent): string | undefined {
  if (block.height !== parent.height + 1) return "its height is not its parent's plus one";
  if (block.time <= parent.time) return "its time does not grow";
  if (block.executedHeight < parent.executedHeight) return "its executed height falls";
  if (block.executedHeight > parent.height) return "it claims execution of a block that is not its ancestor";
  if (block.lastCheckpoint !== parent.checkpoint) return "its lastCheckpoint is not the newest checkpoint before it";
  return undefined;
}
