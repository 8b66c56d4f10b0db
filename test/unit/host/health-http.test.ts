import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Fault } from "../../../src/base/errors.ts";
import { type HealthCheck, type HealthListener, listenHealth } from "../../../src/host/listeners/health-http.ts";

const fine = (): readonly HealthCheck[] => [{ name: "log", ok: true }];

describe("health port", () => {
  let ready = fine();
  let refusals: string[] = [];
  let listener: HealthListener;
  const start = (port = 0): Promise<HealthListener> =>
    listenHealth({
      host: "127.0.0.1",
      port,
      state: { live: fine, ready: () => ready, started: fine },
      metrics: { page: async () => "sky_height 1\n", contentType: "text/plain; version=0.0.4" },
      onRefused: (code) => void refusals.push(code),
    });
  const get = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${listener.port}${path}`, init);

  beforeEach(async () => {
    ready = fine();
    refusals = [];
    listener = await start();
  });
  afterEach(() => listener.close());

  /** What the server says to raw bytes until it closes. */
  async function raw(bytes: string): Promise<string> {
    const socket = connect(listener.port, "127.0.0.1");
    let said = "";
    socket.on("data", (data) => {
      said += data.toString();
    });
    // The server may close while we still write: that is its right.
    socket.on("error", () => {});
    socket.write(bytes);
    await once(socket, "close");
    return said;
  }

  it.each(["/livez", "/readyz", "/startupz"])("answers %s", async (path) => {
    const response = await get(path);
    expect([response.status, await response.text()]).toEqual([200, "ok\n"]);
  });

  it("says what is not ready, in text and in JSON", async () => {
    ready = [
      { name: "log", ok: true },
      { name: "sealed", ok: false },
    ];
    const plain = await get("/readyz");
    expect([plain.status, await plain.text()]).toEqual([503, "not ok: sealed\n"]);
    const verbose = await get("/readyz?verbose");
    expect([verbose.status, await verbose.json()]).toEqual([503, { ok: false, checks: ready }]);
    expect((await get("/livez")).status).toBe(200);
  });

  it("serves the metrics page", async () => {
    const response = await get("/metrics");
    expect([response.headers.get("content-type"), await response.text()]).toEqual([
      "text/plain; version=0.0.4",
      "sky_height 1\n",
    ]);
  });

  it("answers HEAD without a body", async () => {
    const response = await get("/livez", { method: "HEAD" });
    expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([200, "3", ""]);
  });

  it("refuses other methods and paths, and counts it", async () => {
    const post = await get("/livez", { method: "POST", body: "x".repeat(100_000) });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect((await get("/etc/passwd")).status).toBe(404);
    expect(refusals).toEqual(["METHOD_NOT_ALLOWED", "NOT_FOUND"]);
  });

  it("refuses garbage and over-long headers, counts them, and lives", async () => {
    expect(await raw("\u0016\u0003\u0001 not http\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw(`GET /livez HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(10_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(refusals).toEqual(["MALFORMED_HTTP", "MALFORMED_HTTP"]);
    expect((await get("/livez")).status).toBe(200);
  });

  it("names the port that it cannot have", async () => {
    await expect(start(listener.port)).rejects.toThrow(Fault);
    await expect(start(listener.port)).rejects.toThrow(`127.0.0.1:${listener.port}`);
  });

  it("closes with connections open", async () => {
    const socket = connect(listener.port, "127.0.0.1");
    await once(socket, "connect");
    const closed = once(socket, "close");
    await listener.close();
    await closed;
  });
});
