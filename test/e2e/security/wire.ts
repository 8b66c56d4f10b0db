/** Raw ends of connections: what an attacker's own software would send, and how the connection ended. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Socket, connect as connectTcp } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as connectTls } from "node:tls";
import type { Identity } from "./stolen.ts";

const HOST = "127.0.0.1";

/** A TCP connection that says these bytes; resolves with what came back when the other end has closed it. */
export function say(port: number, bytes: Uint8Array | string): Promise<Buffer> {
  return new Promise((resolve) => {
    const heard: Buffer[] = [];
    const socket = connectTcp(port, HOST, () => socket.write(bytes));
    socket.on("data", (chunk: Buffer) => heard.push(chunk));
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(Buffer.concat(heard)));
  });
}

/** A connection that says nothing, or a little, and stays. */
export function linger(port: number, bytes: Uint8Array | string = ""): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connectTcp(port, HOST, () => {
      if (bytes.length > 0) socket.write(bytes);
      resolve(socket);
    });
    socket.on("error", () => resolve(socket));
    socket.resume();
  });
}

export const closed = (socket: Socket): Promise<void> =>
  socket.closed ? Promise.resolve() : new Promise((resolve) => void socket.once("close", () => resolve()));

/** TLS with this identity, or none; trusts whatever the server shows. */
export function tls(port: number, identity: Identity | undefined, options: ConnectionOptions = {}): TLSSocket {
  const socket = connectTls({
    host: HOST,
    port,
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
    ...identity,
    ...options,
  });
  socket.on("error", () => undefined);
  socket.resume();
  return socket;
}

/** Whether the server keeps the connection for this long. Units: ms. */
export async function isKept(socket: Socket, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const kept = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), ms);
  });
  const ended = closed(socket).then(() => false);
  const result = await Promise.race([kept, ended]);
  clearTimeout(timer);
  return result;
}

/** An HTTP/2 session over TLS with this identity. Rejects when it is not let in. */
export function http2(
  port: number,
  identity: Identity,
  settings: { readonly maxOutstandingPings?: number } = {},
): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`https://${HOST}:${port}`, {
      ...settings,
      createConnection: () => tls(port, identity),
    });
    session.once("remoteSettings", () => resolve(session));
    session.once("close", () => reject(new Error("the session ended")));
    session.on("error", () => reject(new Error("the session failed")));
  });
}

export const CHECK = "/com.hellblazer.delphi.v1.Oracle_/check";

export interface GrpcEnd {
  readonly status: string | undefined;
  readonly code: string | undefined;
  readonly reset: number;
}

/** Sends raw bytes as the body of a gRPC call; resolves with its trailers or how it was reset. */
export function grpcRaw(
  session: ClientHttp2Session,
  method: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<GrpcEnd> {
  return new Promise((resolve) => {
    let stream: ClientHttp2Stream;
    const found: Record<string, unknown> = {};
    try {
      stream = session.request({
        ":method": "POST",
        ":path": method,
        "content-type": "application/grpc",
        te: "trailers",
        ...headers,
      });
    } catch {
      return resolve({ status: undefined, code: undefined, reset: -1 });
    }
    stream.on("response", (all) => Object.assign(found, all));
    stream.on("trailers", (all) => Object.assign(found, all));
    stream.on("error", () => undefined);
    stream.resume();
    stream.once("close", () => {
      const text = (name: string): string | undefined => (typeof found[name] === "string" ? found[name] : undefined);
      resolve({ status: text("grpc-status"), code: text("sky-code"), reset: stream.rstCode ?? 0 });
    });
    stream.end(body);
  });
}

/** A gRPC message: flag, length, bytes; the length can be a lie. */
export function grpcMessage(bytes: Uint8Array, length = bytes.length): Buffer {
  const out = Buffer.alloc(5 + bytes.length);
  out.writeUInt32BE(length, 1);
  out.set(bytes, 5);
  return out;
}

/** Resident memory of a process. Units: bytes. */
export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (found === undefined) throw new Error(`process ${pid} has no memory`);
  return Number(found) * 1024;
}

export const mebibytes = (bytes: number): number => Math.round(bytes / 1024 / 1024);

/** A protobuf field of bytes. */
export const field = (number: number, content: Uint8Array): Buffer => {
  const length: number[] = [];
  for (let left = content.length; ; left >>>= 7) {
    if (left < 0x80) {
      length.push(left);
      break;
    }
    length.push((left & 0x7f) | 0x80);
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content]);
};
/** Messages within messages. */
export function nested(depth: number): Buffer {
  let inner: Buffer = Buffer.alloc(0);
  for (let i = 0; i < depth; i++) inner = field(1, inner);
  return inner;
}

/** Random, but for a first byte that begins no TLS record: a record that is announced and does not come is another test. */
export const noise = (length: number): Buffer => Buffer.concat([Buffer.from("x"), randomBytes(length)]);

/** What a page of metrics says that a port refused, by code. */
export function refusalsOf(page: string, port: string): Map<string, number> {
  const found = new Map<string, number>();
  const line = new RegExp(`^sky_refusals_total\\{port="${port}",code="(\\w+)"\\} (\\d+)$`, "gm");
  for (const [, code, count] of page.matchAll(line)) if (code !== undefined) found.set(code, Number(count));
  return found;
}
