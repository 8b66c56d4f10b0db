/**
 * A mutual TLS 1.3 listener in front of a grpc-js server.
 *
 * The sockets are ours: a connection reaches gRPC only after its certificate has been judged, handlers learn who calls from
 * the connection and not from the certificate, and connections can be ended one by one when a key is rotated or removed.
 * OpenSSL's own verdict is not asked (`rejectUnauthorized: false`): our chains are anchored in the founding document and
 * bound to key states, which `authenticate` checks.
 */
import {
  type IncomingMessage,
  type RequestListener,
  type Server as HttpServer,
  createServer as createHttpServer,
} from "node:http";
import { type AddressInfo, type Socket, isIPv6 } from "node:net";
import { type SecureContext, type TLSSocket, createSecureContext, createServer } from "node:tls";
import { type ConnectionInjector, type Server, ServerCredentials } from "@grpc/grpc-js";
import { Fault } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { tlsContext } from "../cluster/peer-tls.ts";
import type { Caller, CallerOf, PeerCall } from "../services/oracle-port.ts";
import { REFUSED_SESSION_MS, answerRefused, isAnswered } from "./refused-session.ts";

export interface TlsIdentity {
  /** PEM. */
  readonly key: string | Buffer;
  /** PEM, the leaf first. */
  readonly cert: string | Buffer;
  /** PEM anchors named to clients in the handshake; who is accepted is `authenticate`'s to say. */
  readonly ca?: string | Buffer;
}

/** Why a connection was not let in; keys of a counter. */
export type ConnectionRefusal =
  | "TOO_MANY_CONNECTIONS"
  | "TOO_MANY_OF_ONE_CALLER"
  | "TOO_MANY_UNAUTHENTICATED"
  | "HANDSHAKE_FAILED"
  | "HANDSHAKE_TIMED_OUT"
  | "NO_CERTIFICATE"
  | "NOT_HTTP2"
  | "SAME_PEER_ADDRESS"
  | "AUTHENTICATION_FAILED"
  | "CLOSED"
  | (string & {});

export interface GrpcListenerOptions<C extends Caller = Caller> {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly tls: TlsIdentity;
  /** Judges the leaf certificate (DER) that the peer has proved to own. Refuses with any code; the connection is closed (refused-session.ts). */
  readonly authenticate: (certificate: Uint8Array) => Result<C> | Promise<Result<C>>;
  readonly server: Server;
  /** Takes what browsers ask, over HTTP/1.1; without it such connections are not let in. */
  readonly http?: (callerOf: (request: IncomingMessage) => C | undefined) => RequestListener;
  /** Counts a connection that was not let in. */
  readonly onRefused?: (reason: ConnectionRefusal) => void;
  readonly limits?: Partial<ListenerLimits>;
}

export interface ListenerLimits {
  /** Connections at a time, in whatever state. */
  readonly connectionsMax: number;
  /** Connections whose certificate has not been accepted yet: the oldest makes room for a new one, or waiting would keep others out. */
  readonly unauthenticatedMax: number;
  /** Connections of one identifier. */
  readonly ofOneCallerMax: number;
  /** From accept to an accepted certificate. Units: ms. */
  readonly handshakeTimeoutMs: number;
  /** From the first byte of a request over HTTP/1.1 to its last. Units: ms. */
  readonly requestTimeoutMs: number;
}

/**
 * 1,024 connections of about 100 KB; 128 handshakes are a second of work for one core; 256: four callers at worst share the
 * port; 10 s covers slow links.
 */
const LIMITS: ListenerLimits = {
  connectionsMax: 1_024,
  unauthenticatedMax: 128,
  ofOneCallerMax: 256,
  handshakeTimeoutMs: 10_000,
  requestTimeoutMs: 10_000,
};

