/** One way to serve two-way streams: bounded work in flight, backpressure in both directions, and an end in every case. */
import type { ServerDuplexStream, StatusObject } from "@grpc/grpc-js";

/**
 * Answers each message of a two-way stream; answers go out as they become ready.
 * Bounds: at most `inFlightMax` messages are being answered; beyond that, or while the peer does not read its answers, the
 * stream is not read, and HTTP/2 flow control holds the sender back.
 * `answer` returns the reply, a promise of it, or an error that ends the stream. After the peer is gone nothing is written.
 */
export function pump<Request, Reply>(
  call: ServerDuplexStream<Request, Reply>,
  inFlightMax: number,
  answer: (request: Request) => Answered<Reply> | Promise<Answered<Reply>>,
  failed: (error: unknown) => StatusObject,
): void {
  let inFlight = 0;
  let choked = false;
  let ended = false;
  let closed = false;

  const settle = (): void => {
    if (closed) return;
    if (ended && inFlight === 0) {
      closed = true;
      call.end();
    } else if (!ended && !choked && inFlight < inFlightMax && call.isPaused()) {
      call.resume();
    }
  };
  const abort = (error: StatusObject): void => {
    if (closed) return;
    closed = true;
    call.emit("error", error);
  };
  const deliver = (answered: Answered<Reply>): void => {
    if (closed) return;
    if ("error" in answered) return abort(answered.error);
    if (!call.write(answered.reply)) {
      choked = true;
      call.pause();
    }
  };

  call.on("data", (request: Request) => {
    if (closed) return;
    try {
      const answered = answer(request);
      if (!(answered instanceof Promise)) return deliver(answered);
      inFlight += 1;
      if (inFlight >= inFlightMax) call.pause();
      answered
        .then(deliver, (error: unknown) => abort(failed(error)))
        .then(
          () => {
            inFlight -= 1;
            settle();
          },
          () => undefined,
        );
    } catch (error) {
      abort(failed(error));
    }
  });
  call.on("drain", () => {
    choked = false;
    settle();
  });
  call.on("end", () => {
    ended = true;
    settle();
  });
  const gone = (): void => {
    closed = true;
  };
  call.on("cancelled", gone);
  call.on("close", gone);
}

export type Answered<Reply> = { readonly reply: Reply } | { readonly error: StatusObject };

/**
 * Writes one message of a server stream and waits until there is room for the next; false when the caller is gone.
 * `call` is a server's writable stream, whose "cancelled" and "close" both mean that.
 */
export function writeTo<Reply>(call: PageStream<Reply>, reply: Reply): Promise<boolean> {
  if (call.cancelled || call.destroyed) return Promise.resolve(false);
  if (call.write(reply)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const done = (alive: boolean) => (): void => {
      call.off("drain", drained).off("cancelled", gone).off("close", gone);
      resolve(alive);
    };
    const drained = done(true);
    const gone = done(false);
    call.on("drain", drained).on("cancelled", gone).on("close", gone);
  });
}

interface PageStream<Reply> {
  readonly cancelled: boolean;
  readonly destroyed: boolean;
  write(reply: Reply): boolean;
  on(event: "drain" | "cancelled" | "close", listener: () => void): this;
  off(event: "drain" | "cancelled" | "close", listener: () => void): this;
}
