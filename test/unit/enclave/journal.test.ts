import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Aid } from "../../../src/base/brands.ts";
import { openCeremonyJournal } from "../../../src/host/enclave/journal.ts";
import type { CeremonyRecord } from "../../../src/machines/ceremony/ceremony.types.ts";
import { temporaryDirectory } from "./sealed-node.ts";

const directory = temporaryDirectory();
afterAll(directory.remove);
const rejected = (at: number): CeremonyRecord => ({
  kind: "rejected",
  at,
  ceremony: "ab",
  operator: "E" as Aid,
  code: "WRONG_INDEX",
});

function written(name: string, count: number): string {
  const path = join(directory.path, name);
  const journal = openCeremonyJournal(path);
  for (let i = 0; i < count; i++) journal.append([rejected(i)]);
  journal.close();
  return path;
}

test("a journal gives back what was appended, in order, and is its owner's alone", () => {
  const path = written("plain", 3);
  const journal = openCeremonyJournal(path);
  expect(journal.read()).toEqual([rejected(0), rejected(1), rejected(2)]);
  journal.append([rejected(3), rejected(4)]);
  journal.close();
  expect(openCeremonyJournal(path).read()).toHaveLength(5);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a line that a crash cut off is dropped, and appending goes on after it", () => {
  const path = written("torn", 2);
  const whole = readFileSync(path);
  for (let cut = 1; cut < 60; cut += 7) {
    writeFileSync(path, whole.subarray(0, whole.length - cut));
    const journal = openCeremonyJournal(path);
    expect(journal.read()).toEqual([rejected(0)]);
    journal.append([rejected(9)]);
    journal.close();
    expect(openCeremonyJournal(path).read()).toEqual([rejected(0), rejected(9)]);
  }
});

test("a changed, removed or exchanged line stops the start and says where", () => {
  const path = written("damaged", 3);
  const whole = readFileSync(path, "utf8");
  const [a, b, c] = whole.trimEnd().split("\n") as [string, string, string];
  for (const lines of [
    [a.replace('"at":0', '"at":7'), b, c],
    [b, c],
    [a, c, b],
  ]) {
    writeFileSync(path, `${lines.join("\n")}\n`);
    expect(() => openCeremonyJournal(path)).toThrow(/is damaged at line [12]/);
  }
});
