import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isThresholdMet, thresholdSize } from "../../../src/crypto/threshold.ts";
import {
  parseLimen,
  parseThreshold,
  parseThresholdText,
  writeLimen,
  writeThreshold,
} from "../../../src/keri/threshold.ts";

interface Case {
  readonly sith: unknown;
  readonly limen: string | null;
  readonly line: number;
  readonly sat: readonly (readonly number[])[];
  readonly unsat: readonly (readonly number[])[];
  readonly exp_size: number | null;
  readonly exp_limen: string | null;
  readonly exp_sith: unknown;
}

const published = JSON.parse(
  readFileSync(new URL("../../../../shared/conformance/keri/thresholds.json", import.meta.url), "utf8"),
) as {
  readonly valid: readonly Case[];
  readonly invalid: readonly { readonly sith: unknown; readonly line: number }[];
};

const read = (sith: unknown) => (typeof sith === "string" ? parseThresholdText(sith) : parseThreshold(sith));

describe("published thresholds", () => {
  test.each(published.valid)("of line $line", (given) => {
    const threshold = given.limen === null ? read(given.sith) : parseLimen(given.limen);
    if (!threshold.ok) return expect.unreachable(threshold.refusal.message);
    for (const indices of given.sat) expect(isThresholdMet(threshold.value, indices), `${indices}`).toBe(true);
    for (const indices of given.unsat) expect(isThresholdMet(threshold.value, indices), `${indices}`).toBe(false);
    expect(writeThreshold(threshold.value)).toEqual(given.exp_sith);
    if (given.exp_size !== null) expect(thresholdSize(threshold.value)).toBe(given.exp_size);
    if (given.exp_limen !== null) expect(writeLimen(threshold.value)).toBe(given.exp_limen);
    expect(parseLimen(writeLimen(threshold.value))).toEqual(threshold);
    expect(parseThreshold(writeThreshold(threshold.value))).toEqual(threshold);
  });

  test.each(published.invalid)("invalid in line $line", ({ sith }) => {
    expect(read(sith).ok).toBe(false);
  });

  test("there are as many as expected", () => {
    expect([published.valid.length, published.invalid.length]).toEqual([17, 31]);
  });
});

test("one key that signs twice counts once, by number and by weight", () => {
  expect(isThresholdMet(2, [0, 0])).toBe(false);
  expect(isThresholdMet(2, [0, 1])).toBe(true);
  const halves = parseThreshold(["1/2", "1/2"]);
  expect(halves.ok && isThresholdMet(halves.value, [1, 1])).toBe(false);
  expect(halves.ok && isThresholdMet(halves.value, [1, 0])).toBe(true);
});

test("nobody's signature never suffices", () => {
  expect(isThresholdMet(0, [])).toBe(false);
});

test("fractions are exact: seven sevenths are one, and ten tenths that floating point loses are too", () => {
  for (const n of [3, 7, 10, 49]) {
    const all = parseThreshold(Array.from({ length: n }, () => `1/${n}`));
    if (!all.ok) return expect.unreachable(all.refusal.message);
    const indices = Array.from({ length: n }, (_, i) => i);
    expect(isThresholdMet(all.value, indices)).toBe(true);
    expect(isThresholdMet(all.value, indices.slice(1))).toBe(false);
  }
  expect(parseThreshold(["999999999998/999999999999", "1/999999999998"]).ok).toBe(true);
  expect(parseThreshold(["999999999997/999999999998", "1/999999999999"]).ok).toBe(false);
});

test("whatever weights are lawful come back from both texts", () => {
  const weight = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 9, max: 30 })).map(([n, d]) => `${n}/${d}`);
  const group = fc
    .tuple(weight, fc.array(weight, { maxLength: 4 }))
    .map(([own, members]) => ({ [own]: [...members, "1"] }));
  const clause = fc.array(fc.oneof(weight, group), { maxLength: 5 }).map((entries) => [...entries, "1"]);
  fc.assert(
    fc.property(fc.array(clause, { minLength: 1, maxLength: 3 }), (clauses) => {
      const threshold = parseThreshold(clauses);
      if (!threshold.ok) return expect.unreachable(threshold.refusal.message);
      expect(parseThreshold(writeThreshold(threshold.value))).toEqual(threshold);
      expect(parseLimen(writeLimen(threshold.value))).toEqual(threshold);
    }),
  );
});

test.each([
  "MAA",
  "4AAFA1s2c1s2c1s4c1s4c1s",
  "4AAEA1s2c1s2c1s4c1s4c1s4",
  "6AAGABA1s2c1s2c1s4c1s4c1s4c0",
  "4AABA1kk",
  "4AABAak1",
  "EAAL",
  "",
])("the text %j is refused", (limen) => {
  expect(parseLimen(limen).ok).toBe(false);
});
