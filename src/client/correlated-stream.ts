/** A two-way stream as calls: many requests in flight, each answered by the reply with its correlation. */
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { TimeoutStrategy, isTaskCancelledError, timeout } from "cockatiel";
import { SkyError, errorOfService, wasSent } from "./errors.ts";

interface Pending<Reply> {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: SkyError) => void;
}

/** Requests that may wait for the stream to take more; beyond that callers are refused. */
const QUEUED_MAX = 10_000;

/**
 * Bounds: 10,000 requests that have no answer yet.
 * When the stream breaks, every request without an answer fails with that error, and the next one opens a new stream.
 */
class CorrelatedStream<Request, Reply extends { readonly correlation: bigint }> {
  readonly #open: () => ClientDuplexStream<Request, Reply>;
  readonly #writing: boolean;
  readonly #pending = new Map<bigint, Pending<Reply>>();
  readonly #queued: Request[] = [];
  #stream: ClientDuplexStream<Request, Reply> | undefined;
  #choked = false;
  #next = 1n;
  #ended = false;

  /** `writing`: whether what was sent may have been done when the stream breaks. */
  constructor(open: () => ClientDuplexStream<Request, Reply>, writing: boolean) {
    this.#open = open;
    this.#writing = writing;
  }

  /**
   * Sends a request and waits for its answer, at most `timeoutMs`.
   * Throws: SkyError; OVERLOADED beyond the bound, CANCELLED after `end`, DEADLINE_EXCEEDED or OUTCOME_UNKNOWN in silence.
   */
  async send(requestOf: (correlation: bigint) => Request, timeoutMs: number): Promise<Reply> {
    let correlation = 0n;
    try {
      return await timeout(Math.max(timeoutMs, 1), TimeoutStrategy.Aggressive).execute(() => {
        correlation = this.#next;
        return this.#send(requestOf);
      });
    } catch (error) {
      if (!isTaskCancelledError(error)) throw error;
      this.#pending.delete(correlation);
      if (this.#stream !== undefined && !wasSent(this.#stream))
        throw new SkyError(
          "UNAVAILABLE",
          "No connection to the node; nothing was sent there. Try again or another node.",
          {
            retryable: true,
            cause: error,
          },
        );
      if (this.#writing)
        throw new SkyError("OUTCOME_UNKNOWN", "No answer in time; sending it again with the same id is safe.", {
          cause: error,
        });
      throw new SkyError("DEADLINE_EXCEEDED", "No answer in time; try again or another node.", {
        retryable: true,
        cause: error,
      });
    }
  }

  #send(requestOf: (correlation: bigint) => Request): Promise<Reply> {
    if (this.#ended) return Promise.reject(new SkyError("CANCELLED", "The stream was ended; open a new one."));
    if (this.#pending.size >= QUEUED_MAX)
      return Promise.reject(
        new SkyError("OVERLOADED", `${QUEUED_MAX} requests wait for answers; wait for some of them.`),
      );
    const correlation = this.#next;
    this.#next += 1n;
    return new Promise((resolve, reject) => {
      this.#pending.set(correlation, { resolve, reject });
      this.#write(requestOf(correlation));
    });
  }

  /** Sends no more; what is in flight is still answered. */
  end(): void {
    this.#ended = true;
    if (this.#queued.length === 0) this.#stream?.end();
  }

  #write(request: Request): void {
    if (this.#choked) {
      this.#queued.push(request);
      return;
    }
    this.#stream ??= this.#opened();
    this.#choked = !this.#stream.write(request);
  }

  #drain(): void {
    this.#choked = false;
    let sent = 0;
    for (const request of this.#queued) {
      if (this.#choked || this.#stream === undefined) break;
      this.#choked = !this.#stream.write(request);
      sent += 1;
    }
    this.#queued.splice(0, sent);
    if (this.#ended && this.#queued.length === 0) this.#stream?.end();
  }

  #opened(): ClientDuplexStream<Request, Reply> {
    const stream = this.#open();
    stream.on("data", (reply: Reply) => {
      const pending = this.#pending.get(reply.correlation);
      this.#pending.delete(reply.correlation);
      pending?.resolve(reply);
    });
    stream.on("drain", () => {
      if (this.#stream === stream) this.#drain();
    });
    stream.on("error", (error: ServiceError) =>
      this.#broken(stream, errorOfService(error, this.#writing, wasSent(stream))),
    );
    stream.on("end", () =>
      this.#broken(
        stream,
        new SkyError(this.#writing ? "OUTCOME_UNKNOWN" : "UNAVAILABLE", "The node ended the stream; send again."),
      ),
    );
    return stream;
  }

  #broken(stream: ClientDuplexStream<Request, Reply>, error: SkyError): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#choked = false;
    this.#queued.length = 0;
    const failed = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of failed) reject(error);
  }
}

/** One such stream to each node that is asked, opened then: an answer comes from the node that the question went to. */
export class CorrelatedStreams<Node, Request, Reply extends { readonly correlation: bigint }> {
  readonly #open: (node: Node) => ClientDuplexStream<Request, Reply>;
  readonly #writing: boolean;
  readonly #isRetired: (node: Node) => boolean;
  readonly #streams = new Map<Node, CorrelatedStream<Request, Reply>>();
  #ended = false;

  /** `isRetired`: whether nothing new goes to this node; its stream ends then, once what is in flight is answered. */
  constructor(
    open: (node: Node) => ClientDuplexStream<Request, Reply>,
    writing: boolean,
    isRetired: (node: Node) => boolean = () => false,
  ) {
    this.#open = open;
    this.#writing = writing;
    this.#isRetired = isRetired;
  }

  to(node: Node): CorrelatedStream<Request, Reply> {
    const here = this.#streams.get(node);
    if (here !== undefined) return here;
    for (const [other, stream] of this.#streams) {
      if (!this.#isRetired(other)) continue;
      stream.end();
      this.#streams.delete(other);
    }
    const stream = new CorrelatedStream(() => this.#open(node), this.#writing);
    if (this.#ended) stream.end();
    this.#streams.set(node, stream);
    return stream;
  }

  /** Sends no more; what is in flight is still answered. */
  end(): void {
    this.#ended = true;
    for (const stream of this.#streams.values()) stream.end();
  }
}
