/**
 * Several running nodes as one thing to inspect, as `sky dev` has them: their streams are merged and remembered here, so that what a
 * dead node said is still there when its next life begins; questions go to the node that they are about.
 *
 * Nodes are asked for their entries from when somebody first looks: whoever never opens the page pays nothing for it.
 */
import { ok } from "../../base/result.ts";
import type { BlockRow, DifferencePage, GraphPicture, MemberRow, SourceDescription } from "./contract.ts";
import { ClusterMemory } from "./cluster-memory.ts";
import { NodeClient, type NodeLink } from "./node-client.ts";
import { type Chain, firstDivergence } from "./queries-divergence.ts";
import { no } from "./refusals.ts";
import type { Answer, EntryPage, InspectorSource } from "./source.ts";

/** Before a stream that broke is asked again: a node that ends is told of by then. Units: ms. */
const AGAIN_MS = 300;
/** Rows looked at for the highest height that is executed: leaders go no further ahead. */
const EXECUTED_WITHIN = 64;

/** One process of a node while it runs. Its lives are numbered on from those of the processes before it, by the node itself. */
interface NodeProcess {
  readonly client: NodeClient;
  readonly ended: AbortController;
  isFed: boolean;
}

export interface ClusterSourceOptions {
  readonly title: string;
  readonly cluster: string;
  readonly dev: boolean;
  readonly nodes: readonly { readonly name: string; readonly aid: string }[];
  /** Units: ms since 1970. */
  readonly now: () => number;
}

export class ClusterSource implements InspectorSource {
  readonly #options: ClusterSourceOptions;
  readonly #memory: ClusterMemory;
  readonly #processes = new Map<string, NodeProcess>();
  #isWatched = false;

  constructor(options: ClusterSourceOptions) {
    this.#options = options;
    this.#memory = new ClusterMemory(options.nodes.map(({ name }) => name));
  }

  /** A process of this node runs from now on; `link` gives a fresh one each time, or undefined while it has none. */
  started(node: string, link: () => Promise<NodeLink | undefined>): void {
    const process: NodeProcess = { client: new NodeClient(link), ended: new AbortController(), isFed: false };
    this.#processes.get(node)?.ended.abort();
    this.#processes.set(node, process);
    if (this.#isWatched) void this.#feed(node, process);
  }

  /** The node's process ended. */
  ended(node: string, reason: string): void {
    const process = this.#processes.get(node);
    if (process === undefined) return;
    process.ended.abort();
    this.#processes.delete(node);
    const key = this.#memory.next(node);
    this.#memory.add([{ node, ...key, at: this.#options.now(), kind: "ended", reason }], 200);
  }

  /** Reads a process's entries until it ends; what the stream repeats after it broke is left out by its numbers. */
  async #feed(node: string, process: NodeProcess): Promise<void> {
    if (process.isFed) return;
    process.isFed = true;
    const { signal } = process.ended;
    let cursor: string | null = null;
    while (!signal.aborted) {
      try {
        for await (const page of process.client.entries(cursor, signal)) {
          if (signal.aborted) return;
          cursor = page.cursor;
          if (page.kind === "gap") this.#memory.addGap(page.gap);
          else this.#memory.add(page.entries, page.bytes);
        }
      } catch {
        // The connection broke, or the process died: asked again until somebody says that it did.
      }
      await pause(AGAIN_MS, signal);
    }
  }

  readonly describe = async (): Promise<SourceDescription> => {
    const { title, cluster, dev, nodes } = this.#options;
    return {
      kind: "cluster",
      title,
      dev,
      live: true,
      cluster,
      nodes: nodes.map(({ name, aid }, index) => ({ name, aid, index, role: "honest" })),
      absent: {},
    };
  };

  readonly entries = (after: string | null, signal: AbortSignal): AsyncIterable<EntryPage> => {
    this.#isWatched = true;
    for (const [node, process] of this.#processes) void this.#feed(node, process);
    return this.#memory.read(after, signal);
  };

  /** The process of a node that runs; null: the first that does. */
  #running(node: string | null): Answer<{ readonly name: string; readonly process: NodeProcess }> {
    const { nodes } = this.#options;
    const name = node ?? nodes.find((one) => this.#processes.has(one.name))?.name ?? nodes[0]?.name ?? "";
    const process = this.#processes.get(name);
    if (process !== undefined) return ok({ name, process });
    if (!nodes.some((one) => one.name === name))
      return no("NOT_FOUND", `There is no such node; there are ${nodes.map((one) => one.name).join(", ")}.`);
    return no("NOT_READY", `${name} does not run; what it did before is among the entries. Ask another node.`);
  }

  async #ask<T>(
    node: string | null,
    question: string,
    params: Record<string, string | number | null>,
  ): Promise<Answer<T>> {
    const running = this.#running(node);
    if (!running.ok) return running;
    const { name, process } = running.value;
    return process.client.ask<T>(question, { node: name, ...params });
  }

