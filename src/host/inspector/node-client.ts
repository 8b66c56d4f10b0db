/** The inspector of one running node, asked over HTTP as its page asks: by a one-time token that becomes a session. */
import { type Refusal, type Result, ok } from "../../base/result.ts";
import type { Entry, Gap } from "./contract.ts";
import { no } from "./refusals.ts";
import type { Answer, InspectorCode } from "./source.ts";

/** Where a node's inspector is, and a token that opens it once. */
export interface NodeLink {
  readonly origin: string;
  readonly token: string;
}

/** What its stream says, with what it takes to go on after it. */
export type NodePage =
  | { readonly kind: "entries"; readonly entries: readonly Entry[]; readonly bytes: number; readonly cursor: string }
  | { readonly kind: "gap"; readonly gap: Gap; readonly cursor: string };

/** An answer is at most a page of entries or of the graph. Units: bytes. */
const EVENT_BYTES_MAX = 32 * 1024 * 1024;
const ANSWER_TIMEOUT_MS = 10_000;

const OUT_OF_REACH = "The node does not answer; it may be starting, stopping or dead.";

/** One process of a node: when it ends, the client is of no more use. */
export class NodeClient {
  readonly #link: () => Promise<NodeLink | undefined>;
  #session: Promise<{ readonly origin: string; readonly cookie: string } | undefined> | undefined;

  constructor(link: () => Promise<NodeLink | undefined>) {
    this.#link = link;
  }

  /** Asks one question of the API; null parameters are left out. */
  async ask<T>(question: string, params: Readonly<Record<string, string | number | null>> = {}): Promise<Answer<T>> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) if (value !== null) query.set(name, String(value));
    try {
      const response = await this.#get(`${question}?${query.toString()}`, AbortSignal.timeout(ANSWER_TIMEOUT_MS));
      if (response === undefined) return no("NOT_READY", OUT_OF_REACH);
      const value: unknown = await response.json();
      return response.ok ? ok(value as T) : refusalOf(value);
    } catch {
      return no("NOT_READY", OUT_OF_REACH);
    }
  }

  /** Its entries after a cursor of its own, until the stream ends or breaks: then the caller comes back with the last cursor. */
  async *entries(after: string | null, signal: AbortSignal): AsyncGenerator<NodePage> {
    const query = after === null ? "" : `?after=${encodeURIComponent(after)}`;
    const response = await this.#get(`entries${query}`, signal);
    if (response === undefined || !response.ok || response.body === null) return;
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of response.body) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      if (text.length > EVENT_BYTES_MAX) return;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const page = pageOf(block);
        if (page !== undefined) yield page;
      }
    }
  }

  /** Undefined when there is no session to be had. */
  async #get(path: string, signal: AbortSignal): Promise<Response | undefined> {
    for (const isLast of [false, true]) {
      this.#session ??= this.#open();
      const session = await this.#session;
      if (session === undefined) {
        this.#session = undefined;
        return undefined;
      }
      const { origin, cookie } = session;
      const response = await fetch(`${origin}/inspect/api/${path}`, { headers: { cookie }, signal, redirect: "error" });
      if (response.status !== 401 || isLast) return response;
      this.#session = undefined; // it ended: another token opens another one
    }
    return undefined;
  }

  async #open(): Promise<{ readonly origin: string; readonly cookie: string } | undefined> {
    const link = await this.#link();
    if (link === undefined) return undefined;
    const response = await fetch(`${link.origin}/inspect/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: link.token }),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      redirect: "error",
    });
    const [cookie] = (response.headers.get("set-cookie") ?? "").split(";");
    return response.status === 204 && cookie !== undefined && cookie !== ""
      ? { origin: link.origin, cookie }
      : undefined;
  }
}

function pageOf(block: string): NodePage | undefined {
  const fields = new Map(
    block.split("\n").map((line): readonly [string, string] => {
      const at = line.indexOf(": ");
      return [line.slice(0, at), line.slice(at + 2)];
    }),
  );
  const [event, data, cursor] = [fields.get("event"), fields.get("data"), fields.get("id")];
  if (data === undefined || cursor === undefined) return undefined;
  if (event === "entries")
    return { kind: "entries", entries: JSON.parse(data) as readonly Entry[], bytes: data.length, cursor };
  return event === "gap" ? { kind: "gap", gap: JSON.parse(data) as Gap, cursor } : undefined;
}

function refusalOf(value: unknown): Result<never, Refusal<InspectorCode>> {
  const { code, message } = value as { readonly code?: unknown; readonly message?: unknown };
  const codes: readonly InspectorCode[] = ["INVALID_QUESTION", "NOT_FOUND", "NOT_HELD", "NOT_SHOWN", "TOO_MANY"];
  const known = codes.find((one) => one === code) ?? "NOT_READY";
  return no(known, typeof message === "string" ? message : OUT_OF_REACH);
}
