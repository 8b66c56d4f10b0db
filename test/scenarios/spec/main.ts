/** The full numbers: traces of the real machine against the model, random walks of the model and of its broken variants. See `--help`. */
import { parseArgs } from "node:util";
import { Judge, specification } from "./judge.ts";
import { record } from "./recorder.ts";
import { BROKEN, SOUND } from "./variants.ts";
import { endAtClosedPipe } from "../../../tools/closed-pipe.ts";

const STEPS = 50;

const HELP = `npm run spec -- [options]: the real machine's traces against the model, and random walks of the model

  --traces N    traces of ${STEPS} telling steps (default 1000)
  --from S      seed of the first of them (default 0)
  --samples N   random walks of the model (default 2000)
  --seed S      their seed (default 1)

Exit codes: 0 all agree, 1 a trace was refused or fell short, an invariant broke, or a broken variant kept them, 2 wrong options`;

const TEXT = { type: "string" } as const;

/** Undefined when the help was asked for. Throws: TypeError. */
function optionsOf(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: { traces: TEXT, from: TEXT, samples: TEXT, seed: TEXT, help: { type: "boolean" } },
  });
  if (values.help === true) return undefined;
  const number = (name: "traces" | "from" | "samples" | "seed", least: number, fallback: number): number => {
    const value = Number(values[name] ?? fallback);
    if (Number.isSafeInteger(value) && value >= least && values[name] !== "") return value;
    throw new TypeError(`--${name} ${String(values[name])}: a whole number from ${least} on.`);
  };
  return {
    traces: number("traces", 1, 1000),
    from: number("from", 0, 0),
    samples: number("samples", 1, 2000),
    seed: number("seed", 0, 1),
  };
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1e6);
};

function judgeTraces(from: number, count: number): boolean {
  const judge = new Judge();
  let [steps, telling, still, refused, short] = [0, 0, 0, 0, 0];
  for (let seed = from; seed < from + count; seed++) {
    const trace = record(seed, STEPS);
    const verdict = judge.judge(trace);
    steps += trace.steps.length;
    telling += trace.telling;
    still += trace.still;
    if (trace.telling < STEPS || trace.defect !== undefined) {
      short += 1;
      say(`seed ${seed}: only ${trace.telling} telling steps ${trace.defect ?? ""}`);
    }
    if (verdict.refusal === "") continue;
    refused += 1;
    const at = trace.steps[verdict.steps];
    say(
      `seed ${seed} (${trace.cast.module}): step ${verdict.steps}, member ${at?.member}, ${at?.event}: ${verdict.refusal}`,
    );
  }
  say(
    `traces: ${count}, telling steps: ${telling}, steps judged: ${steps}, events that told nothing: ${still}, refused: ${refused}, too short: ${short}, CPU ${cpuSeconds()} s`,
  );
  return refused === 0 && short === 0;
}

function walkAll(seed: number, asked: number): boolean {
  const instances = specification("instances");
  const witnesses = ["finalised", "finalAfterFaultyLeader", "assembled", "epochBegun", "finalInNextEpoch"];
  let holds = true;
  for (const { module, init = "init", step = "step", steps, share } of SOUND) {
    const samples = Math.max(1, Math.round(asked * share));
    const walk = instances.walk(module, { seed, samples, steps, init, step, invariant: "safe", witnesses });
    holds &&= !walk.violated;
    say(`${module} (${step}, ${steps} steps): ${JSON.stringify(walk)}, CPU ${cpuSeconds()} s`);
  }
  for (const { module, init = "init", step = "step", samples, steps } of BROKEN) {
    const walk = instances.walk(module, { seed, samples: samples * 4, steps, init, step, invariant: "safe" });
    holds &&= walk.violated;
    say(`without a rule, ${module}: ${walk.violated ? `broken in sample ${walk.samples}` : "NOT broken"}`);
  }
  return holds;
}

function main(args: readonly string[]): number {
  let options: ReturnType<typeof optionsOf>;
  try {
    options = optionsOf(args);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  if (options === undefined) {
    say(HELP);
    return 0;
  }
  const agree = judgeTraces(options.from, options.traces);
  const holds = walkAll(options.seed, options.samples);
  return agree && holds ? 0 : 1;
}

endAtClosedPipe();
process.exitCode = main(process.argv.slice(2));
