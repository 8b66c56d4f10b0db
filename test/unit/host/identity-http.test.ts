import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { concatBytes } from "../../../src/base/bytes.ts";
import { didRoute } from "../../../src/host/identity/did-routes.ts";
import { oobiRoute } from "../../../src/host/identity/oobi-routes.ts";
import {
  type IdentityListener,
  type IdentityRoute,
  listenIdentity,
} from "../../../src/host/listeners/identity-http.ts";
import { applyKerlFact } from "../../../src/keri/kerl-fold.ts";
import { MemoryKerl } from "../../../src/keri/kerl-overlay.ts";
import { delegatedIncept, inceptNonTransferable } from "../../../src/keri/compose.ts";
import { judgeMessage } from "../../../src/keri/rules.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";
import { StreamParser } from "../../../src/keri/stream.ts";
import { KerlWorld } from "../../contract/grpc/support/kerl-world.ts";
import { authorOf } from "../kerl/ledger-world.ts";
import { Key, Life, attached } from "../kerl/lives.ts";

const PUBLIC = new URL("https://id.example.org:8443/");
const half = { kind: "key", weight: { numerator: 1n, denominator: 2n } } as const;

let made: KerlWorld;
let listener: IdentityListener;
let refusals: string[];
let defects: unknown[];
const echo: IdentityRoute = {
  post: { isFor: (path) => path[0] === "echo", bytesMax: 16 },
  answer: ({ path: [first], method, body }) =>
    first === "echo"
      ? Promise.resolve({ status: 200, type: "application/octet-stream", body, headers: { "x-method": method } })
      : undefined,
};

const pages: IdentityRoute = {
  answer: ({ path: [first] }) =>
    first === "pages"
      ? Promise.resolve({ status: 200, type: "application/octet-stream", body: fortyPages() })
      : undefined,
};
async function* fortyPages(): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < 40; i += 1) yield await Promise.resolve(new Uint8Array(262_144));
}

const cleanups: (() => void)[] = [];
const listening = (bodyTimeoutMs?: number): Promise<IdentityListener> =>
  listenIdentity({
    host: "127.0.0.1",
    port: 0,
    routes: [echo, pages, oobiRoute(made.queries), didRoute({ queries: made.queries, publicUrl: () => PUBLIC })],
    onRefused: (code) => void refusals.push(code),
    onAnswered: () => {},
    onDefect: (error) => void defects.push(error),
    ...(bodyTimeoutMs !== undefined && { bodyTimeoutMs }),
  });
beforeEach(async () => {
  made = new KerlWorld();
  refusals = [];
  defects = [];
  listener = await listening();
});
afterEach(async () => {
  for (const clean of cleanups.splice(0)) clean();
  await listener.close();
  expect(defects).toEqual([]);
});