  readonly context: InspectorSource["context"] = async ({ node, life, n, machine }) => {
    const running = this.#running(node);
    if (!running.ok) return running;
    return running.value.process.client.ask<unknown>("context", { node, life, n, machine });
  };

  readonly blocks: InspectorSource["blocks"] = ({ node, from, limit }) =>
    this.#ask<readonly BlockRow[]>(node, "blocks", { from, limit });

  readonly graph: InspectorSource["graph"] = ({ node, height, focus, limit }) =>
    this.#ask<GraphPicture>(node, "graph", { height, focus, limit });

  readonly check: InspectorSource["check"] = ({ node, height, subject, object }) =>
    this.#ask<unknown>(node, "check", { height, subject, object });

  /** As the node sees them; of a process that ended, this one knows better. */
  readonly members: InspectorSource["members"] = async ({ node }): Promise<Answer<readonly MemberRow[]>> => {
    const rows = await this.#ask<readonly MemberRow[]>(node, "members", {});
    if (!rows.ok) return rows;
    return ok(rows.value.map((row) => (this.#processes.has(row.name) ? row : { ...row, standing: "ended" })));
  };

  /** Two nodes that agree have one history, so that either answers for both; two that part are for the divergence. */
  readonly difference: InspectorSource["difference"] = async (asked): Promise<Answer<DifferencePage>> => {
    const { left, leftHeight, right, rightHeight } = asked;
    if (left === right) return this.#askDifference(left, { left, leftHeight, right, rightHeight });
    const [ofLeft, ofRight] = await Promise.all([this.#chain(left), this.#chain(right)]);
    if (!ofLeft.ok) return ofLeft;
    if (!ofRight.ok) return ofRight;
    const heights = [leftHeight ?? ofLeft.value.executed, rightHeight ?? ofRight.value.executed] as const;
    const low = Math.min(...heights);
    const [a, b] = await Promise.all([ofLeft.value.at(low), ofRight.value.at(low)]);
    if (
      a === undefined ||
      b === undefined ||
      a.hash !== b.hash ||
      (a.root !== null && b.root !== null && a.root !== b.root)
    )
      return no(
        "NOT_SHOWN",
        `${left} and ${right} are not known to agree at height ${low}; look for their first divergence.`,
      );
    const node = heights[0] >= heights[1] ? left : right;
    const params = { left: node, leftHeight: heights[0], right: node, rightHeight: heights[1] };
    const page = await this.#askDifference(node, params);
    if (!page.ok) return page;
    const named = { left: { ...page.value.left, node: left }, right: { ...page.value.right, node: right } };
    return ok({ ...page.value, ...named });
  };

  #askDifference(node: string, params: Record<string, string | number | null>): Promise<Answer<DifferencePage>> {
    const running = this.#running(node);
    return running.ok
      ? running.value.process.client.ask<DifferencePage>("difference", params)
      : Promise.resolve(running);
  }

  readonly divergence: InspectorSource["divergence"] = async ({ left, right }) => {
    const [ofLeft, ofRight] = await Promise.all([this.#chain(left), this.#chain(right)]);
    if (!ofLeft.ok) return ofLeft;
    if (!ofRight.ok) return ofRight;
    return ok(await firstDivergence(ofLeft.value, ofRight.value));
  };

  /** A node's chain, asked block by block. */
  async #chain(node: string): Promise<Answer<Chain>> {
    const newest = await this.blocks({ node, from: null, limit: EXECUTED_WITHIN });
    if (!newest.ok) return newest;
    const rows = newest.value;
    const executed = rows.findLast(({ root }) => root !== null)?.height ?? -1;
    const oldest = await this.blocks({ node, from: 0, limit: 1 });
    const at = async (height: number) => {
      const known = rows.find((row) => row.height === height);
      const asked = known === undefined ? await this.blocks({ node, from: height, limit: 1 }) : ok([known]);
      const row = asked.ok ? asked.value.find((one) => one.height === height) : undefined;
      return row === undefined ? undefined : { hash: row.hash, root: row.root };
    };
    const lowest = oldest.ok ? (oldest.value[0]?.height ?? 0) : 0;
    return ok({ lowest, highest: rows.at(-1)?.height ?? -1, executed, at });
  }

  readonly close = async (): Promise<void> => {
    for (const { ended } of this.#processes.values()) ended.abort();
    this.#processes.clear();
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
