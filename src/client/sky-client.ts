/** The client that an application imports: signs its writes, survives the loss of nodes, reads what it has written. */
import { Metadata } from "@grpc/grpc-js";
import type { Height } from "../base/brands.ts";
import type { Assertion, GraphChange, GraphNode, GraphWrite, Relation } from "../events/facts/graph.ts";
import type * as Sky from "../wire/generated/sky/oracle/v1/oracle.ts";
import type { CommandOutcome, Receipt } from "../wire/outcome.ts";
import * as graph from "../wire/sky-graph.ts";
import { type Command, type KeyStateRef } from "../events/facts/command.ts";
import type { EventFields } from "../keri/event-json.ts";
import { isShowable } from "../keri/controller.ts";
import { CLIENT_CERTIFICATE_MS, type IssuedTls, issueTls } from "./certificate.ts";
import { ClientCertificates } from "./certificates.ts";
import { checkedOf, complete, outcomesOf, streamedOf, writtenOf } from "./answers.ts";
import { CorrelatedStreams } from "./correlated-stream.ts";
import { SkyError, errorOfRefusal } from "./errors.ts";
import { expandPages, firstPage } from "./expand.ts";
import { type Explained, askWhy, explainedOf } from "./explain.ts";
import { inForceAt } from "./in-force.ts";
import { type IdentityStore, type KeptIdentity, signerOf } from "./identity.ts";
import { type Attempt, Nodes, type OracleStub, unary } from "./nodes.ts";
import { Keys, type Changed, type KeysOptions, type Prepare, isStale } from "./keys.ts";
import type {
  SkyClientOptions,
  OpenOptions,
  CallOptions,
  ReadOptions,
  WriteOptions,
  Written,
  Checked,
  Found,
  RotateOptions,
} from "./options.ts";
import { Session } from "./session.ts";
import { type ClientPorts, SignedAnew, appendCommandOf, commandOf, defaultPorts, writeOf } from "./signing.ts";
import { untilOutcome } from "./unknown-outcome.ts";
import { WriteQueue } from "./write-queue.ts";

export { SkyError } from "./errors.ts";
export {
  type ClientIdentity,
  type ClientTls,
  type IdentityStore,
  type KeptIdentity,
  identityOf,
  identityText,
  readIdentity,
} from "./identity.ts";
export type * from "./options.ts";
export type { Explained, Explanation } from "./explain.ts";
export type { Changed, RotationEvent, RotationPolicy } from "./keys.ts";
export { type Signer, ed25519Signer, newCommandId } from "./signing.ts";

/** One try of a read, as fresh as it must be. */
type Ask<T> = (
  stub: OracleStub,
  consistency: Sky.Consistency | undefined,
  deadlineMs: number,
  node: number,
) => Promise<T>;

const READ_TIMEOUT_MS = 5_000;
const WRITE_TIMEOUT_MS = 30_000;

export class SkyClient {
  readonly #nodes: Nodes;
  readonly #ports: ClientPorts;
  readonly #options: SkyClientOptions;
  readonly #queue: WriteQueue;
  readonly #session: Session;
  /** Of a client that was opened with a store. */
  readonly #keys: Keys | undefined;
  readonly certificates: ClientCertificates;

