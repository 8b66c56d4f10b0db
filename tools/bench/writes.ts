/** Writing: one at a time, by many clients, over streams, in client batches. */
import { cpus } from "node:os";
import type { ServiceError } from "@grpc/grpc-js";
import type { WriteStream } from "../../src/client/sky-client.ts";
import type { Ts } from "../../src/wire/generated/com/hellblazer/delphi/v1/oracle.ts";
import { nodeMessage } from "../../src/wire/compatible-graph.ts";
import { connect } from "./empty-server-process.ts";
import { type Baseline, type Budget, type Row, median, quantile } from "./figures.ts";
import { nextChange, nextGrant } from "./graph.ts";
import { type Windows, latencies, rates } from "./load.ts";
import { calm, watchMachine } from "./machine.ts";
import { type RunningCluster, cpuSecondsOf, metricOf, threadSecondsOf } from "./running-cluster.ts";

export interface WriteOptions {
  readonly cluster: RunningCluster;
  readonly windows: Windows;
  /** Writes one after the other whose latencies are taken. */
  readonly sequential: number;
  readonly baselines: {
    readonly commit: Baseline;
    readonly verify: Baseline;
    readonly emptyUnary: Baseline;
    readonly emptyLatency: Baseline;
  };
}

const CLIENTS = 64;
const IN_FLIGHT = 64;
const BATCH = 100;
/** Clients that each have one batch in flight. */
const BATCHES_IN_FLIGHT = 64;

const atMost = (value: number): Budget => ({ kind: "at most", value });
const atLeast = (value: number): Budget => ({ kind: "at least", value });

function latencyRows(name: string, found: readonly number[], baseline: Baseline): readonly Row[] {
  const details = {
    p10: quantile(found, 0.1),
    p90: quantile(found, 0.9),
    max: quantile(found, 1),
    count: found.length,
  };
  return [
    { name: `${name}, p50`, value: median(found), unit: "ms", budget: atMost(6), baseline, details },
    { name: `${name}, p99`, value: quantile(found, 0.99), unit: "ms", budget: atMost(20), baseline, details },
  ];
}

export async function benchWriteLatency({
  cluster,
  windows,
  sequential,
  baselines,
}: WriteOptions): Promise<readonly Row[]> {
  const client = cluster.client();
  const [first] = cluster.nodes();
  const stubs = connect(first?.endpoint ?? "", cluster.credentials(), true);
  try {
    await calm(windows.patienceMs);
    const signed = await latencies(50, sequential, () => client.write([nextChange()]));
    const legacy = await latencies(50, sequential, () => legacyGrant(stubs.compatible));
    return [
      ...latencyRows("one write, unloaded, sky.oracle.v1", signed, baselines.emptyLatency),
      ...latencyRows("one write, unloaded, compatible service", legacy, baselines.emptyLatency),
    ];
  } finally {
    client.close();
    stubs.close();
  }
}

function legacyGrant(stub: ReturnType<typeof connect>["compatible"]): Promise<unknown> {
  const { subject, object } = nextGrant();
  const grant = { subject: nodeMessage(subject), object: nodeMessage(object) };
  return new Promise<Ts>((resolve, reject) => {
    stub.addAssertion(grant, (error: ServiceError | null, reply) => (error === null ? resolve(reply) : reject(error)));
  });
}

const blocksOf = async (cluster: RunningCluster): Promise<number> => {
  const [first] = cluster.nodes();
  return first === undefined ? 0 : metricOf(first, "sky_blocks_total");
};

/** CPU time of all nodes' threads by name. Units: s. */
function nodesCpu(cluster: RunningCluster): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { pid } of cluster.nodes())
    for (const [thread, seconds] of threadSecondsOf(pid)) sums.set(thread, (sums.get(thread) ?? 0) + seconds);
  return sums;
}

/** CPU time of the nodes and of this process. Units: s. */
function ownSeconds(cluster: RunningCluster): number {
  const { user, system } = process.cpuUsage();
  return cluster.nodes().reduce((sum, { pid }) => sum + cpuSecondsOf(pid), (user + system) / 1e6);
}

/**
 * Runs a load and notes the CPU time that each operation took: of the nodes' threads, all four nodes together, and of this
 * process, which is the client. Unlike rates it hardly depends on who else uses the machine.
 */
