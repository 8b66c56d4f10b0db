/** `npm run sim -- --seeds 1000`: many seeds over worker processes. See `--help`. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { availableParallelism } from "node:os";
import { closeSync, openSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { BYZANTINE_KINDS, type ByzantineKind, FAULT_KINDS, type FaultKind, type Mode } from "./profile.ts";
import { lineOf } from "./record.ts";
import { type SimOptions, type SimOutcome, runSeed } from "./simulation.ts";

const HELP = `node tools/sim/main.ts [options]: simulates clusters, a seed each

  --seeds N         how many seeds (default 20)
  --from S          the first of them (default 1)
  --nodes N         members; without it each seed draws its own, 4 to 7
  --byzantine B     Byzantine members, at most f; without it each seed draws its own
  --actor KIND      what Byzantine members are, repeated for more of them: ${BYZANTINE_KINDS.join(", ")}
  --fault KIND      faults that strike, repeated; without it each seed draws its own: ${FAULT_KINDS.join(", ")}
  --minutes M       simulated minutes of faults (default 1)
  --mode MODE       safety or liveness; without it each seed draws its own
  --jobs J          processes (default: as many as processors; 1 for 20 seeds or fewer)
  --stop-at-first   ends at the first violation
  --record FILE     writes every event, effect and snapshot of one seed as lines of JSON (tools/sim/record.ts says what they hold)
  --json            one JSON object a seed, and one for the sum, on standard output

Exit codes: 0 no rule was broken, 1 some rule was: the seed and the command that repeats it are printed, 2 wrong options`;

const OPTIONS = {
  seeds: { type: "string", default: "20" },
  from: { type: "string", default: "1" },
  step: { type: "string", default: "1" },
  nodes: { type: "string" },
  byzantine: { type: "string" },
  actor: { type: "string", multiple: true },
  fault: { type: "string", multiple: true },
  minutes: { type: "string" },
  mode: { type: "string" },
  jobs: { type: "string" },
  "stop-at-first": { type: "boolean", default: false },
  record: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

class UsageError extends Error {}

const numberOf = (name: string, text: string, least: number): number => {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value) || value < least)
    throw new UsageError(`--${name} ${text}: a number from ${least} on.`);
  return value;
};

function wordsOf<Word extends string>(name: string, given: readonly string[], words: readonly Word[]): readonly Word[] {
  return given.map((text) => {
    const word = words.find((one) => one === text);
    if (word === undefined) throw new UsageError(`--${name} ${text}: one of ${words.join(", ")}.`);
    return word;
  });
}

interface Plan {
  readonly seeds: number;
  readonly from: number;
  readonly step: number;
  readonly jobs: number;
  readonly stopAtFirst: boolean;
  readonly json: boolean;
  readonly record: string | undefined;
  readonly options: Omit<SimOptions, "seed">;
  /** The options of a seed, as they were given. */
  readonly given: readonly string[];
}

function planOf(argv: readonly string[]): Plan {
  const { values } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: false });
  if (values.help) throw new UsageError(HELP);
  const seeds = numberOf("seeds", values.seeds, 1);
  const minutes = values.minutes === undefined ? undefined : numberOf("minutes", values.minutes, 0);
  const nodes = values.nodes === undefined ? undefined : numberOf("nodes", values.nodes, 4);
  const byzantine = values.byzantine === undefined ? undefined : numberOf("byzantine", values.byzantine, 0);
  const [mode] = values.mode === undefined ? [] : wordsOf<Mode>("mode", [values.mode], ["safety", "liveness"]);
  const kinds = values.actor === undefined ? undefined : wordsOf<ByzantineKind>("actor", values.actor, BYZANTINE_KINDS);
  const faults = values.fault === undefined ? undefined : wordsOf<FaultKind>("fault", values.fault, FAULT_KINDS);
  const given = (["nodes", "byzantine", "minutes", "mode", "actor", "fault"] as const).flatMap((name) =>
    [values[name] ?? []].flat().flatMap((value) => [`--${name}`, value]),
  );
  return {
    seeds,
    from: numberOf("from", values.from, 0),
    step: numberOf("step", values.step, 1),
    jobs: values.jobs === undefined ? (seeds <= 20 ? 1 : availableParallelism()) : numberOf("jobs", values.jobs, 1),
    stopAtFirst: values["stop-at-first"],
    json: values.json,
    record: values.record,
    given,
    options: {
      ...(nodes !== undefined && { nodes }),
      ...(byzantine !== undefined && { byzantine }),
      ...(minutes !== undefined && { minutes }),
      ...(mode !== undefined && { mode }),
      ...(kinds !== undefined && { byzantineKinds: kinds }),
      ...(faults !== undefined && { faults }),
    },
  };
}

