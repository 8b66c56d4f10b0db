/** A real grpc-js server on loopback with the Oracle's services over a node in memory, and plain clients of it. */
import * as grpc from "@grpc/grpc-js";
import type { Aid } from "../../../../src/base/brands.ts";
import { ok, refuse } from "../../../../src/base/result.ts";
import { compatibleOracle, compatibleOracleService } from "../../../../src/host/services/compatible-oracle.ts";
import { SERVICE_SERVER_OPTIONS } from "../../../../src/host/services/server-options.ts";
import { skyOracle, skyOracleService } from "../../../../src/host/services/sky-oracle.ts";
import { Oracle_Client } from "../../../../src/wire/generated/com/hellblazer/delphi/v1/oracle.ts";
import { OracleServiceClient } from "../../../../src/wire/generated/sky/oracle/v1/oracle.ts";
import { NodeInMemory } from "./node-in-memory.ts";

/** Nobody's answer takes so long; a call that is to end by its deadline says another. Units: ms. */
const DEADLINE_MS = 60_000;

export const ALICE = "EAlice" as Aid;

export interface Served {
  readonly node: NodeInMemory;
  readonly server: grpc.Server;
  readonly port: number;
  readonly defects: unknown[];
  readonly compatible: InstanceType<typeof Oracle_Client>;
  readonly sky: InstanceType<typeof OracleServiceClient>;
  /** Whether the listener knows the caller. */
  known: boolean;
  readonly close: () => void;
}

export async function serve(node = new NodeInMemory()): Promise<Served> {
  const server = new grpc.Server(SERVICE_SERVER_OPTIONS);
  const defects: unknown[] = [];
  node.readers.add(ALICE);
  const context = {
    port: node,
    callerOf: () =>
      served.known
        ? ok({ aid: ALICE, role: "client" })
        : refuse("UNAUTHENTICATED", "Connect again with a certificate."),
    onDefect: (error: unknown) => void defects.push(error),
  };
  server.addService(compatibleOracleService, compatibleOracle(context));
  server.addService(skyOracleService, skyOracle(context));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const address = `127.0.0.1:${port}`;
  const credentials = grpc.credentials.createInsecure();
  const options = { "grpc.use_local_subchannel_pool": 1, "grpc.max_send_message_length": -1 } as const;
  const compatible = new Oracle_Client(address, credentials, options);
  const sky = new OracleServiceClient(address, credentials, options);
  const served: Served = {
    node,
    server,
    port,
    defects,
    compatible,
    sky,
    known: true,
    close: () => {
      compatible.close();
      sky.close();
      server.forceShutdown();
    },
  };
  return served;
}

export interface Answer<Reply> {
  readonly reply: Reply | undefined;
  readonly code: grpc.status;
  readonly details: string;
  /** Trailers, first value of each. */
  readonly trailers: Readonly<Record<string, string>>;
}

const textual = (metadata: grpc.Metadata): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(metadata.getMap()).map(([name, value]) => [name, String(value)]));

/** One unary call with everything that came back. */
export function call<Request, Reply>(
  client: grpc.Client,
  method: grpc.MethodDefinition<Request, Reply>,
  request: Request,
  options: {
    readonly deadlineMs?: number;
    readonly metadata?: Readonly<Record<string, string>>;
    readonly bytes?: Buffer;
  } = {},
): Promise<Answer<Reply>> {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
  const serialize = options.bytes === undefined ? method.requestSerialize : () => options.bytes ?? Buffer.alloc(0);
  return new Promise((resolve) => {
    let reply: Reply | undefined;
    const started = client.makeUnaryRequest(
      method.path,
      serialize,
      method.responseDeserialize,
      request,
      metadata,
      { deadline: Date.now() + (options.deadlineMs ?? DEADLINE_MS) },
      (_error, value) => {
        reply = value;
      },
    );
    started.on("status", ({ code, details, metadata: trailers }) =>
      setImmediate(() => resolve({ reply, code, details, trailers: textual(trailers) })),
    );
  });
}
