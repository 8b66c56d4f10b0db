/**
 * The mesh of consensus members: each dials every other over mutual TLS 1.3 and sends on the connection it dialled; what it
 * receives comes on the connections that others dialled. A stream that breaks is dialled again; holdings are exchanged anew.
 */
import type { Socket } from "node:net";
import { type TLSSocket, createServer } from "node:tls";
import type { MemberIndex } from "../../base/brands.ts";
import { memberIndex } from "../../base/brands.ts";
import { Fault } from "../../base/errors.ts";
import { type Result, refuse } from "../../base/result.ts";
import { FairReading } from "./fair-reading.ts";
import { OutgoingStream } from "./outgoing-stream.ts";
import { HANDSHAKE_TIMEOUT_MS, type PeerTls, RETIRE_GRACE_MS, certificateOf, tlsContext } from "./peer-tls.ts";

export interface PeerNetworkOptions {
  readonly self: MemberIndex;
  /** host:port of every member's CLUSTER listener. */
  readonly endpoints: readonly string[];
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: PeerTls;
  /** Dialled streams migrate to new connections when they are this old; 0: never. Units: ms. */
  readonly connectionMaxAgeMs: number;
  /** Which member presents this certificate (DER). Refuses with any code. */
  readonly authenticate: (certificate: Uint8Array) => Result<MemberIndex>;
  /** Whether the frame was of use: a member whose frames are not is read more slowly. */
  readonly onFrame: (from: MemberIndex, frame: Uint8Array) => boolean;
  /** A stream to this member stands. */
  readonly onConnected: (member: MemberIndex) => void;
  /** It stands no longer; it is dialled again. */
  readonly onDisconnected: (member: MemberIndex) => void;
  readonly onRefused: (reason: string) => void;
  /** A stream moved to a new connection, or could not yet and is tried again. */
  readonly onMigration: (member: MemberIndex, isDone: boolean) => void;
}

export interface PeerNetwork {
  readonly send: (to: MemberIndex, frame: Uint8Array) => void;
  readonly connected: () => readonly MemberIndex[];
  /** How many dialled streams should be on a new connection (age, keys, certificates) and are not, since none could be had. */
  readonly overdue: () => number;
  /** New connections show this key and certificate; the streams that this member dialled migrate to such. */
  readonly renew: (tls: PeerTls) => void;
  /** What `authenticate` accepts has changed: connections whose certificate it refuses now end, new ones standing first where they can. */
  readonly rejudge: () => void;
  readonly close: () => Promise<void>;
}

/** Connections whose certificate has not been accepted yet: the oldest makes room for a new one, or waiting would keep members out. */
const UNAUTHENTICATED_MAX = 64;
/** Accepted streams of one member: a new one replaces the oldest, which may be half-open. */
const STREAMS_PER_MEMBER_MAX = 2;
/** Told to whoever dialled: its certificate is accepted. The only byte on this way of a stream; its value means nothing. */
const ADMITTED = Uint8Array.of(1);

/** Opens the listener and dials every other member. Throws: Fault LISTEN_FAILED. */
export async function openPeerNetwork(given: PeerNetworkOptions): Promise<PeerNetwork> {
  const options = { ...given, authenticate: refusing(given.authenticate) };
  const streams = new Map<MemberIndex, OutgoingStream>();
  const incoming = new Incoming(options);
  await incoming.listen();
  for (const [i, endpoint] of options.endpoints.entries()) {
    if (i !== options.self)
      streams.set(memberIndex(i), new OutgoingStream(memberIndex(i), endpoint, options.tls, options));
  }
  return {
    send: (to, frame) => streams.get(to)?.send(frame),
    connected: () => [...streams].flatMap(([member, stream]) => (stream.ready ? [member] : [])),
    overdue: () => [...streams.values()].filter(({ isOverdue }) => isOverdue).length,
    renew: (tls) => {
      incoming.renew(tls);
      for (const stream of streams.values()) stream.renew(tls);
    },
    rejudge: () => {
      incoming.rejudge();
      for (const stream of streams.values()) stream.rejudge();
    },
    close: async () => {
      for (const stream of streams.values()) stream.close();
      await incoming.close();
    },
  };
}

