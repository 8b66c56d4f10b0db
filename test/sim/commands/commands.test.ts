/**
 * Commands against a cluster in virtual time: whatever is written, asked, crashed, cut off and damaged, in whatever order and however
 * late frames come, acknowledged writes keep their place and answers are those of the graph that the writes give.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { breaks, commands, delays, minimised, performCommands } from "./commands.ts";
import { LyingDisk } from "./lying-disk.ts";

const RUNS = 100;
/** A failure prints the seed and the script; `replay` performs the script again. */
const SEEDS = [20261122, 20261123, 20261124];

describe("a cluster under commands", () => {
  it.each(SEEDS)("acknowledges each write once for all, and answers from the graph they give (seed %i)", (seed) => {
    fc.assert(
      fc.property(delays, commands, (frames, list) => {
        performCommands(frames, (setup) => fc.modelRun(setup, list));
      }),
      { numRuns: RUNS, seed },
    );
  });
});

describe("commands against a disk that says synced before it is", () => {
  const lying = { diskOf: (random: ConstructorParameters<typeof LyingDisk>[0]) => new LyingDisk(random) };

  it("break a rule, and shrink to a script of which no line can be left out and which breaks nothing on an honest disk", () => {
    const found = fc.check(
      fc.property(delays, commands, (frames, list) => {
        performCommands(frames, (setup) => fc.modelRun(setup, list), lying);
      }),
      { numRuns: 4 * RUNS, seed: 1, endOnFailure: true }, // shrunk below, alike on whatever machine
    );
    expect(found.failed).toBe(true);
    const [rule = "", ...performed] = (found.errorInstance as Error).message.split("\n");
    expect(rule).toMatch(
      /^(rule 8|agreement|durable before sending|certificates are durable|acknowledged writes are never lost|writes keep)/,
    );

    const script = minimised(performed, lying);
    expect(script.length).toBeLessThanOrEqual(14);
    expect(breaks(script, lying)).toContain(script.join("\n"));
    for (let at = 0; at < script.length; at++) expect(breaks(script.toSpliced(at, 1), lying)).toBeUndefined();
    expect(breaks(script), "the same script on an honest disk").toBeUndefined();
  });
});
