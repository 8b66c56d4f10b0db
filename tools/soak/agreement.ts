/** Whether all nodes hold the same: waited for when everything is healed, then read from their disks. */
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import Database from "better-sqlite3";
import type { SoakCluster } from "./cluster.ts";
import type { SoakNode } from "./node.ts";

const LOOK_MS = 100;
/** Longer than the longest timeout of consensus (10 s) and a catch-up after it. Units: ms. */
const SETTLE_MS = 90_000;
const GAUGES = ["height", "executed_height", "projected_height"];

/** Waits until all nodes are at one height, executed and projected, and gives it. Throws: Error with what they are at. */
export async function settledHeight(nodes: readonly SoakNode[]): Promise<number> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const heights = await Promise.all(nodes.flatMap((node) => GAUGES.map((gauge) => node.metric(gauge))));
    const [first] = heights;
    if (first !== undefined && heights.every((height) => height === first)) return first;
    if (performance.now() > deadline)
      throw new Error(
        `the nodes are not at one height ${SETTLE_MS} ms after everything was healed: ${nodes
          .map(({ name }, i) => `${name} at ${heights.slice(i * GAUGES.length, (i + 1) * GAUGES.length).join("/")}`)
          .join(", ")} (final/executed/projected)`,
      );
    await pause(LOOK_MS);
  }
}

interface BlockRow {
  readonly height: number;
  readonly hash: Buffer;
  readonly root: Buffer;
}

/** Compares block and root of every height, by projection and by log. Returns what differs, in words; empty when all is equal. */
export function differences(cluster: SoakCluster, upTo: number): readonly string[] {
  const found: string[] = [];
  let first: ReadonlyMap<number, string> | undefined;
  for (const node of cluster.nodes) {
    const directory = cluster.directoryOf(node);
    const blocks = rowsOf(directory, "projection.db", "SELECT height, hash, root FROM ledger_blocks").filter(
      ({ height }) => height <= upTo,
    );
    const known = new Map(
      blocks.map(({ height, hash, root }) => [height, `block ${hash.toString("hex")} root ${root.toString("hex")}`]),
    );
    if (known.size <= upTo) found.push(`${node.name} has ${known.size} of ${upTo + 1} blocks`);
    const roots = new Map(blocks.map(({ height, root }) => [height, root.toString("hex")]));
    const logged = rowsOf(directory, "log.db", "SELECT height, root, root AS hash FROM executed");
    if (logged.length === 0) found.push(`the log of ${node.name} has no roots`);
    for (const { height, root } of logged)
      if (height <= upTo && roots.get(height) !== root.toString("hex"))
        found.push(`${node.name} at ${height}: its log has root ${root.toString("hex")}, its projection another`);
    first ??= known;
    for (const [height, block] of known)
      if (first.get(height) !== block)
        found.push(`${node.name} at ${height}: ${block}, elsewhere ${first.get(height)}`);
  }
  return found;
}

function rowsOf(directory: string, file: string, sql: string): readonly BlockRow[] {
  const db = new Database(path.join(directory, file), { readonly: true });
  try {
    return db.prepare<[], BlockRow>(sql).all();
  } finally {
    db.close();
  }
}
