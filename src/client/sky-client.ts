/** The client that an application imports: signs its writes, survives the loss of nodes, reads what it has written. */
import { Metadata } from "@grpc/grpc-js";
import { type CommandId, type Digest, type Height, height } from "../base/brands.ts";
import type { Assertion, GraphChange, GraphNode, GraphWrite, Precondition, Relation } from "../events/facts/graph.ts";
import type * as Sky from "../wire/generated/sky/oracle/v1/oracle.ts";
import type { CommandOutcome, Receipt } from "../wire/outcome.ts";
import * as graph from "../wire/sky-graph.ts";
import { CorrelatedStream } from "./correlated-stream.ts";
import { SkyError, errorOfMessage, errorOfRefusal } from "./errors.ts";
import { expandPages } from "./expand.ts";
import { Nodes, type NodesOptions, type OracleStub, unary } from "./nodes.ts";
import { type ClientPorts, type Signer, commandOf, defaultPorts } from "./signing.ts";
import { untilOutcome } from "./unknown-outcome.ts";
import { WriteQueue } from "./write-queue.ts";

export { SkyError } from "./errors.ts";
export { type ClientIdentity, identityOf } from "./identity.ts";
export { type Signer, ed25519Signer, newCommandId } from "./signing.ts";

export interface SkyClientOptions extends NodesOptions {
  readonly cluster: Digest;
  readonly signer: Signer;
  readonly ports?: ClientPorts;
}

export interface CallOptions {
  /** How long to try, over all nodes. Units: ms; 5,000 for reads and 30,000 for writes unless given. */
  readonly timeoutMs?: number;
}

export interface ReadOptions extends CallOptions {
  /**
   * How fresh the answer must be: the newest height that any answer has named to this client unless given, so that it reads what it
   * wrote and never goes back in time, on whatever node; null for whatever the node has.
   */
  readonly atLeast?: Receipt | Height | null;
}

export interface WriteOptions extends CallOptions {
  readonly preconditions?: readonly Precondition[];
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

const READ_TIMEOUT_MS = 5_000;
const WRITE_TIMEOUT_MS = 30_000;

export class SkyClient {
  readonly #nodes: Nodes;
  readonly #ports: ClientPorts;
  readonly #options: SkyClientOptions;
  readonly #queue: WriteQueue;
  #newest: Receipt | undefined;
  #newestHeight = height(0);

