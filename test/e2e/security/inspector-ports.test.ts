/** The inspector of real nodes, as strangers, operators and browsers meet it on their ports (DESIGN §3, ADR 0024). */
import { readFileSync } from "node:fs";
import { type IncomingMessage, type RequestOptions, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { clientFiles } from "../../../src/host/founding/client-folder.ts";
import { operatorSeed } from "../../../src/host/founding/operator-file.ts";
import type { Entry } from "../../../src/host/inspector/contract.ts";
import { Cluster, sky, until } from "../cluster.ts";
import { canaries, spellings } from "./canaries.ts";
import { type Identity, type Stolen, forge, steal } from "./stolen.ts";

let cluster: Cluster;
let stolen: Stolen;
let operator: Identity;
let client: Identity;
/** Everything that the inspector answered. */
const answered: string[] = [];
const tokens: string[] = [];

beforeAll(async () => {
  cluster = await Cluster.start();
  stolen = steal(cluster.directory);
  const { secrets } = present(stolen.operators[0], "an operator");
  const id = stolen.layout.founding.cluster;
  operator = await forge({ cluster: id, aid: secrets.aid, seed: operatorSeed(secrets), role: "operator" });
  const files = clientFiles(cluster.path("clients", "default"));
  client = { key: readFileSync(files.key, "utf8"), cert: readFileSync(files.certificate, "utf8") };
});
afterAll(async () => {
  await cluster?.stop();
  await cluster?.clean();
});

interface Reply {
  readonly status: number;
  readonly cookie: string;
  readonly body: string;
}

type Options = RequestOptions & { readonly body?: string; readonly identity?: Identity };

/** Its own chain is nobody's but the cluster's. */
const AS_BROWSERS = { ALPNProtocols: ["h2", "http/1.1"], rejectUnauthorized: false, servername: "node.sky" };

/** Over plain HTTP to the health port; with an identity, over mutual TLS to the API port. */
function ask(node: string, path: string, { body, identity, ...options }: Options = {}): Promise<Reply> {
  const { ports } = cluster.node(node);
  const target = { host: "127.0.0.1", path, agent: false, ...options };
  return new Promise((resolve, reject) => {
    const take = (response: IncomingMessage): void => {
      const { statusCode = 0, headers } = response;
      let text = "";
      response.on("data", (chunk) => (text += chunk));
      response.on("end", () => {
        answered.push(text);
        resolve({ status: statusCode, cookie: (headers["set-cookie"]?.[0] ?? "").split(";")[0] ?? "", body: text });
      });
    };
    const request =
      identity === undefined
        ? httpRequest({ ...target, port: ports.health }, take)
        : httpsRequest({ ...target, ...AS_BROWSERS, ...identity, port: ports.api }, take);
    request.on("error", reject).end(body);
  });
}

async function link(node: string): Promise<{ readonly url: URL; readonly token: string }> {
  const folder = cluster.path("operators", "ann");
  const end = await sky(
    ...["inspect", "--node", node, "--founding", cluster.path("founding.sky"), "--json"],
    ...["--operator", `${folder}/operator.sky`, "--passphrase-file", `${folder}/passphrase`],
  );
  if (end.code !== 0) throw new Error(`${end.out}${end.err}`);
  const url = new URL((JSON.parse(end.out) as { url: string }).url);
  const token = url.hash.replace("#token=", "");
  tokens.push(token);
  return { url, token };
}

const exchange = (node: string, token: string, headers: Record<string, string> = {}): Promise<Reply> =>
  ask(node, "/inspect/session", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ token }),
  });

/** Reads entries until one of this kind has come. */
function entriesUntil(node: string, cookie: string, isLast: (entry: Entry) => boolean): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  return new Promise((resolve, reject) => {
    const { health } = cluster.node(node).ports;
    const request = httpRequest(
      { host: "127.0.0.1", port: health, path: "/inspect/api/entries", headers: { cookie }, agent: false },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => {
          answered.push(chunk.toString());
          text += chunk.toString();
          const blocks = text.split("\n\n");
          text = blocks.pop() ?? "";
          for (const block of blocks)
            if (block.startsWith("event: entries"))
              entries.push(...(JSON.parse(block.slice(block.indexOf("data: ") + 6)) as Entry[]));
          if (entries.some(isLast)) {
            resolve(entries);
            request.destroy();
          }
        });
        response.on("error", () => {});
      },
    );
    request.on("error", reject).end();
  });
}

