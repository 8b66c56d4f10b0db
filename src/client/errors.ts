/** Errors of the client: a stable code to decide by, and a sentence for people. */
import { type ServiceError, status } from "@grpc/grpc-js";
import type { Refusal } from "../base/result.ts";
import type { Refusal as RefusalMessage } from "../wire/generated/sky/oracle/v1/oracle.ts";
import { isRetryable } from "../wire/status.ts";

/** What a call came to. `retryable` says whether the same call (for a write: the same ids) may succeed later or elsewhere. */
export class SkyError extends Error {
  override readonly name = "SkyError";
  /** Stable: RefusalCode of src/wire/status.ts, or a newer node's. */
  readonly code: string;
  readonly retryable: boolean;
  /** How long the node asks to wait. Units: ms; 0 for at once. */
  readonly retryAfterMs: number;

  constructor(
    code: string,
    message: string,
    options: { readonly retryable?: boolean; readonly retryAfterMs?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? isRetryable(code);
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

export const errorOfRefusal = (refusal: Refusal): SkyError => new SkyError(refusal.code, refusal.message);

export const errorOfMessage = (refusal: RefusalMessage): SkyError =>
  new SkyError(refusal.code, refusal.message, { retryable: refusal.retryable, retryAfterMs: refusal.retryAfterMs });

/** 10 s: no node asks for more; a peer that does is not believed. */
const RETRY_AFTER_MAX_MS = 10_000;

/** Whether a call went to a connection: until then its peer is a name to resolve, such as dns:127.0.0.1:8100. */
export const wasSent = (call: { getPeer(): string }): boolean => /^(?:\[|[\d.]+:)/.test(call.getPeer());

/** How grpc-js tells REFUSED_STREAM, by which a node that ends a connection says that it has not looked at a call (RFC 9113 §8.7). */
const NOT_LOOKED_AT = "Stream refused by server";

/**
 * An error of grpc-js. Without sky-code it did not come from a handler: the connection, a deadline or a proxy failed.
 * `writing`: what was sent may have been done, so that is what the code says; unless no connection stood, and nothing was `sent`.
 */
export function errorOfService(error: ServiceError, writing: boolean, sent = true): SkyError {
  const [code] = error.metadata.get("sky-code");
  const pushback = Number(error.metadata.get("grpc-retry-pushback-ms")[0] ?? 0);
  const retryAfterMs = Number.isFinite(pushback) ? Math.min(Math.max(pushback, 0), RETRY_AFTER_MAX_MS) : 0;
  if (code !== undefined) return new SkyError(String(code), error.details, { retryAfterMs, cause: error });
  switch (error.code) {
    case status.UNAVAILABLE:
    case status.DEADLINE_EXCEEDED:
    case status.CANCELLED:
    case status.INTERNAL:
    case status.UNKNOWN:
      if (!sent || error.details === NOT_LOOKED_AT)
        return new SkyError(
          "UNAVAILABLE",
          `No connection to the node (${error.details}); nothing was sent there. Try again or another node.`,
          { retryable: true, cause: error },
        );
      if (writing)
        return new SkyError(
          "OUTCOME_UNKNOWN",
          `The write may have been done (${error.details}); sending it again with the same id is safe.`,
          { cause: error },
        );
      return new SkyError(
        error.code === status.DEADLINE_EXCEEDED ? "DEADLINE_EXCEEDED" : "UNAVAILABLE",
        `No answer (${error.details}); try again or another node.`,
        { retryable: true, cause: error },
      );
    case status.RESOURCE_EXHAUSTED:
      return new SkyError("TOO_LARGE", `The message is too large (${error.details}); split it.`, { cause: error });
    case status.UNIMPLEMENTED:
      return new SkyError("UNSUPPORTED", `The node does not serve this call (${error.details}).`, { cause: error });
    default:
      return new SkyError("UNAVAILABLE", error.details, { retryable: false, cause: error });
  }
}
