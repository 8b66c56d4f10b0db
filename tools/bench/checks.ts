/** Reading: check against an empty handler, in batches, and in process. */
import { fork } from "node:child_process";
import type { ServiceError } from "@grpc/grpc-js";
import type { Assertion } from "../../src/events/facts/graph.ts";
import type * as Sky from "../../src/wire/generated/sky/oracle/v1/oracle.ts";
import * as wire from "../../src/wire/sky-graph.ts";
import { nodeMessage } from "../../src/wire/compatible-graph.ts";
import type { CheckFigure } from "./check-in-process.ts";
import { type EmptyServer, type Stubs, connect } from "./empty-server-process.ts";
import { type Row, median } from "./figures.ts";
import { question } from "./graph.ts";
import { type Windows, rates } from "./load.ts";
import { calm } from "./machine.ts";
import { type RunningCluster, cpuSecondsOf } from "./running-cluster.ts";

/** Calls in flight on one connection. */
const UNARY_IN_FLIGHT = 32;
const STREAM_IN_FLIGHT = 64;
const BATCH = 100;
const BATCHES_IN_FLIGHT = 4;
const QUESTIONS = 4_096;

const asked: readonly Assertion[] = Array.from({ length: QUESTIONS }, (_, i) => question(i));
const skyMessages = asked.map(wire.assertionMessage);
const compatibleMessages = asked.map(({ subject, object }) => ({
  subject: nodeMessage(subject),
  object: nodeMessage(object),
}));

let turn = 0;
const next = <T>(list: readonly T[]): T => list[turn++ % list.length] as T; // lists here are not empty

type Call<Reply> = (callback: (error: ServiceError | null, reply: Reply) => void) => unknown;
const promised = <Reply>(call: Call<Reply>): Promise<Reply> =>
  new Promise((resolve, reject) => {
    call((error, reply) => (error === null ? resolve(reply) : reject(error)));
  });

/** One way of asking: what a caller does, given stubs; returns operations done. */
interface Shape {
  readonly name: string;
  readonly callers: number;
  readonly open: (stubs: Stubs) => { readonly each: () => Promise<number>; readonly end: () => void };
}

/** One call of a two-way stream at a time for each caller; answers come back by correlation. */
function streamed(stubs: Stubs, assertionsOf: () => Sky.Assertion[]) {
  const stream = stubs.sky.checkStream();
  const waiting = new Map<bigint, { resolve: (done: number) => void; reject: (error: Error) => void }>();
  let correlation = 0n;
  stream.on("data", (reply: Sky.CheckStreamResponse) => {
    const found = waiting.get(reply.correlation);
    waiting.delete(reply.correlation);
    if (reply.outcome?.$case === "checked") found?.resolve(reply.outcome.checked.results.length);
    else found?.reject(new Error("a streamed check was refused"));
  });
  stream.on("error", (error: Error) => waiting.forEach(({ reject }) => reject(error)));
  const each = (): Promise<number> =>
    new Promise((resolve, reject) => {
      correlation += 1n;
      waiting.set(correlation, { resolve, reject });
      stream.write({ correlation, assertions: assertionsOf(), consistency: undefined });
    });
  return { each, end: () => stream.end() };
}

const hundred = (): Sky.Assertion[] => Array.from({ length: BATCH }, () => next(skyMessages));

const SHAPES: readonly Shape[] = [
  {
    name: "check, unary, sky.oracle.v1",
    callers: UNARY_IN_FLIGHT,
    open: ({ sky }) => ({
      each: async () => {
        const request = { assertion: next(skyMessages), consistency: undefined };
        await promised<Sky.CheckResponse>((callback) => sky.check(request, callback));
        return 1;
      },
      end: () => undefined,
    }),
  },
  {
    name: "check, unary, compatible service",
    callers: UNARY_IN_FLIGHT,
    open: ({ compatible }) => ({
      each: async () => {
        const request = { ts: 0n, assertion: next(compatibleMessages) };
        await promised((callback) => compatible.check(request, callback));
        return 1;
      },
      end: () => undefined,
    }),
  },
  { name: "check, streamed", callers: STREAM_IN_FLIGHT, open: (stubs) => streamed(stubs, () => [next(skyMessages)]) },
];

const BATCHED: readonly Shape[] = [
  {
    name: "checks in batches of 100, unary calls",
    callers: BATCHES_IN_FLIGHT,
    open: ({ sky }) => ({
      each: async () => {
        const request = { assertions: hundred(), consistency: undefined };
        const reply = await promised<Sky.CheckBatchResponse>((callback) => sky.checkBatch(request, callback));
        return reply.results.length;
      },
      end: () => undefined,
    }),
  },
  { name: "checks in batches of 100, streamed", callers: BATCHES_IN_FLIGHT, open: (stubs) => streamed(stubs, hundred) },
];

