import { X509Certificate } from "node:crypto";
import { connect as connectTcp } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as connectTls } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import type { Aid } from "../../../src/base/brands.ts";
import { ok, refuse } from "../../../src/base/result.ts";
import {
  type GrpcListener,
  type GrpcListenerOptions,
  openGrpcListener,
} from "../../../src/host/listeners/grpc-listener.ts";
import { type TestIdentity, selfSigned } from "./support/certificates.ts";

const node = selfSigned("node");
const alice = selfSigned("alice");
const bob = selfSigned("bob");
const mallory = selfSigned("mallory");

const raw = (bytes: Buffer): Buffer => bytes;
const whoAmI: grpc.MethodDefinition<Buffer, Buffer> = {
  path: "/test.Who/AmI",
  requestStream: false,
  responseStream: false,
  requestSerialize: raw,
  requestDeserialize: raw,
  responseSerialize: raw,
  responseDeserialize: raw,
};

/** Nobody's answer takes so long. Units: ms. */
const DEADLINE_MS = 60_000;

const slow = { ...whoAmI, path: "/test.Who/Waits" };

type AuthContext = ReturnType<grpc.ServerUnaryCall<Buffer, Buffer>["getAuthContext"]>;

interface Opened {
  readonly listener: GrpcListener;
  readonly server: grpc.Server;
  readonly refused: string[];
  readonly authContexts: AuthContext[];
}
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

async function open(options: Partial<GrpcListenerOptions> = {}): Promise<Opened> {
  const server = new grpc.Server();
  const refused: string[] = [];
  const authContexts: AuthContext[] = [];
  const listener = await openGrpcListener({
    host: "127.0.0.1",
    port: 0,
    tls: node,
    server,
    authenticate: (der) => {
      const { subject } = new X509Certificate(der);
      if (subject === "CN=mallory") return refuse("STRANGER", "not one of ours");
      return ok({ aid: subject.slice(3) as Aid, role: "client" });
    },
    onRefused: (reason) => refused.push(reason),
    ...options,
    // Only who waits for it meets the end of a handshake's time.
    limits: { handshakeTimeoutMs: DEADLINE_MS, ...options.limits },
  });
  const handler: grpc.handleUnaryCall<Buffer, Buffer> = (call, reply) => {
    authContexts.push(call.getAuthContext());
    const caller = listener.callerOf(call);
    reply(null, Buffer.from(caller.ok ? caller.value.aid : caller.refusal.code));
  };
  server.register(whoAmI.path, handler, raw, raw, "unary");
  cleanups.push(async () => {
    await listener.close(0);
    server.forceShutdown();
  });
  return { listener, server, refused, authContexts };
}

function clientOf(listener: GrpcListener, identity: TestIdentity | undefined): grpc.Client {
  const credentials = grpc.credentials.createSsl(
    Buffer.from(node.cert),
    identity === undefined ? null : Buffer.from(identity.key),
    identity === undefined ? null : Buffer.from(identity.cert),
  );
  const client = new grpc.Client(`127.0.0.1:${listener.port}`, credentials, { "grpc.use_local_subchannel_pool": 1 });
  cleanups.push(() => client.close());
  return client;
}

const ask = (client: grpc.Client, { path } = whoAmI): Promise<string> =>
  new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      raw,
      raw,
      Buffer.from("?"),
      new grpc.Metadata(),
      { deadline: Date.now() + DEADLINE_MS },
      (error, reply) => (error === null ? resolve(String(reply)) : reject(error)),
    );
  });

const closed = (socket: { on(event: "close", listener: () => void): unknown }): Promise<void> =>
  new Promise((resolve) => {
    socket.on("close", resolve);
  });

function rawTls(listener: GrpcListener, options: ConnectionOptions = {}): TLSSocket {
  const socket = connectTls({
    host: "127.0.0.1",
    port: listener.port,
    ca: node.cert,
    ALPNProtocols: ["h2"],
    ...alice,
    ...options,
  });
  socket.on("error", () => undefined);
  // A socket that nobody reads does not notice its end.
  socket.resume();
  cleanups.push(() => void socket.destroy());
  return socket;
}

