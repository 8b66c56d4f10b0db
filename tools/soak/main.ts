/**
 * A cluster of real processes under faults by seed. See `--help`.
 *
 * It runs itself again in namespaces of its own (network, mounts, processes), so that whatever becomes of it nothing is left behind;
 * where that is not allowed it goes on without, says so, and leaves out the faults that need them.
 */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { programDirectory } from "./cluster.ts";
import { type SoakOptions, type SoakReport, soak } from "./soak.ts";

/** Set for the run inside: why there are no namespaces (nothing when there are), and its directory. */
const INSIDE = { refusal: "SOAK_REFUSAL", directory: "SOAK_DIRECTORY" } as const;
const ISOLATE = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];
const MINUTES = 10;

const HELP = `npm run test:soak -- [options], or node tools/soak/main.ts [options] without the mutants before it: real processes under faults

  --minutes M   how long faults strike (default ${MINUTES})
  --rounds R    instead: every kind of fault once in each round
  --pace P      faults and the calm between them last P times as long (default 1)
  --seed S      which faults strike whom (default: from the clock, and printed)
  --keep DIR    keep report, history, databases and logs there; after a failure they are kept anyway
  --json        the report as one JSON object

Exit codes: 0 all is well, 1 something is not, and where the evidence lies is said, 2 wrong options`;

function argumentsOf(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string" },
      rounds: { type: "string" },
      pace: { type: "string" },
      seed: { type: "string" },
      keep: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const number = (name: "minutes" | "rounds" | "pace" | "seed", fallback: number): number => {
    const value = Number(values[name] ?? fallback);
    if (!(value >= 0)) throw new TypeError(`--${name} must be a number, not ${String(values[name])}`);
    return value;
  };
  const until = values.rounds === undefined ? { minutes: number("minutes", MINUTES) } : { rounds: number("rounds", 1) };
  return {
    until,
    pace: number("pace", 1),
    seed: number("seed", Date.now() % 1_000_000),
    keep: values.keep,
    json: values.json,
    help: values.help,
  };
}

/** Runs this program again, in namespaces where they are allowed. */
function enter(): void {
  const probe = spawnSync("unshare", [...ISOLATE, "true"], { encoding: "utf8" });
  const refusal = probe.error?.message ?? (probe.status === 0 ? "" : probe.stderr.trim());
  const self = [process.execPath, import.meta.filename, ...process.argv.slice(2)];
  const [command = "", ...args] = refusal === "" ? ["unshare", ...ISOLATE, ...self] : self;
  const directory = mkdtempSync(path.join(tmpdir(), "sky-soak-"));
  const env = { ...process.env, [INSIDE.refusal]: refusal, [INSIDE.directory]: directory };
  // A group of its own, and an input that ends with this process, however it ends: nothing goes on without it.
  const child = spawn(command, args, { stdio: ["pipe", "inherit", "inherit"], env, detached: true });
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => child.pid !== undefined && process.kill(-child.pid, "SIGKILL"));
  child.once("exit", (code) => {
    // Its mounts are gone with it, so that what lies under them can be removed.
    for (const left of [directory, programDirectory(directory)]) rmSync(left, { recursive: true, force: true });
    process.exitCode = code ?? 1;
  });
}

async function main(refusal: string, directory: string): Promise<void> {
  const { until, pace, seed, keep, json } = argumentsOf(process.argv.slice(2));
  process.stdin.resume().once("end", endEverything);
  const say = (line: string): void => {
    if (!json) process.stdout.write(`${line}\n`);
  };
  const options: SoakOptions = {
    seed,
    until,
    pace,
    directory,
    notIsolated: refusal === "" ? undefined : `namespaces are not allowed here: ${refusal}`,
    say,
  };
  say(`seed ${seed}; ${"minutes" in until ? `${until.minutes} minutes` : `${until.rounds} rounds`} of faults`);
  const { history, ...report } = await soak(options).catch((error: unknown) => {
    throw new Error(`${String(error)}\nEvidence: ${copyOf(directory, keep)}`, { cause: error });
  });
  const failed = report.failures.length > 0;
  const evidence = failed || keep !== undefined ? keepEvidence(directory, keep, { history, ...report }) : undefined;
  if (json) process.stdout.write(`${JSON.stringify({ ...report, evidence })}\n`);
  else process.stdout.write(`${inWords(report)}${evidence === undefined ? "" : `Evidence: ${evidence}\n`}`);
  process.exitCode = failed ? 1 : 0;
  process.stdin.off("end", endEverything).destroy();
}

/** This process and the nodes that it started. */
function endEverything(): void {
  try {
    process.kill(0, "SIGKILL");
  } finally {
    process.exit(1); // the first process of a namespace cannot kill itself; with its end all others in there end
  }
}

/** What the nodes had on their disks and said. Returns the directory. */
function copyOf(directory: string, keep: string | undefined): string {
  const evidence = keep ?? mkdtempSync(path.join(tmpdir(), "sky-soak-evidence-"));
  for (const part of ["cluster", "records"])
    cpSync(path.join(directory, part), path.join(evidence, part), { recursive: true });
  return evidence;
}

/** The same, with the report and the history. Returns the directory. */
function keepEvidence(directory: string, keep: string | undefined, { history, ...report }: SoakReport): string {
  const evidence = copyOf(directory, keep);
  writeFileSync(path.join(evidence, "report.json"), JSON.stringify(report, undefined, 2));
  writeFileSync(path.join(evidence, "history.jsonl"), history.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  return evidence;
}

function inWords({
  seed,
  seconds,
  faults,
  skipped,
  disks,
  height,
  judged,
  failures,
}: Omit<SoakReport, "history">): string {
  const struck = Object.entries(faults).map(([kind, count]) => `${kind} ${count}`);
  const left = Object.entries(skipped).map(([kind, why]) => `Left out: ${kind} (${why})`);
  const lines = [
    `${seconds.toFixed(0)} s, seed ${seed}, height ${height}, disks: ${disks}`,
    `faults: ${struck.join(", ")}`,
    ...left,
    `history: ${judged.calls} calls on ${judged.edges} edges, ${judged.writes} writes (${judged.unknown} of unknown outcome), ${judged.ordered} checks in the writes' order, ${judged.plain} plain ones`,
    ...(failures.length === 0
      ? ["equal roots on all nodes, and the history is linearizable"]
      : failures.map((failure) => `FAILED: ${failure}`)),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

const { [INSIDE.refusal]: refusal, [INSIDE.directory]: directory } = process.env;
try {
  if (argumentsOf(process.argv.slice(2)).help) process.stdout.write(`${HELP}\n`);
  else if (refusal === undefined || directory === undefined) enter();
  else await main(refusal, directory);
} catch (error) {
  process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