const get = (pathname: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${listener.port}${pathname}`, init);
const bytesOf = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer());
const append = (...messages: readonly Uint8Array[]): void => {
  const settled = made.settle(made.world.append(authorOf(made.world.client), concatBytes(...messages)));
  expect(settled.ok && settled.value[0]?.result.kind).toBe("executed");
};

/** What a stranger makes of a stream who knows nothing else. */
function verify(stream: Uint8Array): { readonly kerl: MemoryKerl; readonly verdicts: readonly string[] } {
  const kerl = new MemoryKerl();
  const parser = new StreamParser();
  const verdicts: string[] = [];
  const first = parser.push(stream);
  const last = parser.end();
  expect(first.refusal ?? last.refusal).toBeNull();
  for (const message of [...first.messages, ...last.messages]) {
    const judged = judgeMessage(kerl, message, { height: 0 });
    verdicts.push(judged.ok ? judged.value.verdict : judged.refusal.code);
    if (judged.ok) for (const fact of judged.value.facts) applyKerlFact(kerl, fact, 0);
  }
  return { kerl, verdicts };
}

const date = "2026-01-01T00:00:01.000000+00:00";
/** An identifier with an endpoint, a witness, and some events. */
function settled(): { readonly life: Life; readonly witness: Key } {
  const witness = new Key("witness");
  const life = new Life("life", { witnesses: [witness.witness] });
  const receipted = (event: Uint8Array, signatures: Uint8Array): Uint8Array =>
    concatBytes(
      event,
      signatures,
      attached({ receiptCouples: [{ receiptor: witness.witness, code: "0B", sig: witness.sign(event) }] }),
    );
  const inception = receipted(life.inception.event, life.inception.message.subarray(life.inception.event.length));
  const rotation = life.rotated();
  append(inception, receipted(rotation.event, rotation.message.subarray(rotation.event.length)));
  const own = inceptNonTransferable(witness.witness);
  const ownSignature = { index: 0, ondex: 0, algorithm: "ed25519", sig: witness.sign(own.event) } as const;
  append(own.event, attached({ controllerSignatures: [ownSignature] }));
  append(
    life.replied({
      route: "/end/role/add",
      date,
      attributes: { cid: life.aid, role: "witness", eid: witness.witness },
    }),
  );
  return { life, witness };
}

describe("OOBI", () => {
  it("introduces an identifier to who knows nothing: its log, its receipts, its endpoints", async () => {
    const { life, witness } = settled();
    for (const pathname of [
      `/oobi/${life.aid}`,
      `/.well-known/keri/oobi/${life.aid}`,
      `/oobi/${life.aid}/witness`,
      `/oobi/${life.aid}/witness/${witness.witness}`,
    ]) {
      const response = await get(pathname);
      expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json+cesr"]);
      expect(response.headers.get("keri-aid")).toBe(life.aid);
      const { kerl, verdicts } = verify(await bytesOf(response));
      expect(verdicts).toEqual(["accepted", "accepted", "accepted", "replied"]);
      expect(kerl.keyState(life.aid)).toMatchObject({ latest: { sn: 1 }, witnesses: [witness.witness] });
    }
    const own = verify(await bytesOf(await get(`/oobi/${witness.witness}/controller`)));
    expect(own.verdicts).toEqual(["accepted"]);
  });

  it("brings the delegator's log along", async () => {
    const boss = new Life("boss");
    const [key, next] = [new Key("delegate 0"), new Key("delegate 1")];
    const made = delegatedIncept({
      keys: [key.text],
      nextDigests: [nextKeyDigest(next.text)],
      delegator: boss.aid,
    });
    const signature = { index: 0, ondex: 0, algorithm: "ed25519", sig: key.sign(made.event) } as const;
    append(
      boss.inception.message,
      boss.interacted([{ i: made.aid, s: "0", d: made.said }]).message,
      made.event,
      attached({ controllerSignatures: [signature] }),
    );
    const { kerl, verdicts } = verify(await bytesOf(await get(`/oobi/${made.aid}`)));
    expect(verdicts).toEqual(["accepted", "accepted", "accepted"]);
    expect(kerl.keyState(made.aid)?.delegator).toBe(boss.aid);
  });

  it("has nothing on strangers, on endpoints that are not bound, on what is no identifier", async () => {
    const { client } = made.world;
    const answers = [];
    for (const pathname of [
      `/oobi/${new Life("nobody").aid}`,
      `/oobi/${client.aid}/mailbox/${client.aid}`,
      "/oobi/nonsense",
      "/oobi",
      "/",
      "/%ff",
      `/oobi/${client.aid}/a/b/c`,
    ])
      answers.push((await get(pathname)).status);
    expect(answers).toEqual([404, 404, 400, 404, 404, 400, 404]);
    expect(refusals).toHaveLength(7);
  });
});

describe("DIDs", () => {
  it("did:webs: did.json in the form of did:web, with a tag; keri.cesr beside it", async () => {
    const { life, witness } = settled();
    const response = await get(`/${life.aid}/did.json`);
    expect(response.headers.get("content-type")).toBe("application/did+json");
    const document = (await response.json()) as Record<string, unknown>;
    const [key] = life.keys;
    const id = `did:web:id.example.org%3A8443:${life.aid}`;
    expect(document).toEqual({
      id,
      controller: id,
      alsoKnownAs: [`did:webs:id.example.org%3A8443:${life.aid}`, `did:keri:${life.aid}`],
      verificationMethod: [
        {
          id: `#${key?.text}`,
          type: "JsonWebKey",
          controller: id,
          publicKeyJwk: {
            kid: key?.text,
            kty: "OKP",
            crv: "Ed25519",
            x: Buffer.from(key?.publicKey ?? []).toString("base64url"),
          },
        },
      ],
      authentication: [`#${key?.text}`],
      assertionMethod: [`#${key?.text}`],
      service: [],
    });
    const etag = response.headers.get("etag") ?? "";
    const again = await get(`/${life.aid}/did.json`, { headers: { "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    const { kerl } = verify(await bytesOf(await get(`/${life.aid}/keri.cesr`)));
    expect(kerl.keyState(life.aid)?.witnesses).toEqual([witness.witness]);
    append(made.world.client.interacted().message);
    expect((await get(`/${made.world.client.aid}/did.json`, { headers: { "if-none-match": etag } })).status).toBe(200);
  });

  it("several keys: a condition, in numbers or as the method weighs them", async () => {
    const two = new Life("two", { keys: 3, threshold: 2 });
    const weighted = new Life("weighted", { keys: 2, threshold: { clauses: [[half, half]] } });
    append(two.inception.message, weighted.inception.message);
    const documentOf = async ({ aid }: Life) =>
      (await (await get(`/${aid}/did.json`)).json()) as Record<string, readonly unknown[]>;
    expect(await documentOf(two)).toMatchObject({
      verificationMethod: [
        { id: `#${two.aid}`, threshold: 2, conditionThreshold: two.keys.map(({ text }) => `#${text}`) },
        ...two.keys.map(({ text }) => ({ id: `#${text}` })),
      ],
      authentication: [`#${two.aid}`],
    });
    expect((await documentOf(weighted))["verificationMethod"]?.[0]).toMatchObject({
      type: "ConditionalProof2022",
      threshold: 1,
      conditionWeightedThreshold: weighted.keys.map(({ text }) => ({ condition: `#${text}`, weight: 1 })),
    });
  });

  it("weights whose common denominator is no exact number: keys, and no relationship that would be another", async () => {
    const clause = [1n, 999_999_999_989n, 999_999_999_961n].map((denominator) => ({
      kind: "key" as const,
      weight: { numerator: 1n, denominator },
    }));
    const fractions = new Life("fractions", { keys: 3, threshold: { clauses: [clause] } });
    append(fractions.inception.message);
    expect(await (await get(`/${fractions.aid}/did.json`)).json()).toMatchObject({
      verificationMethod: fractions.keys.map(({ text }) => ({ id: `#${text}`, type: "JsonWebKey" })),
      authentication: [],
      assertionMethod: [],
    });
  });

  it("resolves did:webs of this host, did:keri and did:key, each in the W3C's shape", async () => {
    const { life } = settled();
    const resolve = async (did: string, headers: Record<string, string> = {}, query = "") => {
      const response = await get(`/1.0/identifiers/${did}${query}`, { headers });
      return { status: response.status, type: response.headers.get("content-type"), body: await response.json() };
    };
    const keri = await resolve(`did:keri:${life.aid}`);
    expect(keri).toMatchObject({
      status: 200,
      body: {
        didDocument: { id: `did:keri:${life.aid}` },
        didResolutionMetadata: { contentType: "application/did+json" },
        didDocumentMetadata: { versionId: "1" },
      },
    });
    const webs = `did:webs:id.example.org%3A8443:${life.aid}`;
    for (const text of [webs, encodeURIComponent(webs), webs.replace("%3A", "%3a")])
      expect((await resolve(text)).body).toMatchObject({ didDocument: { id: webs } });
    const plain = await resolve(webs, { accept: "application/did+json" });
    expect(plain).toMatchObject({ type: "application/did+json", body: { id: webs } });
    const past = await resolve(webs, {}, "?versionId=0");
    expect(past.body).toMatchObject({ didDocumentMetadata: { versionId: "0" } });
    // The examples of the did:key method: Ed25519, secp256k1, P-256.
    for (const did of [
      "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
      "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
      "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
    ])
      expect(await resolve(did)).toMatchObject({ status: 200, body: { didDocument: { id: did } } });
    const failures = [];
    for (const did of [
      `did:keri:${new Life("nobody").aid}`,
      `did:webs:elsewhere.example:${life.aid}`,
      "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doL0",
      "did:example:1",
      "nonsense",
    ]) {
      const { status, body } = await resolve(did);
      failures.push([status, (body as { didResolutionMetadata: { error: string } }).didResolutionMetadata.error]);
    }
    expect(failures).toEqual([
      [404, "notFound"],
      [404, "notFound"],
      [400, "invalidDid"],
      [501, "methodNotSupported"],
      [400, "invalidDid"],
    ]);
  });
});

