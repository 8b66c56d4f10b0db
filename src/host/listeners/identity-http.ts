/**
 * The identity port: HTTP that whoever verifies identifiers asks (OOBI, DIDs, revocation). Unauthenticated and read-only: everything it
 * says is signed by others. What is served stands in routes, which are asked in order. TLS, where it is wanted, ends before it.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Fault } from "../../base/errors.ts";
import { bodyOf, drained, hasUnreadBody } from "./http-body.ts";

export interface IdentityRequest {
  readonly method: "GET" | "POST";
  /** Path's segments, decoded from percent-encoding once; no empty ones. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  /** Header values, by lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Of POST: at most as long as the route takes. */
  readonly body: Uint8Array;
}

export interface IdentityReply {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface IdentityRoute {
  /** Undefined when the path is another route's. Rejects only for defects. */
  readonly answer: (request: IdentityRequest) => Promise<IdentityReply> | undefined;
  /** Which paths take a POST, and its longest body; absent: GET and HEAD only. Units: bytes. */
  readonly post?: { readonly isFor: (path: IdentityRequest["path"]) => boolean; readonly bytesMax: number };
}

export interface IdentityListenerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly routes: readonly IdentityRoute[];
  /** Told about each request that was refused, by a stable code. */
  readonly onRefused: (code: string) => void;
  readonly onAnswered: () => void;
  readonly onDefect: (error: unknown) => void;
  /** How long a body is waited for. Units: ms; a second unless given. */
  readonly bodyTimeoutMs?: number;
}

export interface IdentityListener {
  readonly port: number;
  /** Stops listening and closes every connection. */
  readonly close: () => Promise<void>;
}

/** A path with two long identifiers, and what proxies add. */
const HEADER_BYTES_MAX = 8_192;
const URL_CHARS_MAX = 2_048;
const CONNECTIONS_MAX = 256;
/** Answers under way at once: each may hold a page of 1 MiB. */
const ANSWERS_MAX = 32;
/** Bodies that are waited for at once, and how long each is. They take no answer's place: whoever sends none keeps nobody else out. */
const BODIES_MAX = 16;
const BODY_TIMEOUT_MS = 1_000;
/** A request must be complete within this time; a connection on which nothing moves ends after twice as long. Units: ms. */
const REQUEST_TIMEOUT_MS = 5_000;
const IDLE_TIMEOUT_MS = 10_000;

/** Starts listening. Throws: Fault IDENTITY_LISTEN when the port cannot be had. */
export async function listenIdentity(options: IdentityListenerOptions): Promise<IdentityListener> {
  const server = createServer({
    maxHeaderSize: HEADER_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: 1_000,
    requireHostHeader: false,
  });
  server.timeout = IDLE_TIMEOUT_MS;
  server.maxConnections = CONNECTIONS_MAX;
  server.maxRequestsPerSocket = 1_000;
  const answers = new Answers(options);
  server.on("request", (request, response) => void answers.answer(request, response));
  server.on("clientError", (error, socket) => {
    options.onRefused("MALFORMED_HTTP");
    const isLong = "code" in error && error.code === "HPE_HEADER_OVERFLOW";
    const status = isLong ? "431 Request Header Fields Too Large" : "400 Bad Request";
    if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    else socket.destroy();
  });
  server.on("drop", () => options.onRefused("TOO_MANY_CONNECTIONS"));
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return { port, close: () => close(server) };
}

const listen = (server: Server, { host, port }: IdentityListenerOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    const onError = (cause: Error): void =>
      reject(new Fault("IDENTITY_LISTEN", `The identity port ${host}:${port} cannot be had.`, { cause }));
    server.once("error", onError);
    server.listen({ host, port }, () => {
      server.off("error", onError);
      resolve();
    });
  });

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

const plain = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): IdentityReply => ({
  status,
  type: "text/plain; charset=utf-8",
  body: `${body}\n`,
  headers,
});

const COMMON_HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  // Everything here is public and the same for everybody, and pages that resolve identifiers ask for it.
  "access-control-allow-origin": "*",
} as const;

class Answers {
  readonly #options: IdentityListenerOptions;
  #underWay = 0;
  #bodies = 0;

  constructor(options: IdentityListenerOptions) {
    this.#options = options;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const asked = await this.#read(request);
      await ("status" in asked ? send(request, response, asked) : this.#serve(asked, request, response));
      this.#options.onAnswered();
    } catch (error) {
      // A caller that went away is none.
      if (!response.destroyed && !request.destroyed) this.#options.onDefect(error);
      response.destroy();
    }
  }

