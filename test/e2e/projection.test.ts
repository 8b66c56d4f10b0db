/** A node's projection is exchanged while the node serves; whoever kills it meanwhile finds one whole projection afterwards. */
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { height } from "../../src/base/brands.ts";
import { identityOf } from "../../src/client/identity.ts";
import { KerlClient } from "../../src/client/kerl-client.ts";
import type { Assertion } from "../../src/events/facts/graph.ts";
import { clientFiles } from "../../src/host/founding/client-folder.ts";
import { READ_MS, nodeNamed, skyClient } from "./clients.ts";
import { type CommandEnd, Cluster, sky, until } from "./cluster.ts";
import { expectSameRoots, settledHeight } from "./records.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster?.clean());

interface Report {
  readonly ok: boolean;
  readonly phase: string;
  readonly blocks: number;
  readonly differences: readonly unknown[];
  readonly hasPrevious: boolean;
}

const projection = (action: string, ...more: readonly string[]): Promise<CommandEnd> =>
  sky(
    "projection",
    action,
    "n1",
    "--founding",
    cluster.path("founding.sky"),
    "--operator",
    cluster.path("operators", "ann", "operator.sky"),
    "--passphrase-file",
    cluster.path("operators", "ann", "passphrase"),
    "--json",
    ...more,
  );
const reportOf = ({ out, err }: CommandEnd): Report => {
  const [line = ""] = out.split("\n");
  if (!line.startsWith("{")) throw new Error(`${out}${err}`);
  return JSON.parse(line) as Report;
};

function kerlClient(node: string): KerlClient {
  const files = clientFiles(cluster.path("clients", "default"));
  return KerlClient.connect({
    endpoints: [`127.0.0.1:${cluster.node(node).ports.service}`],
    ca: readFileSync(files.anchors),
    cert: readFileSync(files.certificate),
    key: readFileSync(files.key),
    ...identityOf(readFileSync(files.identity)),
    readTimeoutMs: READ_MS,
  });
}

const assertion = (i: number): Assertion => ({ subject: nodeNamed(`s${i}`), object: nodeNamed("report") });

/** Writes, and asks n1 about every height so far, without rest; counts what failed. */
class Load {
  readonly failed: string[] = [];
  /** Height at which each assertion came. */
  readonly heights: number[] = [];
  asked = 0;
  #stopping = false;
  readonly #ended: Promise<unknown>;

  constructor() {
    this.#ended = Promise.all([this.#write(), this.#ask()]);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#ended;
  }

  async #write(): Promise<void> {
    const client = skyClient(cluster, ["n0", "n2"]);
    for (let i = 0; !this.#stopping; i++) {
      const written = await client.write([{ kind: "addAssertion", assertion: assertion(i) }], { note: `line ${i}` });
      this.heights.push(written.receipt.height);
    }
    client.close();
  }

  async #ask(): Promise<void> {
    const client = skyClient(cluster, ["n1"]);
    const kerl = kerlClient("n1");
    const founder = cluster.node("n2").aid;
    while (!this.#stopping) {
      const i = this.asked % Math.max(1, this.heights.length);
      const at = this.heights[i];
      if (at === undefined) {
        await pause(10);
        continue;
      }
      this.asked += 1;
      try {
        await client.check(assertion(i), { atLeast: height(at) });
        const [then] = await client.checkAt(height(at), [assertion(i)]);
        const [before] = await client.checkAt(height(at - 1), [assertion(i)]);
        const { keyState } = await kerl.keyState(founder, { height: height(at) });
        if (then !== true || before !== false || keyState?.aid !== founder)
          this.failed.push(`height ${at}: ${then}, before ${before}, ${keyState?.aid}`);
      } catch (error) {
        this.failed.push(String(error));
      }
    }
    kerl.close();
    client.close();
  }
}

/** What a node refused of questions about the past, by its own count. */
async function refusals(name: string): Promise<readonly string[]> {
  const page = await cluster.health(name, "/metrics");
  const lines = page?.body.split("\n") ?? [];
  return lines.filter((line) => /^sky_refusals_total.*(HISTORY_LAGGING|UNAVAILABLE|OVERLOADED|DEFECT)/.test(line));
}

describe("a projection of a node that serves", () => {
  it("is rebuilt and rolled back under load, without a failed question about the past", async () => {
    const load = new Load();
    await until("there is a past", () => load.heights.length > 20 && load.asked > 20);
    const rebuilt = await projection("rebuild");
    expect(rebuilt.code, `${rebuilt.out}${rebuilt.err}${cluster.log("n1")}`).toBe(0);
    expect(reportOf(rebuilt)).toMatchObject({ phase: "done", differences: [], hasPrevious: true });
    const asked = load.asked;
    await until("questions go on", () => load.asked > asked + 20);
    const rolledBack = await projection("rollback");
    expect(reportOf(rolledBack)).toMatchObject({ ok: true, phase: "done" });
    await load.stop();
    expect(load.failed).toEqual([]);
    expect(await refusals("n1")).toEqual([]);
    expect(load.asked).toBeGreaterThan(60);
    expect(await cluster.metric("n1", "projection_rebuilds_total")).toBe(1);
    expect(await cluster.metric("n1", "projection_roll_backs_total")).toBe(1);
    expectSameRoots(cluster, await settledHeight(cluster));
  });

  it("is whole after kill -9 at any moment of a rebuild", async () => {
    for (const afterMs of [400, 900, 1_400]) {
      const asked = projection("rebuild");
      await pause(afterMs); // whatever it does then
      await cluster.kill("n1");
      await asked;
      await cluster.revive("n1");
      await cluster.ready("n1");
      expect(existsSync(cluster.path("nodes", "n1", "projection.rebuilt.db"))).toBe(false);
      expect(existsSync(cluster.path("nodes", "n1", "projection.retired.db"))).toBe(false);
      expect(cluster.log("n1")).not.toContain("The projection was damaged");
    }
    const again = await projection("rebuild");
    expect(reportOf(again), again.err).toMatchObject({ ok: true, phase: "done" });
    expectSameRoots(cluster, await settledHeight(cluster));
  });
});
