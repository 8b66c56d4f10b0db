/** The judge of the browser's tests is judged: a stream with a hole or a repetition must not pass. */
import { expect, it } from "vitest";
import type { Entry, Gap } from "../../../src/host/inspector/contract.ts";
import { faultsOf } from "../../e2e/inspector/witness.ts";

const entry = (node: string, life: number, n: number): Entry => ({
  node,
  life,
  n,
  at: n,
  kind: "executed",
  height: n,
  root: "00",
});
const gap = (from: number, to: number): Gap => ({ node: "n1", life: 0, from, to, reason: "let go" });
const read = (numbers: readonly number[], gaps: readonly Gap[] = []) =>
  faultsOf({ entries: numbers.map((n) => entry("n1", 0, n)), gaps });

it("numbers that go on, whatever they begin with, have no fault; lives and nodes are counted apart", () => {
  expect(read([7, 8, 9])).toEqual([]);
  const entries = [entry("n1", 0, 0), entry("n2", 0, 5), entry("n1", 1, 0), entry("n2", 0, 6), entry("n1", 1, 1)];
  expect(faultsOf({ entries, gaps: [] })).toEqual([]);
});

it("a repetition and a hole are faults; a hole that a gap tells of is none", () => {
  expect(read([1, 2, 2, 3])).toEqual(["n1, life 0: 2 came again"]);
  expect(read([1, 2, 5])).toEqual(["n1, life 0: from 3 to before 5 nothing came"]);
  expect(read([1, 2, 5], [gap(3, 5)])).toEqual([]);
  expect(read([1, 2, 6], [gap(3, 5)])).toHaveLength(1);
});
