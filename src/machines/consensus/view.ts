/** Views, quiet and timers (rules 1, 7, 9). */
import { type View, view as viewOf } from "../../base/brands.ts";
import { faultsTolerated, leaderOf } from "./committee.ts";
import type { Turn } from "./turn.ts";
import type { Context } from "./types.ts";

const hasAbove = (record: Readonly<Record<number, unknown>>, floor: View): boolean => {
  for (const key of Object.keys(record)) if (Number(key) > floor) return true;
  return false;
};

function votersAbove(context: Context): number {
  const voters = new Set<string>();
  for (const [key, tally] of Object.entries(context.tallies)) {
    if (Number(key) <= context.final.view) continue;
    for (const votes of [tally.notarize, tally.nullify, tally.finalize])
      for (const member of Object.keys(votes)) voters.add(member);
  }
  return voters.size;
}

/**
 * Rule 1: nothing to order and nothing unfinished. Quiet members set no timer and write no block; a bundle, a proposal, a
 * certificate, or votes of f+1 members above the last finalised view end it.
 */
export function isQuiet(context: Context): boolean {
  const floor = context.final.view;
  return (
    context.mempool.length === 0 &&
    context.pendingFinal === null &&
    !hasAbove(context.own, floor) &&
    !hasAbove(context.proposals, floor) &&
    !hasAbove(context.notarizations, floor) &&
    !hasAbove(context.nullifications, floor) &&
    votersAbove(context) < faultsTolerated(context.size) + 1
  );
}

/** Rule 1: the current leader has not voted in the last 2n views in which a quorum spoke (counted in views, never time). */
export function leaderIsSilent(context: Context): boolean {
  const leader = leaderOf(context.view, context.size);
  return leader !== context.self && context.spokenViews - (context.lastHeard[leader] ?? 0) >= 2 * context.size;
}

/** Timeouts grow by α per consecutive nullified view up to the cap, and return on progress (rule 9). */
export function backedOff(context: Context, ms: number): number {
  return Math.min(context.timings.cap, Math.round(ms * context.timings.growth ** Math.min(context.nullified, 32)));
}

/** Views only grow: enters `view` if it lies above the current one. */
export function enterView(turn: Turn, view: View): boolean {
  const { next } = turn;
  if (view <= next.view) return false;
  if (next.awaitsClock[next.view] !== undefined) turn.clearTimer("clock"); // set in this very turn, perhaps
  next.view = view;
  next.proposing = "no";
  next.asked = null;
  if (next.timersArmed) {
    turn.clearTimer("leader");
    turn.clearTimer("repeat");
    turn.clearTimer("propose");
  }
  next.timersArmed = false;
  const wait = next.awaitsClock[view];
  next.awaitsClock = {};
  if (wait !== undefined) awaitClock(turn, view, wait);
  return true;
}

/**
 * The proposal of this view, current or next, is ahead of the clock: it stays open for `ms` more, never invalid (consensus.md,
 * time). A proposal that came before its view waits anew when its view begins. What would outlast the view gets no timer.
 */
export function awaitClock(turn: Turn, view: View, ms: number): void {
  const { next } = turn;
  next.awaitsClock = { ...next.awaitsClock, [view]: ms };
  if (view === next.view && ms <= next.timings.cap) turn.setTimer("clock", ms);
}

/** The record without one view. */
export function without(record: Readonly<Record<number, number>>, view: View): Record<number, number> {
  const { [view]: _gone, ...rest } = record;
  return rest;
}

/** After every event: timers run exactly while the member is not quiet (rule 1). */
export function settleTimers(turn: Turn, wasArmed: boolean): void {
  const { next } = turn;
  const idle = next.halted !== null || isQuiet(next);
  if (idle) {
    if (!wasArmed) return;
    for (const timer of ["leader", "advance", "repeat", "standstill", "propose", "clock"] as const)
      turn.clearTimer(timer);
    next.timersArmed = false;
    next.proposing = next.proposing === "building" ? "building" : "no";
    return;
  }
  if (next.timersArmed) return;
  next.timersArmed = true;
  if (next.proposals[next.view] === undefined) turn.setTimer("leader", backedOff(next, next.timings.leader));
  turn.setTimer("advance", backedOff(next, next.timings.advance));
  turn.setTimer("standstill", backedOff(next, next.timings.standstill));
  if (turn.ownVotes(next.view).nullify === true) turn.setTimer("repeat", backedOff(next, next.timings.repeat));
}

/** Rule 7: nullify(v), unless finalize(v) was sent; repeated every t_r. */
export function nullifyCurrent(turn: Turn): boolean {
  const { next } = turn;
  const own = turn.ownVotes(next.view);
  if (own.nullify === true || own.finalize !== undefined || !turn.mayVote(next.view)) return false;
  turn.castVote("nullify", next.view, null);
  turn.setTimer("repeat", backedOff(next, next.timings.repeat));
  return true;
}

/** The best certificate for entering the current view: finalization, else nullification, else notarization of the one before. */
export function sendEntryCertificate(turn: Turn): void {
  const { next } = turn;
  const before = viewOf(next.view - 1);
  if (before <= 0) return;
  const final = next.pendingFinal?.view === before ? next.pendingFinal : next.final;
  if (final.view === before) {
    turn.broadcast({ kind: "certificate", certificate: "finalization", view: before, hash: final.hash });
  } else if (next.nullifications[before] === true) {
    turn.broadcast({ kind: "certificate", certificate: "nullification", view: before, hash: null });
  } else {
    const hash = next.notarizations[before];
    if (hash !== undefined) turn.broadcast({ kind: "certificate", certificate: "notarization", view: before, hash });
  }
}
