/** The context a member starts from: genesis, or what its journal says (consensus.md, "Durable before sending"). */
import {
  type Digest,
  type Epoch,
  type Height,
  type MemberIndex,
  type View,
  height as heightOf,
  view as viewOf,
} from "../../base/brands.ts";
import type { CertificateKind } from "../../events/facts/block.ts";
import type { BlockSummary, Candidate, Context, FinalBlock, OwnVotes, Timings, Verdict, VoteKind } from "./types.ts";

/** Everything a member journalled for its epoch that still matters, oldest first. */
export interface Restored {
  readonly votes: readonly { readonly kind: VoteKind; readonly view: View; readonly hash: Digest | null }[];
  readonly certificates: readonly {
    readonly kind: CertificateKind;
    readonly view: View;
    readonly hash: Digest | null;
  }[];
  readonly verdicts: readonly { readonly view: View; readonly verdict: Verdict }[];
  readonly proposals: readonly { readonly view: View; readonly hash: Digest }[];
  /** Blocks above the final one; `judged` when the body and all its bundles are on this disk. */
  readonly candidates: readonly { readonly block: BlockSummary; readonly judged: boolean }[];
  readonly mempool: readonly Digest[];
}

export interface Membership {
  readonly epoch: Epoch;
  readonly self: MemberIndex;
  readonly size: number;
  readonly timings: Timings;
  readonly final: FinalBlock;
  readonly executed: Height;
  readonly roots: Readonly<Record<number, Digest>>;
  /** "unknown" when this disk should hold a journal and does not; the bound once a survey found it (lost journal). */
  readonly votesAbove: Context["votesAbove"];
  /** Where it parted from the others in an earlier life: it takes part no more. */
  readonly halted: Context["halted"];
}

/**
 * Rebuilds the flags. Only records of this epoch above the final view count: everything is keyed by (epoch, view), and resuming
 * takes the union of all records, never "the last one" (consensus.md, known bugs).
 */
export function restoreContext(membership: Membership, restored: Restored): Context {
  const floor = membership.final.view;
  const live = <T extends { readonly view: View }>(records: readonly T[]): readonly T[] =>
    records.filter(({ view }) => view > floor);

  const own: Record<number, OwnVotes> = {};
  for (const { kind, view, hash } of live(restored.votes)) own[view] = { ...own[view], [kind]: hash ?? true };
  const notarizations: Record<number, Digest> = {};
  const nullifications: Record<number, true> = {};
  let pendingFinal: Context["pendingFinal"] = null;
  for (const { kind, view, hash } of live(restored.certificates)) {
    if (kind === "nullification") nullifications[view] = true;
    else if (hash !== null && kind === "notarization") notarizations[view] = hash;
    else if (hash !== null && (pendingFinal === null || view > pendingFinal.view)) pendingFinal = { view, hash };
  }
  const verdicts = Object.fromEntries(
    live(restored.verdicts).map(({ view, verdict }): [number, Verdict] => [view, verdict]),
  );
  const proposals = Object.fromEntries(
    live(restored.proposals).map(({ view, hash }): [number, Digest] => [view, hash]),
  );
  const candidates: Record<Digest, Candidate> = {};
  for (const { block, judged } of restored.candidates) {
    if (block.view > floor) candidates[block.hash] = { ...block, body: judged ? "valid" : "unasked" };
  }

  let view = floor + 1;
  const reach = (entered: number): void => {
    if (entered > view) view = entered;
  };
  for (const key of Object.keys(own)) reach(Number(key)); // one votes only in views one has entered
  for (const key of Object.keys(nullifications)) reach(Number(key) + 1);
  for (const [key, verdict] of Object.entries(verdicts)) if (verdict === "certified") reach(Number(key) + 1);
  if (pendingFinal !== null) reach(pendingFinal.view + 1);

  return {
    ...membership,
    view: viewOf(view),
    pendingFinal,
    candidates,
    proposals,
    notarizations,
    nullifications,
    verdicts,
    own,
    tallies: {},
    equivocated: {},
    provable: heightOf(0), // statements come again with each peer
    mempool: restored.mempool,
    spokenViews: 0,
    lastHeard: Array.from({ length: membership.size }, () => 0),
    nullified: 0,
    proposing: "no",
    awaitsClock: {},
    timersArmed: false,
    asked: null,
    synchronising: null,
    survey: {},
    attested: {},
  };
}