/** What is told of a seed; its history stays where it ran. */
type Told = Omit<SimOutcome, "history">;

const told = ({ history: _history, ...rest }: SimOutcome): Told => rest;

/** Runs the plan's seeds in this process, one after the other. */
function* runHere(plan: Plan): Generator<Told> {
  for (let i = 0; i < plan.seeds; i++) {
    const seed = plan.from + i * plan.step;
    const file = plan.record === undefined ? undefined : openSync(plan.record, "w");
    let entries = 0;
    const record =
      file !== undefined &&
      ((entry: Parameters<typeof lineOf>[0]) => void writeSync(file, `${lineOf(entry, ++entries)}\n`));
    yield told(runSeed({ ...plan.options, seed, ...(record !== undefined && record !== false && { record }) }));
    if (file !== undefined) closeSync(file);
  }
}

/** Runs them in processes of this same program, each every `jobs`-th seed. */
async function runInProcesses(plan: Plan, tell: (outcome: Told) => boolean): Promise<void> {
  const program = process.argv[1] ?? "";
  const children = Array.from({ length: Math.min(plan.jobs, plan.seeds) }, (_, job) => {
    const seeds = Math.ceil((plan.seeds - job) / plan.jobs);
    const from = plan.from + job * plan.step;
    const args = ["--seeds", seeds, "--from", from, "--step", plan.jobs * plan.step, "--jobs", 1, "--json"].map(String);
    return spawn(process.execPath, [...process.execArgv, program, ...args, ...plan.given], {
      stdio: ["ignore", "pipe", "inherit"],
    });
  });
  const ends = children.map(async (child) => {
    const ended = new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? 4)));
    for await (const line of createInterface({ input: child.stdout })) {
      const said = JSON.parse(line) as Told | { readonly sum: unknown };
      if (!("sum" in said) && tell(said)) for (const other of children) other.kill();
    }
    return ended;
  });
  const codes = await Promise.all(ends);
  const broken = codes.find((code) => code > 1 && !plan.stopAtFirst);
  if (broken !== undefined) throw new Error(`a worker process ended with code ${broken}`);
}

class Sum {
  seeds = 0;
  simulatedMs = 0;
  views = 0;
  nullified = 0;
  blocks = 0;
  acknowledged = 0;
  frames = 0;
  readonly violations: Told[] = [];
  readonly faults: Record<string, number> = {};

  add(outcome: Told): void {
    this.seeds += 1;
    this.simulatedMs += outcome.simulatedMs;
    this.views += outcome.viewsDecided;
    this.nullified += outcome.viewsNullified;
    this.blocks += outcome.blocks;
    this.acknowledged += outcome.acknowledged;
    this.frames += outcome.frames;
    if (!outcome.ok) this.violations.push(outcome);
    for (const [kind, count] of Object.entries(outcome.faults)) this.faults[kind] = (this.faults[kind] ?? 0) + count;
    for (const kind of outcome.profile.byzantine)
      this.faults[`Byzantine ${kind}`] = (this.faults[`Byzantine ${kind}`] ?? 0) + 1;
  }

  lines(seconds: number): readonly string[] {
    const faults = Object.entries(this.faults).sort(([a], [b]) => (a < b ? -1 : 1));
    const hours = (this.simulatedMs / 3_600_000).toFixed(1);
    return [
      `${this.seeds} seeds, ${hours} simulated hours in ${seconds.toFixed(0)} s`,
      `${this.views} views decided (${this.nullified} nullified), ${this.blocks} blocks, ${this.acknowledged} writes acknowledged, ${this.frames} frames`,
      `faults: ${faults.map(([kind, count]) => `${kind} ${count}`).join(", ")}`,
      `${this.violations.length} violations${this.violations.length > 0 ? `: seeds ${this.violations.map(({ seed }) => seed).join(", ")}` : ""}`,
    ];
  }
}

async function main(argv: readonly string[]): Promise<number> {
  let plan: Plan;
  try {
    plan = planOf(argv);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
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
  if (plan.json) say(JSON.stringify({ sum: { ...sum, violations: sum.violations.map(({ seed }) => seed) } }));
  else for (const line of sum.lines(seconds)) say(line);
  return sum.violations.length > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
