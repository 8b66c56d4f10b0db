/** Browsers and gRPC clients at one mutual TLS listener: told apart in the handshake, judged alike, ended alike. */
import { request } from "node:https";
import { connect } from "node:tls";
import { Server } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Aid } from "../../../src/base/brands.ts";
import { ok, refuse } from "../../../src/base/result.ts";
import {
  type GrpcListener,
  type GrpcListenerOptions,
  openGrpcListener,
} from "../../../src/host/listeners/grpc-listener.ts";
import { selfSigned } from "./support/certificates.ts";

const own = selfSigned("browser");
const refused: string[] = [];
let listener: GrpcListener;
let isKnown = true;

const listening = (limits: GrpcListenerOptions["limits"] = {}): Promise<GrpcListener> =>
  openGrpcListener({
    host: "127.0.0.1",
    port: 0,
    tls: selfSigned("node"),
    authenticate: () => (isKnown ? ok({ aid: "A" as Aid, role: "operator" }) : refuse("NOT_OPERATOR", "Not you.")),
    server: new Server(),
    http: (callerOf) => (asked, response) => void response.end(JSON.stringify([asked.url, callerOf(asked)?.aid])),
    onRefused: (reason) => refused.push(reason),
    limits,
  });
beforeAll(async () => {
  listener = await listening();
});
afterAll(() => listener.close(100));

const ask = (ALPNProtocols?: string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const target = { host: "127.0.0.1", port: listener.port, path: "/inspect/", agent: false, servername: "node.sky" };
    request({ ...target, ...own, rejectUnauthorized: false, ...(ALPNProtocols && { ALPNProtocols }) }, (response) => {
      let text = "";
      response.on("data", (chunk) => (text += chunk)).on("end", () => resolve(text));
    })
      .on("error", reject)
      .end();
  });

const open = (ALPNProtocols: string[], { port } = listener): Promise<ReturnType<typeof connect>> =>
  new Promise((resolve, reject) => {
    const socket = connect({
      host: "127.0.0.1",
      port,
      ...own,
      ALPNProtocols,
      rejectUnauthorized: false,
    });
    socket.once("secureConnect", () => resolve(socket)).once("error", reject);
    socket.resume();
  });

describe("a listener for browsers too", () => {
  it("answers over HTTP/1.1 whoever offers it, with the caller that the handshake proved", async () => {
    for (const protocols of [["http/1.1"], ["h2", "http/1.1"]])
      expect(JSON.parse(await ask(protocols))).toEqual(["/inspect/", "A"]);
  });

  it("speaks HTTP/2 with whoever offers that alone, and lets nobody in who offers neither", async () => {
    const socket = await open(["h2"]);
    expect(socket.alpnProtocol).toBe("h2");
    socket.destroy();
    await expect(open(["spdy/3"])).rejects.toThrow();
    await expect(ask()).rejects.toThrow();
    expect(refused).toContain("NOT_HTTP2");
  });

  it("judges a browser's certificate as everybody's", async () => {
    isKnown = false;
    await expect(ask(["http/1.1"])).rejects.toThrow();
    isKnown = true;
    expect(refused).toContain("NOT_OPERATOR");
  });

  it("ends a browser's connection when its caller may stay no longer", async () => {
    const socket = await open(["http/1.1"]);
    await expect.poll(() => listener.connections()).toBe(1);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    expect(listener.closeWhere(({ aid }) => aid === "A")).toBe(1);
    await closed;
    const other = await open(["http/1.1"]);
    await expect.poll(() => listener.connections()).toBe(1);
    const retired = new Promise((resolve) => other.once("close", resolve));
    expect(listener.retireWhere(() => true, 50)).toBe(1);
    await retired;
    await expect.poll(() => listener.connections()).toBe(0);
  });

  it("ends a browser's connection whose request does not come to its end", async () => {
    const impatient = await listening({ requestTimeoutMs: 500 });
    const socket = await open(["http/1.1"], impatient);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write("GET /inspect/ HTTP/1.1\r\nhost: a\r\n");
    const trickle = setInterval(() => socket.write("x: y\r\n"), 100);
    await closed;
    clearInterval(trickle);
    await impatient.close(0);
  });
});
