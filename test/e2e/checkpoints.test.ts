/** A node that lost its disk while thousands of writes went by comes back by a checkpoint, and serves what it never executed. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, until } from "./cluster.ts";
import { nodeNamed, skyClient } from "./clients.ts";
import { type Acknowledged, DOCUMENT, expectKept } from "./load.ts";
import { query, settledHeight } from "./records.ts";

const EVERY = 20;
const BATCH = 100;
const BATCHES = 60;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start("--checkpoint-blocks", String(EVERY));
});
afterAll(() => cluster?.clean());

const acknowledged: Acknowledged[] = [];

/** A batch of grants, ordered one after the other, so that each is a block at least. */
async function write(client: ReturnType<typeof skyClient>, label: string): Promise<void> {
  const subjects = Array.from({ length: BATCH }, (_, i) => nodeNamed(`${label}-${i}`, "load"));
  const { receipt } = await client.write(
    subjects.map((subject) => ({ kind: "addAssertion", assertion: { subject, object: DOCUMENT } }) as const),
  );
  const [first] = subjects;
  if (first !== undefined) acknowledged.push({ subject: first, height: receipt.height, index: receipt.index });
}

const checkpointsOf = (name: string): readonly number[] => {
  const directory = path.join(cluster.node(name).dir, "checkpoints");
  return existsSync(directory)
    ? readdirSync(directory)
        .filter((entry) => /^\d+$/.test(entry))
        .map(Number)
        .sort((a, b) => a - b)
    : [];
};

const blockHashes = (name: string): readonly string[] =>
  query<{ position: number; hash: Buffer }>(
    cluster,
    name,
    "log.db",
    "SELECT position, hash FROM events ORDER BY position",
  ).map(({ position, hash }) => `${position} ${hash.toString("hex")}`);

describe("a lost disk, far behind", () => {
  it("the node comes back by checkpoint, serves every write, then has every block", async () => {
    const others = ["n0", "n1", "n2"];
    await cluster.kill("n3");
    const { dir } = cluster.node("n3");
    for (const file of [
      "log.db",
      "log.db-wal",
      "log.db-shm",
      "projection.db",
      "projection.db-wal",
      "projection.db-shm",
    ])
      rmSync(path.join(dir, file), { force: true });
    rmSync(path.join(dir, "checkpoints"), { recursive: true, force: true });

    const client = skyClient(cluster, others);
    for (let n = 0; n < BATCHES; n++) await write(client, `away-${n}`);
    const before = await settledHeight(cluster, others);
    expect(before).toBeGreaterThan(2 * EVERY);
    await until("the others keep the same checkpoints", () => {
      const [first, ...rest] = others.map((name) => checkpointsOf(name).join());
      return first !== "" && rest.every((one) => one === first);
    });

    await cluster.revive("n3");
    await until("n3 says that it begins at a checkpoint", () => cluster.log("n3").includes("A checkpoint was fetched"));
    await cluster.ready("n3");
    await write(client, "back");
    client.close();
    await settledHeight(cluster);
    await expectKept(cluster, acknowledged);
    await until(
      "n3 has every block and says so",
      async () => (await cluster.metric("n3", "vouched_from_height")) === 0,
    );
    const height = await settledHeight(cluster);
    const hashes = blockHashes("n0").slice(0, height + 1);
    expect(hashes).toHaveLength(height + 1);
    // A slow cluster may go on to an empty block, which makes the last one final: each is compared as far as both have come.
    expect(blockHashes("n3").slice(0, height + 1)).toEqual(hashes);
    const rows = (name: string): string =>
      JSON.stringify(
        query(cluster, name, "projection.db", "SELECT height, rolling, rows, nodes, edges FROM rebac_meta"),
      );
    await until("the same tables", () => rows("n3") === rows("n0"));
  });

  it("and the next checkpoints are the same on all four", async () => {
    const client = skyClient(cluster, ["n3", "n0"]);
    const newest = Math.max(...checkpointsOf("n0"));
    for (let n = 0; Math.max(...checkpointsOf("n0")) === newest; n++) await write(client, `after-${n}`);
    client.close();
    await settledHeight(cluster);
    const manifest = (name: string): string => {
      const height = Math.max(...checkpointsOf(name));
      return `${height} ${readdirSync(path.join(cluster.node(name).dir, "checkpoints", String(height)))
        .sort()
        .join()}`;
    };
    await until("equal segments", () => new Set(cluster.names.map(manifest)).size === 1);
  });

  it("a node that starts again goes on from what it loaded", async () => {
    await cluster.kill("n3");
    await cluster.revive("n3");
    await cluster.ready("n3");
    await settledHeight(cluster);
    await expectKept(cluster, acknowledged, ["n3"]);
  });
});
