/** The ceremony's journal is one file of chained lines: what was appended is there after any cut behind it, and any flip is named. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Aid } from "../../../src/base/brands.ts";
import { Fault } from "../../../src/base/errors.ts";
import { openCeremonyJournal } from "../../../src/host/enclave/journal.ts";
import type { CeremonyRecord } from "../../../src/machines/ceremony/ceremony.types.ts";
import { Chance, report } from "./points.ts";
import { scratch } from "./scratch.ts";

const directory = scratch("sky-ceremony-");
afterAll(() => rmSync(directory, { recursive: true }));

const recordOf = (at: number): CeremonyRecord => ({
  kind: "rejected",
  at,
  ceremony: "ab".repeat(16),
  operator: "E" as Aid,
  code: "WRONG_SIGNATURE",
});

/** Appends of one, two and three records, as drains make them. */
const APPENDS = [[0], [1, 2], [3], [4, 5, 6], [7]].map((batch) => batch.map(recordOf));
const RECORDS = APPENDS.flat();

let whole: Buffer;
/** Where the file ended after each append. */
const ends = [0];
beforeAll(() => {
  const path = join(directory, "written");
  const journal = openCeremonyJournal(path);
  for (const records of APPENDS) {
    journal.append(records);
    ends.push(readFileSync(path).length);
  }
  journal.close();
  whole = readFileSync(path);
});

function opened(bytes: Uint8Array): readonly CeremonyRecord[] {
  const path = join(directory, "opened");
  writeFileSync(path, bytes);
  const journal = openCeremonyJournal(path);
  try {
    return journal.read();
  } finally {
    journal.close();
  }
}

test("cut at any byte, it holds every append that ends before, and goes on from there", () => {
  for (let end = 0; end <= whole.length; end++) {
    const records = opened(whole.subarray(0, end));
    const acknowledged = APPENDS.slice(0, ends.filter((at) => at <= end).length - 1).flat();
    expect(records.length).toBeGreaterThanOrEqual(acknowledged.length);
    expect(records).toEqual(RECORDS.slice(0, records.length));
  }
  report("cuts of the ceremony's journal", whole.length + 1);
});

test("with any bit flipped, it says where it is damaged, or gives what was written", () => {
  const chance = new Chance(5);
  let named = 0;
  let torn = 0;
  const points = Array.from(whole.keys()).flatMap((at) => Array.from({ length: 8 }, (_, bit) => ({ at, bit })));
  const chosen = chance.some(points, 1500);
  for (const { at, bit } of chosen) {
    const bytes = Buffer.from(whole);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
    try {
      // The last line without its end looks like one that a crash cut off.
      expect(opened(bytes)).toEqual(RECORDS.slice(0, -1));
      expect(at).toBe(whole.length - 1);
      torn += 1;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      expect(error.code).toBe("JOURNAL_DAMAGED");
      named += 1;
    }
  }
  expect(named + torn).toBe(chosen.length);
  expect(torn).toBeLessThanOrEqual(8);
  report("bits flipped in the ceremony's journal", chosen.length);
});