interface Side {
  readonly rates: readonly number[];
  /** CPU time of the serving process for each operation. Units: µs. */
  readonly cpuUs: number;
}

async function window(stubs: Stubs, pid: number, shape: Shape, windows: Windows): Promise<Side> {
  const { each, end } = shape.open(stubs);
  let operations = 0;
  const counted = async (): Promise<number> => {
    const done = await each();
    operations += done;
    return done;
  };
  const cpu = cpuSecondsOf(pid);
  const found = await rates({ ...windows, repeats: 1 }, shape.callers, counted);
  const used = cpuSecondsOf(pid) - cpu;
  end();
  return { rates: found, cpuUs: (used / operations) * 1e6 };
}

interface Compared {
  readonly node: readonly number[];
  readonly empty: readonly number[];
  readonly ratio: number;
  readonly cpuUs: { readonly node: number; readonly empty: number };
}

/** Windows of the node and of the empty server by turns, so that both meet the same machine; the median of the pairs' ratios. */
async function compare(
  cluster: RunningCluster,
  server: EmptyServer,
  shape: Shape,
  windows: Windows,
): Promise<Compared> {
  const [first] = cluster.nodes();
  if (first === undefined) throw new Error("the cluster has no node");
  const ours = connect(first.endpoint, cluster.credentials(), true);
  const theirs = connect(server.endpoint, cluster.credentials(), false);
  await calm(windows.patienceMs);
  const node: Side[] = [];
  const empty: Side[] = [];
  try {
    for (let i = 0; i < windows.repeats; i++) {
      // Which of the two goes first changes, so that a trend favours neither.
      for (const mine of i % 2 === 0 ? [true, false] : [false, true]) {
        if (mine) node.push(await window(ours, first.pid, shape, windows));
        else empty.push(await window(theirs, server.pid, shape, windows));
      }
    }
  } finally {
    ours.close();
    theirs.close();
  }
  const of = (sides: readonly Side[]): number[] => sides.map((side) => side.rates[0] ?? 0);
  const [a, b] = [of(node), of(empty)];
  const cpu = (sides: readonly Side[]): number => median(sides.map(({ cpuUs }) => cpuUs));
  return {
    node: a,
    empty: b,
    ratio: median(a.map((rate, i) => rate / (b[i] ?? Number.NaN))),
    cpuUs: { node: cpu(node), empty: cpu(empty) },
  };
}

export async function benchChecks(
  cluster: RunningCluster,
  server: EmptyServer,
  windows: Windows,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const shape of SHAPES) {
    const details = await compare(cluster, server, shape, windows);
    rows.push({
      name: `${shape.name}, against an empty handler`,
      value: details.ratio,
      unit: "×",
      budget: { kind: "at least", value: 0.85 },
      baseline: { name: "empty handler", value: median(details.empty), unit: "calls/s" },
      details: { ...details },
    });
  }
  return rows;
}

export async function benchCheckBatches(
  cluster: RunningCluster,
  server: EmptyServer,
  windows: Windows,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const shape of BATCHED) {
    const details = await compare(cluster, server, shape, windows);
    rows.push({
      name: shape.name,
      value: median(details.node),
      unit: "/s",
      budget: { kind: "at least", value: 100_000 },
      baseline: { name: "empty handler", value: median(details.empty), unit: "/s" },
      details: { ...details },
    });
  }
  return rows;
}

/** In a process of its own: 1 million tuples and what they leave behind would weigh on everything measured after. */
export async function benchInProcess(): Promise<readonly Row[]> {
  const child = fork(new URL("./check-in-process.ts", import.meta.url), ["--report"], { serialization: "json" });
  const figure = await new Promise<CheckFigure>((resolve, reject) => {
    child.once("message", (message) => resolve(message as CheckFigure)); // what our own file sends
    child.once("exit", (code) => reject(new Error(`check in process ended with code ${String(code)}`)));
  });
  return [
    {
      name: `check in process, depth ${figure.depth}, ${figure.tuples.toLocaleString("en-US")} tuples`,
      value: figure.perSecond,
      unit: "/s",
      budget: { kind: "at least", value: 400_000 },
      baseline: { name: "look-ups of random names in a Map", value: figure.lookUpsPerSecond, unit: "/s" },
      details: { bytes: figure.bytes },
    },
  ];
}
