/** Disks that somebody edited: the log stops its node, a projection is made again; the others go on either way. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GraphNode } from "../../src/events/facts/graph.ts";
import { Cluster, until } from "./cluster.ts";
import { nodeNamed, skyClient } from "./clients.ts";
import { type Acknowledged, Load, expectKept } from "./load.ts";
import { edit, expectSameRoots, query, settledHeight } from "./records.ts";

let cluster: Cluster;
const acknowledged: Acknowledged[] = [];
beforeAll(async () => {
  cluster = await Cluster.start();
  await write(60);
}, 120_000);
afterAll(() => cluster?.clean());

async function write(count: number, through = cluster.names): Promise<void> {
  const load = new Load(cluster, `damage-${acknowledged.length}`, through);
  await load.more(count);
  await load.stop();
  expect(load.failed).toEqual([]);
  acknowledged.push(...load.acknowledged);
}

const others = (name: string): readonly string[] => cluster.names.filter((other) => other !== name);

/** Flips the lowest bit in the middle of a record's bytes. */
function flip(name: string, column: "header" | "body", height: number): void {
  const [row] = query<{ bytes: Buffer }>(
    cluster,
    name,
    "log.db",
    `SELECT ${column} AS bytes FROM events WHERE position = ${height}`,
  );
  if (row === undefined) throw new Error(`no event ${height}`);
  const at = Math.floor(row.bytes.length / 2);
  row.bytes.writeUInt8(row.bytes.readUInt8(at) ^ 1, at);
  edit(cluster, name, "log.db", `UPDATE events SET ${column} = ? WHERE position = ?`, row.bytes, height);
}

describe("an edited record of the log", () => {
  it.each([
    { column: "header", where: "newest" },
    { column: "body", where: "newest" },
    { column: "header", where: "early" },
    { column: "body", where: "early" },
  ] as const)("stops that node with its height, while the others go on ($where $column)", async ({ column, where }) => {
    const name = "n1";
    const height = await settledHeight(cluster);
    const edited = where === "newest" ? height : 3;
    await cluster.kill(name);
    flip(name, column, edited);
    const before = cluster.log(name).length;
    // An early record was verified before; then the node may serve for a moment until the check of its whole log finds it.
    await cluster.revive(name).catch((error: unknown) => expect(String(error)).toMatch(/NODE_FAILED|node n1 ended/));
    await cluster.dead(name);
    const said = cluster.log(name).slice(before);
    expect(said).toContain("LOG_DAMAGED");
    expect(said).toContain(`at height ${edited}:`);
    expect(await cluster.health(name, "/readyz")).toBeUndefined();
    await write(30, others(name));

    flip(name, column, edited); // as it was: nothing else was lost
    await cluster.revive(name);
    expectSameRoots(cluster, await settledHeight(cluster));
    await expectKept(cluster, acknowledged, [name]);
  });

  it("does not keep the rest of the cluster from starting", async () => {
    const height = await settledHeight(cluster);
    expect(await cluster.stop()).toBe(0);
    flip("n3", "header", height);
    await cluster.run(others("n3"));
    expect(cluster.node("n3").pid).toBeNull();
    expect(cluster.said.filter((line) => line.includes("node n3 does not serve"))).toHaveLength(1);
    await write(30, others("n3"));
    flip("n3", "header", height);
    await cluster.revive("n3");
    expectSameRoots(cluster, await settledHeight(cluster));
  });
});

describe("a projection that is not what was written", () => {
  const intruder: GraphNode = nodeNamed("intruder", "load");
  const secret: GraphNode = nodeNamed("secret", "load");
  beforeAll(async () => {
    const client = skyClient(cluster, cluster.names);
    await client.write([
      { kind: "addSubject", subject: intruder },
      { kind: "addAssertion", assertion: { subject: nodeNamed("owner", "load"), object: secret } },
    ]);
    client.close();
  });

  const projection = (name: string): string => path.join(cluster.node(name).dir, "projection.db");
  const damages: Readonly<Record<string, (name: string) => void>> = {
    "an edge leads to somebody else": (name) =>
      edit(
        cluster,
        name,
        "projection.db",
        `UPDATE rebac_edge SET parent = (SELECT id FROM rebac_node WHERE name = 'intruder')
         WHERE child = (SELECT id FROM rebac_node WHERE name = 'secret')`,
      ),
    "a node has another name": (name) =>
      edit(cluster, name, "projection.db", "UPDATE rebac_node SET name = 'nobody' WHERE name = 'owner'"),
    "a block has another root": (name) =>
      edit(cluster, name, "projection.db", "UPDATE ledger_blocks SET root = zeroblob(32) WHERE height = 2"),
    "an identifier is gone": (name) =>
      edit(
        cluster,
        name,
        "projection.db",
        "DELETE FROM ledger_identifiers WHERE aid = (SELECT max(aid) FROM ledger_identifiers)",
      ),
    "the file is gone": (name) => rmSync(projection(name)),
    "the file is cut in the middle": (name) => {
      const bytes = readFileSync(projection(name));
      writeFileSync(projection(name), bytes.subarray(0, Math.floor(bytes.length / 2)));
    },
  };

  it.each(Object.entries(damages))("is made again from the log: %s", async (_what, damage) => {
    const name = "n2";
    await settledHeight(cluster);
    await cluster.kill(name);
    // What was written last lies beside the file until SQLite folds it in, which opening and closing it does.
    edit(cluster, name, "projection.db", "UPDATE ledger_meta SET height = height");
    damage(name);
    await cluster.revive(name);
    const client = skyClient(cluster, [name]);
    const pairs = [nodeNamed("owner", "load"), intruder].map((subject) => ({ subject, object: secret }));
    expect((await client.checkBatch(pairs)).results).toEqual([true, false]);
    expect((await client.readSubjects([secret])).nodes).toEqual([nodeNamed("owner", "load")]);
    client.close();
    expectSameRoots(cluster, await settledHeight(cluster));
    await expectKept(cluster, acknowledged, [name]);
  });

  it("says in the log that it was made again, and why", async () => {
    await until("n2 says so", () =>
      cluster.log("n2").includes("The projection was damaged and is rebuilt from the log"),
    );
  });
});