describe("the inspector on a node's own ports", () => {
  it("the page is on the health port for anybody there, what it shows for nobody without a link", async () => {
    expect((await ask("n0", "/inspect/")).body).toMatch(/^<!doctype html>/);
    for (const path of ["source", "entries", "blocks", "graph", "members"])
      expect([path, (await ask("n0", `/inspect/api/${path}`)).status]).toEqual([path, 401]);
    expect((await ask("n0", "/inspect/", { headers: { host: "evil.example" } })).status).toBe(403);
    expect((await ask("n0", "/readyz", { headers: { host: "evil.example" } })).status).toBe(200); // probes as ever
  });

  it("an operator's link opens the page of its own node once, from no other site", async () => {
    const { url, token } = await link("n0");
    expect(url.origin).toBe(`http://127.0.0.1:${cluster.node("n0").ports.health}`);
    expect((await exchange("n1", token)).status).toBe(401);
    expect((await exchange("n0", token, { origin: "https://evil.example" })).status).toBe(403);
    const { status, cookie } = await exchange("n0", token);
    expect(status).toBe(204);
    expect((await exchange("n0", token)).status).toBe(401);
    expect((await ask("n0", "/inspect/api/source", { headers: { cookie } })).status).toBe(200);
    expect((await ask("n1", "/inspect/api/source", { headers: { cookie } })).status).toBe(401);
  });

  it("shows how the node was unsealed, what it agreed on, and why a check says what it says", async () => {
    const { cookie } = await exchange("n0", (await link("n0")).token);
    const wrote = await sky("oracle", "write", "add assertion my-org:Ali my-org:Report", "--dir", cluster.directory);
    expect(wrote.code).toBe(0);
    const height = Number(/height (\d+)/.exec(wrote.out)?.[1]);
    const entries = await entriesUntil("n0", cookie, (entry) => entry.kind === "executed" && entry.height >= height);
    expect(entries).toContainEqual(
      expect.objectContaining({
        machine: "ceremony",
        event: expect.objectContaining({ type: "initialiseAsked", by: "ann" }),
      }),
    );
    expect(entries.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(["booted", "sent", "delivered", "finalised"]),
    );
    const step = present(
      entries.find((entry) => entry.kind === "stepped" && entry.machine === "consensus"),
      "the machine took an event",
    );
    const headers = { cookie };
    const context = await ask("n0", `/inspect/api/context?node=n0&life=${step.life}&n=${step.n}&machine=consensus`, {
      headers,
    });
    expect(JSON.parse(context.body)).toMatchObject({ epoch: 0, self: 0, size: 4 });
    const check = await until("the projection has the block", async () => {
      const reply = await ask("n0", "/inspect/api/check?subject=my-org:Ali&object=my-org:Report", { headers });
      return (JSON.parse(reply.body) as { result: boolean; path: unknown }).result ? reply : undefined;
    });
    expect(JSON.parse(check.body)).toMatchObject({ result: true, path: expect.anything() });
    const blocks = await ask("n0", `/inspect/api/blocks?from=${height}&limit=1`, { headers });
    expect(JSON.parse(blocks.body)).toMatchObject([{ height, commands: 1, refused: 0 }]);
    const members = await ask("n0", "/inspect/api/members", { headers });
    expect((JSON.parse(members.body) as { standing: string }[]).map(({ standing }) => standing)).toEqual([
      "self",
      "connected",
      "connected",
      "connected",
    ]);
  });

  it("behind the API port's mutual TLS it needs no link, but a certificate of an operator; gRPC goes on beside it", async () => {
    expect((await ask("n0", "/inspect/", { identity: operator })).status).toBe(200);
    const source = await ask("n0", "/inspect/api/source", { identity: operator });
    expect(JSON.parse(source.body)).toMatchObject({ kind: "node", title: expect.stringContaining("n0") });
    const foreign = await ask("n0", "/inspect/api/source", {
      identity: operator,
      headers: { origin: "https://evil.example" },
    });
    expect(foreign.status).toBe(403);
    expect((await ask("n0", "/readyz", { identity: operator })).status).toBe(404);
    await expect(ask("n0", "/inspect/api/source", { identity: client })).rejects.toThrow();
  });

  it("no secret of anybody is in anything that it answered, and no token in a node's log", () => {
    const text = Buffer.from(answered.join("\n"));
    expect(text.length).toBeGreaterThan(20_000);
    for (const { name, bytes } of canaries(cluster, stolen))
      for (const spelling of [bytes, ...spellings(bytes)]) expect(text.includes(spelling), name).toBe(false);
    const logs = cluster.logs();
    for (const token of tokens) expect(logs).not.toContain(token);
    expect(logs).toContain("A link to the inspector was handed out");
  });
});
