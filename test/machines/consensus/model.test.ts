/** Any order of events that honest majorities allow, restarts included: rule 8, growing views and one chain, on one machine. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memberIndex } from "../../../src/base/brands.ts";
import type { BlockSummary, TimerId, VoteKind } from "../../../src/machines/consensus/types.ts";
import { Scenario, blockOn } from "./scenario.ts";
import { GENESIS } from "./values.ts";

/** What the others made final: blocks of views 1, 3, 4 and 6; views 2 and 5 were nullified. */
const chain: readonly BlockSummary[] = [1, 3, 4, 6].reduce<BlockSummary[]>(
  (blocks, at) => [...blocks, blockOn(blocks.at(-1) ?? GENESIS, at, { bundles: [`b${at}`] })],
  [],
);
const nullified = [2, 5];
/** Blocks that were proposed beside them and notarized nowhere. */
const twins: readonly BlockSummary[] = [
  blockOn(GENESIS, 1, { name: "twin" }),
  ...chain.map((parent, i) => blockOn(parent, [2, 4, 5, 7][i] ?? 7, { name: "twin" })),
];
const known = [...chain, ...twins];
const TIMERS: readonly TimerId[] = ["leader", "advance", "repeat", "standstill", "propose", "clock"];

type Move = (one: Scenario) => void;

/** Nobody speaks for the member itself: not in votes, not in proposals of the views that it leads. */
const movesOf = (self: number): fc.Arbitrary<readonly [string, Move]> => {
  const member = fc.constantFrom(...[0, 1, 2, 3].filter((other) => other !== self));
  const block = fc.constantFrom(...known);
  const proposed = fc.constantFrom(...known.filter(({ view }) => view % 4 !== self));
  return fc.oneof(
    proposed.map((at) => [`propose ${at.view}`, (one: Scenario) => void one.propose(at, { judged: false })] as const),
    fc
      .tuple(block, fc.boolean())
      .map(([at, valid]) => [`judge ${at.view}`, (one: Scenario) => void one.judge(at, valid)] as const),
    fc
      .constantFrom(...chain)
      .map(
        (at) =>
          [`notarization ${at.view}`, (one: Scenario) => void one.certificate("notarization", at.view, at)] as const,
      ),
    fc.constantFrom(...chain).map((at) => [`fetch ${at.view}`, (one: Scenario) => void one.fetch(at)] as const),
    fc
      .constantFrom(...chain)
      .map(
        (at) =>
          [`finalization ${at.view}`, (one: Scenario) => void one.certificate("finalization", at.view, at)] as const,
      ),
    fc
      .constantFrom(...nullified)
      .map(
        (at) => [`nullification ${at}`, (one: Scenario) => void one.certificate("nullification", at, null)] as const,
      ),
    // One member may say anything; the others say what led to the chain.
    fc
      .tuple(fc.constantFrom<VoteKind>("notarize", "nullify", "finalize"), block)
      .map(
        ([kind, at]) =>
          [
            `liar ${kind} ${at.view}`,
            (one: Scenario) => void one.vote(kind, at.view, kind === "nullify" ? null : at, 3),
          ] as const,
      ),
    fc
      .tuple(fc.constantFrom<VoteKind>("notarize", "finalize"), fc.constantFrom(...chain), member)
      .map(
        ([kind, at, from]) =>
          [`${kind} ${at.view}`, (one: Scenario) => void one.vote(kind, at.view, at, from)] as const,
      ),
    fc
      .tuple(fc.constantFrom(...nullified), member)
      .map(([at, from]) => [`nullify ${at}`, (one: Scenario) => void one.vote("nullify", at, null, from)] as const),
    fc.constantFrom(...TIMERS).map((timer) => [`${timer} fires`, (one: Scenario) => void one.fires(timer)] as const),
    fc.constantFrom("x", "y", "z").map((name) => [`hold ${name}`, (one: Scenario) => void one.hold(name)] as const),
    member.map((from) => [`${from} connects`, (one: Scenario) => void one.connected(from)] as const),
    fc.constant(["signed", signPending] as const),
    fc.constant(["execute", executeNext] as const),
    fc.constant(["restart", (one: Scenario) => void one.restart()] as const),
  );
};

/** The signatures that were asked for come back. */
function signPending(one: Scenario): void {
  for (const { kind, view, hash } of one.asked("requestSignature")) one.take({ type: "voteSigned", kind, view, hash });
}

function executeNext(one: Scenario): void {
  const next = chain.find(({ height }) => height === one.context.executed + 1);
  if (next !== undefined && next.height <= one.context.final.height) one.executed(next);
}

/** Rule 8, over all lives. */
function assertVotes(one: Scenario): void {
  const votes = new Map<string, string>();
  for (const { kind, view, hash } of one.asked("recordVote")) {
    const earlier = votes.get(`${kind} ${view}`);
    if (earlier !== undefined) throw new Error(`${kind} ${view} was cast twice`);
    votes.set(`${kind} ${view}`, String(hash));
    if (kind === "notarize" && votes.has(`nullify ${view}`)) throw new Error(`notarize after nullify in ${view}`);
    if (votes.has(`nullify ${view}`) && votes.has(`finalize ${view}`)) throw new Error(`both ends of view ${view}`);
  }
}

function assertChain(one: Scenario): void {
  const appended = one.asked("recordFinal").flatMap(({ hashes }) => hashes);
  expect(appended).toEqual(chain.slice(0, appended.length).map(({ hash }) => hash));
}

describe("one machine, whatever happens in whatever order", () => {
  it.each([0, 1, 2])("member %i keeps rule 8, its views grow, and it appends one chain", (self) => {
    fc.assert(
      fc.property(fc.array(movesOf(self), { minLength: 5, maxLength: 60 }), (script) => {
        const one = new Scenario({ self });
        let view = 0;
        for (const [name, move] of script) {
          move(one);
          if (name === "restart") view = 0; // what it had entered without a vote or certificate is forgotten
          expect(one.context.view).toBeGreaterThanOrEqual(view);
          expect(one.context.view).toBeGreaterThan(one.context.final.view);
          view = one.context.view;
        }
        assertVotes(one);
        assertChain(one);
        expect(one.asked("recordEvidence").every(({ evidence }) => evidence.member !== memberIndex(self))).toBe(true);
      }),
      { numRuns: 500, seed: 20261122 + self },
    );
  });
});