/**
 * The same judge, and where it throws a refusal: it reads what strangers made, and a defect of its readers must not end the thread that
 * consensus runs on.
 */
const refusing =
  (authenticate: PeerNetworkOptions["authenticate"]): PeerNetworkOptions["authenticate"] =>
  (certificate) => {
    try {
      return authenticate(certificate);
    } catch (error) {
      return refuse("AUTHENTICATION_FAILED", `The peer's certificate could not be judged: ${String(error)}`, "peer");
    }
  };

class Incoming {
  readonly #options: PeerNetworkOptions;
  readonly #server;
  readonly #sockets = new Set<Socket>();
  readonly #streams = new Map<MemberIndex, TLSSocket[]>();
  /** Those of them whose certificate has not been accepted yet, oldest first. */
  readonly #unauthenticated = new Set<Socket>();
  readonly #reading;

  constructor(options: PeerNetworkOptions) {
    this.#options = options;
    this.#reading = new FairReading({
      onFrame: options.onFrame,
      onHeld: () => options.onRefused("PEER_HELD_BACK"),
      onRefused: () => options.onRefused("FRAME_TOO_LARGE"),
      now: () => performance.now(),
    });
    this.#server = createServer({
      ...tlsContext(options.tls),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.#server.on("connection", (socket: Socket) => this.#accept(socket));
    this.#server.on("tlsClientError", (_error, socket) => {
      options.onRefused("HANDSHAKE_FAILED");
      socket.destroy();
    });
    this.#server.on("secureConnection", (socket: TLSSocket) => this.#admit(socket));
  }

  listen(): Promise<void> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve, reject) => {
      this.#server.once("error", (cause) =>
        reject(new Fault("LISTEN_FAILED", `Cannot listen on ${host}:${port}: ${cause.message}`, { cause })),
      );
      this.#server.listen(port, host, () => resolve());
    });
  }

  renew(tls: PeerTls): void {
    this.#server.setSecureContext(tlsContext(tls));
  }

  /** Whoever dialled a stream that is accepted no more has a moment to end it by itself. */
  rejudge(): void {
    for (const [member, streams] of this.#streams) {
      for (const socket of streams) {
        const judged = this.#options.authenticate(certificateOf(socket));
        if (judged.ok && judged.value === member) continue;
        const timer = setTimeout(() => socket.destroy(), RETIRE_GRACE_MS);
        socket.once("close", () => clearTimeout(timer));
      }
    }
  }

  close(): Promise<void> {
    this.#reading.close();
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #accept(socket: Socket): void {
    const [oldest] = this.#unauthenticated;
    if (oldest !== undefined && this.#unauthenticated.size >= UNAUTHENTICATED_MAX) {
      this.#options.onRefused("TOO_MANY_UNAUTHENTICATED");
      this.#unauthenticated.delete(oldest);
      oldest.destroy();
    }
    this.#sockets.add(socket);
    this.#unauthenticated.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#unauthenticated.delete(socket);
    });
  }

  #admit(socket: TLSSocket): void {
    socket.on("error", () => socket.destroy());
    const member = this.#options.authenticate(certificateOf(socket));
    if (!member.ok) {
      this.#options.onRefused(member.refusal.code);
      socket.destroy();
      return;
    }
    this.#countAuthenticated(socket);
    const streams = this.#streams.get(member.value) ?? [];
    this.#streams.set(member.value, streams);
    streams.push(socket);
    if (streams.length > STREAMS_PER_MEMBER_MAX) streams.shift()?.destroy();
    socket.once("close", () => {
      const at = streams.indexOf(socket);
      if (at >= 0) streams.splice(at, 1);
    });
    socket.setNoDelay(true);
    socket.write(ADMITTED);
    this.#reading.add(member.value, socket);
  }

  #countAuthenticated(socket: TLSSocket): void {
    for (const raw of this.#unauthenticated) {
      if (raw.remotePort === socket.remotePort && raw.remoteAddress === socket.remoteAddress)
        this.#unauthenticated.delete(raw);
    }
  }
}
