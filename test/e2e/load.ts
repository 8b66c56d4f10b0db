/** Writers that never rest: each acknowledged write is remembered, to be looked for on every node afterwards. */
import { status } from "@grpc/grpc-js";
import { expect } from "vitest";
import type { GraphNode } from "../../src/events/facts/graph.ts";
import { SkyError, type Written } from "../../src/client/sky-client.ts";
import { type Cluster, PATIENCE_MS, until } from "./cluster.ts";
import { CompatibleClients, assertionMessageOf, nodeNamed, skyClient } from "./clients.ts";

export interface Acknowledged {
  readonly subject: GraphNode;
  readonly height: number;
  /** Index in its block; undefined where the service does not tell. */
  readonly index: number | undefined;
}

/** What acknowledged writes grant on. */
export const DOCUMENT = nodeNamed("document", "load");
/** As long as a command may be settled under its id. Units: ms. */
const ID_MS = 60_000;
/** Writers of each kind. */
const WRITERS = 3;

export class Load {
  readonly acknowledged: Acknowledged[] = [];
  /** Answers of nodes that were neither "done" nor too late: retried elsewhere. */
  readonly retried: string[] = [];
  /** Writes that nobody acknowledged, however long they were tried, or that were refused. */
  readonly failed: string[] = [];
  readonly #writers: Promise<void>[] = [];
  #stopping = false;

  /** Writes through these nodes, by sky.oracle.v1 and by the compatible service, until stopped. */
  constructor(cluster: Cluster, label: string, through: readonly string[]) {
    for (let writer = 0; writer < WRITERS; writer++) {
      const order = through.map((_, i) => through[(i + writer) % through.length] ?? "");
      this.#writers.push(this.#signed(cluster, `${label}-signed-${writer}`, order));
      this.#writers.push(this.#legacy(cluster, `${label}-legacy-${writer}`, order));
    }
  }

  /** Waits for that many more acknowledged writes. */
  more(count: number): Promise<unknown> {
    const from = this.acknowledged.length;
    return until(`${count} more acknowledged writes`, () => this.acknowledged.length >= from + count);
  }

  /** Ends when every write that was begun is acknowledged or failed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#writers);
  }

  async #signed(cluster: Cluster, label: string, order: readonly string[]): Promise<void> {
    const client = skyClient(cluster, order);
    for (let n = 0; !this.#stopping; n++) {
      const subject = nodeNamed(`${label}-${n}`, "load");
      const deadline = Date.now() + PATIENCE_MS;
      // An id is good for a minute. When a whole cluster is away for longer, the same is written under another one.
      for (let isFirst = true; ; isFirst = false) {
        const written = await client
          .write([{ kind: "addAssertion", assertion: { subject, object: DOCUMENT } }], { timeoutMs: ID_MS })
          .catch((error: unknown) => error);
        if (written instanceof SkyError && written.retryable && Date.now() < deadline) continue;
        if (written instanceof Error) this.failed.push(`${subject.name}: ${String(written)}`);
        else {
          const { receipt, changed } = written as Written;
          if (changed[0] !== true && isFirst) this.failed.push(`${subject.name} was acknowledged without effect`);
          this.acknowledged.push({ subject, height: receipt.height, index: receipt.index });
        }
        break;
      }
    }
    client.close();
  }

  async #legacy(cluster: Cluster, label: string, order: readonly string[]): Promise<void> {
    const clients = new CompatibleClients(cluster);
    let turn = 0;
    for (let n = 0; !this.#stopping; n++) {
      const subject = nodeNamed(`${label}-${n}`, "load");
      const request = assertionMessageOf({ subject, object: DOCUMENT });
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const node = order[turn % order.length] ?? "";
        const answer = await clients.try(node, "addAssertion", request, { deadlineMs: 5_000 });
        if (answer.code === status.OK && answer.reply !== undefined) {
          this.acknowledged.push({ subject, height: Number(answer.reply.ts), index: undefined });
          break;
        }
        const why = `${subject.name} at ${node}: ${status[answer.code]} ${answer.details}`;
        // A busy machine makes calls late; that says nothing about the node.
        if (!/DEADLINE_EXCEEDED|not settled before the deadline/.test(why)) this.retried.push(why);
        turn += 1;
        if (Date.now() < deadline) continue;
        this.failed.push(`${subject.name}: ${answer.details}`);
        break;
      }
    }
    clients.close();
  }
}

/** Every acknowledged write is there, on every one of these nodes, by check and by expansion, and none was done twice. */
export async function expectKept(
  cluster: Cluster,
  acknowledged: readonly Acknowledged[],
  names = cluster.names,
): Promise<void> {
  const places = acknowledged.flatMap(({ height, index }) => (index === undefined ? [] : [`${height}/${index}`]));
  expect(new Set(places).size, "receipts name distinct places").toBe(places.length);
  for (const name of names) {
    const client = skyClient(cluster, [name]);
    try {
      for (let from = 0; from < acknowledged.length; from += 1_000) {
        const asked = acknowledged.slice(from, from + 1_000);
        const { results } = await client.checkBatch(asked.map(({ subject }) => ({ subject, object: DOCUMENT })));
        expect(asked.filter((_, i) => results[i] !== true).map(({ subject }) => subject.name)).toEqual([]);
      }
      const expanded = new Set<string>();
      for await (const page of client.expandSubjects(DOCUMENT)) for (const node of page.nodes) expanded.add(node.name);
      expect(acknowledged.filter(({ subject }) => !expanded.has(subject.name))).toEqual([]);
    } finally {
      client.close();
    }
  }
}
