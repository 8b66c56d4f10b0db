/** Calls of SkyClient, written down as they happen: a history for tools/linearizability. */
import { height } from "../../src/base/brands.ts";
import { type SkyClient, SkyError, newCommandId } from "../../src/client/sky-client.ts";
import type { Assertion } from "../../src/events/facts/graph.ts";
import type { CallOutcome, HistoryEntry } from "../linearizability/history.ts";

/** What a client may be told when nodes die, hang or are cut off. Anything else is the product's mistake. */
const EXPECTED: ReadonlySet<string> = new Set([
  "OUTCOME_UNKNOWN",
  "UNAVAILABLE_OUTCOME_UNKNOWN",
  "UNAVAILABLE",
  "SEALED",
  "BEHIND",
  "OVERLOADED",
  "DEADLINE_EXCEEDED",
  "CANCELLED",
  "EXPIRED", // a node whose clock is ahead refuses what another may have ordered
]);

/** A client at one node. */
export interface Door {
  readonly node: string;
  readonly client: SkyClient;
}

export class Recorder {
  readonly entries: HistoryEntry[] = [];
  /** Codes that no fault explains, with what was said. */
  readonly unexpected: string[] = [];
  readonly #namespace: string;
  /** The newest height that any answer has named. */
  #newest = 0;

  /** `namespace`: of the edges' names, so that runs do not meet. */
  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  session(name: string): Session {
    return new Session(name, this);
  }

  get newest(): number {
    return this.#newest;
  }

  add(entry: HistoryEntry): void {
    this.entries.push(entry);
    const { outcome } = entry;
    if (outcome.kind === "written") this.#newest = Math.max(this.#newest, outcome.receipt.height);
    if (outcome.kind === "checked") this.#newest = Math.max(this.#newest, outcome.height);
  }

  /** The code of a failed call. Throws: what is no answer of the client. */
  failed(error: unknown): string {
    if (!(error instanceof SkyError)) throw error;
    if (!EXPECTED.has(error.code)) this.unexpected.push(`${error.code}: ${error.message}`);
    return error.code;
  }

  /** The assertion that an edge's text stands for: neither side takes part in a map. */
  assertionOf(edge: string): Assertion {
    const relation = { namespace: "", name: "" };
    const node = (name: string) => ({ namespace: this.#namespace, name, relation });
    return { subject: node(`subject ${edge}`), object: node(`object ${edge}`) };
  }
}

/** One caller: each of its calls ends before the next begins. */
export class Session {
  readonly #name: string;
  readonly #recorder: Recorder;

  constructor(name: string, recorder: Recorder) {
    this.#name = name;
    this.#recorder = recorder;
  }

  /** One write, tried at these doors in turn under one id until one of them tells its outcome. */
  async write(edge: string, change: "grant" | "revoke", doors: readonly Door[], timeoutMs: number): Promise<void> {
    const id = newCommandId();
    const assertion = this.#recorder.assertionOf(edge);
    const kind = change === "grant" ? "addAssertion" : "deleteAssertion";
    const startMs = performance.now();
    let outcome: CallOutcome = { kind: "unknown" };
    let node = "";
    for (const door of doors) {
      node = door.node;
      try {
        const { receipt, changed } = await door.client.write([{ kind, assertion }], { id, timeoutMs });
        outcome = { kind: "written", receipt, changed: changed[0] === true };
        break;
      } catch (error) {
        this.#recorder.failed(error);
      }
    }
    const endMs = performance.now();
    this.#recorder.add({
      session: this.#name,
      node,
      call: { kind: "write", id, change, edge },
      startMs,
      endMs,
      outcome,
    });
  }

  /** Asks for edges, all at one height. `fresh`: the answer must know everything that anybody was told before. */
  async check(edges: readonly string[], fresh: boolean, { node, client }: Door, timeoutMs: number): Promise<void> {
    const atLeast = fresh ? this.#recorder.newest : null;
    const startMs = performance.now();
    const outcomes = await this.#ask(edges, atLeast, client, timeoutMs);
    const endMs = performance.now();
    for (const [i, edge] of edges.entries()) {
      const outcome = outcomes[i] ?? { kind: "unknown" };
      const call = { kind: "check", edge, atLeast } as const;
      this.#recorder.add({ session: this.#name, node, call, startMs, endMs, outcome });
    }
  }

  async #ask(
    edges: readonly string[],
    atLeast: number | null,
    client: SkyClient,
    timeoutMs: number,
  ): Promise<readonly CallOutcome[]> {
    const options = { atLeast: atLeast === null ? null : height(atLeast), timeoutMs };
    const [first, ...more] = edges.map((edge) => this.#recorder.assertionOf(edge));
    if (first === undefined) return [];
    try {
      if (more.length === 0) return [{ kind: "checked", ...(await client.check(first, options)) }];
      const reply = await client.checkBatch([first, ...more], options);
      return reply.results.map((result) => ({ kind: "checked", result, height: reply.height }));
    } catch (error) {
      const code = this.#recorder.failed(error);
      return edges.map(() => ({ kind: "refused", code }));
    }
  }
}
