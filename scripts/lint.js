/** `npm run lint`: every static check, all of them even when one fails; `npm run lint types format` runs only those named. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const bin = (name) => path.join(root, "node_modules/.bin", name);

/** What each step is called and runs, one command after the other. */
const STEPS = {
  rules: [[bin("oxlint"), "--type-aware", "--deny-warnings", "--ignore-pattern", "test/lint/fixtures", "."]],
  format: [[bin("biome"), "format", "."]],
  // The inspector's page runs in a browser: other globals, and JSX.
  types: [
    [bin("tsc"), "-p", "."],
    [bin("tsc"), "-p", "tools/visualizer/page"],
  ],
  unused: [[bin("knip"), "--no-progress"]],
  contracts: [[bin("buf"), "lint"]],
  generated: [
    [bin("node"), path.join(root, "tools/proto/generate.ts"), "--check"],
    [bin("node"), path.join(root, "tools/visualizer/layout/main.ts"), "--check"],
  ],
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => STEPS[name] === undefined);
if (unknown.length > 0) {
  process.stderr.write(`lint: no step ${unknown.join(", ")}; there are ${Object.keys(STEPS).join(", ")}.\n`);
  process.exit(2);
}

/** Runs one command; its output when it failed, null when it did not. @param {string[]} command */
function problemOf([program, ...args]) {
  const options = { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 };
  const { status, stdout, stderr, error } = spawnSync(program, args, options);
  return status === 0 ? null : `${stdout ?? ""}${stderr ?? ""}${error ? `${error.message}\n` : ""}`;
}

const failed = [];
for (const [name, commands] of Object.entries(STEPS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const started = process.hrtime.bigint();
  const problems = commands.map(problemOf).filter((problem) => problem !== null);
  const seconds = (Number(process.hrtime.bigint() - started) / 1e9).toFixed(1);
  process.stdout.write(`${problems.length === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)\n`);
  if (problems.length === 0) continue;
  failed.push(name);
  process.stdout.write(problems.join(""));
}
if (failed.length > 0) {
  process.stdout.write(`lint: ${failed.join(", ")} failed.\n`);
  process.exitCode = 1;
}
