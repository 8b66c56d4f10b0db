/** What a slow machine would decide is nothing that a test asserts: limits stand in vitest.config.ts, and nowhere else. */
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";

const tests = path.resolve(import.meta.dirname, "..");

/** What stands in a test, and what to write instead. */
const RULES: readonly (readonly [RegExp, string])[] = [
  [/^[ \t]*\}, [\d_]{4,}\);$/gm, "no limit of its own: vitest.config.ts has one for all"],
  [/\{\s*timeout: [\d_]+,?\s*\}/g, "no limit of its own: vitest.config.ts has one for all"],
  [/\b(?:test|hook)Timeout\b/g, "no limit of its own: vitest.config.ts has one for all"],
  [/\bvi\.wait(?:For|Until)\(/g, "expect.poll, whose limit is in vitest.config.ts"],
  [/\b(?:interrupt|skipAll)AfterTimeLimit\b/g, "numRuns: how much is tried is a count, not a time"],
  [
    /(?:performance|Date)\.now\(\) - \w+\)\.toBeLess/g,
    "no stopwatch: count what is done, or tell the time and do not judge it",
  ],
];

const faultsIn = (text: string): readonly string[] =>
  RULES.flatMap(([pattern, instead]) =>
    [...text.matchAll(pattern)].map(({ index }) => `line ${text.slice(0, index).split("\n").length}: ${instead}`),
  );

it("no test has a time limit or a stopwatch of its own", () => {
  const files = readdirSync(tests, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".test.ts"));
  expect(files.length).toBeGreaterThan(200);
  const found = files
    .filter((file) => !file.startsWith("lint"))
    .flatMap((file) => faultsIn(readFileSync(path.join(tests, file), "utf8")).map((fault) => `${file}, ${fault}`));
  expect(found).toEqual([]);
});

it("each of them would be found", () => {
  const bad = ["it('a', () => {\n}, 5_000);", "it('a', { timeout: 5_000 }, f)", "it('a', {\n  timeout: 30_000,\n}, f)"];
  const worse = [
    "await vi.waitFor(() => f())",
    "expect(performance.now() - began).toBeLessThan(5)",
    "{ interruptAfterTimeLimit: 6000 }",
    "vi.setConfig({ testTimeout: 120_000 })",
  ];
  for (const one of [...bad, ...worse]) expect([one, faultsIn(one).length]).toEqual([one, 1]);
  expect(faultsIn("execFileSync(node, [], { encoding: 'utf8', timeout: 20_000 })")).toEqual([]);
});
