/** Clients of a cluster under test: the compatible service as any gRPC program calls it, and the TypeScript client. */
import { readFileSync } from "node:fs";
import * as grpc from "@grpc/grpc-js";
import { SkyClient } from "../../src/client/sky-client.ts";
import { signerOf } from "../../src/client/identity.ts";
import type { Assertion, GraphNode } from "../../src/events/facts/graph.ts";
import { clientFiles, readClientIdentity } from "../../src/host/founding/client-folder.ts";
import {
  type Object as NodeMessage,
  Oracle_Client,
  Oracle_Service,
} from "../../src/wire/generated/com/hellblazer/delphi/v1/oracle.ts";
import { type Answer, call } from "../contract/grpc/support/served.ts";
import type { Cluster } from "./cluster.ts";

type Calls = typeof Oracle_Service;
type RequestOf<Name extends keyof Calls> = Parameters<Calls[Name]["requestSerialize"]>[0];
type ReplyOf<Name extends keyof Calls> = ReturnType<Calls[Name]["responseDeserialize"]>;

export interface AskOptions {
  readonly deadlineMs?: number;
  /** The node's height at least (metadata sky-at-least). */
  readonly atLeast?: bigint;
}

const secured = (cluster: Cluster): grpc.ChannelCredentials => {
  const files = clientFiles(cluster.path("clients", "default"));
  return grpc.credentials.createSsl(
    readFileSync(files.anchors),
    readFileSync(files.key),
    readFileSync(files.certificate),
  );
};

/** Reconnects soon after a node returns; a channel of its own for each client. */
const CHANNEL: grpc.ChannelOptions = {
  "grpc.use_local_subchannel_pool": 1,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 500,
};

/** The compatible service of every node, called with the certificate of the dev cluster's default client. */
export class CompatibleClients {
  readonly #clients: ReadonlyMap<string, InstanceType<typeof Oracle_Client>>;

  constructor(cluster: Cluster, host = "127.0.0.1") {
    const tls = secured(cluster);
    this.#clients = new Map(
      cluster.nodes.map(({ name, ports }) => [name, new Oracle_Client(`${host}:${ports.service}`, tls, CHANNEL)]),
    );
  }

  /** One call with everything that came back. Never rejects. */
  try<Name extends keyof Calls>(
    node: string,
    name: Name,
    request: RequestOf<Name>,
    { deadlineMs = 30_000, atLeast }: AskOptions = {},
  ): Promise<Answer<ReplyOf<Name>>> {
    const client = this.#clients.get(node);
    if (client === undefined) throw new Error(`there is no node ${node}`);
    const method = Oracle_Service[name] as unknown as grpc.MethodDefinition<RequestOf<Name>, ReplyOf<Name>>;
    const metadata = atLeast === undefined ? {} : { "sky-at-least": String(atLeast) };
    return call(client, method, request, { deadlineMs, metadata });
  }

  /** The reply. Throws when there is none, with what the node said. */
  async ask<Name extends keyof Calls>(
    node: string,
    name: Name,
    request: RequestOf<Name>,
    options: AskOptions = {},
  ): Promise<ReplyOf<Name>> {
    const { reply, code, details, trailers } = await this.try(node, name, request, options);
    if (code === grpc.status.OK && reply !== undefined) return reply;
    throw new Error(`${name} at ${node}: ${grpc.status[code]} ${trailers["sky-code"] ?? ""} ${details}`);
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }
}

/** What nodes grant to reads at most: whatever fails by then was not only slow. Units: ms. */
export const READ_MS = 30_000;

/** A client that signs for itself, as one of the dev cluster's two, at these nodes in order of preference. */
export function skyClient(cluster: Cluster, nodes: readonly string[], who: "default" | "admin" = "default"): SkyClient {
  const folder = cluster.path("clients", who);
  const identity = readClientIdentity(folder);
  if (!identity.ok || identity.value.cluster === null) throw new Error(`${folder} holds no identity`);
  const files = clientFiles(folder);
  return SkyClient.connect({
    endpoints: nodes.map((name) => `127.0.0.1:${cluster.node(name).ports.service}`),
    ca: readFileSync(files.anchors),
    cert: readFileSync(files.certificate),
    key: readFileSync(files.key),
    cluster: identity.value.cluster,
    signer: signerOf(identity.value),
    readTimeoutMs: READ_MS,
  });
}

export const nodeNamed = (name: string, namespace = "", relation = ""): GraphNode => ({
  namespace,
  name,
  relation: { namespace: relation === "" ? "" : namespace, name: relation },
});

/** The compatible service's message of a graph node. */
export const messageOf = ({ namespace, name, relation }: GraphNode): NodeMessage => ({
  namespace: { name: namespace },
  name,
  relation: { namespace: { name: relation.namespace }, name: relation.name },
});

export const assertionMessageOf = ({ subject, object }: Assertion): { subject: NodeMessage; object: NodeMessage } => ({
  subject: messageOf(subject),
  object: messageOf(object),
});
