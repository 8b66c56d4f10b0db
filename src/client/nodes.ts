/** The nodes a client may talk to, and how it moves from one to the next. */
import { type ChannelOptions, Metadata, type ServiceError, credentials, type MethodDefinition } from "@grpc/grpc-js";
import {
  ConstantBackoff,
  DelegateBackoff,
  type IRetryBackoffContext,
  handleWhen,
  handleWhenResult,
  retry,
} from "cockatiel";
import { assert, present } from "../base/errors.ts";
import { OracleServiceClient } from "../wire/generated/sky/oracle/v1/oracle.ts";
import { SkyError, errorOfService, wasSent } from "./errors.ts";
import { IdentityRefusals, isIdentityRefused } from "./refused-identity.ts";
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
  /** How long a read tries, over all nodes, unless its call says otherwise. Units: ms; 5,000 unless given. */
  readonly readTimeoutMs?: number;
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

export interface NodesHooks {
  /** Before each call. */
  readonly before?: (deadlineMs: number) => Promise<void>;
  /** After an attempt that no node answered: perhaps none takes the certificate any more. */
  readonly unanswered?: (deadlineMs: number) => Promise<void>;
}

const UNANSWERED: ReadonlySet<string> = new Set([
  "UNAVAILABLE",
  "DEADLINE_EXCEEDED",
  "OUTCOME_UNKNOWN",
  "IDENTITY_REFUSED",
]);

/** Between two rounds of asking whether anybody takes a certificate; at most, while some do not. */
const ASK_AGAIN_MS = 250;

/** Whoever answers it, and be it that there is no such call, has let the connection in. */
const HEALTH: MethodDefinition<null, Uint8Array> = {
  path: "/grpc.health.v1.Health/Check",
  requestStream: false,
  responseStream: false,
  requestSerialize: () => Buffer.alloc(0),
  requestDeserialize: () => null,
  responseSerialize: (bytes) => Buffer.from(bytes),
  responseDeserialize: (bytes) => bytes,
};

/** Connections under one certificate. */
interface Generation {
  readonly stubs: readonly OracleStub[];
  /** Attempts that are under way on them. */
  busy: number;
  /** Another certificate took over: closed when nobody is busy on it. */
  isRetired: boolean;
}

export class Nodes {
  readonly #options: NodesOptions;
  readonly #ports: ClientPorts;
  readonly #generations = new Set<Generation>();
  readonly #hooks: NodesHooks;
  #generation: Generation;
  #current = 0;

  constructor(options: NodesOptions, ports: ClientPorts, hooks: NodesHooks = {}) {
    assert(options.endpoints.length > 0, "a client needs at least one endpoint");
    this.#options = options;
    this.#ports = ports;
    this.#hooks = hooks;
    this.#generation = this.#connected(options);
  }

  get count(): number {
    return this.#options.endpoints.length;
  }

  /** Whether nothing new goes over this connection. */
  isRetired(stub: OracleStub): boolean {
    return !this.#generation.stubs.includes(stub);
  }