  private constructor(options: SkyClientOptions, opened?: Opened) {
    this.#options = options;
    this.#ports = options.ports ?? defaultPorts;
    this.#nodes = new Nodes(options, this.#ports, {
      before: async (deadlineMs) => this.#keys?.fresh(deadlineMs),
      unanswered: async (deadlineMs) => this.#keys?.unanswered(deadlineMs),
    });
    this.#session = new Session(this.#nodes.count, () => this.#ports.now());
    this.#queue = new WriteQueue((commands, deadlineMs) => this.#signed(commands, deadlineMs, sendUnary));
    this.#keys = opened && this.#keysOf(opened);
    this.certificates = new ClientCertificates(options.signer.aid, this.#ports, this.#order, this.#read.bind(this));
  }

  /** Connects lazily, by the first call, to the first endpoint. Signer and certificate stay as they are. */
  static connect(options: SkyClientOptions): SkyClient {
    return new SkyClient(options);
  }

  /**
   * A client whose keys may rotate: its certificate is issued here, and renewed while it lives; a rotation that was begun and not
   * finished goes on. Throws: SkyError MALFORMED for an identity that names no cluster yet, or a policy out of bounds.
   */
  static async open({ identity, certificateLifetimeMs, ...options }: OpenOptions): Promise<SkyClient> {
    const lifetimeMs = certificateLifetimeMs ?? CLIENT_CERTIFICATE_MS;
    const ports = options.ports ?? defaultPorts;
    const kept = identity.read();
    const { cluster } = kept;
    if (cluster === null)
      throw new SkyError("MALFORMED", "The identity names no cluster yet: run sky init client with --founding.");
    const tls = await issueTls({
      controller: kept,
      cluster,
      role: identity.role,
      pendingToo: isShowable(kept),
      random: (length) => ports.randomBytes(length),
      now: ports.now(),
      lifetimeMs,
    });
    identity.certified?.(tls);
    const [cert, key] = [Buffer.from(tls.cert), Buffer.from(tls.key)];
    return new SkyClient(
      { ...options, cert, key, cluster, signer: signerOf(kept) },
      { store: identity, kept, tls, lifetimeMs, policy: options },
    );
  }

  #keysOf({ store, kept, tls, lifetimeMs, policy }: Opened): Keys {
    const options: KeysOptions = {
      policy,
      store,
      cluster: this.#options.cluster,
      lifetimeMs,
      ports: this.#ports,
      deliver: this.#deliverOne,
      inForceAt: inForceAt(this.#nodes, kept.aid),
      move: ({ cert, key }, deadlineMs) =>
        this.#nodes.move({ cert: Buffer.from(cert), key: Buffer.from(key) }, deadlineMs),
    };
    return Keys.of(options, kept, tls);
  }

  #ownKeys(): Keys {
    if (this.#keys !== undefined) return this.#keys;
    throw new SkyError("UNSUPPORTED", "The client's identity is not kept anywhere; open it with SkyClient.open.");
  }

  /** Establishment event whose keys sign now. */
  get keyState(): KeyStateRef {
    return (this.#keys?.signer ?? this.#options.signer).keyState;
  }

  /**
   * Rotates the client's keys while it works: calls go on; what old keys signed too late is signed anew under the same ids. One that was begun
   * before is finished instead. Throws: SkyError; it then stays begun, for the next use, or for `sky kel discard` where it was refused for good.
   */
  rotate(options: RotateOptions = {}): Promise<Changed> {
    return this.#ownKeys().rotate(options.keys, options.timeoutMs);
  }

  /** Anchors seals in the client's own key event log. Throws: as `rotate`. */
  interact(seals: readonly EventFields[], options: CallOptions = {}): Promise<Changed> {
    return this.#ownKeys().interact(seals, options.timeoutMs);
  }

  /** Makes any event of the client's own, by `prepareRotation` and its like; or with null finishes one that was begun. */
  change(prepare: Prepare | null, options: CallOptions = {}): Promise<Changed> {
    const keys = this.#ownKeys();
    return prepare === null ? keys.finish(options.timeoutMs) : keys.change(prepare, options.timeoutMs);
  }

  /** Appends a CESR stream of key events, receipts and replies, all of it or nothing. Throws: SkyError of the refusal. */
  async append(stream: Uint8Array, options: CallOptions = {}): Promise<Written> {
    return this.#order(appendCommandOf(stream, this.#ports), options);
  }

  /** The newest receipt this client has seen; hand it to others so that they read what this one wrote. */
  get receipt(): Receipt | undefined {
    return this.#session.receipt;
  }

  /**
   * The newest height that an answer has named, to a write or a read; hand it to others so that they read nothing older than this one
   * did. Falls when a read failed as BEHIND because other nodes show that a node named too much (ADR 19).
   */
  get newestHeight(): Height {
    return this.#session.newest;
  }

  /**
   * Writes one atomic command; commands written in the same turn share a signature.
   * Throws: SkyError: the refusal's code, or OUTCOME_UNKNOWN when no node said what became of it in time.
   */
  async write(changes: readonly GraphChange[], options: WriteOptions = {}): Promise<Written> {
    return writtenOf(await this.#submit(this.#queue, writeOf(changes, options), options));
  }

  /** Writes several commands, each atomic by itself, under one signature for up to 1,000. Refusals are outcomes, not errors. */
  writeAll(writes: readonly GraphWrite[], options: CallOptions = {}): Promise<readonly CommandOutcome[]> {
    return Promise.all(writes.map((write) => this.#submit(this.#queue, write, options)));
  }

  async check(assertion: Assertion, options: ReadOptions = {}): Promise<Checked> {
    const message = graph.assertionMessage(assertion);
    const reply = await this.#read(options, (stub, consistency, deadlineMs) =>
      unary(stub.check.bind(stub), { assertion: message, consistency }, deadlineMs, false),
    );
    return { result: reply.result, height: graph.heightOf(reply.height) };
  }

  /** Answers for up to 1,000 assertions, in order, all at one height. */
  async checkBatch(
    assertions: readonly Assertion[],
    options: ReadOptions = {},
  ): Promise<{ readonly results: readonly boolean[]; readonly height: Height }> {
    const messages = assertions.map(graph.assertionMessage);
    const reply = await this.#read(options, (stub, consistency, deadlineMs) =>
      unary(stub.checkBatch.bind(stub), { assertions: messages, consistency }, deadlineMs, false),
    );
    return { results: complete(reply.results, assertions.length), height: graph.heightOf(reply.height) };
  }

  /** As checkBatch, at a past height. */
  async checkAt(
    height: Height,
    assertions: readonly Assertion[],
    options: CallOptions = {},
  ): Promise<readonly boolean[]> {
    const request: Sky.CheckAtRequest = { height: BigInt(height), assertions: assertions.map(graph.assertionMessage) };
    const reply = await this.#nodes.retrying(this.#deadlineOf(options), (stub, deadlineMs) =>
      unary(stub.checkAt.bind(stub), request, deadlineMs, false),
    );
    return complete(reply.results, assertions.length);
  }

  /** Why `check` answers as it does, or with `at` as it did at a past height. */
  async explain(assertion: Assertion, options: ReadOptions & { readonly at?: Height } = {}): Promise<Explained> {
    const { at } = options;
    if (at === undefined)
      return explainedOf(
        assertion,
        await this.#read(options, (stub, consistency, until) =>
          askWhy(stub, assertion, consistency && { $case: "consistency", consistency }, until),
        ),
      );
    const past = { $case: "height", height: BigInt(at) } as const;
    const reply = await this.#nodes.retrying(this.#deadlineOf(options), (stub, until) =>
      askWhy(stub, assertion, past, until),
    );
    return explainedOf(assertion, reply);
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
    const streams = new CorrelatedStreams<OracleStub, Sky.CheckStreamRequest, Sky.CheckStreamResponse>(
      (stub) => stub.checkStream(),
      false,
      (stub) => this.#nodes.isRetired(stub),
    );
    const checkAll = async (
      assertions: readonly Assertion[],
      options: ReadOptions = {},
    ): Promise<readonly boolean[]> => {
      const messages = assertions.map(graph.assertionMessage);
      const reply = await this.#read(options, (stub, consistency, until, node) => {
        // A stream has no deadline that a node behind could keep with its answer: until it has caught up, it is asked by calls.
        if (options.atLeast === undefined && this.#session.namedBy(node) < this.#session.newest)
          return unary(stub.checkBatch.bind(stub), { assertions: messages, consistency }, until, false);
        return streams
          .to(stub)
          .send((correlation) => ({ correlation, assertions: messages, consistency }), until - this.#ports.now())
          .then(checkedOf);
      });
      return complete(reply.results, assertions.length);
    };
    return {
      checkAll,
      check: async (assertion, options) => (await checkAll([assertion], options))[0] === true,
      end: () => streams.end(),
    };
  }

  /** Writes over one stream: groups in flight without a call each. */
  writeStream(): WriteStream {
    const streams = new CorrelatedStreams<OracleStub, Sky.WriteStreamRequest, Sky.WriteStreamResponse>(
      (stub) => stub.writeStream(),
      true,
      (stub) => this.#nodes.isRetired(stub),
    );
    const queue = new WriteQueue((commands, deadlineMs) =>
      this.#signed(commands, deadlineMs, (stub, signed, until) =>
        streams
          .to(stub)
          .send((correlation) => ({ correlation, signed: Buffer.from(signed) }), until - this.#ports.now())
          .then(streamedOf),
      ),
    );
    return {
      write: async (changes, options = {}) => writtenOf(await this.#submit(queue, writeOf(changes, options), options)),
      end: () => streams.end(),
    };
  }

  close(): void {
    this.#nodes.close();
  }
  readonly #order = async (command: Command, { timeoutMs = WRITE_TIMEOUT_MS }: CallOptions): Promise<Written> =>
    writtenOf(await this.#queue.submit(command, this.#ports.now() + timeoutMs));

  async #submit(queue: WriteQueue, write: GraphWrite, options: WriteOptions): Promise<CommandOutcome> {
    const command = commandOf(write, this.#ports, options.id);
    if (!command.ok) throw errorOfRefusal(command.refusal);
    return queue.submit(command.value, this.#ports.now() + (options.timeoutMs ?? WRITE_TIMEOUT_MS));
  }

  /** Signed at each attempt by the keys in force then: what older ones signed is refused as a whole, and may be signed anew. */
  #signed(commands: readonly Command[], deadlineMs: number, send: SendSigned): Promise<readonly CommandOutcome[]> {
    const batch = new SignedAnew(this.#options.cluster, commands);
    return this.#deliver(deadlineMs, async (stub, until, node) => {
      const signer = this.#keys?.signer ?? this.#options.signer;
      try {
        return await send(stub, await batch.under(signer), until, node);
      } catch (error) {
        if (this.#keys === undefined || !isStale(error)) throw error;
        await this.#keys.stale(signer.keyState, deadlineMs);
        throw again(error);
      }
    });
  }

  readonly #deliverOne: KeysOptions["deliver"] = async (command, signer, isFinal, deadlineMs) => {
    const batch = new SignedAnew(this.#options.cluster, [command]);
    const [outcome] = await this.#deliver(deadlineMs, async (stub, until, node) => {
      try {
        return await sendUnary(stub, await batch.under(signer()), until, node);
      } catch (error) {
        throw isStale(error) && !isFinal() ? again(error) : error;
      }
    });
    if (outcome !== undefined) return outcome;
    throw new SkyError("MALFORMED", "The node's answer leaves the command out; ask another node.", { retryable: true });
  };

  /** Receipts are remembered as the word of the node that gave them. */
  #deliver(deadlineMs: number, send: Attempt<Sky.WriteResponse>): Promise<readonly CommandOutcome[]> {
    return untilOutcome(
      (again) => this.#nodes.retrying(deadlineMs, again),
      async (stub: OracleStub, until: number, node: number) => {
        const outcomes = outcomesOf(await send(stub, until, node));
        for (const { receipt } of outcomes) this.#session.acknowledged(node, receipt);
        return outcomes;
      },
    );
  }

  #deadlineOf({ timeoutMs = this.#options.readTimeoutMs ?? READ_TIMEOUT_MS }: CallOptions): number {
    return this.#ports.now() + timeoutMs;
  }

  #read<Reply extends { readonly height: bigint }>(options: ReadOptions, ask: Ask<Reply>): Promise<Reply> {
    return this.#asking(this.#deadlineOf(options), options, async (stub, consistency, deadlineMs, node) => {
      const reply = await ask(stub, consistency, deadlineMs, node);
      this.#session.named(node, graph.heightOf(reply.height));
      return reply;
    });
  }

  /** Whatever the session learns meanwhile, no attempt asks for less than the call began with. */
  async #asking<T>(deadlineMs: number, { atLeast }: ReadOptions, ask: Ask<T>): Promise<T> {
    if (atLeast !== undefined)
      return this.#nodes.retrying(deadlineMs, (stub, until, node) => ask(stub, consistencyOf(atLeast), until, node));
    const session = this.#session;
    const carried = session.newest;
    try {
      return await this.#nodes.retrying(deadlineMs, async (stub, until, node) => {
        const own = session.namedBy(node);
        try {
          return await ask(stub, consistencyOf(own > carried ? own : carried), until, node);
        } catch (error) {
          if (error instanceof SkyError && error.code === "BEHIND") session.behind(node, carried);
          throw error;
        }
      });
    } catch (error) {
      session.failed(carried);
      throw error;
    }
  }

  async #find(
    of: NonNullable<Sky.ReadRequest["of"]>,
    options: ReadOptions & { readonly predicate?: Relation },
  ): Promise<Found> {
    const { predicate } = options;
    const reply = await this.#read(options, (stub, consistency, deadlineMs) =>
      unary(stub.read.bind(stub), { of, predicate, consistency }, deadlineMs, false),
    );
    return { nodes: reply.nodes.map(graph.graphNodeOf), height: graph.heightOf(reply.height) };
  }

  async *#expand(
    of: NonNullable<Sky.ExpandRequest["of"]>,
    options: ReadOptions & { readonly predicate?: Relation; readonly pageSize?: number },
  ): AsyncGenerator<Found> {
    const { predicate, pageSize = 0, timeoutMs = WRITE_TIMEOUT_MS } = options;
    const until = this.#ports.now() + timeoutMs;
    const pages = expandPages((cursor) =>
      this.#asking(until, options, (stub, consistency, deadline, node) => {
        const request = { of, predicate, pageSize, consistency, cursor: Buffer.from(cursor) };
        return firstPage(stub.expand(request, new Metadata(), { deadline }), node);
      }),
    );
    for await (const { from, ...page } of pages) {
      this.#session.named(from, page.height);
      yield page;
    }
  }
}

