/**
 * `npm run bench`: every row of the budget table (DESIGN §11), on a real `sky dev` cluster of four node processes
 * with its client on this machine. Prints the table and writes bench-results/TIME.json. Nothing here fails a build.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { commitBaseline, emptyCallBaselines, verifyBaseline } from "./baselines.ts";
import { benchCheckBatches, benchChecks, benchInProcess } from "./checks.ts";
import { startEmptyServer } from "./empty-server-process.ts";
import { type Row, isMet, ratioOf, tableOf } from "./figures.ts";
import { makeGraph } from "./graph.ts";
import { benchKerlVerify } from "./kerl-verify.ts";
import { benchKeyStates } from "./key-states.ts";
import type { Windows } from "./load.ts";
import { benchColdStart, benchIdle, benchRestart, memoryAfterLoad } from "./processes.ts";
import { benchReplay } from "./replay.ts";
import type { RunningCluster } from "./running-cluster.ts";
import {
  type WriteOptions,
  benchBatchedWrites,
  benchStreamedWrites,
  benchUnaryWrites,
  benchWriteLatency,
} from "./writes.ts";

const MEASUREMENTS = [
  "start",
  "idle",
  "latency",
  "check",
  "check-batches",
  "unary",
  "stream",
  "batches",
  "restart",
  "in-process",
  "kerl-verify",
  "key-state",
  "replay",
] as const;
type Measurement = (typeof MEASUREMENTS)[number];
const WITHOUT_CLUSTER: ReadonlySet<Measurement> = new Set(["in-process", "kerl-verify", "key-state", "replay"]);

const HELP = `Usage: npm run bench -- [--quick] [--only NAME]... [--keep] [--profile DIR]

  --quick      shorter windows and fewer repeats: for a first look
  --only NAME  one measurement, may be given again: ${MEASUREMENTS.join(", ")}
  --keep       leave the cluster's directory where it is
  --profile DIR  CPU profiles of every thread of every node; read them with node tools/bench/profile.ts DIR
`;

interface Plan {
  readonly quick: boolean;
  readonly keep: boolean;
  /** Environment of the cluster that is measured. */
  readonly env: Readonly<Record<string, string>>;
  readonly wanted: (name: Measurement) => boolean;
  readonly windows: Windows;
}

function planOf(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      profile: { type: "string" },
      help: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
    },
  });
  const unknown = values.only.filter((name) => !(MEASUREMENTS as readonly string[]).includes(name));
  if (unknown.length > 0) process.stderr.write(`bench: there is no measurement ${unknown.join(", ")}\n`);
  if (values.help || unknown.length > 0) {
    process.stdout.write(HELP);
    process.exitCode = unknown.length > 0 ? 2 : 0;
    return undefined;
  }
  return {
    quick: values.quick,
    keep: values.keep,
    env: values.profile === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${resolve(values.profile)}` },
    wanted: (name) => values.only.length === 0 || values.only.includes(name),
    windows: values.quick
      ? { warmUpMs: 500, windowMs: 1_500, repeats: 3, patienceMs: 5_000 }
      : { warmUpMs: 3_000, windowMs: 4_000, repeats: 5, patienceMs: 10_000 },
  };
}

const say = (line: string): void =>
  void process.stderr.write(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${line}\n`);

/** Everything that needs the cluster; returns the one that runs at the end. */
async function benchCluster(
  plan: Plan,
  started: RunningCluster,
  onCluster: (cluster: RunningCluster) => void,
  add: (rows: readonly Row[]) => void,
): Promise<void> {
  let cluster = started;
  const { quick, wanted, windows } = plan;
  if (wanted("idle")) add(await benchIdle(cluster, quick ? 12_000 : 20_000, quick ? 5_000 : 15_000));
  const client = cluster.client();
  await makeGraph(client).finally(() => client.close());
  say("the graph is made");
  const server = await startEmptyServer(cluster.credentials());
  try {
    const calls = await emptyCallBaselines(server, cluster.credentials());
    const baselines = { ...calls, commit: commitBaseline(), verify: verifyBaseline() };
    add(Object.values(baselines).map(({ name, value, unit }) => ({ name: `baseline: ${name}`, value, unit })));
    const options: WriteOptions = { cluster, windows, sequential: quick ? 300 : 1_000, baselines };
    if (wanted("latency")) add(await benchWriteLatency(options));
    if (wanted("check")) add(await benchChecks(cluster, server, windows));
    if (wanted("check-batches")) add(await benchCheckBatches(cluster, server, windows));
    if (wanted("unary")) add(await benchUnaryWrites(options));
    if (wanted("stream")) add(await benchStreamedWrites(options));
    if (wanted("batches")) add(await benchBatchedWrites(options));
  } finally {
    await server.stop();
  }
  if (wanted("unary") || wanted("stream") || wanted("batches")) add([memoryAfterLoad(cluster)]);
  if (!wanted("restart")) return;
  const restarted = await benchRestart(cluster, quick ? 1 : 3);
  cluster = restarted.cluster;
  onCluster(cluster);
  add(restarted.rows);
}

async function main(): Promise<void> {
  const plan = planOf(process.argv.slice(2));
  if (plan === undefined) return;
  const loadBefore = loadavg();
  const rows: Row[] = [];
  const add = (more: readonly Row[]): void => {
    rows.push(...more);
    for (const row of more)
      say(
        `${row.name}: ${Number(row.value.toPrecision(4))} ${row.unit}${isMet(row) === false ? "  (over budget)" : ""}`,
      );
  };
  if (plan.wanted("in-process")) add(await benchInProcess());
  if (plan.wanted("kerl-verify")) add(benchKerlVerify());
  if (plan.wanted("key-state")) add(await benchKeyStates(plan.windows, plan.quick ? 100_000 : 1_000_000));
  if (plan.wanted("replay")) add(benchReplay(plan.quick));
  if (MEASUREMENTS.some((name) => !WITHOUT_CLUSTER.has(name) && plan.wanted(name))) {
    const start = await benchColdStart(plan.wanted("start") ? (plan.quick ? 1 : 3) : 0, plan.env);
    let running = start.cluster;
    if (plan.wanted("start")) add(start.rows);
    // What is interrupted leaves no cluster behind.
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => void running.stop().finally(() => process.exit(130)));
    try {
      await benchCluster(
        plan,
        running,
        (cluster) => {
          running = cluster;
        },
        add,
      );
    } finally {
      await running.stop();
      if (plan.keep) say(`kept ${running.directory}`);
      else running.removeDirectory();
    }
  }
  report(rows, loadBefore);
}

function report(rows: readonly Row[], loadBefore: readonly number[]): void {
  const date = new Date().toISOString();
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    loadBefore,
    loadAfter: loadavg(),
  };
  const directory = fileURLToPath(new URL("../../bench-results/", import.meta.url));
  mkdirSync(directory, { recursive: true });
  const file = `${directory}${date.replaceAll(":", "-")}.json`;
  const results = rows.map((row) => ({ ...row, met: isMet(row), ratio: ratioOf(row) }));
  writeFileSync(file, `${JSON.stringify({ date, machine, rows: results }, undefined, 2)}\n`);
  const load = (values: readonly number[]): string => values.map((value) => value.toFixed(1)).join(" ");
  process.stdout.write(
    `\n${date}, ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Node ${machine.node}; load ${load(loadBefore)} before, ${load(machine.loadAfter)} after\n\n${tableOf(rows)}\n\n${file}\n`,
  );
}

await main();
