/**
 * The mesh of consensus members: each dials every other over mutual TLS 1.3 and sends on the connection it dialled; what it
 * receives comes on the connections that others dialled. A stream that breaks is dialled again; holdings are exchanged anew.
 */
import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { type TLSSocket, connect, createServer } from "node:tls";
import type { MemberIndex } from "../../base/brands.ts";
import { memberIndex } from "../../base/brands.ts";
import { Fault } from "../../base/errors.ts";
import type { Result } from "../../base/result.ts";
import { FrameReader, framed } from "./frames.ts";

export interface PeerNetworkOptions {
  readonly self: MemberIndex;
  /** host:port of every member's CLUSTER listener. */
  readonly endpoints: readonly string[];
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: { readonly key: string; readonly cert: string };
  /** Which member presents this certificate (DER). Refuses with any code. */
  readonly authenticate: (certificate: Uint8Array) => Result<MemberIndex>;
  readonly onFrame: (from: MemberIndex, frame: Uint8Array) => void;
  /** A stream to this member stands. */
  readonly onConnected: (member: MemberIndex) => void;
  /** It stands no longer; it is dialled again. */
  readonly onDisconnected: (member: MemberIndex) => void;
  readonly onRefused: (reason: string) => void;
}

export interface PeerNetwork {
  readonly send: (to: MemberIndex, frame: Uint8Array) => void;
  readonly connected: () => readonly MemberIndex[];
  readonly close: () => Promise<void>;
}

const HANDSHAKE_TIMEOUT_MS = 5000;
/** Connections whose certificate has not been accepted yet: the oldest makes room for a new one, or waiting would keep members out. */
const UNAUTHENTICATED_MAX = 64;
/** Accepted streams of one member: a new one replaces the oldest, which may be half-open. */
const STREAMS_PER_MEMBER_MAX = 2;
/** A peer that does not read loses its stream and gets holdings when it returns. */
const UNSENT_BYTES_MAX = 64 * 1024 * 1024;
const REDIAL_FIRST_MS = 50;
const REDIAL_GROWTH = 1.5;
const REDIAL_CAP_MS = 2000;
const KEEP_ALIVE_MS = 5000;

const context = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3", secureOptions: constants.SSL_OP_NO_TICKET } as const;

/** Opens the listener and dials every other member. Throws: Fault LISTEN_FAILED. */
export async function openPeerNetwork(options: PeerNetworkOptions): Promise<PeerNetwork> {
  const streams = new Map<MemberIndex, Outgoing>();
  const incoming = new Incoming(options);
  await incoming.listen();
  for (const [i, endpoint] of options.endpoints.entries()) {
    if (i !== options.self) streams.set(memberIndex(i), new Outgoing(memberIndex(i), endpoint, options));
  }
  return {
    send: (to, frame) => streams.get(to)?.send(frame),
    connected: () => [...streams].flatMap(([member, stream]) => (stream.ready ? [member] : [])),
    close: async () => {
      for (const stream of streams.values()) stream.close();
      await incoming.close();
    },
  };
}

class Outgoing {
  readonly #member: MemberIndex;
  readonly #endpoint: { readonly host: string; readonly port: number };
  readonly #options: PeerNetworkOptions;
  #socket: TLSSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #wait = REDIAL_FIRST_MS;
  #corked = false;
  #closed = false;
  ready = false;

  constructor(member: MemberIndex, endpoint: string, options: PeerNetworkOptions) {
    const at = endpoint.lastIndexOf(":");
    this.#member = member;
    this.#endpoint = { host: endpoint.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(endpoint.slice(at + 1)) };
    this.#options = options;
    this.#dial();
  }

  /** Frames of one turn of the event loop leave together. */
  send(frame: Uint8Array): void {
    const socket = this.#socket;
    if (!this.ready || socket === undefined) return;
    if (socket.writableLength > UNSENT_BYTES_MAX) {
      this.#options.onRefused("PEER_TOO_SLOW");
      socket.destroy();
      return;
    }
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      queueMicrotask(() => {
        this.#corked = false;
        socket.uncork();
      });
    }
    socket.write(framed(frame));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #dial(): void {
    const socket = connect({
      ...this.#endpoint,
      ...this.#options.tls,
      ...context,
      rejectUnauthorized: false,
      timeout: 0,
    });
    this.#socket = socket;
    socket.setNoDelay(true);
    const patience = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT_MS);
    socket.once("secureConnect", () => {
      clearTimeout(patience);
      const judged = judge(this.#options, socket);
      if (!judged.ok || judged.value !== this.#member) {
        this.#options.onRefused(judged.ok ? "OTHER_MEMBER" : judged.refusal.code);
        socket.destroy();
        return;
      }
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      this.#wait = REDIAL_FIRST_MS;
      this.ready = true;
      this.#options.onConnected(this.#member);
    });
    socket.on("error", () => socket.destroy());
    socket.resume(); // nothing is read on a dialled stream, but its end must be seen
    socket.once("close", () => {
      clearTimeout(patience);
      const stood = this.ready;
      this.ready = false;
      this.#corked = false;
      if (this.#closed) return;
      if (stood) this.#options.onDisconnected(this.#member);
      this.#timer = setTimeout(() => this.#dial(), this.#wait);
      this.#wait = Math.min(REDIAL_CAP_MS, this.#wait * REDIAL_GROWTH);
    });
  }
}

function judge(options: PeerNetworkOptions, socket: TLSSocket): Result<MemberIndex> {
  const certificate = socket.getPeerX509Certificate();
  return options.authenticate(certificate === undefined ? new Uint8Array(0) : Uint8Array.from(certificate.raw));
}

class Incoming {
  readonly #options: PeerNetworkOptions;
  readonly #server;
  readonly #sockets = new Set<Socket>();
  readonly #streams = new Map<MemberIndex, TLSSocket[]>();
  /** Those of them whose certificate has not been accepted yet, oldest first. */
  readonly #unauthenticated = new Set<Socket>();

  constructor(options: PeerNetworkOptions) {
    this.#options = options;
    this.#server = createServer({
      ...options.tls,
      ...context,
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

  close(): Promise<void> {
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
    const member = judge(this.#options, socket);
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
    const reader = new FrameReader((frame) => this.#options.onFrame(member.value, frame));
    socket.on("data", (chunk: Buffer) => {
      if (reader.push(chunk)) return;
      this.#options.onRefused("FRAME_TOO_LARGE");
      socket.destroy();
    });
  }

  #countAuthenticated(socket: TLSSocket): void {
    for (const raw of this.#unauthenticated) {
      if (raw.remotePort === socket.remotePort && raw.remoteAddress === socket.remoteAddress)
        this.#unauthenticated.delete(raw);
    }
  }
}
