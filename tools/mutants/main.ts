/** `node tools/mutants/main.ts`: lets the simulator find each bug of the known-bug set. See `--help`. */
import { parseArgs } from "node:util";
import { availableParallelism } from "node:os";
import { MUTANTS } from "./all.ts";
import { type Hunted, huntAll } from "./hunt.ts";

const HELP = `node tools/mutants/main.ts [NAME…] [options]: seeds known bugs, one at a time, and lets the simulator find them

  NAME…       which ones; a part of a name stands for all that have it
  --all       every one
  --list      names them, with what each breaks
  --jobs J    how many at a time (default: as many as processors, at most 2)
  --json      one JSON object for each

Exit codes: 0 all were found within their seeds, 1 some were not, 2 wrong options`;

const line = ({ mutant, found, spoilt, seconds }: Hunted): string => {
  const free = spoilt.length > 0 ? ` (seeds ${spoilt.join(", ")} break a rule without it)` : "";
  const took = ` [${seconds.toFixed(0)} s]`;
  switch (found.kind) {
    case "found":
      return `found     ${mutant.name}: seed ${found.seed} of ${mutant.seeds}, ${found.invariant}: ${found.message}${free}${took}`;
    case "survived":
      return `SURVIVED  ${mutant.name}: ${mutant.seeds} seeds${free}${took}`;
    case "failed":
      return `FAILED    ${mutant.name}: ${found.message}${took}`;
  }
};

async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      all: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      jobs: { type: "string", default: String(Math.min(2, availableParallelism())) },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  const wanted = values.all ? MUTANTS : MUTANTS.filter(({ name }) => positionals.some((part) => name.includes(part)));
  if (values.list) {
    for (const { name, why, seeds } of MUTANTS) say(`${name} (${seeds} seeds): ${why}`);
    return 0;
  }
  if (values.help || wanted.length === 0 || !(Number(values.jobs) >= 1)) {
    process.stderr.write(`${HELP}\n`);
    return 2;
  }
  const hunted = await huntAll(wanted, Number(values.jobs), (one) =>
    say(values.json ? JSON.stringify(one) : line(one)),
  );
  const missed = hunted.filter(({ found }) => found.kind !== "found");
  if (!values.json) say(`${hunted.length - missed.length} of ${hunted.length} found`);
  return missed.length > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
