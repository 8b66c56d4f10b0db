/**
 * The stream that this member dials to one other and sends on. It is dialled again when it breaks; it migrates to a new connection when
 * keys or certificates change and when it is old: the new one stands before the old one ends.
 */
import type { TLSSocket } from "node:tls";
import { connect } from "node:tls";
import type { MemberIndex } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import { framed } from "./frames.ts";
import type { PeerNetworkOptions } from "./peer-network.ts";
import { HANDSHAKE_TIMEOUT_MS, type PeerTls, RETIRE_GRACE_MS, certificateOf, tlsContext } from "./peer-tls.ts";

/** A peer that does not read loses its stream and gets holdings when it returns. */
const UNSENT_BYTES_MAX = 64 * 1024 * 1024;
const REDIAL_FIRST_MS = 50;
const REDIAL_GROWTH = 1.5;
const REDIAL_CAP_MS = 2000;
const KEEP_ALIVE_MS = 5000;
/** Streams that were dialled together do not migrate together: their ages differ by up to this part. */
const AGE_JITTER = 0.2;

type Options = Pick<
  PeerNetworkOptions,
  "authenticate" | "onConnected" | "onDisconnected" | "onMigration" | "onRefused" | "connectionMaxAgeMs"
>;

export class OutgoingStream {
  readonly #member: MemberIndex;
  readonly #endpoint: { readonly host: string; readonly port: number };
  readonly #options: Options;
  #tls: PeerTls;
  /** Grows with every reason to migrate; a connection dialled before the newest one migrates again. */
  #generation = 0;
  #socket: TLSSocket | undefined;
  /** The connection that is to take over, while it is dialled. */
  #successor: TLSSocket | undefined;
  readonly #retiring = new Set<TLSSocket>();
  #redial: NodeJS.Timeout | undefined;
  #age: NodeJS.Timeout | undefined;
  #wait = REDIAL_FIRST_MS;
  #corked: TLSSocket | undefined;
  #closed = false;
  ready = false;
  /** It should be on a new connection, and none could be had yet. */
  isOverdue = false;

  constructor(member: MemberIndex, endpoint: string, tls: PeerTls, options: Options) {
    const at = endpoint.lastIndexOf(":");
    this.#member = member;
    this.#endpoint = { host: endpoint.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(endpoint.slice(at + 1)) };
    this.#options = options;
    this.#tls = tls;
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
    if (this.#corked !== socket) {
      this.#corked = socket;
      socket.cork();
      queueMicrotask(() => {
        if (this.#corked === socket) this.#corked = undefined;
        socket.uncork();
      });
    }
    socket.write(framed(frame));
  }

  /** From now on with this key and certificate. */
  renew(tls: PeerTls): void {
    this.#tls = tls;
    this.migrate();
  }

  /** To a new connection, if there is one: one that is only being dialled is given up and dialled again. */
  migrate(): void {
    this.#generation += 1;
    if (this.ready) this.#dialSuccessor();
    else this.#socket?.destroy();
  }

  /** Migrates if the member's certificate, as it was shown, is accepted no more; if nothing takes over, the stream ends all the same. */
  rejudge(): void {
    const socket = this.#socket;
    if (!this.ready || socket === undefined || this.#judge(socket).ok) return;
    if (this.#successor === undefined) this.migrate(); // else one is on its way, and is judged when it stands
    this.#retire(socket);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#redial);
    clearTimeout(this.#age);
    for (const socket of [this.#socket, this.#successor, ...this.#retiring]) socket?.destroy();
  }

  #dial(): void {
    const generation = this.#generation;
    const socket = this.#open("secureConnect", () => this.#stands(socket, generation));
    this.#socket = socket;
    socket.once("close", () => this.#lost(socket));
  }

  #lost(socket: TLSSocket): void {
    if (this.#socket !== socket) return; // another one has taken over
    const stood = this.ready;
    this.ready = false;
    this.isOverdue = false;
    this.#socket = undefined;
    if (this.#closed) return;
    if (stood) this.#options.onDisconnected(this.#member);
    if (this.#successor !== undefined) return; // what it comes to decides
    this.#later(() => this.#dial());
  }

  #dialSuccessor(): void {
    if (this.#successor !== undefined || this.#closed) return;
    clearTimeout(this.#redial);
    const generation = this.#generation;
    let stood = false;
    // A handshake tells the dialler nothing of how its own certificate was judged: what stands goes on until the other end says so.
    const socket = this.#open("data", () => {
      stood = true;
      this.#successor = undefined;
      const before = this.#socket;
      this.#socket = socket;
      this.#stands(socket, generation);
      this.#options.onMigration(this.#member, true);
      if (before !== undefined) this.#end(before);
    });
    this.#successor = socket;
    socket.once("close", () => {
      if (stood) return this.#lost(socket);
      this.#successor = undefined;
      if (this.#closed) return;
      this.isOverdue = this.#socket !== undefined;
      this.#options.onMigration(this.#member, false);
      this.#later(() => (this.#socket === undefined ? this.#dial() : this.#dialSuccessor()));
    });
  }

  #stands(socket: TLSSocket, generation: number): void {
    this.#wait = REDIAL_FIRST_MS;
    this.ready = true;
    this.isOverdue = false;
    this.#options.onConnected(this.#member);
    clearTimeout(this.#age);
    const { connectionMaxAgeMs } = this.#options;
    if (connectionMaxAgeMs > 0)
      this.#age = setTimeout(() => this.migrate(), connectionMaxAgeMs * (1 - AGE_JITTER * Math.random()));
    if (generation !== this.#generation) this.#dialSuccessor(); // there was a reason to migrate meanwhile
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
  }

  /** Everything that was sent leaves first. */
  #end(socket: TLSSocket): void {
    socket.end();
    this.#retire(socket);
  }

  #retire(socket: TLSSocket): void {
    if (this.#retiring.has(socket)) return;
    this.#retiring.add(socket);
    const timer = setTimeout(() => socket.destroy(), RETIRE_GRACE_MS);
    socket.once("close", () => {
      clearTimeout(timer);
      this.#retiring.delete(socket);
    });
  }

  #later(run: () => void): void {
    clearTimeout(this.#redial);
    this.#redial = setTimeout(run, this.#wait);
    this.#wait = Math.min(REDIAL_CAP_MS, this.#wait * REDIAL_GROWTH);
  }

  /** Dials; tells when the connection leads to the member (secureConnect), or when the member has admitted it (data). */
  #open(when: "secureConnect" | "data", onReady: () => void): TLSSocket {
    const socket = connect({ ...this.#endpoint, ...tlsContext(this.#tls), rejectUnauthorized: false, timeout: 0 });
    socket.setNoDelay(true);
    const patience = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT_MS);
    socket.once("close", () => clearTimeout(patience));
    socket.once("secureConnect", () => {
      const judged = this.#judge(socket);
      if (judged.ok && judged.value === this.#member) return;
      this.#options.onRefused(judged.ok ? "OTHER_MEMBER" : judged.refusal.code);
      socket.destroy();
    });
    socket.once(when, () => {
      clearTimeout(patience);
      if (!socket.destroyed) onReady();
    });
    socket.on("error", () => socket.destroy());
    socket.resume(); // nothing but its admission is read on a dialled stream, but its end must be seen
    return socket;
  }

  #judge(socket: TLSSocket): Result<MemberIndex> {
    return this.#options.authenticate(certificateOf(socket));
  }
}
