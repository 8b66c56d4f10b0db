/** The mesh of members over real TLS on loopback. */
import { afterEach, expect, test } from "vitest";
import { memberIndex } from "../../../src/base/brands.ts";
import { ok } from "../../../src/base/result.ts";
import { type PeerNetwork, openPeerNetwork } from "../../../src/host/cluster/peer-network.ts";
import { selfSigned } from "../../contract/grpc/support/certificates.ts";
import { findPorts } from "../../../src/host/dev/ports.ts";

const open: PeerNetwork[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((network) => network.close()));
});

interface Member {
  readonly network: PeerNetwork;
  /** Resolves when as many peers are connected. */
  readonly connected: (count: number) => Promise<void>;
}

async function member(self: 0 | 1, base: number): Promise<Member> {
  const waiting = new Set<() => void>();
  const changed = (): void => waiting.forEach((look) => look());
  const network = await openPeerNetwork({
    self: memberIndex(self),
    endpoints: [`127.0.0.1:${base}`, `127.0.0.1:${base + 1}`],
    listen: { host: "127.0.0.1", port: base + self },
    tls: selfSigned(`member ${self}`),
    authenticate: () => ok(memberIndex(1 - self)),
    onFrame: () => {},
    onConnected: changed,
    onDisconnected: changed,
    onRefused: () => {},
  });
  open.push(network);
  const connected = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (network.connected().length !== count) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { network, connected };
}

test("a member hears of a peer that goes and of its return, although nothing is sent", async () => {
  const base = await findPorts(2, Math.random);
  const first = await member(0, base);
  const second = await member(1, base);
  await first.connected(1);
  await second.network.close();
  await first.connected(0);
  await member(1, base);
  await first.connected(1);
  expect(first.network.connected()).toEqual([1]);
});
