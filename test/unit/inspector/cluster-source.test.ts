/** Nodes' inspectors merged over real HTTP: streams that break, processes that die and come again, readers that lag. */
import { afterEach, expect, test } from "vitest";
import { ClusterMemory } from "../../../src/host/inspector/cluster-memory.ts";
import { ClusterSource } from "../../../src/host/inspector/cluster-source.ts";
import type { BlockRow, Entry } from "../../../src/host/inspector/contract.ts";
import { LiveEntries } from "../../../src/host/inspector/live-entries.ts";
import { type PageServer, openPageServer } from "../../../src/host/inspector/page-server.ts";
import { no } from "../../../src/host/inspector/refusals.ts";
import type { EntryPage, InspectorSource } from "../../../src/host/inspector/source.ts";
import { ok } from "../../../src/base/result.ts";
import { twoPorts } from "../host/free-ports.ts";

let closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing) await close();
  closing = [];
});

let clock = 1_800_000_000_000;
const now = (): number => (clock += 10);

/** A node's process as the cluster sees it: its memory behind its real server. `rows` is its chain. */
class Node {
  readonly name: string;
  readonly entries: LiveEntries;
  readonly rows: readonly BlockRow[];
  server: PageServer | undefined;

  constructor(name: string, rows: readonly BlockRow[] = []) {
    this.name = name;
    this.rows = rows;
    this.entries = new LiveEntries({ node: name, names: ["n0", "n1"], entriesMax: 1000, now });
  }

  async listen(port = 0): Promise<void> {
    const none = async () => no("NOT_SHOWN", "not here");
    const source: InspectorSource = {
      describe: async () => ({
        kind: "node",
        title: this.name,
        dev: true,
        live: true,
        cluster: "",
        nodes: [],
        absent: {},
      }),
      entries: (after, signal) => this.entries.read(after, signal),
      blocks: async ({ from, limit }) =>
        ok(this.rows.filter(({ height }) => height >= (from ?? this.rows.length - limit)).slice(0, limit)),
      difference: async ({ left, leftHeight, right, rightHeight }) => {
        const side = (node: string, height: number | null) => ({ node, height: height ?? -1, root: null });
        return ok({ left: side(left, leftHeight), right: side(right, rightHeight), differences: [], truncated: false });
      },
      context: none,
      graph: none,
      check: none,
      members: none,
      divergence: none,
      close: async () => {},
    };
    this.server = await openPageServer({ source, port, onError: (error) => expect(error).toBeUndefined() });
    closing.push(this.server.close);
  }

  readonly link = async () => {
    const url = new URL(this.server?.link() ?? "");
    return { origin: url.origin, token: url.hash.slice("#token=".length) };
  };

  say(count: number): void {
    for (let i = 0; i < count; i++) this.entries.made({ kind: "fault", fault: { type: "said", i } });
  }
}

const clusterOf = (...nodes: readonly string[]): ClusterSource => {
  const source = new ClusterSource({
    title: "t",
    cluster: "c",
    dev: true,
    nodes: nodes.map((name) => ({ name, aid: name })),
    now,
  });
  closing.push(source.close);
  return source;
};

/** Reads pages until `enough` says so of all entries. */
async function read(
  source: { readonly entries: InspectorSource["entries"] },
  enough: (entries: readonly Entry[]) => boolean,
  after: string | null = null,
): Promise<{ readonly entries: readonly Entry[]; readonly pages: readonly EntryPage[]; readonly cursor: string }> {
  const [entries, pages]: [Entry[], EntryPage[]] = [[], []];
  const ended = new AbortController();
  let cursor = after ?? "";
  for await (const page of source.entries(after, ended.signal)) {
    pages.push(page);
    if (page.kind === "entries") entries.push(...page.entries);
    if (page.kind !== "end") cursor = page.cursor;
    if (enough(entries)) ended.abort();
  }
  return { entries, pages, cursor };
}

const of = (node: string, entries: readonly Entry[]): readonly Entry[] =>
  entries.filter((entry) => entry.node === node);
const numbers = (entries: readonly Entry[]): readonly string[] => entries.map(({ life, n }) => `${life} ${n}`);

test("streams of all nodes are one; one that breaks goes on without gap or duplicate, and a reader too", async () => {
  const [a, b] = [new Node("n0"), new Node("n1")];
  const port = await twoPorts();
  await Promise.all([a.listen(port), b.listen()]);
  const cluster = clusterOf("n0", "n1");
  cluster.started("n0", a.link);
  cluster.started("n1", b.link);
  a.say(5);
  b.say(7);
  const first = await read(cluster, (entries) => entries.length >= 12);
  expect([of("n0", first.entries).length, of("n1", first.entries).length]).toEqual([5, 7]);
  await a.server?.close();
  a.say(4);
  await a.listen(port);
  a.say(3);
  const whole = await read(cluster, (entries) => of("n0", entries).length >= 12);
  const keys = numbers(of("n0", whole.entries));
  expect(keys).toEqual(
    Array.from({ length: 12 }, (_, n) => `${whole.entries.find(({ node }) => node === "n0")?.life} ${n}`),
  );
  const rest = await read(cluster, (entries) => entries.length >= 7, first.cursor);
  expect(numbers(rest.entries)).toEqual(keys.slice(5));
});

