/** Disks that somebody edited: the log is fetched again from the others, a projection is made again; the others go on. */
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GraphNode } from "../../src/events/facts/graph.ts";
import { Cluster, sky, until } from "./cluster.ts";
import { nodeNamed, skyClient } from "./clients.ts";
import { type Acknowledged, Load, expectKept } from "./load.ts";
import { edit, expectSameRoots, query, settledHeight } from "./records.ts";

let cluster: Cluster;
const acknowledged: Acknowledged[] = [];
beforeAll(async () => {
  cluster = await Cluster.start();
  await write(60);
});
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
function flip(name: string, column: "header" | "body" | "proof" | "bytes", height: number): void {
  const [table, where] = column === "bytes" ? ["bundles", "height"] : ["events", "position"];
  const of = `FROM ${table} WHERE ${where} = ${height}`;
  const [row] = query<{ id: number; bytes: Buffer }>(
    cluster,
    name,
    "log.db",
    `SELECT rowid AS id, ${column} AS bytes ${of}`,
  );
  if (row === undefined) throw new Error(`nothing at height ${height}`);
  const at = Math.floor(row.bytes.length / 2);
  row.bytes.writeUInt8(row.bytes.readUInt8(at) ^ 1, at);
  edit(cluster, name, "log.db", `UPDATE ${table} SET ${column} = ? WHERE rowid = ?`, row.bytes, row.id);
}

/** Height of the newest block with bundles: a slow cluster's last one may be empty. */
function newestFilled(name: string): number {
  const [row] = query<{ height: number }>(cluster, name, "log.db", "SELECT max(height) AS height FROM bundles");
  if (row === undefined) throw new Error("nothing was written");
  return row.height;
}

/** Waits until a node has found damage and put it right, and serves again. */
async function healed(name: string): Promise<void> {
  await until(`${name} has healed`, async () => ((await cluster.metric(name, "log_events_healed_total")) ?? 0) > 0);
  await cluster.ready(name);
  expect(await cluster.metric(name, "log_damaged")).toBe(0);
}

/** Its records up to this height are those of another node, byte for byte. */
function expectSameLog(name: string, other: string, height: number): void {
  const [mine, theirs] = [name, other].map((of) => [
    query(
      cluster,
      of,
      "log.db",
      `SELECT position, hash, header, body FROM events WHERE position <= ${height} ORDER BY position`,
    ),
    query(cluster, of, "log.db", `SELECT digest, bytes, height FROM bundles WHERE height <= ${height} ORDER BY digest`),
  ]);
  expect(mine).toEqual(theirs);
}

const statusOf = async (name: string): Promise<string> => {
  const [operator] = readdirSync(cluster.path("operators"));
  const file = cluster.path("operators", operator ?? "", "operator.sky");
  const files = ["--founding", cluster.path("founding.sky"), "--operator", file];
  const passphrase = cluster.path("operators", operator ?? "", "passphrase");
  return (await sky("status", ...files, "--passphrase-file", passphrase, name)).out;
};

