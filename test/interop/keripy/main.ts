/**
 * `npm run test:interop`: our streams judged by keripy, the reference implementation in Python, and keripy's by ours. Random lives
 * of a printed seed (SKY_INTEROP_SEED): honest ones must get the same verdicts and logs of both; of garbled and forged ones
 * nothing is in force here that keripy does not accept too. Needs Python ≥ 3.12.2, pip and libsodium; says what is missing.
 */
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Keripy, installKeripy } from "./keripy.ts";
import { compareExports, compareGarbled, compareHonest, judgeTheirs } from "./compare.ts";

const HONEST = 40;
const GARBLED = 120;
const THEIRS = 60;

async function main(): Promise<number> {
  const seed = Number(process.env["SKY_INTEROP_SEED"] ?? randomInt(1, 2 ** 31));
  const directory = mkdtempSync(path.join(tmpdir(), "sky-keripy-"));
  try {
    const found = await installKeripy(directory);
    if (!found.ok) {
      console.info(`skipped: ${found.text}`);
      return 0;
    }
    const keripy = new Keripy(found.text);
    console.info(`keripy ${await keripy.version()}, seed ${seed} (SKY_INTEROP_SEED)`);
    const reports = [
      await compareHonest(keripy, seed, HONEST),
      await compareExports(keripy, seed, HONEST),
      judgeTheirs(await keripy.make(seed, THEIRS)),
      await compareGarbled(keripy, seed, GARBLED),
    ];
    for (const { lines } of reports) for (const line of lines) console.info(line);
    return reports.every(({ ok }) => ok) ? 0 : 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

process.exitCode = await main();
