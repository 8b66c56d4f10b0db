/** Whether all nodes hold the same: waited for when everything is healed, then read from their disks. */
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import Database from "better-sqlite3";
import { rootOf } from "../../src/events/store/executed-row.ts";
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

/** More would only say the same. */
const TOLD_MAX = 5;

/** Compares block and root of every height, by projection and by log. Returns what differs, in words; empty when all is equal. */
export function differences(
  nodes: readonly { readonly name: string; readonly directory: string }[],
  upTo: number,
): readonly string[] {
  const found: string[] = [];
  let first: ReadonlyMap<number, string> | undefined;
  for (const { name, directory } of nodes) {
    const blocks = rowsOf<BlockRow>(directory, "projection.db", "SELECT height, hash, root FROM ledger_blocks");
    const known = new Map(
      blocks
        .filter(({ height }) => height <= upTo)
        .map(({ height, hash, root }) => [height, `block ${hash.toString("hex")} root ${root.toString("hex")}`]),
    );
    if (known.size <= upTo) found.push(`${name} has ${known.size} of ${upTo + 1} blocks`);
    const roots = new Map(blocks.map(({ height, root }) => [height, root.toString("hex")]));
    const logged = rowsOf<RootRow>(directory, "log.db", "SELECT height, root FROM executed");
    if (logged.length === 0) found.push(`the log of ${name} has no roots`);
    for (const row of logged)
      if (row.height <= upTo && rootOf(row) !== roots.get(row.height))
        found.push(`${name} at ${row.height}: its log has root ${String(rootOf(row))}, its projection another`);
    first ??= known;
    for (const [height, block] of known)
      if (first.get(height) !== block)
        found.push(`${name} at ${height}: ${block}, elsewhere ${String(first.get(height))}`);
  }
  const more = found.length - TOLD_MAX;
  return more > 0 ? [...found.slice(0, TOLD_MAX), `${more} more differences between nodes`] : found;
}

interface RootRow {
  readonly height: number;
  readonly root: Buffer;
}

interface BlockRow extends RootRow {
  readonly hash: Buffer;
}

function rowsOf<Row>(directory: string, file: string, sql: string): readonly Row[] {
  const db = new Database(path.join(directory, file), { readonly: true });
  try {
    return db.prepare<[], Row>(sql).all();
  } finally {
    db.close();
  }
}
