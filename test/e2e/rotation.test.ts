/** Everyone has a life, nodes: keys that rotate under load without a failed request, and old ones that are refused afterwards. */
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { height } from "../../src/base/brands.ts";
import { present } from "../../src/base/errors.ts";
import type { CheckStream, SkyClient } from "../../src/client/sky-client.ts";
import { nodeNamed, skyClient } from "./clients.ts";
import { Cluster, sky, until } from "./cluster.ts";
import { DOCUMENT, Load, expectKept } from "./load.ts";
import { expectSameRoots, settledHeight } from "./records.ts";
import { type Identity, type StolenNode, forge, seesAll, steal } from "./security/stolen.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster?.clean());

interface Rotated {
  readonly node: string;
  readonly ok: boolean;
  readonly sn: number;
  readonly said: string;
  readonly inForce: boolean;
  readonly pending: unknown;
}

const operator = (): readonly string[] => [
  "--founding",
  cluster.path("founding.sky"),
  "--operator",
  cluster.path("operators", "ann", "operator.sky"),
  "--passphrase-file",
  cluster.path("operators", "ann", "passphrase"),
];

async function rotate(name: string): Promise<Rotated> {
  const end = await sky("member", "rotate", name, ...operator(), "--json");
  if (end.code !== 0) throw new Error(`${name} does not rotate: ${end.out}${end.err}\n${cluster.log(name)}`);
  return JSON.parse(end.out) as Rotated;
}

const stolen = (name: string): StolenNode =>
  present(
    steal(cluster.directory).nodes.find((node) => node.name === name),
    `node ${name}`,
  );

/** A certificate that the node's keys of that time stand behind. */
const certificateOf = ({ aid, keys }: StolenNode): Promise<Identity> =>
  forge({
    cluster: steal(cluster.directory).layout.founding.cluster,
    aid,
    seed: keys.current,
    role: "node",
    issuer: { aid, key: keys.issuerKey, certificate: keys.issuerCertificate },
    change: (body) => ({ ...body, keySn: keys.keyState.sn }),
  });

/** Whether a member admits whoever shows this certificate on its CLUSTER port; it says so by a byte, or ends the connection. */
const admits = (name: string, identity: Identity): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({
      host: "127.0.0.1",
      port: cluster.node(name).ports.cluster,
      ...identity,
      rejectUnauthorized: false,
      minVersion: "TLSv1.3",
    });
    socket.once("data", () => {
      resolve(true);
      socket.destroy();
    });
    socket.once("close", () => resolve(false));
    socket.on("error", () => socket.destroy());
  });

type Ask = (client: SkyClient) => {
  readonly once: (n: number) => Promise<void>;
  readonly end: () => void;
};

/** Asks without rest, one thing after the other. */
class Asking {
  readonly failed: string[] = [];
  done = 0;
  #stopping = false;
  readonly #ended: Promise<void>;

  constructor(through: readonly string[], ask: Ask) {
    this.#ended = this.#run(through, ask);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#ended;
  }

  async #run(through: readonly string[], ask: Ask): Promise<void> {
    const client = skyClient(cluster, through);
    const { once, end } = ask(client);
    for (; !this.#stopping; this.done++) {
      try {
        await once(this.done);
      } catch (error) {
        this.failed.push(String(error));
      }
    }
    end();
    client.close();
  }
}

/** What was acknowledged last is there, at its height. */
const checking =
  (load: Load, check: (client: SkyClient) => Pick<CheckStream, "check" | "end">): Ask =>
  (client) => {
    const checks = check(client);
    return {
      once: async () => {
        const last = load.acknowledged.at(-1);
        if (last === undefined) return new Promise((resolve) => setImmediate(resolve));
        const atLeast = height(last.height);
        if (!(await checks.check({ subject: last.subject, object: DOCUMENT }, { atLeast })))
          throw new Error(`${last.subject.name} is not there at height ${last.height}`);
      },
      end: () => checks.end(),
    };
  };