describe("the gRPC listener", () => {
  it("tells handlers who calls from the certificate of the connection", async () => {
    const { listener, refused } = await open();
    expect(await ask(clientOf(listener, alice))).toBe("alice");
    expect(listener.connections()).toBe(1);
    expect(refused).toEqual([]);
  });

  it("says to a refused identity that it is refused, and lets it reach no handler", async () => {
    const { listener, refused, authContexts } = await open({
      authenticate: () => refuse("CERTIFICATE_KEY_ROTATED", "which of the reasons it was is not told"),
    });
    const client = clientOf(listener, mallory);
    for (let i = 0; i < 3; i += 1) {
      const error = await ask(client).then(
        () => undefined,
        (failed: unknown) => failed as grpc.ServiceError,
      );
      expect(error?.code).toBe(grpc.status.UNAUTHENTICATED);
      expect(error?.metadata.get("sky-code")).toEqual(["IDENTITY_REFUSED"]);
      expect(error?.details).toMatch(
        /^The cluster refuses this identity: its keys were rotated elsewhere, or its cert/,
      );
    }
    expect(new Set(refused)).toEqual(new Set(["CERTIFICATE_KEY_ROTATED"]));
    expect([authContexts, listener.connections()]).toEqual([[], 0]);
  });

  it("ends a refused identity that asks nothing within a second, and counts it among the unauthenticated until then", async () => {
    const { listener, refused } = await open({
      authenticate: (der) =>
        new X509Certificate(der).subject === "CN=mallory"
          ? refuse("CERTIFICATE_REVOKED", "revoked")
          : ok({ aid: "alice" as Aid, role: "client" }),
      limits: { unauthenticatedMax: 2 },
    });
    const ends: Promise<void>[] = [];
    for (let i = 0; i < 4; i += 1) {
      ends.push(closed(rawTls(listener, mallory)));
      await expect.poll(() => refused.filter((why) => why === "CERTIFICATE_REVOKED").length).toBe(i + 1);
    }
    expect(await ask(clientOf(listener, alice))).toBe("alice");
    await Promise.all(ends);
    expect(refused).toEqual(Array.from({ length: 4 }, () => "CERTIFICATE_REVOKED"));
    expect(listener.connections()).toBe(1);
  });

  it("closes a connection whose certificate is refused, and counts the reason once", async () => {
    const { listener, refused } = await open();
    await closed(rawTls(listener, mallory));
    expect(refused).toEqual(["STRANGER"]);
    await expect(ask(clientOf(listener, mallory))).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    expect(listener.connections()).toBe(0);
  });

  it("closes a connection without a certificate", async () => {
    const { listener, refused } = await open();
    await expect(ask(clientOf(listener, undefined))).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    expect(refused).toContain("NO_CERTIFICATE");
  });

  it("speaks TLS 1.3 only", async () => {
    const { listener, refused } = await open();
    const socket = rawTls(listener, { maxVersion: "TLSv1.2" });
    await closed(socket);
    await expect.poll(() => refused).toContain("HANDSHAKE_FAILED");
  });

  it("resumes no session: an old one offered gets a full handshake", async () => {
    const { listener } = await open();
    const sessions: Buffer[] = [];
    const first = rawTls(listener);
    first.on("session", (session) => sessions.push(session));
    await new Promise<void>((resolve) => first.once("secureConnect", resolve));
    const http2Settings = new Promise<void>((resolve) => first.once("data", () => resolve()));
    await http2Settings;
    const offered = sessions[0] ?? first.getSession();
    first.destroy();
    expect(offered).toBeDefined();
    const second = rawTls(listener, offered === undefined ? {} : { session: offered });
    await new Promise<void>((resolve) => second.once("secureConnect", resolve));
    expect(second.isSessionReused()).toBe(false);
    expect(second.getProtocol()).toBe("TLSv1.3");
  });

  it("drops a connection that does not finish its handshake in time", async () => {
    const { listener, refused } = await open({ limits: { handshakeTimeoutMs: 100 } });
    const socket = connectTcp(listener.port, "127.0.0.1");
    socket.on("error", () => undefined);
    await closed(socket);
    expect(refused).toEqual(["HANDSHAKE_TIMED_OUT"]);
  });

  it("drops a connection whose certificate takes too long to judge, and never lets it in", async () => {
    let judge: (() => void) | undefined;
    const { listener, refused } = await open({
      limits: { handshakeTimeoutMs: 300 },
      authenticate: () =>
        new Promise((resolve) => {
          judge = () => resolve(ok({ aid: "late" as Aid, role: "client" }));
        }),
    });
    const socket = rawTls(listener);
    await closed(socket);
    expect(refused).toEqual(["HANDSHAKE_TIMED_OUT"]);
    judge?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(listener.connections()).toBe(0);
  });

  it("bounds connections, and those without an accepted certificate", async () => {
    const { listener, refused } = await open({ limits: { connectionsMax: 2, unauthenticatedMax: 1 } });
    const idle = connectTcp(listener.port, "127.0.0.1");
    idle.on("error", () => undefined);
    cleanups.push(() => void idle.destroy());
    await new Promise<void>((resolve) => idle.once("connect", resolve));
    idle.resume();
    const gone = closed(idle);
    // Whoever waits with an open socket keeps nobody out: the oldest makes room.
    expect(await ask(clientOf(listener, alice))).toBe("alice");
    await gone;
    expect(refused).toEqual(["TOO_MANY_UNAUTHENTICATED"]);
    expect(await ask(clientOf(listener, alice))).toBe("alice");
    const fourth = connectTcp(listener.port, "127.0.0.1");
    fourth.on("error", () => undefined);
    await closed(fourth);
    expect(refused.at(-1)).toBe("TOO_MANY_CONNECTIONS");
  });

  it("lets one caller hold its share of the connections, so that others find room", async () => {
    const { listener, refused } = await open({ limits: { ofOneCallerMax: 2 } });
    expect(await ask(clientOf(listener, alice))).toBe("alice");
    expect(await ask(clientOf(listener, alice))).toBe("alice");
    await closed(rawTls(listener));
    expect(refused).toEqual(["TOO_MANY_OF_ONE_CALLER"]);
    expect(await ask(clientOf(listener, bob))).toBe("bob");
  });

  it("closes the live connections of a caller whose key was removed, and no others", async () => {
    const { listener } = await open();
    const bob = selfSigned("bob");
    const [fromAlice, fromBob] = [rawTls(listener), rawTls(listener, bob)];
    await expect.poll(() => listener.connections()).toBe(2);
    expect(listener.closeWhere(({ aid }) => aid === "alice")).toBe(1);
    await closed(fromAlice);
    expect(fromBob.destroyed).toBe(false);
    expect(listener.connections()).toBe(1);
  });

  it("ends the connections of a caller whose key was rotated: calls in flight end, the next one comes on a new connection", async () => {
    const { listener, server } = await open();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const begun = new Promise<void>((resolve) => {
      server.register(
        slow.path,
        ((_call, reply) => {
          resolve();
          void held.then(() => reply(null, Buffer.from("done")));
        }) as grpc.handleUnaryCall<Buffer, Buffer>,
        raw,
        raw,
        "unary",
      );
    });
    const [fromAlice, fromBob] = [clientOf(listener, alice), clientOf(listener, bob)];
    expect(await ask(fromBob)).toBe("bob");
    const inFlight = ask(fromAlice, slow);
    await begun;
    expect(listener.retireWhere(({ aid }) => aid === "alice", DEADLINE_MS)).toBe(1);
    expect(listener.retireWhere(({ aid }) => aid === "alice", DEADLINE_MS)).toBe(0); // it is ending already
    expect(await ask(fromAlice)).toBe("alice"); // while the other is still in flight
    expect(listener.connections()).toBe(3);
    release();
    expect(await inFlight).toBe("done");
    await expect.poll(() => listener.connections()).toBe(2);
  });

  it("destroys what is left of a retired connection when its grace is over", async () => {
    const { listener, server } = await open();
    const begun = new Promise<void>((resolve) => {
      server.register(slow.path, (() => resolve()) as grpc.handleUnaryCall<Buffer, Buffer>, raw, raw, "unary");
    });
    const inFlight = ask(clientOf(listener, alice), slow);
    const failed = expect(inFlight).rejects.toMatchObject({ code: expect.any(Number) as number });
    await begun;
    expect(listener.retireWhere(() => true, 100)).toBe(1);
    await failed;
    await expect.poll(() => listener.connections()).toBe(0);
  });

  it("tells connections that were made under an older certificate from newer ones", async () => {
    const { listener } = await open();
    const old = clientOf(listener, alice);
    expect(await ask(old)).toBe("alice");
    listener.renew(node);
    expect(await ask(clientOf(listener, bob))).toBe("bob");
    expect(listener.retireWhere((_caller, isNew) => !isNew, 1_000)).toBe(1);
    await expect.poll(() => listener.connections()).toBe(1);
    expect(await ask(old)).toBe("alice"); // on a new connection
    expect(listener.retireWhere((_caller, isNew) => !isNew, 1_000)).toBe(0);
  });

  it("uses a renewed certificate for new connections", async () => {
    const { listener } = await open();
    const renewed = selfSigned("renewed");
    listener.renew(renewed);
    const socket = rawTls(listener, { ca: renewed.cert });
    await new Promise<void>((resolve) => socket.once("secureConnect", resolve));
    expect(socket.getPeerX509Certificate()?.subject).toBe("CN=renewed");
    expect(socket.getProtocol()).toBe("TLSv1.3");
  });

  it("closes: takes nothing more and ends what is open", async () => {
    const { listener } = await open();
    const socket = rawTls(listener);
    await expect.poll(() => listener.connections()).toBe(1);
    await Promise.all([closed(socket), listener.close(50)]);
    await expect(ask(clientOf(listener, alice))).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  });

  it("grpc-js names no certificate for injected sockets unless OpenSSL verified it: why callerOf does not use getAuthContext", async () => {
    const { listener, authContexts } = await open();
    expect(await ask(clientOf(listener, alice))).toBe("alice");
    expect(authContexts[0]?.sslPeerCertificate).toBeUndefined();
    const verified = await open({ tls: { ...node, ca: alice.cert } });
    expect(await ask(clientOf(verified.listener, alice))).toBe("alice");
    expect(verified.authContexts[0]?.sslPeerCertificate?.subject.CN).toBe("alice");
  });
});
