/** What an application tells the client, and what it is told. */
import type { CommandId, Digest, Height } from "../base/brands.ts";
import type { GraphNode, Precondition } from "../events/facts/graph.ts";
import type { Receipt } from "../wire/outcome.ts";
import type { IdentityStore } from "./identity.ts";
import type { RotationPolicy } from "./keys.ts";
import type { NodesOptions } from "./nodes.ts";
import type { ClientPorts, Signer } from "./signing.ts";

export interface SkyClientOptions extends NodesOptions {
  readonly cluster: Digest;
  readonly signer: Signer;
  readonly ports?: ClientPorts;
}

export interface OpenOptions
  extends Pick<NodesOptions, "endpoints" | "ca" | "serverName" | "readTimeoutMs">,
    RotationPolicy {
  /** Where the identity is kept: who signs, and what its TLS certificates are issued by. */
  readonly identity: IdentityStore;
  /** For how long each certificate is good; renewed at two thirds of it. Units: ms; 90 days unless given. */
  readonly certificateLifetimeMs?: number;
  readonly ports?: ClientPorts;
}

export interface CallOptions {
  /** How long to try, over all nodes. Units: ms; `readTimeoutMs` for reads and 30,000 for writes unless given. */
  readonly timeoutMs?: number;
}

export interface ReadOptions extends CallOptions {
  /**
   * How fresh the answer must be: `newestHeight` unless given, so that the client reads what it wrote and never goes back in time, on
   * whatever node; null for whatever the node has. A read that no node can answer so fails as BEHIND.
   */
  readonly atLeast?: Receipt | Height | null;
}

export interface WriteOptions extends CallOptions {
  readonly preconditions?: readonly Precondition[];
  /** Why, for audits: signed and kept with the write. At most 1,024 bytes of UTF-8. */
  readonly note?: string;
  /** Of an earlier write whose outcome is unknown: writes the same thing at most once. */
  readonly id?: CommandId;
}

/** A write that was executed. */
export interface Written {
  readonly id: CommandId;
  readonly receipt: Receipt;
  /** For each change, whether it changed anything. */
  readonly changed: readonly boolean[];
}

export interface Checked {
  readonly result: boolean;
  readonly height: Height;
}

export interface Found {
  readonly nodes: readonly GraphNode[];
  readonly height: Height;
}

export interface RotateOptions extends CallOptions {
  /** How many keys the rotation after this one is to have; as many as now unless given. */
  readonly keys?: number;
}
