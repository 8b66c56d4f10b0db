/**
 * What `check` is compared with: the same listener and the same messages, and handlers that do nothing. A process of its own,
 * as a node is; its parent sends it key and certificate and gets the port.
 */
import { Server } from "@grpc/grpc-js";
import { openGrpcListener } from "../../src/host/listeners/grpc-listener.ts";
import { SERVICE_SERVER_OPTIONS } from "../../src/host/services/server-options.ts";
import { type Oracle_Server, Oracle_Service } from "../../src/wire/generated/com/hellblazer/delphi/v1/oracle.ts";
import { type OracleServiceServer, OracleServiceService } from "../../src/wire/generated/sky/oracle/v1/oracle.ts";
import type { Aid } from "../../src/base/brands.ts";

export interface EmptyServerOrder {
  readonly key: string;
  readonly cert: string;
}

const compatible: Pick<Oracle_Server, "check"> = { check: (_call, reply) => reply(null, { result: true }) };

const sky: Pick<OracleServiceServer, "check" | "checkBatch" | "checkStream"> = {
  check: (_call, reply) => reply(null, { result: true, height: 1n }),
  checkBatch: ({ request }, reply) => reply(null, { results: request.assertions.map(() => true), height: 1n }),
  checkStream: (call) => {
    call.on("data", ({ correlation, assertions }) => {
      const checked = { results: assertions.map(() => true), height: 1n };
      if (!call.write({ correlation, outcome: { $case: "checked", checked } })) call.pause();
    });
    call.on("drain", () => call.resume());
    call.on("end", () => call.end());
  },
};

async function serve(tls: EmptyServerOrder): Promise<number> {
  const server = new Server(SERVICE_SERVER_OPTIONS);
  server.addService({ check: Oracle_Service.check }, { ...compatible });
  const { check, checkBatch, checkStream } = OracleServiceService;
  server.addService({ check, checkBatch, checkStream }, { ...sky });
  const authenticate = () => ({ ok: true, value: { aid: "bench" as Aid, role: "client" } }) as const;
  const { port } = await openGrpcListener({ host: "127.0.0.1", port: 0, tls, authenticate, server });
  return port;
}

process.once("message", (order) => {
  void serve(order as EmptyServerOrder).then((port) => process.send?.(port));
});
process.once("disconnect", () => process.exit());