  /**
   * Goes on with another certificate: when a node has taken it, new calls use it, and the connections before it end when their calls have.
   * False when no node took it in time; then nothing changed.
   */
  async move(tls: Pick<NodesOptions, "cert" | "key">, deadlineMs: number): Promise<boolean> {
    const generation = this.#connected({ ...this.#options, ...tls });
    const refusals = new IdentityRefusals(this.count, () => this.#ports.now());
    const again = (taken: unknown): boolean =>
      taken !== true && refusals.final === undefined && this.#ports.now() < deadlineMs;
    const policy = retry(handleWhenResult(again), {
      maxAttempts: Number.MAX_SAFE_INTEGER,
      backoff: new ConstantBackoff(ASK_AGAIN_MS),
    });
    const taken = await policy.execute(() => this.#isTaken(generation, refusals, deadlineMs));
    this.#retire(taken ? this.#generation : generation);
    if (taken) this.#generation = generation;
    return taken;
  }

  /** Whether any node lets these connections in, each asked once. */
  async #isTaken(generation: Generation, refusals: IdentityRefusals, deadlineMs: number): Promise<boolean> {
    const order = [...generation.stubs.entries()];
    order.push(...order.splice(0, this.#current));
    for (const [i, [node, stub]] of order.entries()) {
      const left = deadlineMs - this.#ports.now();
      if (left <= 0) return false;
      const failure = await whyNotIn(stub, this.#ports.now() + left / (order.length - i));
      if (failure === undefined) return true;
      refusals.met(generation, node, failure);
    }
    return false;
  }

  #connected(options: NodesOptions): Generation {
    const secured = credentials.createSsl(Buffer.from(options.ca), Buffer.from(options.key), Buffer.from(options.cert));
    const stubs = options.endpoints.map((endpoint) => {
      const name = options.serverName ?? (isAddress(endpoint) ? NAME_OF_ADDRESSES : undefined);
      const channel = name === undefined ? CHANNEL : { ...CHANNEL, "grpc.ssl_target_name_override": name };
      return new OracleServiceClient(endpoint, secured, channel);
    });
    const generation: Generation = { stubs, busy: 0, isRetired: false };
    this.#generations.add(generation);
    return generation;
  }

  #retire(generation: Generation): void {
    generation.isRetired = true;
    this.#closeIdle(generation);
  }

  #closeIdle(generation: Generation): void {
    if (!generation.isRetired || generation.busy > 0 || !this.#generations.delete(generation)) return;
    for (const stub of generation.stubs) stub.close();
  }

  /** Moves on from a node that failed, unless another call has done so already. */
  #leave(index: number): void {
    if (index === this.#current) this.#current = (this.#current + 1) % this.count;
  }

  /**
   * Runs an attempt, given its own deadline, and again on another node while its failure is retryable and time is left; or while not enough
   * nodes refuse the identity. Throws: SkyError of the last attempt that was answered, else of the last one.
   */
  async retrying<T>(deadlineMs: number, attempt: Attempt<T>): Promise<T> {
    await this.#hooks.before?.(deadlineMs);
    const refusals = new IdentityRefusals(this.count, () => this.#ports.now());
    const goesOn = (error: SkyError): boolean => error.retryable || isIdentityRefused(error);
    const retryable = (error: unknown): boolean =>
      error instanceof SkyError && goesOn(error) && error !== refusals.final && this.#ports.now() < deadlineMs;
    const delay = ({ attempt: n, result }: IRetryBackoffContext<unknown>): number => {
      const asked = "error" in result && result.error instanceof SkyError ? result.error.retryAfterMs : 0;
      const left = Math.max(deadlineMs - this.#ports.now(), 0);
      const longest = refusals.isMet ? ASK_AGAIN_MS : BACKOFF_MS.longest;
      return Math.min(Math.max(asked, Math.min(BACKOFF_MS.first * 2 ** (n - 1), longest)), left);
    };
    const policy = retry(handleWhen(retryable), {
      maxAttempts: Number.MAX_SAFE_INTEGER,
      backoff: new DelegateBackoff(delay),
    });
    /** What a node said last: tells more than that the time was up while another was asked. */
    let heard: SkyError | undefined;
    const attempted = policy.execute(async () => {
      const [generation, index] = [this.#generation, this.#current];
      const stub = present(generation.stubs[index], "the current node is one of the nodes");
      generation.busy += 1;
      try {
        return await attempt(stub, this.#attemptDeadline(deadlineMs), index);
      } catch (error) {
        if (error instanceof SkyError && goesOn(error)) {
          this.#leave(index);
          refusals.met(generation, index, error);
          if (UNANSWERED.has(error.code)) await this.#hooks.unanswered?.(deadlineMs);
          else heard = error;
          if (generation === this.#generation && refusals.final !== undefined) throw refusals.final;
        }
        throw error;
      } finally {
        generation.busy -= 1;
        this.#closeIdle(generation);
      }
    });
    return attempted.catch((error: unknown) => {
      throw isSilence(error) ? (heard ?? error) : error;
    });
  }

  /** Half of what is left, so that a node that hangs leaves time for another; all of it where there is no other. */
  #attemptDeadline(deadlineMs: number): number {
    if (this.count === 1) return deadlineMs;
    const now = this.#ports.now();
    return Math.min(deadlineMs, now + Math.max((deadlineMs - now) / 2, ATTEMPT_MIN_MS));
  }

  close(): void {
    for (const { stubs } of this.#generations) for (const stub of stubs) stub.close();
    this.#generations.clear();
  }
}

const isSilence = (error: unknown): boolean =>
  error instanceof SkyError && error.retryable && (error.code === "DEADLINE_EXCEEDED" || error.code === "UNAVAILABLE");

/** Undefined once a node has let the connection in. */
async function whyNotIn(stub: OracleStub, deadlineMs: number): Promise<SkyError | undefined> {
  const failed = await new Promise<Error | undefined>((resolve) => stub.waitForReady(deadlineMs, resolve));
  if (failed !== undefined)
    return new SkyError("UNAVAILABLE", `No connection to the node (${failed.message}).`, { retryable: true });
  try {
    await unaryBy(stub, HEALTH, null, deadlineMs, false);
    return undefined;
  } catch (error) {
    return error instanceof SkyError && UNANSWERED.has(error.code) ? error : undefined;
  }
}

type UnaryCall<Request, Reply> = (
  request: Request,
  metadata: Metadata,
  options: { readonly deadline: number },
  callback: (error: ServiceError | null, reply: Reply) => void,
) => { getPeer(): string };

/** One unary call as a promise. Throws: SkyError. */
export function unary<Request, Reply>(
  call: UnaryCall<Request, Reply>,
  request: Request,
  deadlineMs: number,
  writing: boolean,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const begun = call(request, new Metadata(), { deadline: deadlineMs }, (error, reply) => {
      if (error === null) resolve(reply);
      else reject(errorOfService(error, writing, wasSent(begun)));
    });
  });
}

/** A call of any service over the connection that another one's stub has. Throws: SkyError. */
export function unaryBy<Request, Reply>(
  stub: OracleStub,
  { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Reply>,
  request: Request,
  deadlineMs: number,
  writing: boolean,
): Promise<Reply> {
  return unary<Request, Reply>(
    (message, metadata, options, callback) =>
      stub.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, metadata, options, (error, reply) =>
        // grpc-js gives one or the other.
        callback(error as ServiceError | null, reply as Reply),
      ),
    request,
    deadlineMs,
    writing,
  );
}