test("a process that dies is an entry that says why; the next one has lives of its own", async () => {
  const a = new Node("n0");
  await a.listen();
  const cluster = clusterOf("n0", "n1");
  cluster.started("n0", a.link);
  a.say(3);
  await read(cluster, (entries) => entries.length >= 3);
  await a.server?.close();
  cluster.ended("n0", "its process ended (SIGKILL)");
  expect(await cluster.blocks({ node: "n0", from: null, limit: 1 })).toMatchObject({
    ok: false,
    refusal: { code: "NOT_READY" },
  });
  clock += 5000;
  const again = new Node("n0");
  await again.listen();
  cluster.started("n0", again.link);
  again.say(2);
  const { entries } = await read(cluster, (seen) => seen.length >= 6);
  expect(entries.map(({ kind }) => kind)).toEqual(["fault", "fault", "fault", "ended", "fault", "fault"]);
  const lives = entries.map(({ life }) => life);
  expect(new Set(lives).size).toBe(2);
  expect(lives).toEqual(lives.toSorted((x, y) => x - y));
  expect(entries[3]).toMatchObject({ n: 3, reason: "its process ended (SIGKILL)" });
});

test("nobody looks: no node is asked; what ended meanwhile is told nevertheless", async () => {
  const cluster = clusterOf("n0");
  let asked = 0;
  cluster.started("n0", async () => {
    asked += 1;
    return undefined;
  });
  cluster.ended("n0", "gone");
  expect(asked).toBe(0);
  expect((await read(cluster, (entries) => entries.length === 1)).entries).toMatchObject([{ kind: "ended", n: 0 }]);
});

const rowsTo = (length: number, parts: number, name: string): readonly BlockRow[] =>
  Array.from({ length }, (_, height) => {
    const own = height >= parts ? `${name}${height}` : `${height}`;
    const row = { height, epoch: 0, view: height, parentView: 0, hash: `b${own}`, parent: "", time: 0, leader: null };
    return {
      ...row,
      body: "executions",
      commands: 0,
      refused: 0,
      root: height < length - 2 ? `r${own}` : null,
      signers: [],
    };
  });

test("two nodes that agree are compared by one of them; two that part say where", async () => {
  const [a, b, c] = [
    new Node("n0", rowsTo(300, 999, "")),
    new Node("n1", rowsTo(200, 999, "")),
    new Node("n2", rowsTo(250, 120, "x")),
  ];
  await Promise.all([a.listen(), b.listen(), c.listen()]);
  const cluster = clusterOf("n0", "n1", "n2");
  for (const node of [a, b, c]) cluster.started(node.name, node.link);
  expect(await cluster.divergence({ left: "n0", right: "n1" })).toMatchObject({
    value: { agreedTo: 199, first: null },
  });
  expect(await cluster.divergence({ left: "n0", right: "n2" })).toMatchObject({
    value: { agreedTo: 119, first: { height: 120, what: "block", left: "b120", right: "bx120" } },
  });
  const heights = { leftHeight: 250, rightHeight: null };
  expect(await cluster.difference({ left: "n0", right: "n1", ...heights })).toMatchObject({
    value: { left: { node: "n0", height: 250 }, right: { node: "n1", height: 197 } },
  });
  expect(await cluster.difference({ left: "n0", right: "n2", ...heights })).toMatchObject({
    refusal: { code: "NOT_SHOWN" },
  });
});

test("a reader that lags behind what is held hears of the gap, node by node", async () => {
  const memory = new ClusterMemory(["n0", "n1"]);
  const entry = (node: string, n: number): Entry => ({
    node,
    life: 1,
    n,
    at: n,
    kind: "executed",
    height: n,
    root: "",
  });
  memory.add([entry("n0", 0), entry("n1", 0)], 100);
  const source = { entries: (after: string | null, signal: AbortSignal) => memory.read(after, signal) };
  const first = await read(source, (entries) => entries.length === 2);
  const many = 30_000;
  memory.add(
    Array.from({ length: many }, (_, n) => entry("n0", n + 1)),
    100 * many,
  );
  memory.add([entry("n0", 5), entry("n1", 0)], 100); // said before: not taken twice
  const rest = await read(source, (entries) => entries.at(-1)?.n === many, first.cursor);
  const [gap] = rest.pages;
  if (gap?.kind !== "gap") throw new Error("the gap comes first");
  expect(gap.gap).toMatchObject({ node: "n0", life: 1, from: 1 });
  expect(rest.entries[0]?.n).toBe(gap.gap.to);
  expect(rest.entries).toHaveLength(many + 1 - (gap.gap.to ?? 0));
  expect(of("n1", rest.entries)).toEqual([]);
});
