/** Server streams whose messages are large: written one at a time, as fast as whoever reads them, and ended when it does not. */
import type { ServerWritableStream } from "@grpc/grpc-js";
import { type No, type Result, ok, refuse } from "../../base/result.ts";

/** A consumer that takes nothing for so long is closed. Units: ms. */
const SLOW_MS = 30_000;
/** Of a file that travels in parts. */
const PART_BYTES = 1024 * 1024;

export const CANCELLED = refuse("CANCELLED", "The caller ended the call.", "none");
const SLOW = refuse("SLOW_CONSUMER", "The caller took nothing for too long; resume where it stopped, and read faster.");

/**
 * Writes one message and waits until flow control has let it go; false when the caller is gone. (A stream's own buffer is 16 messages,
 * which are pages of 1 MiB here.)
 */
function flushed<Reply>(call: ServerWritableStream<unknown, Reply>, reply: Reply): Promise<boolean> {
  if (call.cancelled || call.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const gone = (): void => done(false);
    const done = (alive: boolean): void => {
      call.off("cancelled", gone).off("close", gone);
      resolve(alive);
    };
    call.on("cancelled", gone).on("close", gone);
    call.write(reply, (error?: Error | null) => done(error === undefined || error === null));
  });
}

/** Writes and waits for room. Returns why it must end. */
export async function written<Reply>(
  call: ServerWritableStream<unknown, Reply>,
  reply: Reply,
  slowMs = SLOW_MS,
): Promise<No | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const slow = new Promise<"slow">((resolve) => {
    timer = setTimeout(() => resolve("slow"), slowMs);
  });
  const done = await Promise.race([flushed(call, reply), slow]).finally(() => clearTimeout(timer));
  if (done === "slow") return SLOW;
  return done ? undefined : CANCELLED;
}

/** A file, part by part. */
export async function sendParts(
  call: ServerWritableStream<unknown, { part: Buffer }>,
  file: Uint8Array,
  slowMs?: number,
): Promise<Result<void>> {
  for (let from = 0; from < file.length; from += PART_BYTES) {
    const stopped = await written(call, { part: Buffer.from(file.subarray(from, from + PART_BYTES)) }, slowMs);
    if (stopped !== undefined) return stopped;
  }
  return ok(undefined);
}
