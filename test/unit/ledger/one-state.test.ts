import fc from "fast-check";
import { describe, test } from "vitest";
import { live, plan } from "./replicas.ts";

const SEED = 6;

describe("one state, wherever it is kept", () => {
  test("a ledger that lives on, one that starts again, one whose tables lag and one from a checkpoint decide alike", () => {
    fc.assert(fc.property(plan(fc.constant(null)), live), { numRuns: 10, seed: SEED });
  });

  test("so they do when escrows expire and when the room for certificates is full", () => {
    fc.assert(fc.property(plan(fc.nat({ max: 6 })), live), { numRuns: 1, seed: SEED });
  });
});
