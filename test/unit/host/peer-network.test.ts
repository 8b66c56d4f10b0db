/** The mesh of members over real TLS on loopback. */
import { X509Certificate } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { memberIndex } from "../../../src/base/brands.ts";
import { ok, refuse } from "../../../src/base/result.ts";
import { type PeerNetwork, type PeerNetworkOptions, openPeerNetwork } from "../../../src/host/cluster/peer-network.ts";
import { selfSigned } from "../../contract/grpc/support/certificates.ts";
import { twoPorts } from "./free-ports.ts";

const open: PeerNetwork[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((network) => network.close()));
});

interface Member {
  readonly network: PeerNetwork;
  /** Resolves when as many peers are connected. */
  readonly connected: (count: number) => Promise<void>;
  readonly until: (condition: () => boolean) => Promise<void>;
  /** "connected" and "disconnected", in order. */
  readonly events: string[];
  readonly refused: string[];
  /** Of attempts to migrate: whether they succeeded. */
  readonly migrations: boolean[];
  /** Numbers of the frames that came. */
  readonly frames: number[];
}

interface Given {
  readonly authenticate?: PeerNetworkOptions["authenticate"];
  readonly connectionMaxAgeMs?: number;
  /** What it says of every frame. */
  readonly isOfUse?: boolean;
}

async function member(self: 0 | 1, base: number, given: Given = {}): Promise<Member> {
  const events: string[] = [];
  const refused: string[] = [];
  const frames: number[] = [];
  const migrations: boolean[] = [];
  const waiting = new Set<() => void>();
  const changed = (): void => waiting.forEach((look) => look());
  const network = await openPeerNetwork({
    self: memberIndex(self),
    endpoints: [`127.0.0.1:${base}`, `127.0.0.1:${base + 1}`],
    listen: { host: "127.0.0.1", port: base + self },
    tls: selfSigned(`member ${self}`),
    authenticate: given.authenticate ?? (() => ok(memberIndex(1 - self))),
    connectionMaxAgeMs: given.connectionMaxAgeMs ?? 0,
    onFrame: (_from, frame) => {
      frames.push(Buffer.from(frame).readUInt32BE(0));
      changed();
      return given.isOfUse ?? true;
    },
    onConnected: () => {
      events.push("connected");
      changed();
    },
    onDisconnected: () => {
      events.push("disconnected");
      changed();
    },
    onRefused: (reason) => {
      refused.push(reason);
      changed();
    },
    onMigration: (_member, isDone) => {
      migrations.push(isDone);
      changed();
    },
  });
  open.push(network);
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const connected = (count: number): Promise<void> => until(() => network.connected().length === count);
  return { network, connected, until, events, refused, frames, migrations };
}

/** Whose certificates are accepted, by common name; what a handshake shows is judged when it is asked. */
const accepting =
  (names: ReadonlySet<string>, who: 0 | 1): PeerNetworkOptions["authenticate"] =>
  (der) => {
    const name = der.length === 0 ? "none" : new X509Certificate(der).subject.slice(3);
    return names.has(name) ? ok(memberIndex(who)) : refuse("CERTIFICATE_KEY_ROTATED", `${name} is accepted no more`);
  };

const numbered = (n: number): Uint8Array => {
  const frame = Buffer.alloc(1_000);
  frame.writeUInt32BE(n, 0);
  return frame;
};

test("a member hears of a peer that goes and of its return, although nothing is sent", async () => {
  const base = await twoPorts();
  const first = await member(0, base);
  const second = await member(1, base);
  await first.connected(1);
  await second.network.close();
  await first.connected(0);
  await member(1, base);
  await first.connected(1);
  expect(first.network.connected()).toEqual([1]);
});

test("a stream migrates to a renewed certificate: the new connection stands before the old one ends, and no frame is lost", async () => {
  const base = await twoPorts();
  const names = new Set(["member 0"]);
  const first = await member(0, base);
  const second = await member(1, base, { authenticate: accepting(names, 0) });
  await first.connected(1);
  names.add("renewed 0");
  let sent = 0;
  const send = (count: number): void => {
    for (let i = 0; i < count; i++) first.network.send(memberIndex(1), numbered(sent++));
  };
  send(500);
  first.network.renew(selfSigned("renewed 0"));
  send(500);
  await first.until(() => first.events.length === 2);
  expect(first.events).toEqual(["connected", "connected"]); // never disconnected
  names.delete("member 0"); // from now on the old certificate is refused
  send(500);
  await second.until(() => second.frames.length === sent);
  expect(second.frames.toSorted((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, i) => i));
  second.network.rejudge();
  send(500);
  await second.until(() => second.frames.length === sent);
  expect(first.events).toEqual(["connected", "connected"]);
  expect(second.refused).toEqual([]);
});