  #refused(code: string, reply: IdentityReply): IdentityReply {
    this.#options.onRefused(code);
    return reply;
  }

  /** The request, once it is whole; or why it is none. Path and method are judged before a byte of a body is read. */
  async #read(request: IncomingMessage): Promise<IdentityRequest | IdentityReply> {
    const { method = "GET", url = "/" } = request;
    const path = pathOf(url);
    if (path === undefined) return this.#refused("MALFORMED", plain(400, "The path is no path of this port."));
    const post = this.#options.routes.find((route) => route.post?.isFor(path) === true)?.post;
    const isPost = method === "POST" && post !== undefined;
    if (!isPost && method !== "GET" && method !== "HEAD") {
      const allow = post === undefined ? "GET, HEAD" : "GET, HEAD, POST";
      return this.#refused("METHOD_NOT_ALLOWED", plain(405, `Only ${allow}.`, { allow }));
    }
    const body = isPost ? await this.#bodyOf(request, post.bytesMax) : new Uint8Array(0);
    if ("status" in body) return body;
    return {
      method: isPost ? "POST" : "GET",
      path,
      query: new URLSearchParams(url.split("?", 2)[1] ?? ""),
      headers: Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : value]),
      ),
      body,
    };
  }

  async #bodyOf(request: IncomingMessage, bytesMax: number): Promise<Uint8Array | IdentityReply> {
    if (this.#bodies >= BODIES_MAX) return this.#overloaded();
    const { bodyTimeoutMs = BODY_TIMEOUT_MS } = this.#options;
    this.#bodies += 1;
    try {
      const body = await bodyOf(request, bytesMax, bodyTimeoutMs);
      if (body === "TOO_LARGE") return this.#refused(body, plain(413, `At most ${bytesMax} bytes.`));
      if (body === "TOO_SLOW") return this.#refused(body, plain(408, `Send it within ${bodyTimeoutMs} ms.`));
      return body;
    } finally {
      this.#bodies -= 1;
    }
  }

  #overloaded(): IdentityReply {
    return this.#refused("OVERLOADED", plain(503, "Too many at once; ask again.", { "retry-after": "1" }));
  }

  async #serve(asked: IdentityRequest, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#underWay >= ANSWERS_MAX) return send(request, response, this.#overloaded());
    this.#underWay += 1;
    try {
      await send(request, response, await this.#replyTo(asked));
    } finally {
      this.#underWay -= 1;
    }
  }

  async #replyTo(asked: IdentityRequest): Promise<IdentityReply> {
    for (const route of this.#options.routes) {
      if (asked.method === "POST" && route.post?.isFor(asked.path) !== true) continue;
      const reply = await route.answer(asked);
      if (reply === undefined) continue;
      if (reply.status >= 400) this.#options.onRefused(CODES.get(reply.status) ?? "REFUSED");
      return reply;
    }
    return this.#refused("NOT_FOUND", plain(404, "There is nothing here; see /oobi/{aid} and /1.0/identifiers/{did}."));
  }
}

const CODES: ReadonlyMap<number, string> = new Map([
  [400, "MALFORMED"],
  [404, "NOT_FOUND"],
  [501, "UNSUPPORTED"],
  [503, "OVERLOADED"],
]);

function pathOf(url: string): readonly string[] | undefined {
  if (url.length > URL_CHARS_MAX || !url.startsWith("/")) return undefined;
  const [path = ""] = url.split("?", 1);
  try {
    return path
      .split("/")
      .filter((segment) => segment !== "")
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

async function send(request: IncomingMessage, response: ServerResponse, reply: IdentityReply): Promise<void> {
  const { status, type, body, headers } = reply;
  const whole = typeof body === "string" || body instanceof Uint8Array ? Buffer.from(body as string) : undefined;
  response.writeHead(status, {
    ...COMMON_HEADERS,
    "content-type": type,
    ...(whole === undefined || status === 304 ? {} : { "content-length": whole.length }),
    // A body that nobody asked for must not be read as the next request.
    ...(hasUnreadBody(request) ? { connection: "close" } : {}),
    ...headers,
  });
  if (request.method === "HEAD" || status === 304) return void response.end();
  if (whole !== undefined) return void response.end(whole);
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    if (response.destroyed) return;
    if (!response.write(chunk)) await drained(response);
  }
  response.end();
}