async function measured(
  cluster: RunningCluster,
  windows: Windows,
  callers: number,
  each: (caller: number) => Promise<number>,
) {
  let operations = 0;
  await calm(windows.patienceMs);
  const blocks = await blocksOf(cluster);
  const machine = watchMachine();
  const ownBefore = ownSeconds(cluster);
  const began = performance.now();
  const warmedUp = { operations: 0, nodes: nodesCpu(cluster), client: process.cpuUsage() };
  const timer = setTimeout(() => {
    Object.assign(warmedUp, { operations, nodes: nodesCpu(cluster), client: process.cpuUsage() });
  }, windows.warmUpMs);
  const found = await rates(windows, callers, async (caller) => {
    const done = await each(caller);
    operations += done;
    return done;
  });
  clearTimeout(timer);
  const others = machine() - (ownSeconds(cluster) - ownBefore) / ((performance.now() - began) / 1000) / cpus().length;
  const counted = operations - warmedUp.operations;
  const { user, system } = process.cpuUsage(warmedUp.client);
  const nodesCpuUs = Object.fromEntries(
    [...nodesCpu(cluster)]
      .map(([thread, seconds]) => [thread, ((seconds - (warmedUp.nodes.get(thread) ?? 0)) / counted) * 1e6] as const)
      .filter(([, us]) => us >= 0.05)
      .sort((a, b) => b[1] - a[1]),
  );
  const perBlock = operations / ((await blocksOf(cluster)) - blocks);
  return {
    value: median(found),
    details: {
      windows: found,
      nodesCpuUs,
      clientCpuUs: (user + system) / counted,
      writesPerBlock: perBlock,
      othersShare: others,
    },
  };
}

export async function benchUnaryWrites({ cluster, windows, baselines }: WriteOptions): Promise<readonly Row[]> {
  const clients = Array.from({ length: CLIENTS }, (_, i) => cluster.client(i));
  const signed = await measured(cluster, windows, CLIENTS, async (i) => {
    await clients[i]?.write([nextChange()]);
    return 1;
  }).finally(() => clients.forEach((client) => client.close()));
  const nodes = cluster.nodes();
  const stubs = Array.from({ length: CLIENTS }, (_, i) =>
    connect(nodes[i % nodes.length]?.endpoint ?? "", cluster.credentials(), true),
  );
  const legacy = await measured(cluster, windows, CLIENTS, async (i) => {
    const stub = stubs[i];
    if (stub !== undefined) await legacyGrant(stub.compatible);
    return 1;
  }).finally(() => stubs.forEach((stub) => stub.close()));
  const name = `writes, ${CLIENTS} clients, one unary call each`;
  return [
    { name: `${name}, sky.oracle.v1`, unit: "/s", budget: atLeast(1500), baseline: baselines.emptyUnary, ...signed },
    {
      name: `${name}, compatible service`,
      unit: "/s",
      budget: atLeast(1500),
      baseline: baselines.emptyUnary,
      ...legacy,
    },
  ];
}

export async function benchStreamedWrites({ cluster, windows, baselines }: WriteOptions): Promise<readonly Row[]> {
  const client = cluster.client();
  const stream: WriteStream = client.writeStream();
  const result = await measured(cluster, windows, IN_FLIGHT, async () => {
    await stream.write([nextChange()]);
    return 1;
  }).finally(() => {
    stream.end();
    client.close();
  });
  return [
    {
      name: `writes over a stream, ${IN_FLIGHT} in flight, signed in groups`,
      unit: "/s",
      budget: atLeast(5000),
      baseline: baselines.verify,
      ...result,
    },
  ];
}

/** Each caller is a client of its own, so that no two batches share a signature. */
export async function benchBatchedWrites({ cluster, windows, baselines }: WriteOptions): Promise<readonly Row[]> {
  const clients = Array.from({ length: BATCHES_IN_FLIGHT }, (_, i) => cluster.client(i));
  const result = await measured(cluster, windows, BATCHES_IN_FLIGHT, async (i) => {
    const writes = Array.from({ length: BATCH }, () => ({ changes: [nextChange()], preconditions: [] }));
    const outcomes = (await clients[i]?.writeAll(writes)) ?? [];
    for (const { result: outcome } of outcomes) if (outcome.kind === "refused") throw new Error(outcome.message);
    return outcomes.length;
  }).finally(() => clients.forEach((client) => client.close()));
  return [
    {
      name: `writes in client batches of ${BATCH}, one signature each`,
      unit: "/s",
      budget: atLeast(18_000),
      baseline: baselines.verify,
      ...result,
    },
  ];
}
