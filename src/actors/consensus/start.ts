/** What a member starts with: its verified log and its journal (consensus.md, "On restart, load the flags first"). */
import type { Digest, Height, View } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { decode, encode, hex, integer, record } from "../../base/codec.ts";
import { assert, present } from "../../base/errors.ts";
import type { MerkleFrontier } from "../../crypto/merkle.ts";
import type { Certificate, LogEvent } from "../../events/facts/block.ts";
import { LogDamage } from "../../events/store/damage.ts";
import type { Log } from "../../events/store/log.ts";
import type { Mark, StoredBundle } from "../../events/store/log-batch.ts";
import { rootsFloor } from "../../machines/consensus/certify.ts";
import { restoreContext } from "../../machines/consensus/restore.ts";
import type { Context, Divergence } from "../../machines/consensus/types.ts";
import { type OpenedBlock, finalOf, openBlock, summaryOf } from "./blocks.ts";
import { readJournal } from "./journal.ts";
import type { Committee } from "./ports.ts";

export interface Start {
  readonly context: Context;
  readonly frontier: MerkleFrontier;
  readonly certificates: readonly Certificate[];
  readonly blocks: readonly OpenedBlock[];
  readonly bundles: readonly StoredBundle[];
}

/** The bound that a member without journal found, as a mark of the log: gone with the journal, should it be lost again. */
export const VOTES_ABOVE_MARK = "votes-above";

export const votesAboveMark = (view: View): { readonly name: string; readonly value: Uint8Array } => ({
  name: VOTES_ABOVE_MARK,
  value: encode(integer<View>(), view),
});

function readVotesAbove(log: Log): View | undefined {
  const stored = log.mark(VOTES_ABOVE_MARK);
  if (stored === undefined) return undefined;
  const bound = decode(integer<View>(), stored, 16);
  assert(bound.ok, "the mark holds what was encoded");
  return bound.value;
}

/** Where this replica parted from f+1 others, as a mark of the log: it is gone only with the log itself. */
const DIVERGED_MARK = "diverged";

const divergenceShape = record<Divergence>("divergence", {
  height: integer<Height>(),
  root: hex<Digest>(32),
  theirs: hex<Digest>(32),
});

export const divergedMark = ({ height, root, theirs }: Divergence): Mark => ({
  name: DIVERGED_MARK,
  value: encode(divergenceShape, { height, root, theirs }),
});

/** Undefined for a replica that may take part. */
export function readDivergence(log: Log): Divergence | undefined {
  const stored = log.mark(DIVERGED_MARK);
  if (stored === undefined) return undefined;
  const divergence = decode(divergenceShape, stored, 256);
  assert(divergence.ok, "the mark holds what was encoded");
  return divergence.value;
}

/**
 * Puts genesis into an empty log; refuses another cluster's.
 * Throws: LogDamage when what the log begins with is not what was written; Defect when it is another genesis.
 */
export function ensureGenesis(log: Log, genesis: LogEvent): void {
  const first = log.event(heightOf(0));
  if (first !== undefined)
    assert(
      first.hash === genesis.hash,
      "the log in this directory belongs to another cluster; give the node its own data directory",
    );
  else if (log.head() === undefined) log.commit({ append: { expected: heightOf(0), events: [genesis] } });
  else throw new LogDamage(log.path, heightOf(0), "the event is missing");
}

/** Loads the flags from a log whose tree is `frontier`. */
export function loadStart(log: Log, committee: Committee, frontier: MerkleFrontier, journalLost: boolean): Start {
  const head = present(log.head(), "the log begins with genesis");
  const event = present(log.event(head.height), "the head can be read");
  const final = openBlock(event.block);
  assert(final.ok, "a verified event can be opened");
  const journal = readJournal(log.journal(committee.epoch));
  const certificates = [...journal.certificates];
  if (event.proof.kind === "finalization") certificates.push(event.proof.certificate);

  const bundles = log.bundlesUnordered();
  const here = new Set(bundles.map(({ digest }) => digest));
  const blocks: OpenedBlock[] = [];
  const candidates: { block: ReturnType<typeof summaryOf>; judged: boolean }[] = [];
  for (const candidate of log.candidates(committee.epoch)) {
    const opened = openBlock(candidate.block);
    assert(opened.ok && opened.value.hash === candidate.hash, "a journalled candidate can be opened");
    blocks.push(opened.value);
    const judged = opened.value.bundles.every((digest) => here.has(digest) || log.bundle(digest) !== undefined);
    candidates.push({ block: summaryOf(opened.value), judged });
  }

  const executed = log.executedHead()?.height ?? heightOf(0);
  const roots: Record<number, Digest> = {};
  const floor = Math.max(0, rootsFloor({ final: finalOf(final.value), executed }));
  for (let at: number = executed; at >= floor; at--) {
    const root = log.executedRoot(heightOf(at));
    if (root !== undefined) roots[at] = root;
  }
  const context = restoreContext(
    {
      epoch: committee.epoch,
      self: committee.self,
      size: committee.keys.length,
      timings: committee.timings,
      final: finalOf(final.value),
      executed: executed as Height,
      roots,
      votesAbove: readVotesAbove(log) ?? (journalLost ? "unknown" : null),
      halted: readDivergence(log) ?? null,
    },
    {
      votes: journal.votes,
      proposals: journal.proposals,
      verdicts: journal.verdicts,
      certificates: certificates.map(({ kind, view, blockHash }) => ({ kind, view, hash: blockHash })),
      candidates,
      mempool: bundles.map(({ digest }) => digest),
    },
  );
  return { context, frontier, certificates, blocks, bundles };
}
