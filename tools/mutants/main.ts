/** `node tools/mutants/main.ts`: lets the simulator find each bug of the known-bug set. See `--help`. */
import { parseArgs } from "node:util";
import { availableParallelism } from "node:os";
import { MUTANTS } from "./all.ts";
import { type Hunted, huntAll } from "./hunt.ts";
import { endAtClosedPipe } from "../closed-pipe.ts";

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

/** Throws: TypeError for what is no option of ours. */
function optionsOf(argv: readonly string[]) {
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
  const stranger = positionals.find((part) => !MUTANTS.some(({ name }) => name.includes(part)));
  if (stranger !== undefined) throw new TypeError(`No mutant has ${stranger} in its name; --list names them.`);
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) throw new TypeError(`--jobs ${values.jobs}: a whole number from 1 on.`);
  return { ...values, jobs, names: positionals };
}

async function main(argv: readonly string[]): Promise<number> {
  let options: ReturnType<typeof optionsOf>;
  try {
    options = optionsOf(argv);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  const { all, list, jobs, json, help, names } = options;
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  const wanted = all ? MUTANTS : MUTANTS.filter(({ name }) => names.some((part) => name.includes(part)));
  if (help) {
    say(HELP);
    return 0;
  }
  if (list) {
    for (const { name, why, seeds } of MUTANTS) say(`${name} (${seeds} seeds): ${why}`);
    return 0;
  }
  if (wanted.length === 0) {
    process.stderr.write(`${HELP}\n`);
    return 2;
  }
  const hunted = await huntAll(wanted, jobs, (one) => say(json ? JSON.stringify(one) : line(one)));
  const missed = hunted.filter(({ found }) => found.kind !== "found");
  if (!json) say(`${hunted.length - missed.length} of ${hunted.length} found`);
  return missed.length > 0 ? 1 : 0;
}

endAtClosedPipe();
process.exitCode = await main(process.argv.slice(2));
