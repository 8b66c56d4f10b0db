/** The inspector on a loopback port of its own, for `sky inspect` and `sky dev`: whoever has the printed link may look. */
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Fault } from "../../base/errors.ts";
import { loopbackHosts } from "./origin.ts";
import { type Assets, InspectorServer, isInspectPath } from "./server.ts";
import type { InspectorSource } from "./source.ts";
import { OneTimeTokens, linkWith } from "./token.ts";

const HOST = "127.0.0.1";
/** Eight windows with a stream and a few questions each. */
const CONNECTIONS_MAX = 64;
const HEADER_BYTES_MAX = 16 * 1024;
/** Until a request is complete; answers and streams take as long as they take. Units: ms. */
const REQUEST_TIMEOUT_MS = 10_000;

export interface PageServerOptions {
  readonly source: InspectorSource;
  /** 0 takes any free port. */
  readonly port: number;
  readonly onError: (error: unknown) => void;
}

export interface PageServer {
  readonly port: number;
  /** A link that opens the page once, within ten minutes: a new one at each call. */
  readonly link: () => string;
  /** Stops listening and ends every stream. The source stays open: whoever made it closes it. */
  readonly close: () => Promise<void>;
}

/** The page's bytes, made on the first request in a checkout; the published package brings them. */
const assets = async (): Promise<Assets> => (await import("../../../tools/visualizer/assets.ts")).loadAssets();

/** Throws: Fault INSPECTOR_LISTEN when the port cannot be had. */
export async function openPageServer({ source, port, onError }: PageServerOptions): Promise<PageServer> {
  const tokens = new OneTimeTokens();
  const server = createServer({
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: REQUEST_TIMEOUT_MS / 4, // Node's own is half a minute, and as long could all be held
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listening(server, port);
  const { port: taken } = server.address() as AddressInfo;
  const access = { kind: "token", tokens } as const;
  const names = { hosts: loopbackHosts(taken), scheme: "http" } as const;
  const inspector = new InspectorServer({ source, assets, access, names, onError });
  server.on("request", (request, response) => {
    if (isInspectPath(request.url)) return void inspector.handle(request, response);
    if (request.url === "/") return void response.writeHead(308, { location: "/inspect/", "content-length": 0 }).end();
    response.writeHead(404, { "content-length": 0 }).end();
  });
  return {
    port: taken,
    link: () => linkWith(`http://${HOST}:${taken}`, tokens.mint()),
    close: () =>
      new Promise((resolve) => {
        inspector.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const what = cause.code === "EADDRINUSE" ? "is in use" : `cannot be had (${cause.code ?? cause.message})`;
      reject(new Fault("INSPECTOR_LISTEN", `Port ${port} of ${HOST} ${what}; name another with --port.`, { cause }));
    });
    server.listen(port, HOST, () => resolve());
  });
}