  private constructor(options: SkyClientOptions) {
    this.#options = options;
    this.#ports = options.ports ?? defaultPorts;
    this.#nodes = new Nodes(options, this.#ports);
    this.#queue = new WriteQueue(options.cluster, options.signer, (signed, deadlineMs) =>
      this.#deliver(deadlineMs, async (stub, until) =>
        outcomesOf(await unary(stub.write.bind(stub), { signed: Buffer.from(signed) }, until, true)),
      ),
    );
  }

  /** Connects lazily: the first call opens the connection to the first endpoint. */
  static connect(options: SkyClientOptions): SkyClient {
    return new SkyClient(options);
  }

  /** The newest receipt this client has seen; hand it to others so that they read what this one wrote. */
  get receipt(): Receipt | undefined {
    return this.#newest;
  }

  /** The newest height that an answer has named, to a write or a read; hand it to others so that they read nothing older than this one did. */
  get newestHeight(): Height {
    return this.#newestHeight;
  }

  /**
   * Writes one atomic command; commands written in the same turn share a signature.
   * Throws: SkyError: the refusal's code, or OUTCOME_UNKNOWN when no node said what became of it in time.
   */
  async write(changes: readonly GraphChange[], options: WriteOptions = {}): Promise<Written> {
    return writtenOf(await this.#submit(this.#queue, { changes, preconditions: options.preconditions ?? [] }, options));
  }

  /** Writes several commands, each atomic by itself, under one signature for up to 1,000. Refusals are outcomes, not errors. */
  writeAll(writes: readonly GraphWrite[], options: CallOptions = {}): Promise<readonly CommandOutcome[]> {
    return Promise.all(writes.map((write) => this.#submit(this.#queue, write, options)));
  }

  async check(assertion: Assertion, options: ReadOptions = {}): Promise<Checked> {
    const request: Sky.CheckRequest = {
      assertion: graph.assertionMessage(assertion),
      consistency: this.#consistency(options),
    };
    const reply = await this.#read(options, (stub, deadlineMs) =>
      unary(stub.check.bind(stub), request, deadlineMs, false),
    );
    return { result: reply.result, height: this.#named(reply.height) };
  }

  /** Answers for up to 1,000 assertions, in order, all at one height. */
  async checkBatch(
    assertions: readonly Assertion[],
    options: ReadOptions = {},
  ): Promise<{ readonly results: readonly boolean[]; readonly height: Height }> {
    const request: Sky.CheckBatchRequest = {
      assertions: assertions.map(graph.assertionMessage),
      consistency: this.#consistency(options),
    };
    const reply = await this.#read(options, (stub, deadlineMs) =>
      unary(stub.checkBatch.bind(stub), request, deadlineMs, false),
    );
    return { results: complete(reply.results, assertions.length), height: this.#named(reply.height) };
  }

  /** As checkBatch, at a past height. */
  async checkAt(
    height: Height,
    assertions: readonly Assertion[],
    options: CallOptions = {},
  ): Promise<readonly boolean[]> {
    const request: Sky.CheckAtRequest = { height: BigInt(height), assertions: assertions.map(graph.assertionMessage) };
    const reply = await this.#read(options, (stub, deadlineMs) =>
      unary(stub.checkAt.bind(stub), request, deadlineMs, false),
    );
    return complete(reply.results, assertions.length);
  }

  /** Subjects directly asserted to have any of these objects; with a predicate, those of that relation. */
  readSubjects(
    objects: readonly GraphNode[],
    options: ReadOptions & { readonly predicate?: Relation } = {},
  ): Promise<Found> {
    return this.#find({ $case: "objects", objects: { nodes: objects.map(graph.nodeMessage) } }, options);
  }

  /** Objects that any of these subjects is directly asserted to have. */
  readObjects(
    subjects: readonly GraphNode[],
    options: ReadOptions & { readonly predicate?: Relation } = {},
  ): Promise<Found> {
    return this.#find({ $case: "subjects", subjects: { nodes: subjects.map(graph.nodeMessage) } }, options);
  }

  /** Every subject for which check is true, in pages; continues on another node when one is lost. */
  expandSubjects(
    object: GraphNode,
    options: ReadOptions & { readonly predicate?: Relation; readonly pageSize?: number } = {},
  ): AsyncGenerator<Found> {
    return this.#expand({ $case: "object", object: graph.nodeMessage(object) }, options);
  }

  expandObjects(
    subject: GraphNode,
    options: ReadOptions & { readonly predicate?: Relation; readonly pageSize?: number } = {},
  ): AsyncGenerator<Found> {
    return this.#expand({ $case: "subject", subject: graph.nodeMessage(subject) }, options);
  }

  /** Checks over one stream: many in flight, none of them paying for a call of its own. */
  checkStream(): CheckStream {
    const stream = new CorrelatedStream<Sky.CheckStreamRequest, Sky.CheckStreamResponse>(
      () => this.#nodes.current().stub.checkStream(),
      false,
    );
    const checkAll = async (
      assertions: readonly Assertion[],
      options: ReadOptions = {},
    ): Promise<readonly boolean[]> => {
      const consistency = this.#consistency(options);
      const messages = assertions.map(graph.assertionMessage);
      const reply = await this.#read(options, (_stub, until) =>
        stream
          .send((correlation) => ({ correlation, assertions: messages, consistency }), until - this.#ports.now())
          .then(checkedOf),
      );
      this.#named(reply.height);
      return complete(reply.results, assertions.length);
    };
    return {
      checkAll,
      check: async (assertion, options) => (await checkAll([assertion], options))[0] === true,
      end: () => stream.end(),
    };
  }

  /** Writes over one stream: groups in flight without a call each. */
  writeStream(): WriteStream {
    const stream = new CorrelatedStream<Sky.WriteStreamRequest, Sky.WriteStreamResponse>(
      () => this.#nodes.current().stub.writeStream(),
      true,
    );
    const queue = new WriteQueue(this.#options.cluster, this.#options.signer, (signed, deadlineMs) =>
      this.#deliver(deadlineMs, async (_stub, until) =>
        outcomesOf(
          streamedOf(
            await stream.send(
              (correlation) => ({ correlation, signed: Buffer.from(signed) }),
              until - this.#ports.now(),
            ),
          ),
        ),
      ),
    );
    return {
      write: async (changes, options = {}) =>
        writtenOf(await this.#submit(queue, { changes, preconditions: options.preconditions ?? [] }, options)),
      end: () => stream.end(),
    };
  }

  close(): void {
    this.#nodes.close();
  }

  async #submit(queue: WriteQueue, write: GraphWrite, options: WriteOptions): Promise<CommandOutcome> {
    const command = commandOf(write, this.#ports, options.id);
    if (!command.ok) throw errorOfRefusal(command.refusal);
    const outcome = await queue.submit(command.value, this.#ports.now() + (options.timeoutMs ?? WRITE_TIMEOUT_MS));
    this.#remember(outcome.receipt);
    return outcome;
  }

  #deliver<T>(deadlineMs: number, attempt: (stub: OracleStub, deadlineMs: number) => Promise<T>): Promise<T> {
    return untilOutcome((again) => this.#nodes.retrying(deadlineMs, again), attempt);
  }

  /** The height that an answer names, remembered. */
  #named(message: bigint): Height {
    const named = graph.heightOf(message);
    this.#reached(named);
    return named;
  }

  #reached(named: Height): void {
    if (named > this.#newestHeight) this.#newestHeight = named;
  }

  #remember(receipt: Receipt): void {
    this.#reached(receipt.height);
    const newest = this.#newest;
    if (
      newest === undefined ||
      receipt.height > newest.height ||
      (receipt.height === newest.height && receipt.index > newest.index)
    )
      this.#newest = receipt;
  }

  #consistency({ atLeast = this.#newestHeight }: ReadOptions): Sky.Consistency | undefined {
    return atLeast === null || atLeast === 0 ? undefined : graph.atLeast(atLeast);
  }

  #read<T>(options: CallOptions, attempt: (stub: OracleStub, deadlineMs: number) => Promise<T>): Promise<T> {
    const deadlineMs = this.#ports.now() + (options.timeoutMs ?? READ_TIMEOUT_MS);
    return this.#nodes.retrying(deadlineMs, attempt);
  }

  async #find(
    of: NonNullable<Sky.ReadRequest["of"]>,
    options: ReadOptions & { readonly predicate?: Relation },
  ): Promise<Found> {
    const request: Sky.ReadRequest = { of, predicate: options.predicate, consistency: this.#consistency(options) };
    const reply = await this.#read(options, (stub, deadlineMs) =>
      unary(stub.read.bind(stub), request, deadlineMs, false),
    );
    return { nodes: reply.nodes.map(graph.graphNodeOf), height: this.#named(reply.height) };
  }

  async *#expand(
    of: NonNullable<Sky.ExpandRequest["of"]>,
    options: ReadOptions & { readonly predicate?: Relation; readonly pageSize?: number },
  ): AsyncGenerator<Found> {
    const request = {
      of,
      predicate: options.predicate,
      consistency: this.#consistency(options),
      pageSize: options.pageSize ?? 0,
    };
    const timeoutMs = options.timeoutMs ?? WRITE_TIMEOUT_MS;
    const pages = expandPages(this.#nodes, this.#ports.now() + timeoutMs, (stub, cursor, deadline) =>
      stub.expand({ ...request, cursor: Buffer.from(cursor) }, new Metadata(), { deadline }),
    );
    for await (const page of pages) {
      this.#reached(page.height);
      yield page;
    }
  }
}

