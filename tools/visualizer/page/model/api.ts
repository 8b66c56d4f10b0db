/** Questions to the page's server, as the contract has them; a refusal is an answer too. `fetch` is a port. */
import type {
  AS_ANSWERS,
  BlockRow,
  DifferencePage,
  DivergencePage,
  GraphPicture,
  InspectorRefusal,
  MachineName,
  MemberRow,
  REFUSAL_STATUS,
  SourceDescription,
} from "../../../../src/host/inspector/contract.ts";

const asAnswers: typeof AS_ANSWERS = "sky-refusals-as-answers";
const refusalStatus: typeof REFUSAL_STATUS = "sky-refusal-status";

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly status: number; readonly refusal: InspectorRefusal };

/** What the page needs of `fetch`. */
export type Fetch = (
  path: string,
  options?: {
    readonly method: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  },
) => Promise<{
  readonly ok: boolean;
  readonly status: number;
  readonly headers?: { get(name: string): string | null };
  json(): Promise<unknown>;
}>;

export type Parameters = Readonly<Record<string, string | number | null | undefined>>;

const isRefusal = (value: unknown): value is InspectorRefusal =>
  typeof value === "object" && value !== null && "code" in value && "message" in value;

const FULL = {
  code: "TOO_MANY",
  message: "As many windows as may watch do so already. Close one, and this one goes on.",
};

async function answerOf<T>(asking: ReturnType<Fetch>, isHead = false): Promise<Answer<T>> {
  try {
    const response = await asking;
    const status = Number(response.headers?.get(refusalStatus) ?? response.status);
    if (response.ok && status === response.status)
      return { ok: true, value: (isHead || response.status === 204 ? null : await response.json()) as T };
    const body: unknown = await response.json().catch(() => null);
    const refusal = isRefusal(body)
      ? body
      : { code: `HTTP_${status}`, message: `The server answered ${status}; look at its log.` };
    return { ok: false, status, refusal };
  } catch {
    const refusal = { code: "UNREACHABLE", message: "The server cannot be reached; is the process still running?" };
    return { ok: false, status: 0, refusal };
  }
}

export class Api {
  readonly #fetch: Fetch;
  readonly #base: string;

  /** `base`: where the page is served, without a slash at the end. */
  constructor(fetch: Fetch, base = "/inspect") {
    this.#fetch = fetch;
    this.#base = base;
  }

  /** Asks anything: `get<Explanation>("check", { node, … })`. Parameters that are null are left out. */
  get<T>(question: string, parameters: Parameters = {}): Promise<Answer<T>> {
    const said = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters))
      if (value !== null && value !== undefined) said.set(name, String(value));
    const query = said.size === 0 ? "" : `?${said.toString()}`;
    const headers = { [asAnswers]: "1" };
    return answerOf<T>(this.#fetch(`${this.#base}/api/${question}${query}`, { method: "GET", headers }));
  }

  /** Exchanges the one-time token for a cookie that this page's script cannot read. */
  openSession(token: string): Promise<Answer<null>> {
    const headers = { "content-type": "application/json" };
    return answerOf<null>(
      this.#fetch(`${this.#base}/session`, { method: "POST", headers, body: JSON.stringify({ token }) }),
    );
  }

  /** Whether one more window may watch. */
  async mayWatch(): Promise<Answer<null>> {
    const answer = await answerOf<null>(this.#fetch(`${this.#base}/api/entries`, { method: "HEAD" }), true);
    return answer.ok || answer.status !== 503 ? answer : { ...answer, refusal: FULL };
  }

  source = (): Promise<Answer<SourceDescription>> => this.get("source");
  context = (at: { node: string; life: number; n: number; machine: MachineName }): Promise<Answer<unknown>> =>
    this.get("context", at);
  blocks = (at: { node: string; from: number; limit: number }): Promise<Answer<readonly BlockRow[]>> =>
    this.get("blocks", at);
  graph = (at: { node: string; height: number; focus?: string; limit: number }): Promise<Answer<GraphPicture>> =>
    this.get("graph", at);
  members = (node: string): Promise<Answer<readonly MemberRow[]>> => this.get("members", { node });
  difference = (of: {
    left: string;
    leftHeight: number;
    right: string;
    rightHeight: number;
  }): Promise<Answer<DifferencePage>> => this.get("difference", of);
  divergence = (left: string, right: string): Promise<Answer<DivergencePage>> =>
    this.get("divergence", { left, right });
}
