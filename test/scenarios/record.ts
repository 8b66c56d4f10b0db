/**
 * Writes into the golden scripts what they do now: `node test/scenarios/record.ts [part of a name …]`. Look at the difference: each
 * changed line is a change of behaviour. Never done by tests or in CI.
 */
import { writeFileSync } from "node:fs";
import { scripts } from "./scripts.ts";

if (process.env["CI"] !== undefined) {
  process.stderr.write(
    "record: golden scripts are not recorded in CI; run this on your machine and commit the difference.\n",
  );
  process.exit(2);
}

const wanted = process.argv.slice(2);
for (const { name, path, text, performed } of scripts()) {
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
  try {
    const now = performed();
    if (now === text) continue;
    writeFileSync(path, now);
    process.stdout.write(`recorded ${name}\n`);
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
