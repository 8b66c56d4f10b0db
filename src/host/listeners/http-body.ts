/** Bodies of requests from strangers: so long, so soon, or not at all. */
import type { IncomingMessage, ServerResponse } from "node:http";

/**
 * The body. "TOO_LARGE": it says that it is longer, or is; nothing more of it is read. "TOO_SLOW": it was not complete in time.
 * Throws: Error when the caller went away. Units: `timeoutMs` ms.
 */
export function bodyOf(
  request: IncomingMessage,
  bytesMax: number,
  timeoutMs: number,
): Promise<Uint8Array | "TOO_LARGE" | "TOO_SLOW"> {
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) return Promise.resolve("TOO_LARGE");
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const take = (chunk: Uint8Array): void => {
      size += chunk.length;
      if (size > bytesMax) return settle(() => resolve("TOO_LARGE"));
      chunks.push(chunk);
    };
    const end = (): void => settle(() => resolve(Buffer.concat(chunks)));
    const gone = (): void => settle(() => reject(new Error("the caller went away")));
    const timer = setTimeout(() => settle(() => resolve("TOO_SLOW")), timeoutMs);
    const settle = (tell: () => void): void => {
      clearTimeout(timer);
      request.off("data", take).off("end", end).off("error", gone).off("close", gone);
      request.pause();
      tell();
    };
    request.on("data", take).once("end", end).once("error", gone).once("close", gone);
  });
}

export const hasUnreadBody = ({ headers, complete }: IncomingMessage): boolean =>
  !complete && (headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0");

/** Resolves when the reader has taken what was written, or went away. */
export const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