interface Opened extends Pick<KeysOptions, "policy"> {
  readonly store: IdentityStore;
  readonly kept: KeptIdentity;
  readonly tls: IssuedTls;
  /** Of each certificate. Units: ms. */
  readonly lifetimeMs: number;
}

/** One try of a signed batch. */
type SendSigned = (
  stub: OracleStub,
  signed: Uint8Array,
  deadlineMs: number,
  node: number,
) => Promise<Sky.WriteResponse>;

const sendUnary: SendSigned = (stub, signed, deadlineMs) =>
  unary(stub.write.bind(stub), { signed: Buffer.from(signed) }, deadlineMs, true);

const again = ({ code, message }: SkyError): SkyError => new SkyError(code, message, { retryable: true });

const consistencyOf = (atLeast: Receipt | Height | null): Sky.Consistency | undefined =>
  atLeast === null || atLeast === 0 ? undefined : graph.atLeast(atLeast);

export interface CheckStream {
  check(assertion: Assertion, options?: ReadOptions): Promise<boolean>;
  checkAll(assertions: readonly Assertion[], options?: ReadOptions): Promise<readonly boolean[]>;
  end(): void;
}

export interface WriteStream {
  write(changes: readonly GraphChange[], options?: WriteOptions): Promise<Written>;
  end(): void;
}