export interface GrpcListener<C extends Caller = Caller> {
  readonly port: number;
  readonly callerOf: CallerOf;
  /** Live connections that have been let in. */
  readonly connections: () => number;
  /** Closes the connections of these callers at once; returns how many. */
  readonly closeWhere: (predicate: (caller: C) => boolean) => number;
  /**
   * Ends these connections gracefully: their clients are told to make new ones (GOAWAY), calls in flight end within `graceMs`, then what
   * is left is destroyed. `isNew`: made since the last `renew`. Returns how many.
   */
  readonly retireWhere: (predicate: (caller: C, isNew: boolean) => boolean, graceMs: number) => number;
  /** Replaces key and certificate for new connections. */
  readonly renew: (tls: TlsIdentity) => void;
  /** Shows these instead to whoever asks for one of these server names; the names of an earlier call are forgotten. */
  readonly certifyNames: (names: readonly string[], tls: TlsIdentity) => void;
  /** Takes no more connections, lets calls end for `graceMs`, then destroys what is left. */
  readonly close: (graceMs: number) => Promise<void>;
}

/** A TCP connection from accept to close; `caller` once its certificate has been accepted. */
interface Connection<C> {
  /** The TLS socket once admitted: HTTP/2 has taken over its handle, so destroying the one beneath would not close it. */
  socket: Socket;
  timer: NodeJS.Timeout;
  /** Was not let in, is counted, and is told so until the timer ends it. */
  isRefused: boolean;
  /** How often the listener's certificate had been renewed when it was made. */
  readonly generation: number;
  caller: C | undefined;
  /** One for each connection: grpc-js ends connections by what injected them. */
  injector: ConnectionInjector | undefined;
  isRetiring: boolean;
}

const UNKNOWN = refuse(
  "UNAUTHENTICATED",
  "The connection has no accepted certificate; connect again with one that is in force.",
);

const handshakeRefusal = (error: NodeJS.ErrnoException): ConnectionRefusal =>
  error.code === "ERR_TLS_HANDSHAKE_TIMEOUT" ? "HANDSHAKE_TIMED_OUT" : "HANDSHAKE_FAILED";

/** gRPC clients speak HTTP/2 alone; whoever offers HTTP/1.1 too is a browser. */
const protocolOf = ({ protocols }: { readonly protocols: readonly string[] }): string | undefined =>
  ["http/1.1", "h2"].find((protocol) => protocols.includes(protocol));

/** A connection on which nothing moves for so long ends; streams of events have a heartbeat below that. Units: ms. */
const PLAIN_IDLE_MS = 60_000;

function plainServer({ requestTimeoutMs: requestTimeout }: ListenerLimits, handler: RequestListener): HttpServer {
  const connectionsCheckingInterval = Math.ceil(requestTimeout / 4);
  const timeouts = { requestTimeout, headersTimeout: requestTimeout, connectionsCheckingInterval };
  const server = createHttpServer({ maxHeaderSize: 16 * 1_024, ...timeouts }, handler);
  server.timeout = PLAIN_IDLE_MS;
  // It is handed its connections and never listens; without this event Node looks at no request's time.
  server.emit("listening");
  return server;
}

/** Ends a connection as grpc-js ends its own: what is asked may be answered within the grace. */
const plainInjector = (server: HttpServer, socket: Socket): ConnectionInjector => ({
  injectConnection: (connection) => void server.emit("connection", connection),
  drain: (graceMs) => void setTimeout(() => socket.destroy(), graceMs).unref(),
  destroy: () => void socket.destroy(),
});

