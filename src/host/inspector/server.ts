/**
 * The inspector over HTTP: a source's answers, the page and its assets, behind a session or a connection that was judged before.
 *
 * A handler for any node:http server (the health port, the API port's TLS sockets, `sky dev`, `sky inspect`). Read-only: everything is GET
 * or HEAD but for POST /inspect/session, which exchanges a one-time token for a cookie. What limits strangers stands here: names and
 * origins (origin.ts), queries (questions.ts), readers and questions at a time, and a policy that lets the page load nothing from elsewhere.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type No, type Refusal, ok } from "../../base/result.ts";
import { bodyOf } from "../listeners/http-body.ts";
import { type StreamTimes, STREAM_TIMES, streamEntries } from "./event-stream.ts";
import { type Names, ofOurs } from "./origin.ts";
import { questionOf } from "./questions.ts";
import { type Judged, type ServerCode, no, statusOf } from "./refusals.ts";
import { AS_ANSWERS, REFUSAL_STATUS } from "./contract.ts";
import { type InspectorSource, TEXT_MAX } from "./source.ts";
import { type OneTimeTokens, type Session, Sessions } from "./token.ts";

export interface Asset {
  /** Content type. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** By path as the browser asks for it: `/inspect/`, `/inspect/assets/page.js`, … */
export type Assets = ReadonlyMap<string, Asset>;

/** Who may ask. */
export type Access =
  /** Whoever exchanged a one-time token for a session. */
  | { readonly kind: "token"; readonly tokens: OneTimeTokens; readonly sessions?: Sessions }
  /** The connection says who asks (mutual TLS): judged at each request, since a right may end while it lives. */
  | { readonly kind: "judged"; readonly judge: (request: IncomingMessage) => Judged<void> };

export interface InspectorServerOptions {
  readonly source: InspectorSource;
  readonly assets: () => Promise<Assets>;
  readonly access: Access;
  readonly names: Names;
  /** Told about each request that was refused, by a stable code. */
  readonly onRefused?: (code: string) => void;
  /** Told about an error of ours; the reader learns only that there was one. */
  readonly onError?: (error: unknown) => void;
  readonly limits?: Partial<InspectorLimits>;
  readonly times?: StreamTimes;
}

export interface InspectorLimits {
  /** Readers of entries at a time. */
  readonly streamsMax: number;
  /** Of them those of one session; behind mutual TLS, of one address. */
  readonly streamsOfOneMax: number;
  /** Questions that are being answered at a time. */
  readonly questionsMax: number;
  /** Wrong tokens within a minute that are answered one by one; more only hear that there were too many. */
  readonly wrongTokensMax: number;
}

/**
 * Eight windows, four of one browser: over HTTP/1.1 it has six connections to one host, and whoever watches must still be able to ask.
 * A page asks a handful of things at once; nobody types thirty tokens a minute.
 */
const LIMITS: InspectorLimits = { streamsMax: 8, streamsOfOneMax: 4, questionsMax: 32, wrongTokensMax: 30 };
const TOKEN_BODY_BYTES_MAX = 1_024;
const BODY_TIMEOUT_MS = 5_000;
const URL_CHARS_MAX = 2 * TEXT_MAX + 1_024;
const MINUTE_MS = 60_000;

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
} as const;

export const INSPECT_PATH = "/inspect";

/** Whether a request is for the inspector: `/inspect` or anything below it. */
export const isInspectPath = (url: string | undefined): boolean =>
  url !== undefined && /^\/inspect(?:[/?]|$)/.test(url);

export class InspectorServer {
  readonly #options: InspectorServerOptions;
  readonly #limits: InspectorLimits;
  readonly #sessions: Sessions;
  readonly #closed = new AbortController();
  /** Of each reader that has any. */
  readonly #streams = new Map<string, number>();
  #questions = 0;
  #wrong = { since: 0, count: 0 };

  constructor(options: InspectorServerOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#sessions = (options.access.kind === "token" && options.access.sessions) || new Sessions();
  }