test("of a member whose frames are of no use none is lost, however slowly they are read", async () => {
  const base = await twoPorts();
  const first = await member(0, base);
  const second = await member(1, base, { isOfUse: false });
  await first.connected(1);
  const count = 20_500;
  for (let i = 0; i < count; i++) first.network.send(memberIndex(1), numbered(i));
  await second.until(() => second.frames.length === count);
  expect(second.frames).toEqual(Array.from({ length: count }, (_, i) => i));
  expect(first.events).toEqual(["connected"]);
});

test("what is accepted no more ends within its grace, both ways, and is not let in again", async () => {
  const base = await twoPorts();
  const names = new Set(["member 0"]);
  const first = await member(0, base);
  const second = await member(1, base, { authenticate: accepting(names, 0) });
  await first.connected(1);
  await second.connected(1);
  names.clear();
  second.network.rejudge();
  await second.connected(0); // the stream that it dialled
  await first.until(() => first.events.includes("disconnected")); // the one that it was dialled by
  await expect.poll(() => second.refused.length).toBeGreaterThan(1);
  expect(new Set(second.refused)).toEqual(new Set(["CERTIFICATE_KEY_ROTATED"]));
  names.add("renewed 0");
  first.network.renew(selfSigned("renewed 0"));
  await second.connected(1);
  const before = second.frames.length;
  await first.connected(1);
  first.network.send(memberIndex(1), numbered(7));
  await second.until(() => second.frames.length > before);
});

test("a member whose certificate came into force here only after it was renewed there is dialled again until it is accepted", async () => {
  const base = await twoPorts();
  const names = new Set(["member 0"]);
  const first = await member(0, base);
  const second = await member(1, base, { authenticate: accepting(names, 0) });
  await Promise.all([first.connected(1), second.connected(1)]);
  first.network.renew(selfSigned("renewed 0"));
  await expect.poll(() => second.refused).toContain("CERTIFICATE_KEY_ROTATED");
  expect(first.network.connected()).toEqual([1]); // on the connection that it has
  await first.until(() => first.migrations.includes(false));
  expect(first.network.overdue()).toBe(1);
  first.network.send(memberIndex(1), numbered(1));
  await second.until(() => second.frames.includes(1));
  names.add("renewed 0");
  names.delete("member 0");
  second.network.rejudge();
  await expect.poll(() => first.events.filter((event) => event === "connected").length).toBeGreaterThan(1);
  expect(first.network.overdue()).toBe(0);
  first.network.send(memberIndex(1), numbered(2));
  await second.until(() => second.frames.includes(2));
});

test("old streams migrate by themselves, without a disconnection", async () => {
  const base = await twoPorts();
  const first = await member(0, base, { connectionMaxAgeMs: 200 });
  const second = await member(1, base);
  await first.until(() => first.events.length >= 4);
  expect(new Set(first.events)).toEqual(new Set(["connected"]));
  first.network.send(memberIndex(1), numbered(9));
  await second.until(() => second.frames.includes(9));
  expect(second.events.filter((event) => event === "disconnected")).toEqual([]);
});

test("a judge that throws refuses the peer, on both sides and when streams are judged anew, and nothing else ends", async () => {
  const base = await twoPorts();
  let isBroken = true;
  const broken: PeerNetworkOptions["authenticate"] = () => {
    if (isBroken) throw new RangeError("a reader met what nobody thought of");
    return ok(memberIndex(1));
  };
  const first = await member(0, base, { authenticate: broken });
  const second = await member(1, base);
  // Neither the stream that it dialled nor the one that it was dialled for.
  await first.until(() => first.refused.filter((code) => code === "AUTHENTICATION_FAILED").length >= 2);
  expect([first.network.connected(), second.network.connected()]).toEqual([[], []]);
  isBroken = false;
  await Promise.all([first.connected(1), second.connected(1)]);
  isBroken = true;
  first.network.rejudge();
  await Promise.all([first.connected(0), second.connected(0)]);
});
