/** `npm run sim -- --seeds 1000`: many seeds over worker processes. See `--help`. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Fault } from "../../src/base/errors.ts";
import { HELP, type Plan, planOf } from "./plan.ts";
import { RecordFile } from "./record-file.ts";
import { Sum, type Told, told } from "./report.ts";
import { runSeed } from "./simulation.ts";
import { endAtClosedPipe } from "../closed-pipe.ts";

/** Runs the plan's seeds in this process, one after the other. */
function* runHere(plan: Plan): Generator<Told> {
  for (let i = 0; i < plan.seeds; i++) {
    const seed = plan.from + i;
    const file = plan.record === undefined ? undefined : new RecordFile(plan.record);
    yield told(runSeed({ ...plan.options, seed, ...(file !== undefined && { record: file.add }) }));
    file?.close();
  }
}

/** How a process ends when the simulator itself failed. */
const FAILED = 4;

/** Most of what a run allocates is gone with its step: with room for it, collecting takes half the time. */
const ROOMY = "--max-semi-space-size=64";

/**
 * Seeds that one process takes before the next one takes over: what the allocator keeps of a large run, since something small lies
 * above it, is given back with the process. Over hundreds of seeds it was gigabytes.
 */
const SEEDS_PER_PROCESS = 25;

/** Runs them in processes of this same program, so many at a time. */
async function runInProcesses(plan: Plan, tell: (outcome: Told) => boolean): Promise<void> {
  const share = Math.min(SEEDS_PER_PROCESS, Math.ceil(plan.seeds / plan.jobs));
  const slices = Array.from({ length: Math.ceil(plan.seeds / share) }, (_, i) => ({
    from: plan.from + i * share,
    seeds: Math.min(share, plan.seeds - i * share),
  }));
  const running = new Set<ChildProcess>();
  let isOver = false;
  const endAll = (): void => {
    isOver = true;
    for (const child of running) child.kill();
  };
  const work = async (): Promise<void> => {
    for (let slice = slices.shift(); slice !== undefined && !isOver; slice = slices.shift()) {
      const { child, lines, ended } = processOf(plan, slice);
      running.add(child);
      for await (const line of lines) {
        const said = JSON.parse(line) as Told | { readonly sum: unknown };
        if (!("sum" in said) && !isOver && tell(said)) endAll();
      }
      const code = await ended;
      running.delete(child);
      if (code <= 1 || isOver) continue;
      endAll();
      throw new Error(`the process of the seeds from ${slice.from} on ended with code ${code}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(plan.jobs, slices.length) }, work));
}

function processOf(plan: Plan, { from, seeds }: { readonly from: number; readonly seeds: number }) {
  const args = ["--seeds", seeds, "--from", from, "--jobs", 1, "--json"].map(String);
  const child = spawn(process.execPath, [...process.execArgv, ROOMY, process.argv[1] ?? "", ...args, ...plan.given], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? FAILED)));
  return { child, lines: createInterface({ input: child.stdout }), ended };
}

async function main(argv: readonly string[]): Promise<number> {
  let plan: Plan | undefined;
  try {
    plan = planOf(argv);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  if (plan === undefined) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  return simulate(plan);
}

async function simulate(plan: Plan): Promise<number> {
  const began = process.hrtime.bigint();
  const sum = new Sum();
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const tell = (outcome: Told): boolean => {
    sum.add(outcome);
    if (plan.json) say(JSON.stringify(outcome));
    else if (plan.seeds === 1) say(`seed ${outcome.seed}: traceHash ${outcome.traceHash}, ${outcome.events} events`);
    if (outcome.violation !== undefined && !plan.json) {
      const { invariant, message, atMs } = outcome.violation;
      say(`seed ${outcome.seed}: ${invariant}, at ${atMs.toFixed(1)} ms: ${message}`);
      say(
        `  repeat: node tools/sim/main.ts --seeds 1 --from ${outcome.seed}${plan.given.map((word) => ` ${word}`).join("")}`,
      );
    }
    return !outcome.ok && plan.stopAtFirst;
  };
  if (plan.jobs > 1) await runInProcesses(plan, tell);
  else for (const outcome of runHere(plan)) if (tell(outcome)) break;
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  if (plan.json) say(JSON.stringify({ sum: sum.figures() }));
  else for (const line of sum.lines(seconds)) say(line);
  return sum.violations.length > 0 ? 1 : 0;
}

/** 1 is for rules that were broken, and for nothing else. */
const failed = (error: unknown): number => {
  if (error instanceof Fault) process.stderr.write(`${error.message} (${error.code})\n`);
  else process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return error instanceof Fault ? 3 : FAILED;
};

endAtClosedPipe();
process.exitCode = await main(process.argv.slice(2)).catch(failed);
