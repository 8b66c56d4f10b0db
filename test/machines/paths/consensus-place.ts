/** Where a path over the consensus machine stands: the member's life, what it has heard and sent, and what tells it apart. */
import { standingOf } from "../../../src/machines/consensus/consensus.machine.ts";
import type { ConsensusEffect, Context, PeerNotice, VoteKind } from "../../../src/machines/consensus/types.ts";
import { leaderIsSilent } from "../../../src/machines/consensus/view.ts";
import type { Book } from "../../scenarios/consensus/book.ts";
import { type Life, finalOf } from "../../scenarios/consensus/life.ts";

export interface Place {
  readonly life: Life;
  readonly started: boolean;
  readonly restarts: number;
  /** How many of the world's ordered inputs have come. */
  readonly came: number;
  /** Votes of others that reached this life, as the inputs say them: "notarize A from 1". */
  readonly heard: readonly string[];
  /** The same over all lives: an honest member never takes back what it said. */
  readonly said: readonly string[];
  /** Votes that left this member, over all its lives: see `voteName`. */
  readonly sent: readonly string[];
  /** What rule the last step broke. */
  readonly fault: string | undefined;
  readonly key: string;
}

interface Vote {
  readonly kind: VoteKind;
  readonly view: number;
  readonly hash: string | null;
}

export const voteName = ({ kind, view, hash }: Vote): string => `${kind} ${view} ${hash ?? ""}`;

/** The vote that a notice carries, if any: a proposal is its leader's notarize vote (rule 2). */
export function voteIn(notice: PeerNotice, context: Context): string | undefined {
  if (notice.kind === "vote") return voteName({ kind: notice.vote, view: notice.view, hash: notice.hash });
  if (notice.kind !== "proposal") return undefined;
  const view = context.candidates[notice.hash]?.view ?? 0;
  return voteName({ kind: "notarize", view, hash: notice.hash });
}

export const noticesOf = (effects: readonly ConsensusEffect[]): readonly PeerNotice[] =>
  effects.flatMap((effect) => (effect.type === "send" || effect.type === "broadcast" ? [effect.notice] : []));

/**
 * Our own serialiser: two places are one when the member would act alike and owes alike. Left out are waiting times (how long a
 * timer runs says nothing about what may come first), counts of views in which a quorum spoke (only whether the leader counts as
 * silent), what lies at or below the final view, and in which order records were written.
 */
export function keyOf(book: Book, place: Omit<Place, "key" | "fault">): string {
  const { life, started, restarts, came, sent } = place;
  const { disk, duties } = life;
  const context = life.snapshot.context;
  const floor = context.final.view;
  const names = (record: Readonly<Record<string, unknown>>): string =>
    Object.entries(record)
      .map(([at, value]) => `${at}${typeof value === "string" ? brief(book, value) : ""}`)
      .join();
  const above = (votes: readonly Vote[]): string =>
    votes
      .filter(({ view }) => view > floor)
      .map(({ kind, view, hash }) => `${kind[0]}${kind[1]}${view}${brief(book, hash)}`)
      .sort()
      .join();
  const tallies = Object.entries(context.tallies).map(
    ([view, tally]) =>
      `${view}:${names(tally.notarize)}/${names(tally.nullify)}/${names(tally.finalize)}/${Object.keys(tally.accused).sort().join()}`,
  );
  return [
    started ? standingOf(context) : "down",
    restarts,
    came,
    context.view,
    brief(book, context.final.hash),
    brief(book, context.pendingFinal?.hash ?? null),
    Object.entries(context.own).map(([view, own]) => `${view}${ownName(book, own)}`),
    names(context.notarizations),
    names(context.nullifications),
    names(context.verdicts),
    names(context.proposals),
    Object.values(context.candidates)
      .map(({ hash, body }) => `${brief(book, hash)}${body}`)
      .sort(),
    tallies,
    names(context.equivocated),
    context.mempool.map((one) => brief(book, one)),
    context.executed,
    names(context.roots),
    context.proposing,
    Object.keys(context.awaitsClock),
    context.asked,
    brief(book, context.synchronising),
    context.votesAbove,
    context.provable,
    Object.keys(context.survey).length,
    Object.entries(context.attested).map(([member, { height, root }]) => `${member}${height}${brief(book, root)}`),
    leaderIsSilent(context),
    duties.timers.toSorted(),
    above(duties.signatures),
    duties.judgements.map((hash) => brief(book, hash)),
    duties.blocks.map((hash) => brief(book, hash)),
    duties.proposal?.view,
    brief(book, duties.synchronisation?.hash ?? null),
    brief(book, finalOf(disk).hash),
    disk.executed,
    above(disk.votes),
    above(disk.certificates.map((one) => ({ ...one, kind: one.kind as never }))),
    disk.candidates.flatMap(({ block }) => (block.view > floor ? [brief(book, block.hash)] : [])).sort(),
    sent.filter((vote) => Number(vote.split(" ")[1]) > floor).sort(),
  ].join(";");
}

const brief = (book: Book, hash: string | null): string => (hash === null ? "-" : book.name(hash as never));

const ownName = (book: Book, { notarize, nullify, finalize }: Context["own"][number]): string =>
  `${notarize === undefined ? "" : `o${brief(book, notarize)}`}${nullify === true ? "u" : ""}${finalize === undefined ? "" : "f"}`;
