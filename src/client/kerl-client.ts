/** Key event receipt logs for an application: appends what it signed, asks who is who, follows an identifier. */
import type { MethodDefinition } from "@grpc/grpc-js";
import type { Digest, Height } from "../base/brands.ts";
import type * as Kerl from "../wire/generated/sky/kerl/v1/kerl.ts";
import { KerlServiceService as calls } from "../wire/generated/sky/kerl/v1/kerl.ts";
import type { Receipt } from "../wire/outcome.ts";
import * as graph from "../wire/sky-graph.ts";
import { SkyError, errorOfMessage } from "./errors.ts";
import { Nodes, type NodesOptions, type OracleStub, unaryBy } from "./nodes.ts";
import { type ClientPorts, type Signer, appendCommandOf, defaultPorts, signBatch } from "./signing.ts";
import { serverStream } from "./server-stream.ts";
import { untilOutcome } from "./unknown-outcome.ts";

export interface KerlClientOptions extends NodesOptions {
  readonly cluster: Digest;
  readonly signer: Signer;
  readonly ports?: ClientPorts;
}

export interface KerlReadOptions {
  /** How fresh the answer must be; absent: the newest that the node has. */
  readonly atLeast?: Receipt | Height;
  /** Units: ms; `readTimeoutMs` unless given. */
  readonly timeoutMs?: number;
}

/** What became of one stream. */
export interface Appended {
  readonly receipt: Receipt;
  readonly messages: readonly Kerl.MessageVerdict[];
  /** A state of the log that has it. */
  readonly height: Height;
}

/** Now, after the event at a sequence number, or as it was at a height. */
export type KeyStateAt = { readonly sn: number } | { readonly height: Height } | undefined;

const READ_TIMEOUT_MS = 5_000;
const WRITE_TIMEOUT_MS = 30_000;
/** A day: how long one call of a watch may stay open; the watch goes on with another. Units: ms. */
const WATCH_TIMEOUT_MS = 24 * 3_600_000;

const consistencyOf = ({ atLeast }: KerlReadOptions) => (atLeast === undefined ? undefined : graph.atLeast(atLeast));

export class KerlClient {
  readonly #options: KerlClientOptions;
  readonly #ports: ClientPorts;
  readonly #nodes: Nodes;

  private constructor(options: KerlClientOptions) {
    this.#options = options;
    this.#ports = options.ports ?? defaultPorts;
    this.#nodes = new Nodes(options, this.#ports);
  }

  /** Connects lazily: the first call opens the connection to the first endpoint. */
  static connect(options: KerlClientOptions): KerlClient {
    return new KerlClient(options);
  }

  /**
   * Orders a CESR stream of at most 64 messages and 256 KiB, all or nothing, and says how each message stands.
   * Throws: SkyError: the code of the message that was refused (KERI_…), STALE_KEY_STATE, OUTCOME_UNKNOWN.
   */
  append(stream: Uint8Array, timeoutMs = WRITE_TIMEOUT_MS): Promise<Appended> {
    return this.#append(calls.append, stream, timeoutMs);
  }

  /** As append, for replies that bind endpoints. */
  bindEndpoint(stream: Uint8Array, timeoutMs = WRITE_TIMEOUT_MS): Promise<Appended> {
    return this.#append(calls.bindEndpoint, stream, timeoutMs);
  }

  unbindEndpoint(stream: Uint8Array, timeoutMs = WRITE_TIMEOUT_MS): Promise<Appended> {
    return this.#append(calls.unbindEndpoint, stream, timeoutMs);
  }

  /** Throws: SkyError NOT_FOUND. */
  keyState(aid: string, at?: KeyStateAt, options: KerlReadOptions = {}): Promise<Kerl.GetKeyStateResponse> {
    const asked =
      at === undefined
        ? undefined
        : "sn" in at
          ? ({ $case: "sn", sn: BigInt(at.sn) } as const)
          : ({ $case: "height", height: BigInt(at.height) } as const);
    return this.#read(calls.getKeyState, { aid, at: asked, consistency: consistencyOf(options) }, options);
  }

  receipts(aid: string, sn: number, options: KerlReadOptions = {}): Promise<Kerl.GetReceiptsResponse> {
    return this.#read(calls.getReceipts, { aid, sn: BigInt(sn), consistency: consistencyOf(options) }, options);
  }

  escrows(aid: string, options: KerlReadOptions = {}): Promise<Kerl.GetEscrowsResponse> {
    return this.#read(calls.getEscrows, { aid, consistency: consistencyOf(options) }, options);
  }

