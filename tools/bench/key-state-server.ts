/**
 * A process that serves `GetKeyState` twice, by the node's own handler over live logs of many identifiers, and by a handler that does
 * nothing, each on a listener of its own; the caller's permission is looked up in a graph, as a node does. Its parent sends it
 * key, certificate and how many identifiers, and gets the ports.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server } from "@grpc/grpc-js";
import { type Aid, height } from "../../src/base/brands.ts";
import { ok } from "../../src/base/result.ts";
import { sha256Digest } from "../../src/crypto/hash.ts";
import { openGrpcListener } from "../../src/host/listeners/grpc-listener.ts";
import { keyStateMessage } from "../../src/host/services/kerl-messages.ts";
import type { KerlPort } from "../../src/host/services/kerl-port.ts";
import { kerl, kerlService } from "../../src/host/services/kerl.ts";
import { SERVICE_SERVER_OPTIONS } from "../../src/host/services/server-options.ts";
import type { LiveKerl } from "../../src/projections/kerl/live-kerl.ts";
import { mayRead, policySubject } from "../../src/projections/ledger/policy.ts";
import { evolve } from "../../src/projections/rebac/evolve.ts";
import { LiveGraph } from "../../src/projections/rebac/live-graph.ts";
import { POLICY_NAMESPACE, policyObject } from "../../src/projections/rebac/names.ts";
import { type KerlServiceServer, KerlServiceService } from "../../src/wire/generated/sky/kerl/v1/kerl.ts";
import { loadIdentifiers } from "./million-identifiers.ts";

export interface KeyStateOrder {
  readonly key: string;
  readonly cert: string;
  readonly identifiers: number;
}

export interface KeyStateFigures {
  /** Ports of the node's handler and of the empty one. */
  readonly port: number;
  readonly emptyPort: number;
  readonly loadSeconds: number;
  readonly databaseBytes: number;
  readonly tableBytes: number;
  readonly heapBytes: number;
  /** Some identifiers to ask about. */
  readonly asked: readonly string[];
}

const CALLER = "bench" as Aid;
const HEIGHT = height(1);
const ASKED = 20_000;

function graphOfReader(): LiveGraph {
  const graph = new LiveGraph();
  const [subject, object] = [policySubject(CALLER), policyObject("read")];
  evolve(graph, [
    { kind: "namespaceAdded", namespace: POLICY_NAMESPACE },
    { kind: "relationAdded", relation: object.relation },
    { kind: "subjectAdded", subject },
    { kind: "objectAdded", object },
    { kind: "assertionAdded", assertion: { subject, object } },
  ]);
  return graph;
}

const unasked = (): never => {
  throw new Error("the bench asks for key states of now");
};

function portOf(live: LiveKerl): KerlPort {
  const graph = graphOfReader();
  const hash = ok(sha256Digest(new Uint8Array(1)));
  return {
    queries: {
      height: () => HEIGHT,
      keyState: (aid) => live.keyState(aid),
      count: () => live.size,
      ...{ escrows: unasked, partiallyWitnessed: unasked, watch: unasked, keyStateAt: unasked, log: unasked },
      ...{ export: unasked, event: unasked, receipts: unasked, roles: unasked, locations: unasked, forks: unasked },
      changes: unasked,
    },
    waitFor: unasked,
    mayRead: (aid) => mayRead(graph, aid),
    blockHash: () => Promise.resolve(hash),
    ...{ submitSigned: unasked, standing: unasked, judge: unasked, witnesses: unasked, proveKeyState: unasked },
    view: () => live.view,
    keyState: (aid) => live.keyState(aid),
  };
}

type Handler = Pick<KerlServiceServer, "getKeyState">;

async function listen(tls: KeyStateOrder, service: Pick<typeof KerlServiceService, "getKeyState">, handler: Handler) {
  const server = new Server(SERVICE_SERVER_OPTIONS);
  server.addService({ getKeyState: service.getKeyState }, { ...handler });
  const authenticate = () => ({ ok: true, value: { aid: CALLER, role: "client" } }) as const;
  const { port } = await openGrpcListener({ host: "127.0.0.1", port: 0, tls, authenticate, server });
  return port;
}

async function serve(order: KeyStateOrder): Promise<KeyStateFigures> {
  const directory = mkdtempSync(join(tmpdir(), "sky-bench-kerl-"));
  const { live, aids, ...figures } = loadIdentifiers(join(directory, "projection.db"), order.identifiers);
  // Linux keeps an open file; the rest of the process reads it still.
  rmSync(directory, { recursive: true, force: true });
  const caller = ok({ aid: CALLER, role: "client" });
  const onDefect = (error: unknown): void => console.error(error);
  const { getKeyState } = kerl({ kerl: portOf(live), callerOf: () => caller, onDefect });
  const [first] = aids;
  const state = first === undefined ? undefined : live.keyState(first);
  if (state === undefined) throw new Error("there is no identifier");
  const answer = { keyState: keyStateMessage(state), height: 1n, blockHash: Buffer.alloc(32) };
  const step = Math.max(1, Math.floor(aids.length / ASKED));
  return {
    ...figures,
    port: await listen(order, kerlService, { getKeyState }),
    emptyPort: await listen(order, KerlServiceService, { getKeyState: (_call, reply) => reply(null, answer) }),
    asked: aids.filter((_, i) => i % step === 0),
  };
}

process.once("message", (order) => {
  void serve(order as KeyStateOrder).then((figures) => process.send?.(figures));
});
process.once("disconnect", () => process.exit());
