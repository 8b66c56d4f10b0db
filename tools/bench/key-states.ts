/** Key states of a million identifiers over gRPC, against a handler that does nothing, in one process by turns. */
import { execFileSync, fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials } from "@grpc/grpc-js";
import { KerlServiceClient } from "../../src/wire/generated/sky/kerl/v1/kerl.ts";
import { type Row, median } from "./figures.ts";
import type { KeyStateFigures, KeyStateOrder } from "./key-state-server.ts";
import { type Windows, rates } from "./load.ts";
import { calm } from "./machine.ts";
import { cpuSecondsOf, memoryOf } from "./running-cluster.ts";

const IN_FLIGHT = 32;
const ENTRY = new URL("./key-state-server.ts", import.meta.url);
/** Those of a node (src/host/dev/cluster.ts), and the collector by hand, to tell what is really there. */
const NODE_FLAGS = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=4", "--expose-gc"];

/** A key and a certificate that names nobody: what a call costs after the handshake does not depend on them. */
function selfSigned(): { readonly key: string; readonly cert: string } {
  const directory = mkdtempSync(join(tmpdir(), "sky-bench-tls-"));
  try {
    const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
    const request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost";
    execFileSync("openssl", [...request.split(" "), "-keyout", key, "-out", cert], { stdio: "ignore" });
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Side {
  readonly rate: number;
  /** CPU time of the serving process for each call. Units: µs. */
  readonly cpuUs: number;
}

export async function benchKeyStates(windows: Windows, identifiers: number): Promise<readonly Row[]> {
  const tls = selfSigned();
  const child = fork(ENTRY, [], { execArgv: NODE_FLAGS, serialization: "json" });
  const pid = child.pid ?? 0;
  const ended = new Promise<never>((_, reject) => {
    child.once("exit", (code) => reject(new Error(`the server of key states ended with code ${String(code)}`)));
  });
  ended.catch(() => undefined);
  try {
    const order: KeyStateOrder = { ...tls, identifiers };
    child.send(order);
    const figures = await Promise.race([
      new Promise<KeyStateFigures>((resolve) => {
        child.once("message", (message) => resolve(message as KeyStateFigures)); // what our own file sends
      }),
      ended,
    ]);
    const call = caller(tls, figures.asked, pid, windows);
    await calm(windows.patienceMs);
    const node: Side[] = [];
    const empty: Side[] = [];
    for (let i = 0; i < windows.repeats; i++) {
      // Which of the two goes first changes, so that a trend favours neither.
      for (const mine of i % 2 === 0 ? [true, false] : [false, true])
        (mine ? node : empty).push(await call(mine ? figures.port : figures.emptyPort));
    }
    return rowsOf(figures, identifiers, { node, empty, resident: memoryOf(pid).resident });
  } finally {
    if (child.connected) child.disconnect();
  }
}

/** One window of calls to a port. */
function caller(tls: { key: string; cert: string }, asked: readonly string[], pid: number, windows: Windows) {
  const [cert, key] = [Buffer.from(tls.cert), Buffer.from(tls.key)];
  let turn = 0;
  return async (port: number): Promise<Side> => {
    const secure = credentials.createSsl(cert, key, cert, { rejectUnauthorized: false });
    const client = new KerlServiceClient(`127.0.0.1:${port}`, secure, {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.ssl_target_name_override": "localhost",
    });
    let calls = 0;
    const each = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const aid = asked[turn++ % asked.length] ?? "";
        client.getKeyState({ aid, at: undefined, consistency: undefined }, (error, reply) => {
          calls += 1;
          if (error === null && reply.keyState?.keys.length === 1) resolve(1);
          else reject(error ?? new Error("the answer has no key state"));
        });
      });
    const cpu = cpuSecondsOf(pid);
    const [rate = 0] = await rates({ ...windows, repeats: 1 }, IN_FLIGHT, each);
    const used = cpuSecondsOf(pid) - cpu;
    client.close();
    return { rate, cpuUs: (used / calls) * 1e6 };
  };
}

interface Measured {
  readonly node: readonly Side[];
  readonly empty: readonly Side[];
  readonly resident: number;
}

function rowsOf(figures: KeyStateFigures, identifiers: number, { node, empty, resident }: Measured): readonly Row[] {
  const { loadSeconds, databaseBytes, tableBytes, heapBytes } = figures;
  const many = `${identifiers.toLocaleString("en-US")} identifiers`;
  const MiB = 2 ** 20;
  const cpuUs = { node: median(node.map((side) => side.cpuUs)), empty: median(empty.map((side) => side.cpuUs)) };
  return [
    {
      name: `key state, unary, ${many}, against an empty handler`,
      value: median(node.map(({ rate }, i) => rate / (empty[i]?.rate ?? Number.NaN))),
      unit: "×",
      budget: { kind: "at least", value: 0.7 },
      baseline: { name: "empty handler", value: median(empty.map(({ rate }) => rate)), unit: "calls/s" },
      details: { node, empty, cpuUs },
    },
    // Rates of a busy machine say little; what a call costs the server does.
    { name: `key state, unary, ${many}: by CPU time of the server`, value: cpuUs.empty / cpuUs.node, unit: "×" },
    { name: `live logs of ${many}: loading`, value: loadSeconds, unit: "s", details: { databaseBytes } },
    { name: `live logs of ${many}: outside the heap`, value: tableBytes / MiB, unit: "MiB" },
    {
      name: `live logs of ${many}: JavaScript heap`,
      value: heapBytes / MiB,
      unit: "MiB",
      details: { residentBytes: resident },
    },
  ];
}
