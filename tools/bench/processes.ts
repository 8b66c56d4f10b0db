/** The processes themselves: how fast they start, and what they take while nothing happens. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bareStartBaseline } from "./baselines.ts";
import { type Baseline, type Row, median } from "./figures.ts";
import { nextChange } from "./graph.ts";
import { sleep } from "./load.ts";
import { RunningCluster, cpuSecondsOf, memoryOf } from "./running-cluster.ts";

const MIB = 2 ** 20;

/** A start up to the first committed write. Units: s. */
async function startOnce(directory: string, env?: Readonly<Record<string, string>>) {
  const cluster = await RunningCluster.start(directory, env);
  const serving = (performance.now() - cluster.spawnedAt) / 1000;
  const client = cluster.client();
  try {
    await client.write([nextChange()]);
    return { cluster, serving, seconds: (performance.now() - cluster.spawnedAt) / 1000 };
  } finally {
    client.close();
  }
}

/** Starts `repeats` times in fresh directories, if at all, and once more in another; that cluster goes on. */
export async function benchColdStart(
  repeats: number,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly cluster: RunningCluster; readonly rows: readonly Row[] }> {
  if (repeats === 0) return { cluster: (await startOnce(RunningCluster.newDirectory(), env)).cluster, rows: [] };
  const cache = mkdtempSync(join(tmpdir(), "sky-bench-cache-"));
  const first = await startAndStop({ NODE_COMPILE_CACHE: cache });
  rmSync(cache, { recursive: true, force: true });
  const found: number[] = [];
  const serving: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const run = await startAndStop({});
    found.push(run.seconds);
    serving.push(run.serving);
  }
  const row: Row = {
    name: "cold start to first committed write, four nodes, new directory",
    value: median(found),
    unit: "s",
    budget: { kind: "at most", value: 5 },
    baseline: await bareStartBaseline(),
    details: { starts: found, serving, withoutCompileCache: first.seconds },
  };
  return { cluster: (await startOnce(RunningCluster.newDirectory(), env)).cluster, rows: [row] };
}

async function startAndStop(env: Readonly<Record<string, string>>) {
  const run = await startOnce(RunningCluster.newDirectory(), env);
  await run.cluster.stop();
  run.cluster.removeDirectory();
  return run;
}

/** Stops the cluster and starts it again in its directory. */
export async function benchRestart(
  before: RunningCluster,
  repeats: number,
): Promise<{ readonly cluster: RunningCluster; readonly rows: readonly Row[] }> {
  let cluster = before;
  const found: number[] = [];
  for (let i = 0; i < repeats; i++) {
    await cluster.stop();
    const run = await startOnce(cluster.directory);
    cluster = run.cluster;
    found.push(run.seconds);
  }
  const row: Row = {
    name: "start to first committed write, four nodes, existing directory",
    value: median(found),
    unit: "s",
    budget: { kind: "at most", value: 5 },
    baseline: await bareStartBaseline(),
    details: { starts: found },
  };
  return { cluster, rows: [row] };
}

/** A Node with three threads that do nothing, with a node's flags: what a node cannot be smaller than. */
async function bareMemory(): Promise<Baseline> {
  const script =
    'const { Worker } = require("node:worker_threads"); for (let i = 0; i < 3; i++) new Worker("setInterval(() => {}, 1e6)", { eval: true }); setInterval(() => {}, 1e6);';
  const child = spawn(process.execPath, ["--max-semi-space-size=4", "-e", script], { stdio: "ignore" });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  await sleep(1_000);
  const { resident } = memoryOf(child.pid ?? 0);
  child.kill("SIGKILL");
  await exited;
  return { name: "a Node with three idle threads", value: resident / MIB, unit: "MiB" };
}

/** `settleMs`: longer than a node takes to collect its start's garbage (src/host/node/reclaim.ts), which is not idling. */
export async function benchIdle(cluster: RunningCluster, settleMs: number, windowMs: number): Promise<readonly Row[]> {
  await sleep(settleMs);
  const nodes = cluster.nodes();
  const before = nodes.map(({ pid }) => cpuSecondsOf(pid));
  await sleep(windowMs);
  const cpu = nodes.map(({ pid }, i) => ((cpuSecondsOf(pid) - (before[i] ?? 0)) / windowMs) * 1000 * 100);
  const memory = nodes.map(({ pid }) => memoryOf(pid));
  const resident = memory.map((node) => node.resident / MIB);
  return [
    {
      name: "resident memory of an idle node (the largest of four)",
      value: Math.max(...resident),
      unit: "MiB",
      budget: { kind: "at most", value: 180 },
      baseline: await bareMemory(),
      details: { resident, anonymous: memory.map((node) => node.anonymous / MIB) },
    },
    {
      name: "CPU of an idle node (the busiest of four)",
      value: Math.max(...cpu),
      unit: "% of a core",
      budget: { kind: "at most", value: 2 },
      details: { cpu },
    },
  ];
}

/** What the nodes hold after the load. */
export function memoryAfterLoad(cluster: RunningCluster): Row {
  const resident = cluster.nodes().map(({ pid }) => memoryOf(pid).resident / MIB);
  return {
    name: "resident memory of a node after the load (the largest of four)",
    value: Math.max(...resident),
    unit: "MiB",
    details: { resident },
  };
}
