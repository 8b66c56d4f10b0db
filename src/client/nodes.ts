/** The nodes a client may talk to, and how it moves from one to the next. */
import { type ChannelOptions, Metadata, type ServiceError, credentials } from "@grpc/grpc-js";
import { DelegateBackoff, type IRetryBackoffContext, handleWhen, retry } from "cockatiel";
import { assert, present } from "../base/errors.ts";
import { OracleServiceClient } from "../wire/generated/sky/oracle/v1/oracle.ts";
import { SkyError, errorOfService } from "./errors.ts";
import type { ClientPorts } from "./signing.ts";

export interface NodesOptions {
  /** host:port of SERVICE listeners, in order of preference. */
  readonly endpoints: readonly string[];
  /** PEM: anchors of the nodes' certificates (ca.pem). */
  readonly ca: Uint8Array;
  /** PEM: the client's certificate and key. */
  readonly cert: Uint8Array;
  readonly key: Uint8Array;
  /** Name to expect in the nodes' certificates; without it the endpoint's own, and `localhost` where that is an address. */
  readonly serverName?: string;
}

export type OracleStub = InstanceType<typeof OracleServiceClient>;

/** One try of a call: on which node, until when (its position among the endpoints tells who said what). */
export type Attempt<T> = (stub: OracleStub, deadlineMs: number, node: number) => Promise<T>;

/** First wait before trying another node, and the longest. Units: ms. */
const BACKOFF_MS = { first: 20, longest: 1_000 } as const;

/** 500 ms: shorter attempts would give up on nodes that are only busy. */
const ATTEMPT_MIN_MS = 500;

/** Answers of 4 MiB and their framing. */
const CHANNEL: ChannelOptions = {
  "grpc.max_receive_message_length": 8 * 1024 * 1024,
  "grpc.max_send_message_length": 4 * 1024 * 1024,
  // Retries are ours: they go to another node, which grpc's own do not.
  "grpc.enable_retries": 0,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2_000,
  "grpc.use_local_subchannel_pool": 1,
};

/** No address may stand where TLS names the server (RFC 6066); every node's certificate carries this name too. */
const NAME_OF_ADDRESSES = "localhost";
const isAddress = (endpoint: string): boolean => /^(?:\[|[\d.]+:)/.test(endpoint);

export class Nodes {
  readonly #stubs: readonly OracleStub[];
  readonly #ports: ClientPorts;
  #current = 0;

  constructor(options: NodesOptions, ports: ClientPorts) {
    assert(options.endpoints.length > 0, "a client needs at least one endpoint");
    const secured = credentials.createSsl(Buffer.from(options.ca), Buffer.from(options.key), Buffer.from(options.cert));
    this.#stubs = options.endpoints.map((endpoint) => {
      const name = options.serverName ?? (isAddress(endpoint) ? NAME_OF_ADDRESSES : undefined);
      const channel = name === undefined ? CHANNEL : { ...CHANNEL, "grpc.ssl_target_name_override": name };
      return new OracleServiceClient(endpoint, secured, channel);
    });
    this.#ports = ports;
  }

  get count(): number {
    return this.#stubs.length;
  }

  #inUse(): { readonly stub: OracleStub; readonly index: number } {
    return { stub: present(this.#stubs[this.#current], "the current node is one of the nodes"), index: this.#current };
  }

  /** Moves on from a node that failed, unless another call has done so already. */
  #leave(index: number): void {
    if (index === this.#current) this.#current = (this.#current + 1) % this.#stubs.length;
  }

  /**
   * Runs an attempt, given its own deadline, and again on another node while its failure is retryable and time is left.
   * Throws: SkyError of the last attempt.
   */
  retrying<T>(deadlineMs: number, attempt: Attempt<T>): Promise<T> {
    const retryable = (error: unknown): boolean =>
      error instanceof SkyError && error.retryable && this.#ports.now() < deadlineMs;
    const delay = ({ attempt: n, result }: IRetryBackoffContext<unknown>): number => {
      const asked = "error" in result && result.error instanceof SkyError ? result.error.retryAfterMs : 0;
      const left = Math.max(deadlineMs - this.#ports.now(), 0);
      return Math.min(Math.max(asked, Math.min(BACKOFF_MS.first * 2 ** (n - 1), BACKOFF_MS.longest)), left);
    };
    const policy = retry(handleWhen(retryable), {
      maxAttempts: Number.MAX_SAFE_INTEGER,
      backoff: new DelegateBackoff(delay),
    });
    return policy.execute(async () => {
      const { stub, index } = this.#inUse();
      try {
        return await attempt(stub, this.#attemptDeadline(deadlineMs), index);
      } catch (error) {
        if (error instanceof SkyError && error.retryable) this.#leave(index);
        throw error;
      }
    });
  }

  /** Half of what is left, so that a node that hangs leaves time for another; all of it where there is no other. */
  #attemptDeadline(deadlineMs: number): number {
    if (this.#stubs.length === 1) return deadlineMs;
    const now = this.#ports.now();
    return Math.min(deadlineMs, now + Math.max((deadlineMs - now) / 2, ATTEMPT_MIN_MS));
  }

  close(): void {
    for (const stub of this.#stubs) stub.close();
  }
}

type UnaryCall<Request, Reply> = (
  request: Request,
  metadata: Metadata,
  options: { readonly deadline: number },
  callback: (error: ServiceError | null, reply: Reply) => void,
) => unknown;

/** One unary call as a promise. Throws: SkyError. */
export function unary<Request, Reply>(
  call: UnaryCall<Request, Reply>,
  request: Request,
  deadlineMs: number,
  writing: boolean,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    call(request, new Metadata(), { deadline: deadlineMs }, (error, reply) => {
      if (error === null) resolve(reply);
      else reject(errorOfService(error, writing));
    });
  });
}
