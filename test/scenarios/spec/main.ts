/**
 * The full numbers: traces of the real machine against the model, every mutant over many seeds, random walks of the model.
 * `npm run spec -- [--traces N] [--from S] [--samples N] [--seed S]`; exit code 1 when a trace is refused or an invariant broken.
 */
import { parseArgs } from "node:util";
import { Judge, specification } from "./judge.ts";
import { record } from "./recorder.ts";
import { BROKEN, SOUND } from "./variants.ts";

const STEPS = 50;

const { values } = parseArgs({
  options: {
    traces: { type: "string", default: "1000" },
    from: { type: "string", default: "0" },
    samples: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
  },
});

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1e6);
};

function judgeTraces(from: number, count: number): boolean {
  const judge = new Judge();
  let [steps, telling, still, refused] = [0, 0, 0, 0];
  for (let seed = from; seed < from + count; seed++) {
    const trace = record(seed, STEPS);
    const verdict = judge.judge(trace);
    steps += trace.steps.length;
    telling += trace.telling;
    still += trace.still;
    if (trace.telling < STEPS || trace.defect !== undefined)
      say(`seed ${seed}: only ${trace.telling} telling steps ${trace.defect ?? ""}`);
    if (verdict.refusal === "") continue;
    refused += 1;
    const at = trace.steps[verdict.steps];
    say(
      `seed ${seed} (${trace.cast.module}): step ${verdict.steps}, member ${at?.member}, ${at?.event}: ${verdict.refusal}`,
    );
  }
  say(
    `traces: ${count}, telling steps: ${telling}, steps judged: ${steps}, events that told nothing: ${still}, refused: ${refused}, CPU ${cpuSeconds()} s`,
  );
  return refused === 0;
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

const agree = judgeTraces(Number(values.from), Number(values.traces));
const holds = walkAll(Number(values.seed), Number(values.samples));
process.exitCode = agree && holds ? 0 : 1;