/** The four ways of asking that clients of ours have: writes are the load's, and those over a stream. */
const asking = (load: Load): readonly Asking[] => {
  const reversed = [...cluster.names].reverse();
  return [
    new Asking(
      cluster.names,
      checking(load, (client) => ({
        check: async (assertion, options) => (await client.check(assertion, options)).result,
        end: () => {},
      })),
    ),
    new Asking(
      reversed,
      checking(load, (client) => client.checkStream()),
    ),
    new Asking(reversed, (client) => {
      const writes = client.writeStream();
      return {
        once: async (n) => {
          const { changed } = await writes.write([
            { kind: "addAssertion", assertion: { subject: nodeNamed(`streamed-${n}`, "load"), object: DOCUMENT } },
          ]);
          if (changed[0] !== true) throw new Error(`streamed-${n} was acknowledged without effect`);
        },
        end: () => writes.end(),
      };
    }),
  ];
};

describe("rotating every node's key", () => {
  it("one by one under load: no request fails, and the old keys' certificates are refused from then on", async () => {
    const old = new Map(
      await Promise.all(cluster.names.map(async (name) => [name, await certificateOf(stolen(name))] as const)),
    );
    const [first = "", ...others] = cluster.names;
    expect(await admits(first, present(old.get(present(others[0], "four nodes")), "a certificate"))).toBe(true);

    const load = new Load(cluster, "rotating", cluster.names);
    const asked = asking(load);
    await load.more(60);
    for (const name of cluster.names) {
      expect(await rotate(name)).toMatchObject({ ok: true, sn: 1, inForce: true, pending: null });
      await load.more(60);
      const shown = present(old.get(name), "a certificate");
      for (const other of cluster.names) {
        if (other === name) continue;
        await until(`${other} refuses the old certificate of ${name}`, async () => !(await admits(other, shown)));
        expect(await admits(other, await certificateOf(stolen(name)))).toBe(true);
      }
    }
    await load.more(60);
    await load.stop();
    for (const one of asked) await one.stop();
    expect(load.failed).toEqual([]);
    expect(load.retried).toEqual([]);
    expect(asked.flatMap(({ failed }) => failed)).toEqual([]);
    for (const { done } of asked) expect(done).toBeGreaterThan(50);
    for (const name of cluster.names) {
      await seesAll(cluster, name);
      expect(await cluster.metric(name, "key_sequence_number")).toBe(1);
      expect(await cluster.metric(name, "rotation_pending")).toBe(0);
    }
    await expectKept(cluster, load.acknowledged);
    expectSameRoots(cluster, await settledHeight(cluster));
  });

  it("a node that was away meanwhile comes back, although it knows none of the others' keys", async () => {
    const [away = "", ...others] = cluster.names;
    await cluster.kill(away);
    for (const name of others) expect(await rotate(name)).toMatchObject({ ok: true, sn: 2, inForce: true });
    await cluster.revive(away);
    await cluster.ready(away);
    await seesAll(cluster, away);
    expect(await rotate(away)).toMatchObject({ ok: true, sn: 2, inForce: true });
    expectSameRoots(cluster, await settledHeight(cluster));
  });

  it("a rotation that a death interrupted goes on by itself: the same event comes into force", async () => {
    const [name = "", ...others] = cluster.names;
    for (const other of others) cluster.signal(other, "SIGSTOP");
    const asked = sky("member", "rotate", name, ...operator(), "--json"); // no quorum: it cannot come into force
    await until("the rotation is pending", async () => (await cluster.metric(name, "rotation_pending")) === 1);
    const { pending } = stolen(name).keys;
    await cluster.kill(name);
    for (const other of others) cluster.signal(other, "SIGCONT");
    expect((await asked).code).not.toBe(0);
    await cluster.revive(name);
    await until("the rotation is in force", async () => (await cluster.metric(name, "key_sequence_number")) === 3);
    expect(stolen(name).keys.keyState).toEqual({ sn: 3, said: present(pending, "a pending rotation").said });
    await seesAll(cluster, name);
  });

  it("the whole cluster comes back from its disks", async () => {
    expect(await cluster.stop()).toBe(0);
    await cluster.run();
    for (const name of cluster.names) await seesAll(cluster, name);
    const client = skyClient(cluster, cluster.names);
    await client.write([{ kind: "addNamespace", namespace: "after" }]);
    client.close();
    expectSameRoots(cluster, await settledHeight(cluster));
  });
});
