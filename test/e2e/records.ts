/** What nodes have on their disks, read beside them or after they ended. */
import path from "node:path";
import Database from "better-sqlite3";
import { expect } from "vitest";
import { rootOf } from "../../src/events/store/executed-row.ts";
import { type Cluster, until } from "./cluster.ts";

/** Runs a query on a database of a node without disturbing the node. */
export function query<Row>(
  cluster: Cluster,
  name: string,
  file: "log.db" | "projection.db",
  sql: string,
): readonly Row[] {
  const db = new Database(path.join(cluster.node(name).dir, file), { readonly: true });
  try {
    return db.prepare<[], Row>(sql).all();
  } finally {
    db.close();
  }
}

/** Changes a database of a node that does not run, as somebody with its disk could. */
export function edit(
  cluster: Cluster,
  name: string,
  file: "log.db" | "projection.db",
  sql: string,
  ...values: readonly unknown[]
): void {
  const db = new Database(path.join(cluster.node(name).dir, file));
  try {
    const { changes } = db.prepare(sql).run(...values);
    expect(changes, "rows edited").toBeGreaterThan(0);
  } finally {
    db.close();
  }
}

interface RootRow {
  readonly height: number;
  readonly root: Buffer;
}

const byHeight = (rows: readonly RootRow[]): ReadonlyMap<number, string> =>
  new Map(rows.map(({ height, root }) => [height, root.toString("hex")]));

/** Waits until the nodes are at one height, executed and projected, and gives it. */
export function settledHeight(cluster: Cluster, names = cluster.names): Promise<number> {
  return until(`${names.join(", ")} are at one height`, async () => {
    const heights = await Promise.all(
      names.flatMap((name) =>
        ["height", "executed_height", "projected_height"].map((gauge) => cluster.metric(name, gauge)),
      ),
    );
    const [first] = heights;
    return first !== undefined && heights.every((height) => height === first) ? first : undefined;
  });
}

/**
 * Every height up to this one has one block and one root on these nodes, by their projections and by their logs. A slow cluster
 * may go on to an empty block, which makes the last one final.
 */
export function expectSameRoots(cluster: Cluster, height: number, names = cluster.names): void {
  const [first, ...others] = names.map((name) => {
    const blocks = query<RootRow & { hash: Buffer }>(
      cluster,
      name,
      "projection.db",
      "SELECT height, hash, root FROM ledger_blocks ORDER BY height",
    );
    const known = blocks.map((row) => `${row.height} ${row.hash.toString("hex")} ${row.root.toString("hex")}`);
    const roots = byHeight(blocks);
    const logged = new Map(
      query<RootRow>(cluster, name, "log.db", "SELECT height, root FROM executed").map((row) => [
        row.height,
        rootOf(row),
      ]),
    );
    const settled = [...logged].filter(([at]) => at <= height);
    for (const [at, root] of settled) expect(root, `root of height ${at} in the log of ${name}`).toBe(roots.get(at));
    expect(settled.length, `roots in the log of ${name}`).toBeGreaterThan(0);
    return known;
  });
  const upTo = (known: readonly string[] | undefined) => known?.slice(0, height + 1);
  expect(first?.length).toBeGreaterThan(height);
  for (const other of others) expect(upTo(other)).toEqual(upTo(first));
}
