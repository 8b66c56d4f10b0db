/** Nodes that die, hang and return, one by one, two at a time and all at once, while clients go on writing. */
import { setTimeout as pause } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newCommandId } from "../../src/client/signing.ts";
import { Cluster, isAlive, sky, until } from "./cluster.ts";
import { CompatibleClients, READ_MS, assertionMessageOf, nodeNamed, skyClient } from "./clients.ts";
import { type Acknowledged, DOCUMENT, Load, expectKept } from "./load.ts";
import { expectSameRoots, settledHeight } from "./records.ts";

let cluster: Cluster;
const acknowledged: Acknowledged[] = [];
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster?.clean());

const others = (...dead: readonly string[]): readonly string[] => cluster.names.filter((name) => !dead.includes(name));
const chance = (below: number): number => Math.floor(Math.random() * below);

/** Everything acknowledged so far is on every node, and every node has the same block and root at every height. */
async function expectAllKept(): Promise<void> {
  const height = await settledHeight(cluster);
  expectSameRoots(cluster, height);
  await expectKept(cluster, acknowledged);
}

describe("kill -9 of one node during writes through the others", () => {
  it.each(["n0", "n1", "n2", "n3"])(
    "%s: no write through the others fails, and it returns to the same root",
    async (name) => {
      const load = new Load(cluster, `kill-${name}`, others(name));
      await load.more(20 + chance(60));
      await pause(chance(40)); // any moment of a block's life
      await cluster.kill(name);
      await load.more(60);
      await cluster.revive(name);
      await load.more(60);
      await load.stop();
      acknowledged.push(...load.acknowledged);
      expect(load.failed).toEqual([]);
      expect(load.retried).toEqual([]);
      await expectAllKept();
    },
  );
});

describe("two of four nodes are dead", () => {
  const subject = nodeNamed("nobody-yet", "load");
  const assertion = { subject, object: DOCUMENT };
  const change = { kind: "addAssertion", assertion } as const;

  it("writes answer that their outcome is unknown, within their deadline; reads answer and say their height", async () => {
    await cluster.kill("n1", "n3");
    // With two of four nothing more becomes final: what one of them may still learn, it has learned from the other.
    const height = await settledHeight(cluster, ["n0", "n2"]);
    const clients = new CompatibleClients(cluster);
    for (const name of ["n0", "n2"]) {
      const lost = assertionMessageOf({ subject: nodeNamed(`lost-${name}`, "load"), object: DOCUMENT });
      // The node's own words: past the deadline the client tells itself DEADLINE_EXCEEDED, and a busy machine's client may be first.
      const written = await until(`${name} says itself that it does not know`, async () => {
        const answer = await clients.try(name, "addAssertion", lost, { deadlineMs: 1_500 });
        return answer.code !== status.DEADLINE_EXCEEDED && answer;
      });
      expect(written).toMatchObject({ code: status.UNAVAILABLE, trailers: { "sky-code": "OUTCOME_UNKNOWN" } });
      expect(written.details).toMatch(/same id is safe/);

      const [known] = acknowledged;
      const asked = assertionMessageOf({ subject: known?.subject ?? subject, object: DOCUMENT });
      const checked = await clients.try(name, "check", { ts: 0n, assertion: asked });
      expect(checked).toMatchObject({
        code: status.OK,
        reply: { result: true },
        trailers: { "sky-height": String(height) },
      });
      const read = await clients.try(name, "readSubjects", { objects: [asked.object] });
      expect(read).toMatchObject({ code: status.OK, trailers: { "sky-height": String(height) } });
      expect(read.reply?.subjects.length).toBeGreaterThanOrEqual(acknowledged.length);
      const expanded = await clients.try(name, "expandSubject", asked.object);
      expect(expanded).toMatchObject({ code: status.OK, trailers: { "sky-height": String(height) } });
      expect((await cluster.health(name, "/readyz"))?.status).toBe(503);
    }
    clients.close();
    const type = (ms: number) =>
      sky("oracle", "write", "add namespace typed", "--dir", cluster.directory, "--timeout", String(ms));
    let typed = await type(1_500);
    // Who is given no time to connect in has sent nothing, and is told so.
    for (let ms = 3_000; /nothing was sent/i.test(typed.err) && ms < READ_MS; ms *= 2) typed = await type(ms);
    expect(typed.code, typed.err).toBe(3);
    expect(typed.err).toMatch(/with --id [0-9a-f]{32} within a minute/);
  });

  it("a write that was tried meanwhile is done once, by the same id, when one node returns", async () => {
    const client = skyClient(cluster, ["n0", "n2"]);
    await client.check(assertion); // it is connected
    const id = newCommandId();
    await expect(client.write([change], { id, timeoutMs: 1_500 })).rejects.toMatchObject({
      code: "OUTCOME_UNKNOWN",
    });
    await cluster.revive("n3");
    const written = await client.write([change], { id });
    expect(written.changed).toEqual([true]);
    await client.write([{ kind: "deleteAssertion", assertion }]);
    expect(await client.write([change], { id })).toEqual(written);
    expect((await client.check(assertion)).result).toBe(false);
    client.close();

    const load = new Load(cluster, "three", ["n0", "n2", "n3"]);
    await load.more(50);
    await load.stop();
    expect(load.failed).toEqual([]);
    acknowledged.push(...load.acknowledged);
    await cluster.revive("n1");
    await expectAllKept();
  });
});

describe("everything dies", () => {
  it("kill -9 of all four nodes and of sky dev during writes: started again, all that was acknowledged is on every node", async () => {
    const load = new Load(cluster, "all", cluster.names);
    await load.more(100 + chance(100));
    await cluster.killEverything();
    const kept = [...load.acknowledged];
    await cluster.run();
    await load.more(30); // the writers never noticed more than a pause
    await load.stop();
    expect(load.failed).toEqual([]);
    expect(load.acknowledged.slice(0, kept.length)).toEqual(kept);
    acknowledged.push(...load.acknowledged);
    await expectAllKept();
  });

  it("kill -9 of sky dev alone: its nodes stop by themselves, and it starts again", async () => {
    const pids = cluster.nodes.map(({ pid }) => pid ?? 0);
    process.kill(cluster.pid, "SIGKILL");
    for (const pid of pids) await until(`process ${pid} stops`, () => !isAlive(pid));
    await cluster.ended();
    await cluster.run();
    await expectAllKept();
  });
});

describe("nodes that hang, and nodes replaced one after the other", () => {
  it("SIGSTOP of one node: the others go on, and after SIGCONT it catches up", async () => {
    const load = new Load(cluster, "stop", others("n2"));
    await load.more(20);
    cluster.signal("n2", "SIGSTOP");
    await load.more(50);
    await pause(4_000); // longer than any of consensus' timers
    await load.more(50);
    cluster.signal("n2", "SIGCONT");
    await load.more(50);
    await load.stop();
    acknowledged.push(...load.acknowledged);
    expect(load.failed).toEqual([]);
    expect(load.retried).toEqual([]);
    await expectAllKept();
  });

  it("kill -9 and revival of every node in turn, under writes through all of them, loses nothing", async () => {
    const load = new Load(cluster, "rolling", cluster.names);
    for (const name of cluster.names) {
      await load.more(30);
      await cluster.kill(name);
      await load.more(30);
      await cluster.revive(name);
      await cluster.ready(name);
    }
    await load.more(30);
    await load.stop();
    acknowledged.push(...load.acknowledged);
    expect(load.failed).toEqual([]);
    await expectAllKept();
  });
});