export interface CheckStream {
  check(assertion: Assertion, options?: ReadOptions): Promise<boolean>;
  checkAll(assertions: readonly Assertion[], options?: ReadOptions): Promise<readonly boolean[]>;
  end(): void;
}

export interface WriteStream {
  write(changes: readonly GraphChange[], options?: WriteOptions): Promise<Written>;
  end(): void;
}

/** Throws: SkyError when a node answers for fewer assertions than were asked. */
function complete(results: readonly boolean[], asked: number): readonly boolean[] {
  if (results.length === asked) return results;
  throw new SkyError("MALFORMED", `The node answered for ${results.length} of ${asked} assertions; ask another node.`, {
    retryable: true,
  });
}

function outcomesOf(reply: Sky.WriteResponse): readonly CommandOutcome[] {
  return reply.results.map((message) => {
    const outcome = graph.outcomeOf(message);
    if (!outcome.ok) throw errorOfRefusal(outcome.refusal);
    return outcome.value;
  });
}

/** Throws: SkyError of a refusal. */
function writtenOf({ id, receipt, result }: CommandOutcome): Written {
  if (result.kind === "refused") throw new SkyError(result.code, result.message, { retryable: false });
  return { id, receipt, changed: result.changed };
}

function streamedOf({ outcome }: Sky.WriteStreamResponse): Sky.WriteResponse {
  if (outcome?.$case === "written") return outcome.written;
  throw outcome === undefined
    ? new SkyError("MALFORMED", "The node's answer is empty; ask another node.", { retryable: true })
    : errorOfMessage(outcome.refused);
}

function checkedOf({ outcome }: Sky.CheckStreamResponse): Sky.CheckBatchResponse {
  if (outcome?.$case === "checked") return outcome.checked;
  throw outcome === undefined
    ? new SkyError("MALFORMED", "The node's answer is empty; ask another node.", { retryable: true })
    : errorOfMessage(outcome.refused);
}
