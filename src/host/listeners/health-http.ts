/** The health port: HTTP probes and metrics, unauthenticated, for loopback unless told otherwise (DESIGN §3). */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Fault } from "../../base/errors.ts";
import { isInspectPath } from "../inspector/server.ts";

/** One thing that a probe depends on. */
export interface HealthCheck {
  /** A fixed word, such as "sealed" or "log"; never a path or an identifier. */
  readonly name: string;
  readonly ok: boolean;
  /** For the verbose page: what it waits for. Never a path or an identifier. */
  readonly detail?: string;
}

/** What the node knows of its own health, asked at every probe. Must be quick. */
export interface HealthState {
  /** Whether the process should go on living; false asks the orchestrator for a restart. */
  readonly live: () => readonly HealthCheck[];
  /** Whether it can serve clients now. */
  readonly ready: () => readonly HealthCheck[];
  /** Whether start-up is over. */
  readonly started: () => readonly HealthCheck[];
}

export interface HealthOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly state: HealthState;
  readonly metrics: { readonly page: () => Promise<string>; readonly contentType: string };
  /** Answers what is below /inspect; undefined: it is not shown here. */
  readonly inspect?: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  /** Told about each request that was refused, by a stable code. */
  readonly onRefused?: (code: string) => void;
}

export interface HealthListener {
  readonly port: number;
  /** Stops listening and closes every connection. */
  readonly close: () => Promise<void>;
}

/** A probe is one short line; a browser that looks at the inspector brings the cookies of whatever else runs on loopback. */
const HEADER_BYTES_MAX = 8_192;
const CONNECTIONS_MAX = 64;
/** A request must be complete within this time. Units: ms. */
const REQUEST_TIMEOUT_MS = 5_000;

/** Starts listening. Throws: Fault HEALTH_LISTEN when the port cannot be had. */
export async function listenHealth(options: HealthOptions): Promise<HealthListener> {
  const refused = options.onRefused ?? (() => {});
  const server = createServer({
    maxHeaderSize: HEADER_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: 1_000,
    requireHostHeader: false,
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.maxRequestsPerSocket = 1_000;
  server.on("request", (request, response) => {
    if (options.inspect !== undefined && isInspectPath(request.url)) return options.inspect(request, response);
    void answer(options, request, response, refused).catch(() => response.destroy());
  });
  server.on("clientError", (error, socket) => {
    refused("MALFORMED_HTTP");
    const status =
      "code" in error && error.code === "HPE_HEADER_OVERFLOW"
        ? "431 Request Header Fields Too Large"
        : "400 Bad Request";
    if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    else socket.destroy();
  });
  server.on("drop", () => refused("TOO_MANY_CONNECTIONS"));
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return { port, close: () => close(server) };
}

const listen = (server: Server, { host, port }: HealthOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    const onError = (cause: Error): void =>
      reject(new Fault("HEALTH_LISTEN", `The health port ${host}:${port} cannot be had.`, { cause }));
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

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function answer(
  options: HealthOptions,
  request: IncomingMessage,
  response: ServerResponse,
  refused: (code: string) => void,
): Promise<void> {
  const reply = await replyTo(options, request, refused);
  response.writeHead(reply.status, {
    "content-type": reply.type,
    "content-length": Buffer.byteLength(reply.body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    // A body that nobody asked for must not be read as the next request.
    ...(hasBody(request) ? { connection: "close" } : {}),
    ...reply.headers,
  });
  response.end(request.method === "HEAD" ? undefined : reply.body);
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";

const text = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  type: "text/plain; charset=utf-8",
  body: `${body}\n`,
  headers,
});

async function replyTo(
  { state, metrics }: HealthOptions,
  request: IncomingMessage,
  refused: (code: string) => void,
): Promise<Reply> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    refused("METHOD_NOT_ALLOWED");
    return text(405, "Only GET and HEAD.", { allow: "GET, HEAD" });
  }
  const [path, query = ""] = (request.url ?? "/").split("?", 2);
  const verbose = new URLSearchParams(query).has("verbose");
  switch (path) {
    case "/livez":
      return probe(state.live(), verbose);
    case "/readyz":
      return probe(state.ready(), verbose);
    case "/startupz":
      return probe(state.started(), verbose);
    case "/metrics":
      return { status: 200, type: metrics.contentType, body: await metrics.page() };
    default:
      refused("NOT_FOUND");
      return isInspectPath(request.url)
        ? text(404, NOT_INSPECTED)
        : text(404, "There are /livez, /readyz, /startupz and /metrics.");
  }
}

const NOT_INSPECTED =
  "The inspector is not shown here: it is off, or this port is reached from other machines. The API port shows it, to operators and auditors.";

function probe(checks: readonly HealthCheck[], verbose: boolean): Reply {
  const failing = checks.filter((check) => !check.ok).map((check) => check.name);
  const status = failing.length === 0 ? 200 : 503;
  if (verbose)
    return { status, type: "application/json", body: `${JSON.stringify({ ok: failing.length === 0, checks })}\n` };
  return text(status, failing.length === 0 ? "ok" : `not ok: ${failing.join(", ")}`);
}