describe("the identity port", () => {
  it("answers HEAD without a body, refuses other methods, lets routes take short bodies", async () => {
    const { aid } = made.world.client;
    const head = await get(`/${aid}/did.json`, { method: "HEAD" });
    expect([head.status, await head.text(), Number(head.headers.get("content-length")) > 0]).toEqual([200, "", true]);
    expect((await get("/oobi/x", { method: "PUT" })).status).toBe(405);
    const posted = await get("/echo", { method: "POST", body: "0123456789abcdef" });
    expect([posted.status, posted.headers.get("x-method"), await posted.text()]).toEqual([
      200,
      "POST",
      "0123456789abcdef",
    ]);
    expect((await get("/echo", { method: "POST", body: "0123456789abcdef!" })).status).toBe(413);
    const misplaced = await get(`/oobi/${aid}`, { method: "POST", body: "x" });
    expect([misplaced.status, misplaced.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  it("judges where a POST goes and how long it says it is before it reads anything of it", async () => {
    const head = (pathname: string, length: number): Promise<string> => {
      const socket = connect(listener.port, "127.0.0.1");
      cleanups.push(() => void socket.destroy());
      socket.write(`POST ${pathname} HTTP/1.1\r\ncontent-length: ${length}\r\n\r\n`);
      return once(socket, "data").then(([data]) => String(data).slice(0, 12));
    };
    expect(await head("/echo", 17)).toBe("HTTP/1.1 413");
    expect(await head("/oobi/x", 1)).toBe("HTTP/1.1 405");
    expect(await head("/oobi/x", 1_000_000)).toBe("HTTP/1.1 405");
    expect(await head("/echo", 16)).toBe("HTTP/1.1 408"); // who reads first answers this, since nothing comes
    expect(refusals).toEqual(["TOO_LARGE", "METHOD_NOT_ALLOWED", "METHOD_NOT_ALLOWED", "TOO_SLOW"]);
  });

  it("keeps answering while 40 bodies do not come", async () => {
    await listener.close();
    listener = await listening(600_000); // none of them is given up, however late the last of them is heard
    const sockets = Array.from({ length: 40 }, () => connect(listener.port, "127.0.0.1"));
    const stalled = sockets.map((socket) => {
      cleanups.push(() => void socket.destroy());
      socket.on("error", () => {}); // who was refused may be cut off
      socket.write("POST /echo HTTP/1.1\r\ncontent-length: 16\r\n\r\n0123");
      return once(socket, "data").then(([data]) => String(data).slice(0, 12));
    });
    await expect.poll(() => refusals.filter((code) => code === "OVERLOADED").length).toBe(24);
    const { aid } = made.world.client;
    expect((await get(`/${aid}/did.json`)).status).toBe(200);
    for (const socket of sockets) if (socket.writable) socket.write("456789abcdef");
    const said = await Promise.all(stalled);
    expect([
      said.filter((line) => line.endsWith("200")).length,
      said.filter((line) => line.endsWith("503")).length,
    ]).toEqual([16, 24]);
    expect((await get("/echo", { method: "POST", body: "again" })).status).toBe(200);
  });

  it("waits for slow readers without a listener more for each page", async () => {
    const warnings: string[] = [];
    const hear = ({ name }: Error): void => void warnings.push(name);
    process.on("warning", hear);
    const bytes = await bytesOf(await get("/pages"));
    process.off("warning", hear);
    expect(bytes.length).toBe(40 * 262_144);
    expect(warnings).toEqual([]);
  });

  it("ends what is not HTTP, and heads that are too long", async () => {
    const raw = async (text: string): Promise<string> => {
      const socket = connect(listener.port, "127.0.0.1");
      let said = "";
      socket.on("data", (data) => {
        said += data.toString();
      });
      socket.on("error", () => {});
      socket.write(text);
      await once(socket, "close");
      return said;
    };
    expect(await raw("nonsense\r\n\r\n")).toMatch(/^HTTP\/1.1 400/);
    expect(await raw(`GET / HTTP/1.1\r\nx: ${"y".repeat(10_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/);
  });

  it("streams long logs whole", async () => {
    const life = new Life("long");
    append(life.inception.message);
    const sent: Uint8Array[] = [life.inception.message];
    for (let batch = 0; batch < 10; batch += 1) {
      const messages = Array.from({ length: 60 }, () => life.interacted().message);
      sent.push(...messages);
      append(...messages);
    }
    const bytes = await bytesOf(await get(`/${life.aid}/keri.cesr`));
    expect(Buffer.from(bytes).equals(Buffer.concat(sent))).toBe(true);
  });
});