describe("an edited record of the log", () => {
  it.each([
    { column: "header", where: "newest" },
    { column: "bytes", where: "newest" },
    { column: "body", where: "early" },
    { column: "proof", where: "early" },
  ] as const)(
    "is fetched again from the others, and the node serves on ($where $column)",
    async ({ column, where }) => {
      const name = "n1";
      await settledHeight(cluster);
      await cluster.kill(name);
      const edited = where === "newest" ? newestFilled(name) : 3;
      flip(name, column, edited);
      const before = cluster.log(name).length;
      // The newest is found before the node serves; an early one was verified before: the node serves until its whole log is read.
      const load = new Load(cluster, `heal-${column}`, others(name));
      await cluster.revive(name);
      await healed(name);
      await load.more(30);
      await load.stop();
      expect(load.failed).toEqual([]);
      acknowledged.push(...load.acknowledged);
      const said = cluster.log(name).slice(before);
      expect(said).toContain(`"code":"LOG_DAMAGED"`);
      expect(said).toContain(`"height":${edited}`);
      expect(said).toContain("The log is healed");
      const settled = await settledHeight(cluster);
      expectSameLog(name, "n0", settled);
      expectSameRoots(cluster, settled);
      await expectKept(cluster, acknowledged, [name]);
    },
  );

  it("is told to operators, after a restart too", async () => {
    await cluster.kill("n1");
    await cluster.revive("n1");
    expect(await statusOf("n1")).toMatch(/unsealed[^]*log: \S+ height 3 was damaged: /);
  });

  it("of every node, each at another height: they heal each other", async () => {
    expect(await cluster.stop()).toBe(0);
    for (const [i, name] of cluster.names.entries()) flip(name, "body", 5 + 3 * i);
    await cluster.run();
    for (const name of cluster.names) await healed(name);
    await write(30);
    const settled = await settledHeight(cluster);
    for (const name of others("n0")) expectSameLog(name, "n0", settled);
    expectSameRoots(cluster, settled);
  });

  it("that nobody has any more keeps every node out of service, and they say so; one copy is enough for all", async () => {
    expect(await cluster.stop()).toBe(0);
    const height = 4;
    for (const name of cluster.names) flip(name, "body", height);
    await cluster.run([]);
    for (const name of cluster.names)
      await until(`${name} says so`, async () => {
        const { status, body } = (await cluster.health(name, "/readyz?verbose")) ?? {};
        return status === 503 && body?.includes(`healing from height ${height}: no peer has given it`);
      });
    expect(await cluster.stop()).toBe(0); // a node that waits can be stopped
    flip("n0", "body", height); // as it was
    await cluster.run();
    for (const name of others("n0")) await healed(name);
    expectSameRoots(cluster, await settledHeight(cluster));
  });
});

describe("what no peer can restore", () => {
  it("a vote that is not what was written: the journal counts as lost, and the node votes again when the others have said how far", async () => {
    const name = "n2";
    const load = new Load(cluster, "journal", others(name));
    await load.more(20);
    await cluster.kill(name); // within a view: there are votes in its journal
    edit(cluster, name, "log.db", "UPDATE marks SET value = zeroblob(16) WHERE name = 'journal-starts'");
    const before = cluster.log(name).length;
    await cluster.revive(name);
    await until("it votes again", () =>
      cluster.log(name).slice(before).includes("the node votes again above this view"),
    );
    await load.more(20);
    await load.stop();
    acknowledged.push(...load.acknowledged);
    expect(load.failed).toEqual([]);
    expect(cluster.log(name).slice(before)).toContain(`"code":"JOURNAL_LOST"`);
    expectSameRoots(cluster, await settledHeight(cluster));
  });

  it("a file that SQLite cannot read is put aside, and the node gets its log from the others", async () => {
    const name = "n3";
    await cluster.kill(name);
    const file = path.join(cluster.node(name).dir, "log.db");
    edit(cluster, name, "log.db", "UPDATE marks SET value = value"); // folds in what lies beside the file
    const bytes = readFileSync(file);
    bytes.fill(0x5a, 4096, bytes.length - (bytes.length % 4096) - 4096);
    writeFileSync(file, bytes);
    const before = cluster.log(name).length;
    await cluster.revive(name);
    await cluster.ready(name);
    await write(30);
    expectSameRoots(cluster, await settledHeight(cluster));
    expect(cluster.log(name).slice(before)).toContain(`"code":"LOG_CORRUPT"`);
    const kept = readdirSync(cluster.node(name).dir).filter((entry) => entry.startsWith("log.db.damaged-"));
    expect(kept.length).toBeGreaterThan(0);
    expect(readFileSync(path.join(cluster.node(name).dir, kept[0] ?? ""))).toEqual(bytes);
    await expectKept(cluster, acknowledged, [name]);
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
      edit(cluster, name, "projection.db", "DELETE FROM kerl_events WHERE aid = (SELECT max(aid) FROM kerl_events)"),
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
