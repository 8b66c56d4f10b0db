/**
 * Records a golden log: `node test/golden/log/record.ts v1`. A log that is there is never written again: what it says is what its
 * version did, and every later one has to come to the same.
 */
import { existsSync, writeFileSync } from "node:fs";
import { present } from "../../../src/base/errors.ts";
import { executed, goldenLogFile, writtenLog } from "./golden-log.ts";
import { GoldenLives } from "./lives.ts";

const LIVES: Readonly<Record<string, (lives: GoldenLives) => void>> = {
  v1: (lives) => lives.firstVersion(),
  "v1-later-bytes": (lives) => lives.laterBytes(), // recorded by the software of version 1
  v2: (lives) => lives.secondVersion(),
};

const [name = ""] = process.argv.slice(2);
const live = LIVES[name];
if (live === undefined) throw new Error(`name the log to record: ${Object.keys(LIVES).join(", ")}`);
const file = goldenLogFile(name);
if (existsSync(file)) throw new Error(`${file.pathname} is there; golden logs are never written again`);

const lives = new GoldenLives();
live(lives);
const blocks = lives.blocks.map(({ event, bundles }) => ({ event, bundles: bundles.map(({ bytes }) => bytes) }));
const results = executed(lives.made.cluster, blocks);
writeFileSync(
  file,
  writtenLog({ blocks: blocks.map((block, at) => ({ ...block, ...present(results.blocks[at], "executed") })), rows: results.rows }),
);
console.log(results.kinds.join(" "));
