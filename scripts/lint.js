/** `npm run lint`: every static check, all of them even when one fails; `npm run lint types format` runs only those named. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const bin = (name) => path.join(root, "node_modules/.bin", name);

/** What each step is called and runs. */
const STEPS = {
  rules: [bin("oxlint"), "--type-aware", "--deny-warnings", "--ignore-pattern", "test/lint/fixtures", "."],
  format: [bin("biome"), "format", "."],
  types: [bin("tsc"), "-p", "."],
  unused: [bin("knip"), "--no-progress"],
  contracts: [bin("buf"), "lint"],
  generated: [bin("node"), path.join(root, "tools/proto/generate.ts"), "--check"],
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => STEPS[name] === undefined);
if (unknown.length > 0) {
  process.stderr.write(`lint: no step ${unknown.join(", ")}; there are ${Object.keys(STEPS).join(", ")}.\n`);
  process.exit(2);
}

const failed = [];
for (const [name, [command, ...args]] of Object.entries(STEPS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const started = process.hrtime.bigint();
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  const seconds = (Number(process.hrtime.bigint() - started) / 1e9).toFixed(1);
  process.stdout.write(`${status === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)\n`);
  if (status === 0) continue;
  failed.push(name);
  process.stdout.write(`${stdout ?? ""}${stderr ?? ""}${error ? `${error.message}\n` : ""}`);
}
if (failed.length > 0) {
  process.stdout.write(`lint: ${failed.join(", ")} failed.\n`);
  process.exitCode = 1;
}
