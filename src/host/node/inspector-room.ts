/**
 * The inspector of a node: what it remembers, the page on the health port where that is loopback alone, the same behind the API port's
 * mutual TLS, and links for whoever may look (DESIGN §3, ADR 0024).
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Aid } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { PeerIdentity } from "../../crypto/peer-certificate.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { NodeConfig } from "../config/schema.ts";
import type { Founding } from "../founding/document.ts";
import { LiveEntries } from "../inspector/live-entries.ts";
import { LiveSource } from "../inspector/live-source.ts";
import { loopbackHosts } from "../inspector/origin.ts";
import { type Judged, no } from "../inspector/refusals.ts";
import { InspectorServer, isInspectPath } from "../inspector/server.ts";
import { OneTimeTokens } from "../inspector/token.ts";
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { InspectLink } from "../services/inspect.ts";
import type { Serving } from "./serving-options.ts";

export interface InspectorParts {
  readonly config: NodeConfig;
  readonly founding: Founding;
  readonly self: Aid;
  /** The address that the health port listens on. */
  readonly healthHost: string;
  readonly keyStateOf: (aid: Aid) => KeyState | undefined;
  /** Undefined while the node is sealed. */
  readonly serving: () => Serving | undefined;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const LINK_LIFE_MS = 10 * 60_000;

const isLoopback = (host: string): boolean =>
  host === "::1" || host === "localhost" || /^127(\.\d{1,3}){3}$/.test(host);

export class InspectorRoom {
  /** What the node's workers remember; undefined when the inspector is off. */
  readonly entries: LiveEntries | undefined;
  readonly #parts: InspectorParts;
  readonly #tokens = new OneTimeTokens({ lifeMs: LINK_LIFE_MS });
  readonly #source: LiveSource | undefined;
  readonly #page: InspectorServer | undefined;
  #api: InspectorServer | undefined;
  #port = 0;

  constructor(parts: InspectorParts) {
    this.#parts = parts;
    const { config, founding, self, healthHost } = parts;
    if (!config.inspector) return;
    const names = founding.document.founders.map(({ name }) => name);
    const node = founding.document.founders.find(({ aid }) => aid === self)?.name ?? self;
    this.entries = new LiveEntries({ node, names, entriesMax: config.inspectorEntries, now: () => Date.now() });
    const { entries } = this;
    this.#source = new LiveSource({
      founding,
      self,
      entries,
      keyStateOf: (aid) => parts.serving()?.keyState(aid) ?? parts.keyStateOf(aid),
      askState: (question) => parts.serving()?.askState(question),
    });
    if (!isLoopback(healthHost)) return;
    const hosts = (): readonly string[] => [...loopbackHosts(this.#port), ...config.inspectorHosts];
    this.#page = this.#server(this.#source, {
      access: { kind: "token", tokens: this.#tokens },
      names: {
        scheme: "http",
        get hosts() {
          return hosts();
        },
      },
    });
  }

  /** For the health port; undefined where the page is not shown there. */
  get onHealth(): ((request: IncomingMessage, response: ServerResponse) => void) | undefined {
    const page = this.#page;
    return page && ((request, response) => void page.handle(request, response));
  }

  /** The health port has this number. */
  listening(port: number): void {
    this.#port = port;
  }

  /** For the API port: `callerOf` names the other end of a request's connection. */
  onApi(
    callerOf: (request: IncomingMessage) => PeerIdentity | undefined,
  ): (request: IncomingMessage, response: ServerResponse) => void {
    if (this.#source !== undefined)
      this.#api = this.#server(this.#source, {
        access: { kind: "judged", judge: (request) => this.#judge(callerOf(request)) },
        names: { scheme: "https", hosts: "any" },
      });
    return (request, response) => {
      if (this.#api !== undefined && isInspectPath(request.url)) return void this.#api.handle(request, response);
      response.writeHead(404, { "content-type": "text/plain; charset=utf-8", connection: "close" });
      response.end(
        "Over HTTP/1.1 this port shows /inspect/, where it is on, and nothing else; everything else is gRPC.\n",
      );
    };
  }

  /** A link for whoever asks over mutual TLS. Refuses: PERMISSION_DENIED, INSPECTOR_OFF. */
  readonly link = (caller: Aid): Result<InspectLink> => {
    if (!this.#mayLook(caller)) return refuse("PERMISSION_DENIED", NOT_ALLOWED);
    if (this.#page === undefined)
      return refuse(
        "INSPECTOR_OFF",
        "This node shows no page on its health port: inspector is off, or the port is not loopback's alone; see docs/INSPECTOR.md.",
      );
    this.#parts.logger.info("A link to the inspector was handed out", { operator: caller });
    return ok(this.devLink());
  };

  /** For `sky dev`, which started this process. */
  devLink(): InspectLink {
    const origin = `http://127.0.0.1:${this.#port}`;
    return { origin, token: this.#tokens.mint(), expiresInSeconds: LINK_LIFE_MS / 1_000 };
  }

  close(): void {
    this.#page?.close();
    this.#api?.close();
    this.entries?.close();
  }

  #server(
    source: LiveSource,
    options: Pick<ConstructorParameters<typeof InspectorServer>[0], "access" | "names">,
  ): InspectorServer {
    const { logger, metrics } = this.#parts;
    return new InspectorServer({
      source,
      // Loaded when somebody looks: a node that nobody looks at holds none of it.
      assets: async () => (await import("../../../tools/visualizer/assets.ts")).loadAssets(),
      ...options,
      onRefused: (code) => metrics.refused("inspector", code),
      onError: (error) => {
        metrics.count("defects");
        logger.error("The inspector met a defect", { error });
      },
    });
  }

  #judge(caller: PeerIdentity | undefined): Judged<void> {
    if (caller === undefined)
      return no("UNAUTHENTICATED", "The connection has no accepted certificate any more; connect again.");
    return this.#mayLook(caller.aid) ? ok(undefined) : no("FORBIDDEN", NOT_ALLOWED);
  }

  /** Operators are trusted with more than this; everybody else needs the graph to say so. */
  #mayLook(aid: Aid): boolean {
    const { founding, serving } = this.#parts;
    return founding.document.operators.some((operator) => operator.aid === aid) || serving()?.mayAudit(aid) === true;
  }
}

const NOT_ALLOWED =
  "Only operators, and administrators and auditors (sky:cluster#admin, #audit) of a node that serves, may look; ask an administrator for sky:cluster#audit.";
