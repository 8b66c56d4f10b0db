/**
 * Every order of bounded sets of events, over the very machine that runs: rule 8 and its kin hold in every place, no path ends in
 * a Defect, every state is entered and every transition taken. What a path may meet stands in consensus-worlds.ts.
 */
import { describe, expect, it } from "vitest";
import { consensusMachine } from "../../../src/machines/consensus/consensus.machine.ts";
import { live } from "../../scenarios/consensus/language.ts";
import { Coverage } from "./coverage.ts";
import { walkOf } from "./consensus-walk.ts";
import { WORLDS } from "./consensus-worlds.ts";
import { explore, faultsIn } from "./explore.ts";

const NEVER: Readonly<Record<string, readonly string[]>> = {
  "the loss of a journal is found at the start": [
    "awaitingProposal → surveying",
    "judgingProposal → surveying",
    "proposing → surveying",
    "collectingVotes → surveying",
    "certifying → surveying",
    "nullifying → surveying",
  ],
  "a vote waits for the judgement of its body, which is asked for while judging": [
    "awaitingProposal → collectingVotes",
    "certifying → collectingVotes",
    "nullifying → collectingVotes",
    "surveying → collectingVotes",
  ],
  "who surveys has asked for no signature and for no block of its own": [
    "surveying: voteSigned",
    "surveying: proposalBuilt",
    "surveying: proposalFailed",
  ],
  "proposals of others are not recorded, so nobody starts with one": ["judgingProposal: started"],
  "no timer runs while quiet, and the shell drops those that were cleared": ["quiet: timerFired"],
};

describe("paths over the consensus machine", () => {
  const coverage = new Coverage(consensusMachine);

  it.each(WORLDS)("$name", (world) => {
    const walk = walkOf(world, coverage);
    expect(faultsIn(explore(walk), walk)).toEqual([]);
  });

  it("enter every state and take every transition but those that cannot be taken", () => {
    expect(coverage.missedStates).toEqual([]);
    expect([...coverage.missedTransitions].sort()).toEqual(Object.values(NEVER).flat().sort());
  });
});

describe("the paths themselves", () => {
  const [world] = WORLDS;
  if (world === undefined) throw new Error("there is a world");

  it("find a disk that forgets nullify votes, by the shortest script that shows it", () => {
    const walk = walkOf(world, new Coverage(consensusMachine), (life, input, book) => {
      const votes = life.disk.votes.filter(({ kind }) => kind !== "nullify");
      return live(input.kind === "restart" ? { ...life, disk: { ...life.disk, votes } } : life, input, book);
    });
    const [shortest = ""] = faultsIn(explore(walk), walk);
    expect(shortest.split("\n")).toEqual([
      "# saysOneThing: nullify and finalize of view 1 were sent",
      "member 0 of 4",
      "block A view 1 on genesis with x",
      "> start",
      "> vote notarize A from 2",
      "> vote notarize A from 3",
      "> timer advance",
      "> signed nullify 1",
      "> propose A",
      "> restart",
      "> start",
      "> fetch A",
      "> judge A valid",
      "> signed finalize A",
    ]);
  });

  it("find a vote that is sent before it is recorded", () => {
    const walk = walkOf(world, new Coverage(consensusMachine), (life, input, book) => {
      const next = live(life, input, book);
      return {
        ...next,
        effects: next.effects.toSorted(
          (one, other) => Number(one.type === "recordVote") - Number(other.type === "recordVote"),
        ),
      };
    });
    expect(faultsIn(explore(walk), walk)[0]).toMatch(/^# durableFirst: a signature over .* was asked for before/);
  });
});
