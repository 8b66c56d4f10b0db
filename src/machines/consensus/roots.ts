/** Executed roots: attestations among peers, and the stop when f+1 others agree on another root (DESIGN §4). */
import type { Digest, Height, MemberIndex } from "../../base/brands.ts";
import { faultsTolerated } from "./committee.ts";
import type { Turn } from "./turn.ts";

/** Heights between attestations that are sent for their own sake; every proposal is one as well. */
export const ATTEST_EVERY = 16;

/** A member says, signed, which root it has at a height. */
export function noteAttestation(turn: Turn, member: MemberIndex, height: Height, root: Digest): void {
  const { next } = turn;
  if (member === next.self || (next.attested[member]?.height ?? -1) >= height) return;
  next.attested = { ...next.attested, [member]: { height, root } };
  compareRoots(turn, height);
}

/** Stops voting and serving when f+1 others agree on another root for a height that this replica has executed. */
export function compareRoots(turn: Turn, height: Height): void {
  const { next } = turn;
  const mine = next.roots[height];
  if (mine === undefined || next.halted !== null) return;
  const others = new Map<Digest, number>();
  for (const attested of Object.values(next.attested)) {
    if (attested.height === height && attested.root !== mine)
      others.set(attested.root, (others.get(attested.root) ?? 0) + 1);
  }
  for (const [theirs, count] of others) {
    if (count <= faultsTolerated(next.size)) continue;
    next.halted = { height, root: mine, theirs };
    turn.emit({ type: "halt", height, root: mine, theirs });
    return;
  }
}
