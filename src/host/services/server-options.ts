/** Options of the SERVICE port's grpc-js server: what one connection may cost. */
import type { ServerOptions } from "@grpc/grpc-js";
import { MESSAGE_BYTES_MAX } from "./call.ts";

/**
 * Bounds: 256 calls at a time on a connection (a gateway with more opens a second one; at 4 MiB each they fill 1 GiB at worst,
 * and only if the session memory below allowed it); 16 MiB of HTTP/2 session memory; idle connections end after 10 minutes;
 * silent peers are found within 40 s.
 */
export const SERVICE_SERVER_OPTIONS = {
  "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
  "grpc.max_concurrent_streams": 256,
  "grpc-node.max_session_memory": 16,
  "grpc.max_connection_idle_ms": 600_000,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 20_000,
  // Channelz keeps a record of every call; nobody asks for it.
  "grpc.enable_channelz": 0,
} as const satisfies ServerOptions;

/** A call in flight on a connection that has grown old. Units: ms. */
const AGED_GRACE_MS = 60_000;

/** With connections that end gracefully when they are so old; 0: never. Units: ms. */
export const serverOptions = (connectionMaxAgeMs: number): ServerOptions => ({
  ...SERVICE_SERVER_OPTIONS,
  ...(connectionMaxAgeMs === 0
    ? {}
    : { "grpc.max_connection_age_ms": connectionMaxAgeMs, "grpc.max_connection_age_grace_ms": AGED_GRACE_MS }),
});
