/** Nobody renews anything: certificates that live for seconds and keys that rotate by their age, while clients write and ask. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { height } from "../../src/base/brands.ts";
import { skyClient } from "./clients.ts";
import { Cluster, until } from "./cluster.ts";
import { DOCUMENT, Load, expectKept } from "./load.ts";
import { expectSameRoots, settledHeight } from "./records.ts";

/** A third of it is what renewing may take: for a cluster that gets a tenth of a machine, too. */
const LIFETIME_S = 45;
const ROTATE_S = 36;
/** Each key rotates this often; between two rotations, which renew them too, certificates are renewed once by their age. */
const ROTATIONS = 2;
const LISTENERS = ["api", "approach", "cluster", "service"];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start(
    ...["--certificate-lifetime", String(LIFETIME_S)],
    ...["--rotate-keys-every", String(ROTATE_S)],
  );
});
afterAll(() => cluster?.clean());

interface Seen {
  readonly rotations: number;
  readonly renewals: number;
  readonly failures: number;
  /** Until each listener's certificate ends. Units: s. */
  readonly left: readonly number[];
}

async function look(name: string): Promise<Seen | undefined> {
  const page = (await cluster.health(name, "/metrics"))?.body;
  if (page === undefined) return undefined;
  const value = (metric: string): number => {
    const found = page.split("\n").find((line) => line.startsWith(`sky_${metric} `));
    if (found === undefined) throw new Error(`${name} has no metric ${metric}`);
    return Number(found.split(" ")[1]);
  };
  return {
    rotations: value("key_rotations_total"),
    renewals: value("certificate_renewals_total"),
    failures:
      value("certificate_renewal_failures_total") +
      value("key_rotation_failures_total") +
      value("certificates_failing"),
    left: LISTENERS.map((listener) => value(`certificate_expires_seconds{listener="${listener}"}`)),
  };
}

/** Asks for what was acknowledged last, by calls and over a stream, without rest. */
class Asking {
  readonly failed: string[] = [];
  done = 0;
  #stopping = false;
  readonly #ended: Promise<unknown>;

  constructor(load: Load) {
    this.#ended = Promise.all([this.#run(load, "calls"), this.#run(load, "stream")]);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#ended;
  }

  async #run(load: Load, by: "calls" | "stream"): Promise<void> {
    const client = skyClient(cluster, by === "calls" ? cluster.names : cluster.names.toReversed());
    const stream = client.checkStream();
    while (!this.#stopping) {
      const last = load.acknowledged.at(-1);
      if (last === undefined) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      const asked = { subject: last.subject, object: DOCUMENT };
      const atLeast = height(last.height);
      try {
        const is =
          by === "calls" ? (await client.check(asked, { atLeast })).result : await stream.check(asked, { atLeast });
        if (!is) throw new Error(`${last.subject.name} is not there`);
        this.done += 1;
      } catch (error) {
        this.failed.push(`${by}: ${String(error)}`);
      }
    }
    stream.end();
    client.close();
  }
}

it("certificates and keys renew by themselves under load; no request fails, and the metrics say so", async () => {
  const load = new Load(cluster, "short", cluster.names);
  const asking = new Asking(load);
  const seen = new Map<string, Seen>();
  const least = new Map<string, number>();
  await until(`every node rotates its key ${ROTATIONS} times and renews its certificates by their age`, async () => {
    for (const name of cluster.names) {
      const now = await look(name);
      if (now === undefined) continue;
      seen.set(name, now);
      least.set(name, Math.min(least.get(name) ?? LIFETIME_S, ...now.left));
    }
    const all = [...seen.values()];
    return (
      all.length === cluster.names.length &&
      all.every(({ rotations, renewals }) => rotations >= ROTATIONS && renewals >= LISTENERS.length * (rotations + 1))
    );
  });
  await load.more(60);
  await load.stop();
  await asking.stop();
  expect(load.failed).toEqual([]);
  expect(load.retried).toEqual([]);
  expect(asking.failed).toEqual([]);
  expect(asking.done).toBeGreaterThan(200);
  for (const name of cluster.names) {
    expect(seen.get(name)?.failures, name).toBe(0);
    // None came near its end: it was renewed at a third of its life before.
    expect(least.get(name), name).toBeGreaterThan(0);
  }
  await expectKept(cluster, load.acknowledged);
  expectSameRoots(cluster, await settledHeight(cluster));
});
