/**
 * Every order of bounded sets of questions and answers, over the very ceremony machine that runs: it never leaks what it collected,
 * never accepts a share that does not fit, counts operators once, and a restart forgives nothing (docs/protocol/ceremony.md).
 */
import { describe, expect, it } from "vitest";
import { ceremonyMachine } from "../../../src/machines/ceremony/ceremony.machine.ts";
import { live } from "../../scenarios/ceremony/language.ts";
import { walkOf } from "./ceremony-walk.ts";
import { WORLDS } from "./ceremony-worlds.ts";
import { Coverage } from "./coverage.ts";
import { explore, faultsIn } from "./explore.ts";

const NEVER: Readonly<Record<string, readonly string[]>> = {
  "ceremonies are opened under a root only, which a node keeps": [
    "expired: passphraseAccepted",
    "expired: initialiseAsked 2",
    "cancelled: passphraseAccepted",
    "cancelled: initialiseAsked 2",
  ],
  "opening or dealing fails only after the passphrase": ["failed: passphraseAccepted"],
  "the deadline's timer is cleared on the way here; only one that fires in that very moment is met and ignored": [
    "unwrapping: timerFired",
  ],
};

describe("paths over the ceremony machine", () => {
  const coverage = new Coverage(ceremonyMachine);

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

  it("find a shell that keeps what a ceremony collected, by the shortest script that shows it", () => {
    const walk = walkOf(world, new Coverage(ceremonyMachine), (desk, input) => {
      const next = live(desk, input);
      return { ...next, effects: next.effects.filter(({ kind }) => kind !== "eraseCeremony") };
    });
    const [shortest = ""] = faultsIn(explore(walk), walk);
    expect(shortest.split("\n")).toEqual([
      "# erasesWhatEnds: a ceremony ended unerased",
      "node n0 of ann bob carol, threshold 2",
      "> ann opens",
      "> ann offers",
      "> share of ann fits",
      "> bob offers",
      "> share of bob fits",
      "> ann unwraps",
      "> opened",
    ]);
  });

  it("find a journal that forgets wrong attempts", () => {
    const walk = walkOf(world, new Coverage(ceremonyMachine), (desk, input) => {
      const next = live(desk, input);
      return { ...next, journal: next.journal.filter(({ kind }) => kind !== "rejected") };
    });
    expect(faultsIn(explore(walk), walk)[0]).toMatch(/^# journalSuffices: a restart would change the wrong attempts/);
  });
});