/** As grpc-js's getPeer writes it. */
const peerOf = (socket: Socket): string => `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;

/**
 * Opens the listener.
 * Bounds: see ListenerLimits; beyond them a connection is closed before its handshake.
 * Throws: Fault LISTEN_FAILED when the address cannot be bound.
 */
export async function openGrpcListener<C extends Caller>(options: GrpcListenerOptions<C>): Promise<GrpcListener<C>> {
  const limits = { ...LIMITS, ...options.limits };
  const connections = new Connections<C>(limits, options.onRefused ?? (() => undefined));
  let named: ReadonlyMap<string, SecureContext> = new Map();
  const server = createServer({
    ...tlsContext(options.tls),
    // Undefined: the listener's own.
    SNICallback: (name, choose) => choose(null, named.get(name.toLowerCase())),
    requestCert: true,
    rejectUnauthorized: false,
    ...(options.http === undefined ? { ALPNProtocols: ["h2"] } : { ALPNCallback: protocolOf }),
    handshakeTimeout: limits.handshakeTimeoutMs,
  });

  const plain = options.http?.(({ socket }) => connections.callerAt(peerOf(socket)));
  const http = plain && plainServer(limits, plain);

  const admit = async (socket: TLSSocket, peer: string): Promise<void> => {
    const isPlain = http !== undefined && socket.alpnProtocol === "http/1.1";
    if (!isPlain && socket.alpnProtocol !== "h2") return connections.drop(peer, "NOT_HTTP2");
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return connections.drop(peer, "NO_CERTIFICATE");
    const caller = await options.authenticate(Uint8Array.from(certificate.raw));
    if (!caller.ok) {
      const { code } = caller.refusal;
      return isAnswered(code) && !isPlain
        ? connections.answerRefused(peer, code, socket)
        : connections.drop(peer, code);
    }
    // Not "secure" for grpc-js: TLS ends here, it gets the decrypted sockets.
    connections.admit(peer, caller.value, socket, () =>
      isPlain
        ? plainInjector(http, socket)
        : options.server.createConnectionInjector(ServerCredentials.createInsecure()),
    );
  };
  server.on("connection", (socket: Socket) => connections.accept(socket));
  server.on("tlsClientError", (error, socket) => connections.drop(peerOf(socket), handshakeRefusal(error)));
  server.on("secureConnection", (socket: TLSSocket) => {
    const peer = peerOf(socket);
    socket.on("error", () => socket.destroy());
    admit(socket, peer).catch(() => connections.drop(peer, "AUTHENTICATION_FAILED"));
  });

  await listen(server, options.host, options.port);
  return {
    port: (server.address() as AddressInfo).port,
    callerOf: (call: PeerCall) => {
      const caller = connections.callerAt(call.getPeer());
      return caller === undefined ? UNKNOWN : ok(caller);
    },
    connections: () => connections.admitted,
    closeWhere: (predicate) => connections.closeWhere(predicate),
    retireWhere: (predicate, graceMs) => connections.retireWhere(predicate, graceMs),
    renew: (tls) => {
      server.setSecureContext(tlsContext(tls));
      connections.renewed();
    },
    certifyNames: (names, tls) => {
      const context = createSecureContext(tlsContext(tls));
      named = new Map(names.map((name) => [name, context]));
    },
    close: async (graceMs) => {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      connections.refuseAll();
      connections.retireWhere(() => true, graceMs);
      const timer = setTimeout(() => connections.destroyAll(), graceMs);
      await closed;
      clearTimeout(timer);
      http?.close(); // ends its clock
    },
  };
}

/** The live connections of one listener, by the address of their other end. */
class Connections<C extends Caller> {
  readonly #limits: ListenerLimits;
  readonly #refused: (reason: ConnectionRefusal) => void;
  readonly #all = new Map<string, Connection<C>>();
  #unauthenticated = 0;
  #generation = 0;
  #closing = false;

  constructor(limits: ListenerLimits, refused: (reason: ConnectionRefusal) => void) {
    this.#limits = limits;
    this.#refused = refused;
  }

  get admitted(): number {
    return this.#all.size - this.#unauthenticated;
  }

  /** Takes a TCP connection, or destroys it before its handshake. */
  accept(socket: Socket): void {
    const peer = peerOf(socket);
    const reason = this.#reasonToRefuse(peer);
    if (reason !== undefined) {
      this.#refused(reason);
      socket.destroy();
      return;
    }
    const timer = setTimeout(() => this.drop(peer, "HANDSHAKE_TIMED_OUT"), this.#limits.handshakeTimeoutMs);
    const connection: Connection<C> = {
      socket,
      timer,
      isRefused: false,
      generation: this.#generation,
      caller: undefined,
      injector: undefined,
      isRetiring: false,
    };
    if (this.#unauthenticated >= this.#limits.unauthenticatedMax) this.#dropOldestUnauthenticated();
    this.#all.set(peer, connection);
    this.#unauthenticated += 1;
    socket.once("close", () => this.#forget(peer, connection));
  }

  /** One address names one connection: a second one can exist only towards another address of this host. */
  #reasonToRefuse(peer: string): ConnectionRefusal | undefined {
    if (this.#closing) return "CLOSED";
    if (this.#all.size >= this.#limits.connectionsMax) return "TOO_MANY_CONNECTIONS";
    return this.#all.has(peer) ? "SAME_PEER_ADDRESS" : undefined;
  }

  #dropOldestUnauthenticated(): void {
    for (const [peer, { caller }] of this.#all)
      if (caller === undefined) return this.drop(peer, "TOO_MANY_UNAUTHENTICATED");
  }

  /** Destroys a connection that was not let in and counts why, once. */
  drop(peer: string, reason: ConnectionRefusal): void {
    const connection = this.#all.get(peer);
    if (connection === undefined || connection.caller !== undefined) return;
    if (!connection.isRefused) this.#refused(reason);
    this.#forget(peer, connection);
    connection.socket.destroy();
  }

  /** Tells a connection that it is not let in and counts why, once. It counts among the unauthenticated while it stands. */
  answerRefused(peer: string, reason: ConnectionRefusal, socket: TLSSocket): void {
    const connection = this.#all.get(peer);
    if (connection === undefined || connection.caller !== undefined || connection.isRefused) return;
    this.#refused(reason);
    clearTimeout(connection.timer);
    connection.isRefused = true;
    connection.socket = socket;
    connection.timer = setTimeout(() => this.drop(peer, reason), REFUSED_SESSION_MS);
    socket.once("close", () => this.#forget(peer, connection));
    answerRefused(socket);
  }

  /** If the connection still stands it goes on to gRPC. */
  admit(peer: string, caller: C, socket: TLSSocket, inject: () => ConnectionInjector): void {
    const connection = this.#all.get(peer);
    if (connection === undefined || connection.caller !== undefined || connection.isRefused) return;
    if (this.#closing) return this.drop(peer, "CLOSED");
    if (this.#countOf(caller.aid) >= this.#limits.ofOneCallerMax) return this.drop(peer, "TOO_MANY_OF_ONE_CALLER");
    clearTimeout(connection.timer);
    connection.caller = caller;
    connection.socket = socket;
    socket.once("close", () => this.#forget(peer, connection));
    this.#unauthenticated -= 1;
    connection.injector = inject();
    connection.injector.injectConnection(socket);
  }

  /** Those that are to end do not count: their client makes new ones meanwhile. */
  #countOf(aid: Caller["aid"]): number {
    let count = 0;
    for (const { caller, isRetiring } of this.#all.values()) if (caller?.aid === aid && !isRetiring) count += 1;
    return count;
  }

  callerAt(peer: string): C | undefined {
    return this.#all.get(peer)?.caller;
  }

  renewed(): void {
    this.#generation += 1;
  }

  retireWhere(predicate: (caller: C, isNew: boolean) => boolean, graceMs: number): number {
    let retired = 0;
    for (const connection of this.#all.values()) {
      const { caller, generation, isRetiring, injector } = connection;
      if (caller === undefined || isRetiring || !predicate(caller, generation === this.#generation)) continue;
      connection.isRetiring = true;
      injector?.drain(graceMs);
      retired += 1;
    }
    return retired;
  }

  closeWhere(predicate: (caller: C) => boolean): number {
    let closed = 0;
    for (const [peer, connection] of [...this.#all]) {
      if (connection.caller === undefined || !predicate(connection.caller)) continue;
      // Forgotten at once, so that calls already read from the socket are refused.
      this.#forget(peer, connection);
      connection.socket.destroy();
      closed += 1;
    }
    return closed;
  }

  /** From now on nothing is let in; what is not in yet is dropped. */
  refuseAll(): void {
    this.#closing = true;
    for (const peer of [...this.#all.keys()]) this.drop(peer, "CLOSED");
  }

  destroyAll(): void {
    for (const { socket } of this.#all.values()) socket.destroy();
  }

  #forget(peer: string, connection: Connection<C>): void {
    if (this.#all.get(peer) !== connection) return;
    clearTimeout(connection.timer);
    connection.injector?.destroy();
    this.#all.delete(peer);
    if (connection.caller === undefined) this.#unauthenticated -= 1;
  }
}

function listen(server: ReturnType<typeof createServer>, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error): void => {
      const address = isIPv6(host) ? `[${host}]` : host;
      reject(new Fault("LISTEN_FAILED", `Cannot listen on ${address}:${port}: ${cause.message}`, { cause }));
    };
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      resolve();
    });
  });
}
