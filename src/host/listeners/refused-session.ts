/** Says to who was not let in why not: TLS 1.3 has no word for it once a handshake is over, and silence looks like a network that fails. */
import { type ServerHttp2Session, performServerHandshake } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { Refusal } from "../../base/result.ts";
import { reasonOf, statusOf } from "../../wire/status.ts";

/** Judged by what the log knows. All are answered with the same words: which of them it was is nobody's who does not prove an identity. */
const ANSWERED: ReadonlySet<string> = new Set([
  "CERTIFICATE_UNKNOWN_IDENTIFIER",
  "CERTIFICATE_KEY_ROTATED",
  "CERTIFICATE_PROOF_UNSIGNED",
  "CERTIFICATE_CHAIN_BROKEN",
  "CERTIFICATE_REVOKED",
]);

const IDENTITY_REFUSED: Refusal<"IDENTITY_REFUSED"> = {
  code: "IDENTITY_REFUSED",
  message:
    "The cluster refuses this identity: its keys were rotated elsewhere, or its certificate was revoked, or it was never introduced. " +
    "Use the newest copy of its folder or file; of revoked certificates, issue one for a fresh key.",
  blame: "client",
};

/** How long such a session stands at most. Units: ms. */
export const REFUSED_SESSION_MS = 1_000;

export const isAnswered = (code: string): boolean => ANSWERED.has(code);

/**
 * Answers every call on the connection with UNAUTHENTICATED, sky-code IDENTITY_REFUSED, and asks its client to go with the first answer. No
 * handler and no gRPC server sees it, and no request is read. Whoever calls ends the socket after REFUSED_SESSION_MS.
 * Bounds: 8 calls at once, 4 KiB of headers, 1 MB of memory.
 */
export function answerRefused(socket: TLSSocket): ServerHttp2Session {
  const session = performServerHandshake(socket, {
    maxSessionMemory: 1,
    maxOutstandingPings: 1,
    maxHeaderListPairs: 64,
    settings: { maxConcurrentStreams: 8, maxHeaderListSize: 4_096, enablePush: false },
  });
  session.on("error", () => socket.destroy());
  session.once("close", () => socket.destroy());
  session.on("stream", (stream) => {
    stream.on("error", () => {}); // the session tells, or the other end went away
    stream.resume();
    const { code, message } = IDENTITY_REFUSED;
    stream.respond(
      {
        ":status": 200,
        "content-type": "application/grpc",
        "grpc-status": String(statusOf(code)),
        "grpc-message": encodeURI(message),
        "sky-code": code,
        "sky-reason": reasonOf(code),
      },
      { endStream: true },
    );
    // Later: a client that waited for the connection sends several calls at once.
    setImmediate(() => session.close());
  });
  return session;
}
