/**
 * Where nodes live: each in a network namespace of its own, on one bridge with the clients and operators, or all on loopback
 * where namespaces are not allowed.
 *
 * A cut in one direction gives the sender a wrong link address for the receiver, for good: its packets reach nobody, without an
 * error, until the cut is mended. Clients and operators reach every node meanwhile.
 */
import { findPorts } from "../../src/host/dev/ports.ts";
import { run } from "./commands.ts";

export interface Place {
  readonly name: string;
  readonly address: string;
  /** API, APPROACH, CLUSTER, SERVICE, HEALTH. */
  readonly ports: readonly [number, number, number, number, number];
  /** What to put before a command so that it runs there. */
  readonly enter: readonly string[];
}

export interface Network {
  readonly places: readonly Place[];
  /** undefined: this network cannot be cut, and why. */
  readonly uncuttable: string | undefined;
  /** From now on nothing that `from` sends reaches `to`, until it was mended as often as it was cut. */
  cut(from: string, to: string): Promise<void>;
  mend(from: string, to: string): Promise<void>;
}

const PREFIX = "10.203.0";
const HUB = `${PREFIX}.1`;
/** Of no interface: a bridge floods what is sent there, and everybody ignores it. */
const NOBODY = "02:00:00:00:ff:ff";

/** Namespaces on a bridge. For a process that has network and mount namespaces of its own, which end with it. Throws: Error. */
export async function namespaces(names: readonly string[]): Promise<Network> {
  await run("mount", "-t", "tmpfs", "tmpfs", "/run"); // where `ip netns` keeps names
  await run("ip", "link", "set", "lo", "up");
  await run("ip", "link", "add", "hub", "type", "bridge");
  await run("ip", "address", "add", `${HUB}/24`, "dev", "hub");
  await run("ip", "link", "set", "hub", "up");
  const places: Place[] = [];
  for (const [i, name] of names.entries()) {
    const address = `${PREFIX}.${10 + i}`;
    await run("ip", "netns", "add", name);
    await run("ip", "link", "add", `to-${name}`, "type", "veth", "peer", "name", "eth0", "netns", name);
    await run("ip", "link", "set", `to-${name}`, "master", "hub", "up");
    await run("ip", "-n", name, "address", "add", `${address}/24`, "dev", "eth0");
    for (const device of ["eth0", "lo"]) await run("ip", "-n", name, "link", "set", device, "up");
    places.push({ name, address, ports: [8123, 8124, 8125, 8126, 8127], enter: ["ip", "netns", "exec", name] });
  }
  const cuts = new Map<string, number>();
  let last: Promise<void> = Promise.resolve();
  const inTurn = (change: () => Promise<void>): Promise<void> => {
    const done = last.then(change);
    last = done.catch(() => undefined);
    return done;
  };
  const addressOf = (name: string): string => places.find((place) => place.name === name)?.address ?? name;
  return {
    places,
    uncuttable: undefined,
    cut: (from, to) =>
      inTurn(async () => {
        if (counted(cuts, `${from} ${to}`, 1) > 0) return;
        const nobody = [addressOf(to), "lladdr", NOBODY, "dev", "eth0", "nud", "permanent"];
        await run("ip", "-n", from, "neigh", "replace", ...nobody);
      }),
    mend: (from, to) =>
      inTurn(async () => {
        if (counted(cuts, `${from} ${to}`, -1) > 1) return;
        await run("ip", "-n", from, "neigh", "del", addressOf(to), "dev", "eth0");
      }),
  };
}

/** Changes a count; returns what it was. */
function counted(counts: Map<string, number>, key: string, change: number): number {
  const before = counts.get(key) ?? 0;
  counts.set(key, before + change);
  return before;
}

const PORTS_PER_NODE = 5;

/** Every node on loopback, with ports of its own. */
export async function loopback(names: readonly string[], why: string): Promise<Network> {
  const base = await findPorts(names.length * PORTS_PER_NODE, Math.random);
  const impossible = (): Promise<never> => Promise.reject(new Error(`the network cannot be cut: ${why}`));
  return {
    places: names.map((name, i) => {
      const first = base + i * PORTS_PER_NODE;
      return { name, address: "127.0.0.1", ports: [first, first + 1, first + 2, first + 3, first + 4], enter: [] };
    }),
    uncuttable: why,
    cut: impossible,
    mend: impossible,
  };
}
