import { expect, test } from "vitest";
import { emptyTally, tryInput } from "../../../tools/fuzz/judge.ts";
import { seeds } from "../../../tools/fuzz/seeds.ts";
import { Random } from "../../../tools/sim/random.ts";

/** The long run is `node tools/fuzz/cesr.ts --inputs 1000000`; this one sees that the harness and the parser still fit. */
const INPUTS = 3_000;

test(`${INPUTS} damaged streams: no crash, nothing is accepted but what came, the outcome is one for every cut`, () => {
  const bases = seeds();
  const tally = emptyTally();
  for (let i = 0; i < INPUTS; i++) {
    const found = tryInput(bases, new Random(`unit/${i}`), tally, { bodies: true });
    expect(found && `${i}: ${found.error.message} ${Buffer.from(found.bytes).toString("hex")}`).toBeUndefined();
  }
  expect([...tally.refusals.keys()].sort()).toEqual(["KERI_MALFORMED", "KERI_UNSUPPORTED", "TOO_LARGE"]);
  expect(tally.accepted).toBeGreaterThan(0);
  expect(tally.acceptedChanged).toBeGreaterThan(0);
});
