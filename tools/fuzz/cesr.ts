/**
 * `node tools/fuzz/cesr.ts --inputs 1000000 --seed 1`: damaged CESR streams against the parser.
 *
 * For every input: no crash; the bytes of what is accepted are those that came; what is attached reads the same alone, and
 * written again from its decoded values is the same text; cut into pieces at random, the outcome is the same; and it takes no
 * longer than the bound. The first input that breaks one of these is printed in hex with its number, and the run fails.
 */
import { parseArgs } from "node:util";
import { Random } from "../sim/random.ts";
import { type Tally, emptyTally, tryInput } from "./judge.ts";
import { seeds } from "./seeds.ts";

const HELP = `Usage: node tools/fuzz/cesr.ts [--inputs N] [--seed S] [--from I] [--bodies]

  --inputs N  how many (100000)
  --seed S    of the changes (1)
  --from I    begin with input I: to see one again (0)
  --bodies    what is accepted is read as an event too
`;

function report(tally: Tally, seconds: number): string {
  const per = (count: number, time: number) => Math.round(count / time);
  const refusals = [...tally.refusals].sort(([a], [b]) => (a < b ? -1 : 1)).map(([code, count]) => `${code} ${count}`);
  return [
    `${tally.inputs} inputs, ${per(tally.bytes, 1e6)} MB, ${tally.messages} messages in ${seconds.toFixed(1)} s: ${per(tally.inputs, seconds)} inputs/s with all checks, ${per(tally.inputs, tally.parseMs / 1000)} inputs/s parsing alone`,
    `accepted unchanged ${tally.accepted}, accepted with changes that keep the form ${tally.acceptedChanged}`,
    `refused ${refusals.join(", ")}`,
    `slowest input ${tally.slowestMs.toFixed(2)} ms (${tally.slowestBytes} bytes); resident ${per(process.memoryUsage().rss, 1e6)} MB`,
  ].join("\n");
}

function main(): number {
  const { values } = parseArgs({
    options: {
      inputs: { type: "string", default: "100000" },
      seed: { type: "string", default: "1" },
      from: { type: "string", default: "0" },
      bodies: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const bases = seeds();
  const tally = emptyTally();
  const start = performance.now();
  for (let i = Number(values.from), end = i + Number(values.inputs); i < end; i++) {
    const found = tryInput(bases, new Random(`cesr/${values.seed}/${i}`), tally, { bodies: values.bodies });
    if (found === undefined) continue;
    const { bytes, error } = found;
    process.stdout.write(`input ${i} of seed ${values.seed}: ${error.stack ?? error.message}\n`);
    process.stdout.write(`${Buffer.from(bytes).toString("hex")}\n`);
    return 1;
  }
  process.stdout.write(`${report(tally, (performance.now() - start) / 1000)}\n`);
  return 0;
}

process.exitCode = main();
