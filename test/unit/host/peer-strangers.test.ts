/** Strangers at a member's CLUSTER port. */
import { type Socket, connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { memberIndex } from "../../../src/base/brands.ts";
import { ok } from "../../../src/base/result.ts";
import { type PeerNetwork, openPeerNetwork } from "../../../src/host/cluster/peer-network.ts";
import { twoPorts } from "./free-ports.ts";
import { selfSigned } from "../../contract/grpc/support/certificates.ts";

let network: PeerNetwork | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await network?.close();
});

test("strangers who wait with open sockets keep no member out", async () => {
  const base = await twoPorts();
  const refused: string[] = [];
  const frames: number[] = [];
  let heard = (): void => {};
  const frame = new Promise<void>((resolve) => {
    heard = resolve;
  });
  network = await openPeerNetwork({
    self: memberIndex(0),
    endpoints: [`127.0.0.1:${base}`, `127.0.0.1:${base + 1}`],
    listen: { host: "127.0.0.1", port: base },
    tls: selfSigned("member 0"),
    authenticate: () => ok(memberIndex(1)),
    connectionMaxAgeMs: 0,
    onMigration: () => {},
    onFrame: (_from, { length }) => {
      frames.push(length);
      heard();
      return true;
    },
    onConnected: () => {},
    onDisconnected: () => {},
    onRefused: (reason) => void refused.push(reason),
  });
  for (let i = 0; i < 100; i++) {
    const socket = connect(base, "127.0.0.1");
    socket.on("error", () => undefined);
    sockets.push(socket);
    await new Promise((resolve) => void socket.once("connect", resolve));
  }
  const member = connectTls({ host: "127.0.0.1", port: base, rejectUnauthorized: false, ...selfSigned("member 1") });
  member.on("error", () => undefined);
  sockets.push(member);
  member.write(Buffer.from([0, 0, 0, 3, 1, 2, 3]));
  await frame;
  expect(frames).toEqual([3]);
  expect(refused).toContain("TOO_MANY_UNAUTHENTICATED");
});
