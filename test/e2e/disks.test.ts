/** Disks that fill up, and disks that are gone: a node stops cleanly or begins anew, and nothing that was acknowledged is lost. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, until } from "./cluster.ts";
import { type Acknowledged, Load, expectKept } from "./load.ts";
import { expectSameRoots, query, settledHeight } from "./records.ts";

/** Of a node's directory, as docs/OPERATING.md says; what its process writes to beside. */
const BACKED_UP = ["boot.json", "boot.key", "keystore", "ceremony.journal", "witness.db", "founding.sky", "node.log"];

let cluster: Cluster;
const acknowledged: Acknowledged[] = [];
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster?.clean());

const others = (name: string): readonly string[] => cluster.names.filter((other) => other !== name);

/** Writers through the other nodes, while something happens to this one. */
async function whileWriting(name: string, happens: (load: Load) => Promise<void>): Promise<void> {
  const load = new Load(cluster, `disk-of-${name}`, others(name));
  await happens(load);
  await load.stop();
  expect(load.failed).toEqual([]);
  acknowledged.push(...load.acknowledged);
  const height = await settledHeight(cluster);
  expectSameRoots(cluster, height);
  await expectKept(cluster, acknowledged, [name]);
}

it("nodes that were initialised and have never voted before have lost no journal", () => {
  for (const name of cluster.names) expect(cluster.log(name)).not.toContain("JOURNAL_LOST");
});

describe("a node whose disk is gone", () => {
  it("gets its log from the others under writes, and votes in no view that it may have voted in before", async () => {
    const name = "n1";
    const dir = cluster.node(name).dir;
    let before = 0;
    await whileWriting(name, async (load) => {
      await load.more(40);
      await cluster.kill(name);
      for (const file of readdirSync(dir))
        if (!BACKED_UP.includes(file)) rmSync(path.join(dir, file), { recursive: true });
      before = cluster.log(name).length;
      await cluster.revive(name);
      await until("it votes again", () =>
        cluster.log(name).slice(before).includes("the node votes again above this view"),
      );
      await load.more(40);
    });
    const said = cluster
      .log(name)
      .slice(before)
      .split("\n")
      .filter((line) => line.includes("JOURNAL_LOST") || line.includes("votes again"));
    const bound = Number(/"view":(\d+)/.exec(said.at(-1) ?? "")?.[1]);
    expect(said[0]).toContain(`"code":"JOURNAL_LOST"`);
    const votes = query<{ view: number }>(
      cluster,
      name,
      "log.db",
      "SELECT view FROM journal WHERE kind IN ('vote', 'proposal')",
    );
    expect(votes.filter(({ view }) => view <= bound)).toEqual([]);
  });
});

/** A disk of its own for a node: a small tmpfs over its directory. Undefined where this user may mount nothing. */
function smallDisk(directory: string, bytes: number): { unmount(): void } | undefined {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "sky-test", directory], { stdio: "pipe" });
  } catch (error) {
    console.log(`skipped: a small disk cannot be mounted here (${String(error).split("\n")[0] ?? ""})`);
    return undefined;
  }
  return { unmount: () => void execFileSync("umount", ["-l", directory]) };
}

/** Fills a disk to its last page. */
function fillUp(directory: string): void {
  const { bavail, bsize } = statfsSync(directory);
  try {
    writeFileSync(path.join(directory, "filler"), new Uint8Array(bavail * bsize));
  } catch (error) {
    if (!String(error).includes("ENOSPC")) throw error; // the node wrote meanwhile
  }
}

describe("a node whose disk is full", () => {
  it("stops with a sentence that says what to do, and goes on from where it was when there is room again", async ({
    skip,
  }) => {
    const name = "n2";
    const dir = cluster.node(name).dir;
    await settledHeight(cluster);
    await cluster.kill(name);
    const kept = `${dir}.kept`;
    renameSync(dir, kept);
    mkdirSync(dir, { mode: 0o700 });
    const disk = smallDisk(dir, 64 * 1024 * 1024);
    try {
      cpSync(kept, dir, { recursive: true });
      if (disk === undefined) return skip();
      // What the node says goes elsewhere: its last lines must be read.
      rmSync(path.join(dir, "node.log"));
      writeFileSync(`${dir}.log`, "");
      execFileSync("ln", ["-s", `${dir}.log`, path.join(dir, "node.log")]);
      await cluster.revive(name);
      await whileWriting(name, async (load) => {
        await load.more(20);
        fillUp(dir);
        await cluster.dead(name); // by itself
        const last = cluster.log(name);
        expect(last).toMatch(/"code":"(LOG|PROJECTION|DISK)_FULL"/);
        expect(last).toMatch(/free disk space, then start the node again/);
        await until("sky dev says so", () => cluster.said.some((line) => line.includes(`node ${name} ended (code 3)`)));
        await load.more(30);
        // Started while there is still no room it says the same, and leaves everything as it is.
        await cluster.revive(name).catch(() => {}); // it may run for a moment
        await until("it is dead again", () => cluster.node(name).pid === null);
        expect(cluster.log(name).slice(last.length)).toMatch(/free disk space, then start the node again/);
        rmSync(path.join(dir, "filler"));
        await cluster.revive(name);
        await load.more(30);
      });
      await cluster.kill(name);
    } finally {
      disk?.unmount();
    }
  });
});
