/** `sky dev` shows its cluster: one stream of all nodes, over the death of one, and the state that they agree on; then their logs, copied. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type {
  DifferencePage,
  Entry,
  GraphPicture,
  MemberRow,
  SourceDescription,
} from "../../src/host/inspector/contract.ts";
import { openDirectory } from "../../src/host/inspector/directory-source.ts";
import { NodeClient } from "../../src/host/inspector/node-client.ts";
import type { Answer } from "../../src/host/inspector/source.ts";
import { Cluster, sky, until } from "./cluster.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster?.clean());

const value = <T>(answer: Answer<T>): T => {
  if (!answer.ok) throw new Error(answer.refusal.message);
  return answer.value;
};

/** As a browser window: reads until it breaks off after so many pages, and comes back with its cursor. */
class Reader {
  readonly entries: Entry[] = [];
  readonly gaps: unknown[] = [];
  readonly #client: NodeClient;
  readonly #ended = new AbortController();
  readonly done: Promise<void>;

  constructor(client: NodeClient) {
    this.#client = client;
    this.done = this.#read();
  }

  async #read(): Promise<void> {
    let cursor: string | null = null;
    while (!this.#ended.signal.aborted) {
      const broken = new AbortController();
      let pages = 0;
      try {
        for await (const page of this.#client.entries(cursor, AbortSignal.any([broken.signal, this.#ended.signal]))) {
          cursor = page.cursor;
          if (page.kind === "entries") this.entries.push(...page.entries);
          else this.gaps.push(page.gap);
          pages += 1;
          if (pages === 3) broken.abort();
        }
      } catch (error) {
        if (!(error instanceof Error) || error.name !== "AbortError") throw error;
      }
    }
  }

  async end(): Promise<void> {
    this.#ended.abort();
    await this.done;
  }
}

const linkOf = async (directory: string) => {
  const { out } = await sky("inspect", directory, "--json");
  const url = new URL((JSON.parse(out) as { readonly url: string }).url);
  return { origin: url.origin, token: url.hash.slice("#token=".length) };
};

it("one page shows all nodes while one dies and returns, without gap or duplicate", async () => {
  expect(cluster.said.join("\n")).toMatch(/^See it: http:\/\/127\.0\.0\.1:\d+\/inspect\/#token=\S{43}$/m);
  const client = new NodeClient(() => linkOf(cluster.directory));
  const source = value(await client.ask<SourceDescription>("source"));
  expect(source).toMatchObject({ kind: "cluster", live: true, dev: true });
  expect(source.nodes.map(({ name }) => name)).toEqual(["n0", "n1", "n2", "n3"]);
  const reader = new Reader(client);
  const write = (name: string) =>
    sky(
      "oracle",
      "write",
      `add assertion my-org:${name} my-org:Report`,
      "--dir",
      cluster.directory,
      "--timeout",
      "30000",
    );
  expect((await write("Ali")).code).toBe(0);
  await until("every node's steps are seen", () =>
    source.nodes.every(({ name }) => reader.entries.some((entry) => entry.node === name && entry.kind === "finalised")),
  );
  await cluster.kill("n2");
  const ended = await until("the end of n2 is seen", () =>
    reader.entries.find((entry) => entry.node === "n2" && entry.kind === "ended"),
  );
  expect(ended).toMatchObject({ reason: expect.stringContaining("SIGKILL") });
  const members = value(await client.ask<readonly MemberRow[]>("members", { node: "n0" }));
  expect(members.find(({ name }) => name === "n2")?.standing).toBe("ended");
  expect((await write("Can")).code).toBe(0);
  await cluster.revive("n2");
  await until("the next life of n2 has caught up", () =>
    reader.entries.some((entry) => entry.node === "n2" && entry.life > ended.life && entry.kind === "finalised"),
  );
  await reader.end();
  expect(reader.gaps).toEqual([]);
  const keys = reader.entries.map(({ node, life, n }) => `${node} ${life} ${n}`);
  expect(new Set(keys).size).toBe(keys.length);
  const last = new Map<string, number>();
  for (const { node, life, n } of reader.entries) {
    expect(n, `${node} ${life}`).toBe((last.get(`${node} ${life}`) ?? -1) + 1);
    last.set(`${node} ${life}`, n);
  }
  await asksAboutTheState(client);
});

async function asksAboutTheState(client: NodeClient): Promise<void> {
  const graph = await until("n2 has the graph that the others have", async () => {
    const asked = await client.ask<GraphPicture>("graph", { node: "n2", focus: "my-org:Report" });
    return asked.ok && asked.value.links.length === 2 && asked.value;
  });
  expect(graph.links.map(({ from }) => from)).toEqual(["subject my-org:Ali", "subject my-org:Can"]);
  const params = { node: "n1", subject: "my-org:Can", object: "my-org:Report" };
  await until("n1 says so", async () => value(await client.ask<{ readonly result: boolean }>("check", params)).result);
  expect(value(await client.ask("divergence", { left: "n0", right: "n2" }))).toMatchObject({ first: null });
  const sides = { left: "n0", leftHeight: 0, right: "n2" };
  const { differences } = value(await client.ask<DifferencePage>("difference", sides));
  const asserted = differences.flatMap(({ kind, side, text }) => (kind === "assertion" ? [`${side} ${text}`] : []));
  expect(asserted).toContain("right my-org:Can my-org:Report");
}

it("the directory of a stopped sky dev shows the logs of all nodes, which agree", async () => {
  await cluster.stop();
  const source = await openDirectory(cluster.directory);
  const { nodes, title } = await source.describe();
  expect(nodes.map(({ name }) => name)).toEqual(["n0", "n1", "n2", "n3"]);
  expect(title).not.toContain("does not hold");
  for (const right of ["n1", "n2", "n3"])
    expect(value(await source.divergence({ left: "n0", right }))).toMatchObject({ first: null });
  const { points } = value(await source.graph({ node: "n3", height: null, focus: "my-org:Report", limit: 10 }));
  expect(points.map(({ name }) => name)).toEqual(["Report", "Ali", "Can"]);
  await source.close();
});
