/** What both ends of a peer stream have in common. */
import { constants } from "node:crypto";
import type { TLSSocket } from "node:tls";

/** Key and certificate chain, PEM. */
export interface PeerTls {
  readonly key: string;
  readonly cert: string;
}

export const HANDSHAKE_TIMEOUT_MS = 5000;
/** What a stream that is to end has still to carry arrives within this, or is sent anew by those who miss it. */
export const RETIRE_GRACE_MS = 3000;

/** TLS 1.3 only, and no session is resumed: certificate, key state and membership are judged for every connection. */
export const tlsContext = <Tls extends object>(tls: Tls) =>
  ({ ...tls, minVersion: "TLSv1.3", maxVersion: "TLSv1.3", secureOptions: constants.SSL_OP_NO_TICKET }) as const;

/** The certificate (DER) that the other end has proved to own; empty when it showed none. */
export function certificateOf(socket: TLSSocket): Uint8Array {
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? new Uint8Array(0) : Uint8Array.from(certificate.raw);
}