  /** Non-transferable identifiers of the cluster's nodes: what an inception names in `b` to be witnessed by them. */
  witnesses(options: KerlReadOptions = {}): Promise<Kerl.GetWitnessesResponse> {
    return this.#read(calls.getWitnesses, {}, options);
  }

  endpoints(aid: string, role = "", options: KerlReadOptions = {}): Promise<Kerl.LookupEndpointsResponse> {
    return this.#read(calls.lookupEndpoints, { aid, role, consistency: consistencyOf(options) }, options);
  }

  validate(of: NonNullable<Kerl.ValidateRequest["of"]>, options: KerlReadOptions = {}): Promise<Kerl.ValidateResponse> {
    return this.#read(calls.validate, { of, consistency: consistencyOf(options) }, options);
  }

  /** An identifier's events, in the order of the log; their streams one after the other are a CESR stream. Throws: SkyError NOT_FOUND. */
  async *exportKerl(
    aid: string,
    options: KerlReadOptions & { readonly sinceSn?: number; readonly withDelegators?: boolean } = {},
  ): AsyncGenerator<Kerl.ExportedEvent> {
    const { sinceSn = 0, withDelegators = false } = options;
    const request = { aid, sinceSn: BigInt(sinceSn), withDelegators, consistency: consistencyOf(options) };
    // A second node would begin anew: what broke is told, and the caller begins again.
    for await (const { events } of this.#stream(calls.exportKerl, request, options.timeoutMs ?? WRITE_TIMEOUT_MS))
      yield* events;
  }

  /** What happens to an identifier from a height on, without end; goes on with another node when one is lost. */
  async *watch(aid: string, fromHeight: Height | 0 = 0): AsyncGenerator<Kerl.Change> {
    let next = BigInt(fromHeight);
    /** What came of the height that is asked for again. */
    let told = new Set<string>();
    for (;;) {
      try {
        for await (const page of this.#stream(calls.watch, { aid, fromHeight: next }, WATCH_TIMEOUT_MS)) {
          for (const change of page.changes) {
            const name = `${change.height} ${change.index} ${change.kind} ${change.event?.said ?? ""}`;
            if (told.has(name)) continue;
            yield change;
            told.add(name);
          }
          if (page.next > next)
            told = new Set([...told].filter((name) => BigInt(name.split(" ", 1)[0] ?? 0) >= page.next));
          next = page.next;
        }
      } catch (error) {
        if (!(error instanceof SkyError) || !(error.retryable || error.code === "DEADLINE_EXCEEDED")) throw error;
      }
    }
  }

  close(): void {
    this.#nodes.close();
  }

  async #append(
    method: MethodDefinition<Kerl.AppendRequest, Kerl.AppendResponse>,
    stream: Uint8Array,
    timeoutMs: number,
  ): Promise<Appended> {
    const command = appendCommandOf(stream, this.#ports);
    const signed = Buffer.from(await signBatch(this.#options.cluster, this.#options.signer, [command]));
    const deadline = this.#ports.now() + timeoutMs;
    const reply = await untilOutcome<[OracleStub, number, number], Kerl.AppendResponse>(
      (attempt) => this.#nodes.retrying(deadline, attempt),
      (stub, deadlineMs) => unaryBy(stub, method, { signed }, deadlineMs, true),
    );
    const [result] = reply.results;
    const receipt = graph.receiptOf(result?.receipt);
    if (!receipt.ok) throw errorOfMessage({ ...receipt.refusal, retryable: false, retryAfterMs: 0 });
    if (result?.outcome?.$case === "refused") throw errorOfMessage(result.outcome.refused);
    const messages = result?.outcome?.$case === "appended" ? result.outcome.appended.messages : [];
    return { receipt: receipt.value, messages, height: graph.heightOf(reply.height) };
  }

  #read<Request, Reply>(
    method: MethodDefinition<Request, Reply>,
    request: Request,
    { timeoutMs = this.#options.readTimeoutMs ?? READ_TIMEOUT_MS }: KerlReadOptions,
  ): Promise<Reply> {
    return this.#nodes.retrying(this.#ports.now() + timeoutMs, (stub, deadlineMs) =>
      unaryBy(stub, method, request, deadlineMs, false),
    );
  }

  #stream<Request, Reply>(
    method: MethodDefinition<Request, Reply>,
    request: Request,
    timeoutMs: number,
  ): AsyncGenerator<Reply> {
    return serverStream(this.#nodes, method, request, this.#ports.now() + timeoutMs);
  }
}
