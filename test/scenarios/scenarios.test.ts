/** Golden scripts do what they say. A changed effect shows as a difference; `node test/scenarios/record.ts` accepts it. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ceremonyLanguage } from "./ceremony/language.ts";
import { consensusLanguage } from "./consensus/language.ts";
import { perform } from "./script.ts";
import { scripts } from "./scripts.ts";

describe("golden scripts", () => {
  it.each(scripts())("$name", ({ text, performed }) => {
    expect(performed()).toBe(text);
  });

  it("there is one for every rule of consensus.md and for every known bug of others", () => {
    const names = scripts().map(({ name }) => name);
    for (const rule of ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10"])
      expect(names.some((name) => name.startsWith(`consensus/rule-${rule}-`))).toBe(true);
    expect(names.filter((name) => name.startsWith("consensus/bug-")).length).toBeGreaterThanOrEqual(9);
  });
});

it("are never recorded in CI", () => {
  const recorder = join(import.meta.dirname, "record.ts");
  const { status, stderr } = spawnSync(process.execPath, [recorder], {
    env: { ...process.env, CI: "true" },
    encoding: "utf8",
  });
  expect(status).toBe(2);
  expect(stderr).toMatch(/golden scripts are not recorded in CI/);
});

describe("scripts that are not of their language are refused, by line", () => {
  const header = "member 0 of 4\nblock A view 1 on genesis with x\n";
  it.each([
    ["a script without header", "> start", consensusLanguage, /line 1, "> start": a script begins with a line like/],
    ["an unknown input", `${header}> dance`, consensusLanguage, /line 3, "> dance": no sentence of this language/],
    ["a block that nobody declared", `${header}> propose B`, consensusLanguage, /no block is named B/],
    [
      "an answer that nobody awaits",
      `${header}> start\n> judge A valid`,
      consensusLanguage,
      /line 4, .*did not ask for that/,
    ],
    ["a timer that does not run", `${header}> start\n> timer leader`, consensusLanguage, /no such timer runs/],
    [
      "a declaration after the first input",
      `${header}> start\nblock B view 2 on A`,
      consensusLanguage,
      /line 4, .*after the first input/,
    ],
    [
      "a share that is not being checked",
      "node n0 of ann bob, threshold 2\n> share of ann fits",
      ceremonyLanguage,
      /no share of that operator/,
    ],
    [
      "a timer that is not due",
      "node n0 of ann bob, threshold 2\n> ann opens\n> timer ceremony",
      ceremonyLanguage,
      /due in 900 s/,
    ],
  ])("%s", (_name, script, language, reason) => {
    expect(() => perform(script, language)).toThrow(reason);
  });
});