  /** Answers a request of `isInspectPath`. Never rejects. */
  readonly handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.on("error", () => response.destroy());
    try {
      await this.#answer(request, response);
    } catch (error) {
      this.#options.onError?.(error);
      if (response.headersSent) response.destroy();
      else this.#refuse(request, response, "FAILED", "The inspector failed to answer; the node's log says why.");
    }
  };

  /** Streams and sessions end; what comes later is refused. */
  close(): void {
    this.#closed.abort();
    this.#sessions.clear();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "";
    const [path = "", ...rest] = url.split("?");
    const query = rest.join("?");
    const isPage = path === INSPECT_PATH || path === `${INSPECT_PATH}/`;
    const named = ofOurs(request, this.#options.names, isPage);
    if (!named.ok) return this.#no(request, response, named);
    if (this.#closed.signal.aborted) return this.#refuse(request, response, "NOT_READY", "The inspector is closing.");
    if (url.length > URL_CHARS_MAX)
      return this.#refuse(request, response, "INVALID_QUESTION", `A question has at most ${URL_CHARS_MAX} characters.`);
    const isSession = path === `${INSPECT_PATH}/session`;
    if (isSession ? request.method !== "POST" : request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", isSession ? "POST" : "GET, HEAD");
      return this.#refuse(request, response, "METHOD_NOT_ALLOWED", "The inspector only shows: GET and HEAD.");
    }
    if (isSession) return this.#openSession(request, response, named.value);
    if (path === INSPECT_PATH) return redirect(response);
    if (!path.startsWith(`${INSPECT_PATH}/api/`)) return this.#asset(request, response, path);
    const session = this.#judge(request, named.value);
    if (!session.ok) return this.#no(request, response, session);
    const name = path.slice(`${INSPECT_PATH}/api/`.length);
    if (name === "entries") return this.#stream(request, response, query, session.value);
    return this.#question(request, response, name, query);
  }

  /** Who asks, and when the right to do so ends at the latest. */
  #judge(request: IncomingMessage, host: string): Judged<Session> {
    const { access } = this.#options;
    if (access.kind === "judged") {
      const judged = access.judge(request);
      return judged.ok ? ok({ until: Number.POSITIVE_INFINITY, name: request.socket.remoteAddress ?? "" }) : judged;
    }
    const session = cookies(request, cookieName(host))
      .map((value) => this.#sessions.find(value))
      .find((one) => one !== undefined);
    return session === undefined
      ? no("UNAUTHENTICATED", "This page needs a fresh link: open one that `sky dev` or `sky inspect` has printed.")
      : ok(session);
  }

  /** POST {token}: used up whatever comes of it. */
  async #openSession(request: IncomingMessage, response: ServerResponse, host: string): Promise<void> {
    const { access, names } = this.#options;
    const body = await bodyOf(request, TOKEN_BODY_BYTES_MAX, BODY_TIMEOUT_MS).catch(() => undefined);
    if (body === undefined) return void response.destroy();
    const token = typeof body === "string" ? undefined : tokenOf(request, body);
    if (token === undefined)
      return this.#refuse(request, response, "BODY_REFUSED", 'The body is {"token": "…"} as application/json.');
    if (access.kind === "judged") {
      const judged = access.judge(request);
      return judged.ok ? void response.writeHead(204, HEADERS).end() : this.#no(request, response, judged);
    }
    if (!access.tokens.redeem(token)) {
      const isTooMany = this.#isTooManyWrong();
      if (isTooMany) response.setHeader("retry-after", "60");
      return isTooMany
        ? this.#refuse(request, response, "TOO_MANY", "Too many wrong links; wait a minute.")
        : this.#refuse(
            request,
            response,
            "UNAUTHENTICATED",
            "This link was used, has expired, or is another node's; ask for a fresh one.",
          );
    }
    const life = Math.floor(this.#sessions.lifeMs / 1_000);
    const secure = names.scheme === "https" ? "; Secure" : "";
    response
      .writeHead(204, {
        ...HEADERS,
        "set-cookie": `${cookieName(host)}=${this.#sessions.open()}; HttpOnly; SameSite=Strict; Path=${INSPECT_PATH}; Max-Age=${life}${secure}`,
      })
      .end();
  }

  #isTooManyWrong(): boolean {
    const now = Date.now();
    if (now - this.#wrong.since > MINUTE_MS) this.#wrong = { since: now, count: 0 };
    this.#wrong.count += 1;
    return this.#wrong.count > this.#limits.wrongTokensMax;
  }

  async #asset(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const asset = (await this.#options.assets()).get(path);
    if (asset === undefined)
      return this.#refuse(request, response, "NOT_FOUND", "There is no such page; the inspector is at /inspect/.");
    response.writeHead(200, { ...HEADERS, "content-type": asset.type, "content-length": asset.bytes.length });
    response.end(request.method === "HEAD" ? undefined : asset.bytes);
  }

  async #question(request: IncomingMessage, response: ServerResponse, name: string, query: string): Promise<void> {
    const question = questionOf(this.#options.source, name, query);
    if (!question.ok) return this.#answerNo(request, response, question);
    if (this.#questions >= this.#limits.questionsMax)
      return this.#answerNo(request, response, no("TOO_MANY", "Too many questions at a time; ask again in a moment."));
    this.#questions += 1;
    try {
      const answer = await question.value();
      if (!answer.ok) return this.#answerNo(request, response, answer);
      this.#json(request, response, 200, answer.value);
    } finally {
      this.#questions -= 1;
    }
  }

  async #stream(
    request: IncomingMessage,
    response: ServerResponse,
    query: string,
    { name, until }: Session,
  ): Promise<void> {
    const params = new URLSearchParams(query);
    const last = request.headers["last-event-id"];
    const after = (typeof last === "string" ? last : null) ?? params.get("after");
    if ([...params.keys()].some((key) => key !== "after") || (after?.length ?? 0) > TEXT_MAX)
      return this.#refuse(
        request,
        response,
        "INVALID_QUESTION",
        "entries takes after alone: the id of the last event.",
      );
    const own = this.#streams.get(name) ?? 0;
    const all = [...this.#streams.values()].reduce((sum, count) => sum + count, 0);
    if (all >= this.#limits.streamsMax || own >= this.#limits.streamsOfOneMax)
      return this.#refuse(request, response, "TOO_MANY", "Too many windows watch this node; close one.");
    response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream; charset=utf-8" });
    if (request.method === "HEAD") return void response.end();
    this.#streams.set(name, own + 1);
    const lapsed = this.#lapse(request, until);
    try {
      await streamEntries(
        this.#options.source,
        after,
        response,
        AbortSignal.any([this.#closed.signal, lapsed.signal]),
        this.#options.times ?? STREAM_TIMES,
      );
    } finally {
      lapsed.stop();
      const left = (this.#streams.get(name) ?? 1) - 1;
      if (left > 0) this.#streams.set(name, left);
      else this.#streams.delete(name);
    }
  }

  /** Aborts when the reader's session ends, or its right does. */
  #lapse(request: IncomingMessage, until: number): { readonly signal: AbortSignal; readonly stop: () => void } {
    const lapsed = new AbortController();
    const { access } = this.#options;
    const look = (): void => {
      if (Date.now() >= until || (access.kind === "judged" && !access.judge(request).ok)) lapsed.abort();
    };
    const timer = setInterval(look, LAPSE_LOOK_MS);
    return { signal: lapsed.signal, stop: () => clearInterval(timer) };
  }

  /**
   * A "no" to a question is an answer like any other: a node that has just come back is not ready yet, and a browser would write that into
   * its console as an error of the page. So the page asks for it as an answer, whose status a header has.
   */
  #answerNo(request: IncomingMessage, response: ServerResponse, refused: No<Refusal<ServerCode>>): void {
    if (request.headers[AS_ANSWERS] === undefined) return this.#no(request, response, refused);
    const { code, message } = refused.refusal;
    this.#options.onRefused?.(code);
    response.setHeader(REFUSAL_STATUS, statusOf(code));
    this.#json(request, response, 200, { code, message });
  }

  #no(
    request: IncomingMessage,
    response: ServerResponse,
    { refusal }: { readonly refusal: Refusal<ServerCode> },
  ): void {
    this.#refuse(request, response, refusal.code, refusal.message);
  }

  #refuse(request: IncomingMessage, response: ServerResponse, code: ServerCode, message: string): void {
    this.#options.onRefused?.(code);
    this.#json(request, response, statusOf(code), { code, message });
  }

  #json(request: IncomingMessage, response: ServerResponse, status: number, value: unknown): void {
    const text = `${JSON.stringify(value)}\n`;
    response.writeHead(status, {
      ...HEADERS,
      "content-type": "application/json; charset=utf-8",
      "content-length": Buffer.byteLength(text),
      // A body that nobody asked for, or nobody read, must not be read as the next request.
      ...(request.complete || !hasBody(request) ? {} : { connection: "close" }),
    });
    response.end(request.method === "HEAD" ? undefined : text);
  }
}

/** How soon a stream notices that its session, or the right of its reader, ended. Units: ms. */
const LAPSE_LOOK_MS = 5_000;

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";

const redirect = (response: ServerResponse): void =>
  void response.writeHead(308, { ...HEADERS, location: `${INSPECT_PATH}/`, "content-length": 0 }).end();

/** Cookies know no ports: nodes on one machine would overwrite each other's. */
const cookieName = (host: string): string => `sky_inspect_${/:(\d+)$/.exec(host)?.[1] ?? "443"}`;

/** Bounds: the first few of that name; a browser sends one. */
function cookies(request: IncomingMessage, name: string): readonly string[] {
  const found: string[] = [];
  for (const pair of (request.headers.cookie ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at > 0 && pair.slice(0, at).trim() === name) found.push(pair.slice(at + 1).trim());
  }
  return found.slice(0, 4);
}

/** The type makes a browser ask first (CORS) before another site's page may post it. */
function tokenOf(request: IncomingMessage, body: Uint8Array): string | undefined {
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString("utf8"));
    return typeof value === "object" && value !== null && "token" in value && typeof value.token === "string"
      ? value.token
      : undefined;
  } catch {
    return undefined;
  }
}
