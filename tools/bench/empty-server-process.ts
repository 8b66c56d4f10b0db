/** Starts and stops the empty server, and connects plain stubs to it and to nodes alike. */
import { type ChildProcess, fork } from "node:child_process";
import { type ChannelOptions, credentials } from "@grpc/grpc-js";
import { Oracle_Client } from "../../src/wire/generated/com/hellblazer/delphi/v1/oracle.ts";
import { OracleServiceClient } from "../../src/wire/generated/sky/oracle/v1/oracle.ts";
import type { EmptyServerOrder } from "./empty-server.ts";
import type { ClientCredentials } from "./running-cluster.ts";

const ENTRY = new URL("./empty-server.ts", import.meta.url);
/** Those of a node (src/host/dev/cluster.ts). */
const NODE_FLAGS = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=4"];

const CHANNEL: ChannelOptions = {
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_retries": 0,
  "grpc.ssl_target_name_override": "localhost",
};

export interface Stubs {
  readonly compatible: InstanceType<typeof Oracle_Client>;
  readonly sky: InstanceType<typeof OracleServiceClient>;
  readonly close: () => void;
}

/** Both services over one connection each. `verify`: whether the server's certificate must hold; the empty server's does not. */
export function connect(endpoint: string, { ca, cert, key }: ClientCredentials, verify: boolean): Stubs {
  const tls = credentials.createSsl(ca, key, cert, verify ? {} : { rejectUnauthorized: false });
  const compatible = new Oracle_Client(endpoint, tls, CHANNEL);
  const sky = new OracleServiceClient(endpoint, tls, CHANNEL);
  return {
    compatible,
    sky,
    close: () => {
      compatible.close();
      sky.close();
    },
  };
}

export interface EmptyServer {
  readonly pid: number;
  readonly endpoint: string;
  readonly stop: () => Promise<void>;
}

/** The client's own certificate serves: what a call costs after the handshake does not depend on whose it is. */
export async function startEmptyServer({ key, cert }: ClientCredentials): Promise<EmptyServer> {
  const child: ChildProcess = fork(ENTRY, [], { execArgv: NODE_FLAGS, serialization: "json" });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
  });
  const order: EmptyServerOrder = { key: key.toString("utf8"), cert: cert.toString("utf8") };
  child.send(order);
  const port = await Promise.race([
    new Promise<number>((resolve) => child.once("message", (message) => resolve(Number(message)))),
    exited.then(() => {
      throw new Error("the empty server ended before it listened");
    }),
  ]);
  return {
    pid: child.pid ?? 0,
    endpoint: `127.0.0.1:${port}`,
    stop: async () => {
      child.disconnect();
      await exited;
    },
  };
}
