/** A replica whose state is not that of the others, as bad memory leaves it: it stops for good, says so, and begins anew when an operator says so. */
import { mkdirSync, readdirSync, renameSync } from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { utf8 } from "../../src/base/bytes.ts";
import { domainDigest, sha256 } from "../../src/crypto/hash.ts";
import { RowSum } from "../../src/projections/rebac/table-rows.ts";
import { Cluster, sky, until } from "./cluster.ts";
import { Load, expectKept } from "./load.ts";
import { expectSameRoots, settledHeight } from "./records.ts";

const name = "n1";
let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster?.clean());

const others = (): readonly string[] => cluster.names.filter((other) => other !== name);

async function write(count: number): Promise<Load> {
  const load = new Load(cluster, `divergence-${Date.now()}`, others());
  await load.more(count);
  await load.stop();
  expect(load.failed).toEqual([]);
  return load;
}

/** What a wrong computation would have left: another root at the last executed height, with sums that hold. */
function computeOtherwise(): void {
  const db = new Database(path.join(cluster.node(name).dir, "projection.db"));
  const row = db
    .prepare<[], { height: number; hash: Buffer; root: Buffer; time: number }>(
      "SELECT height, hash, root, time FROM ledger_blocks ORDER BY height DESC LIMIT 1",
    )
    .get();
  const meta = db.prepare<[], { sum: Buffer }>("SELECT sum FROM ledger_meta").get();
  if (row === undefined || meta === undefined) throw new Error("nothing was projected");
  const { height, hash, root, time } = row;
  const other = Buffer.from(sha256(utf8("a flipped bit")));
  const digestOf = (of: Buffer) => domainDigest("ledger-block", Buffer.from(`${height}/${time}/`), hash, of);
  const sum = RowSum.of(meta.sum);
  sum.subtract(digestOf(root));
  sum.add(digestOf(other));
  db.prepare("UPDATE ledger_blocks SET root = ? WHERE height = ?").run(other, height);
  db.prepare("UPDATE ledger_meta SET sum = ?").run(Buffer.from(sum.bytes()));
  db.close();
  const log = new Database(path.join(cluster.node(name).dir, "log.db"));
  log.prepare("DELETE FROM executed WHERE height >= ?").run(height); // it was killed before it wrote that root down
  log.close();
}

const parted = (): Promise<unknown> =>
  until(`${name} says that it parted from the others`, async () => {
    const { status, body } = (await cluster.health(name, "/readyz?verbose")) ?? {};
    return status === 503 && /"name":"log","ok":false,"detail":"diverged at height \d+"/.test(body ?? "");
  });

const status = async (): Promise<string> => {
  const [operator = ""] = readdirSync(cluster.path("operators"));
  const files = [
    "--founding",
    cluster.path("founding.sky"),
    "--operator",
    cluster.path("operators", operator, "operator.sky"),
  ];
  return (await sky("status", ...files, "--passphrase-file", cluster.path("operators", operator, "passphrase"), name))
    .out;
};

describe("a node that computed another state than f+1 others", () => {
  it("votes and serves no more, after a restart either, says so, and takes part again when it begins without its log", async () => {
    await write(20);
    await settledHeight(cluster);
    await cluster.kill(name);
    computeOtherwise();
    const before = cluster.log(name).length;
    await sky("dev", "--dir", cluster.directory, "--revive", name);
    await write(60);
    await parted();
    expect(cluster.node(name).pid).not.toBeNull();
    expect(cluster.log(name).slice(before)).toContain(`"code":"DIVERGED"`);

    await cluster.kill(name);
    const restarted = cluster.log(name).length;
    await sky("dev", "--dir", cluster.directory, "--revive", name);
    await parted();
    expect(cluster.log(name).slice(restarted)).toContain(`"code":"DIVERGED"`);
    expect(await status()).toMatch(/n1: unsealed[^]*log: now: at height \d+ this node computed root [^]*begin it anew/);
    for (const other of others())
      await until(`${other} has nothing to do with it`, async () => (await cluster.metric(other, "peers")) === 2);
    const load = await write(20);

    await cluster.kill(name);
    const { dir } = cluster.node(name);
    mkdirSync(path.join(dir, "kept"));
    for (const file of readdirSync(dir))
      if (/^(?:log\.db|projection\.db|checkpoints$)/.test(file))
        renameSync(path.join(dir, file), path.join(dir, "kept", file));
    await cluster.revive(name);
    await cluster.ready(name);
    await until("it votes again", () =>
      cluster.log(name).slice(restarted).includes("the node votes again above this view"),
    );
    expectSameRoots(cluster, await settledHeight(cluster));
    await expectKept(cluster, load.acknowledged, [name]);
  });
});
