/** Every lint rule bites where a fixture says so, and nowhere else (DESIGN §1). */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOMS } from "../../scripts/lint/rooms.js";

const root = path.resolve(import.meta.dirname, "../..");
const fixtures = path.join(root, "test/lint/fixtures");
const generated = mkdtempSync(path.join(fixtures, "src/host/generated-"));

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
  readonly labels: readonly { readonly span: { readonly line: number } }[];
}

/** What oxlint reports, as "path:line rule". */
async function lint(): Promise<readonly string[]> {
  const oxlint = path.join(root, "node_modules/.bin/oxlint");
  const run = promisify(execFile)(oxlint, ["--type-aware", "--no-ignore", "-f", "json", fixtures], {
    cwd: root,
    maxBuffer: 1 << 26,
  });
  const { stdout } = await run.catch((failed: { readonly stdout: string }) => failed);
  const report = JSON.parse(stdout) as { readonly diagnostics: readonly Diagnostic[] };
  return report.diagnostics.map(
    (one) => `${path.relative(fixtures, path.resolve(root, one.filename))}:${one.labels[0]?.span.line} ${one.code}`,
  );
}

const files = (): readonly string[] =>
  readdirSync(fixtures, { recursive: true, encoding: "utf8" }).filter((one) => one.endsWith(".ts"));

/** What the fixtures say must be reported. */
const expected = (): readonly string[] =>
  files().flatMap((file) =>
    readFileSync(path.join(fixtures, file), "utf8")
      .split("\n")
      .flatMap((line, i) => {
        const rule = /\/\/ bites: (\S+)$/.exec(line)?.[1];
        return rule === undefined ? [] : [`${file}:${i + 1} ${rule}`];
      }),
  );

/** Too long to keep in the repository. */
function writeLongFixtures(): void {
  const lines = Array.from({ length: 80 }, (_, i) => `  total += ${i};`).join("\n");
  writeFileSync(
    path.join(generated, "long-function.ts"),
    `export function long(): number { // bites: eslint(max-lines-per-function)\n  let total = 0;\n${lines}\n  return total;\n}\n`,
  );
  const constants = Array.from(
    { length: 501 },
    (_, i) => `export const c${i} = ${i};${i === 500 ? " // bites: eslint(max-lines)" : ""}`,
  );
  writeFileSync(path.join(generated, "long-file.ts"), `${constants.join("\n")}\n`);
  const branches = Array.from({ length: 21 }, (_, i) => `  if (n === ${i}) return ${i};`).join("\n");
  writeFileSync(
    path.join(generated, "branches.ts"),
    `export function many(n: number): number { // bites: eslint(complexity)\n${branches}\n  return -1;\n}\n`,
  );
}

describe("lint", () => {
  let reported: readonly string[] = [];
  beforeAll(async () => {
    writeLongFixtures();
    reported = await lint();
  });
  afterAll(() => rmSync(generated, { recursive: true, force: true }));

  it("reports every line that a fixture marks as bad", () => {
    expect(expected().filter((one) => !reported.includes(one))).toEqual([]);
  });

  it("reports nothing that no fixture marks", () => {
    const marked = new Set(expected());
    expect(reported.filter((one) => !marked.has(one))).toEqual([]);
  });

  it.each(Object.keys(ROOMS))("has a bad fixture and a good one for the room %s", (room) => {
    expect(files()).toContain(`src/${room}/bad.ts`);
    expect(files()).toContain(`src/${room}/good.ts`);
    expect(expected().filter((one) => one.startsWith(`src/${room}/bad.ts:`)).length).toBeGreaterThan(5);
  });
});
