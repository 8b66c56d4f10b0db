import {
  type IncomingHttpHeaders,
  type RequestOptions,
  type Server,
  createServer,
  request as httpRequest,
} from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ok } from "../../../src/base/result.ts";
import type { Entry } from "../../../src/host/inspector/contract.ts";
import { advanced, cursorOf, readCursor } from "../../../src/host/inspector/cursor.ts";
import { loopbackHosts } from "../../../src/host/inspector/origin.ts";
import { no } from "../../../src/host/inspector/refusals.ts";
import { InspectorServer, type InspectorServerOptions, isInspectPath } from "../../../src/host/inspector/server.ts";
import type { EntryPage, InspectorSource } from "../../../src/host/inspector/source.ts";
import { OneTimeTokens, Sessions } from "../../../src/host/inspector/token.ts";

const entryAt = (n: number): Entry => ({ node: "n1", life: 7, n, at: n, kind: "executed", height: n, root: "aa" });

/** A source of ever more entries, the oldest of which go: what a node's ring is, without a node. */
class Ring implements InspectorSource {
  held: Entry[] = [];
  lost = 0;
  asked: unknown[] = [];
  yielded = 0;
  #wake = (): void => {};

  add(count: number): void {
    for (let i = 0; i < count; i += 1) this.held.push(entryAt(this.lost + this.held.length));
    this.#wake();
  }

  lose(count: number): void {
    this.lost += this.held.splice(0, count).length;
  }

  async *entries(after: string | null, signal: AbortSignal): AsyncIterable<EntryPage> {
    let positions = readCursor(after ?? "") ?? new Map();
    while (!signal.aborted) {
      const next = (positions.get("n1")?.n ?? -1) + 1;
      if (next < this.lost) {
        positions = new Map([["n1", { life: 7, n: this.lost - 1 }]]);
        yield {
          kind: "gap",
          gap: { node: "n1", life: 7, from: next, to: this.lost, reason: "let go" },
          cursor: cursorOf(positions),
        };
        continue;
      }
      const page = this.held.slice(next - this.lost, next - this.lost + 500);
      if (page.length > 0) {
        this.yielded += page.length;
        positions = advanced(positions, page);
        yield { kind: "entries", entries: page, cursor: cursorOf(positions) };
        continue;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  readonly describe = async () => {
    const members = [{ name: "n1", aid: "A", index: 0, role: "honest" }];
    return { kind: "node", title: "n1", dev: true, live: true, cluster: "c", nodes: members, absent: {} } as const;
  };
  readonly #told = async (question: unknown) => {
    this.asked.push(question);
    return no("NOT_SHOWN", "Nothing here.") as never;
  };
  readonly context = this.#told;
  readonly graph = this.#told;
  readonly check = this.#told;
  readonly members = this.#told;
  readonly difference = this.#told;
  readonly divergence = this.#told;
  readonly blocks = async (question: unknown) => {
    this.asked.push(question);
    return ok([]);
  };
  readonly close = async () => {};
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let ring: Ring;
let clock: number;
let tokens: OneTimeTokens;
let inspector: InspectorServer;
let http: Server;
let port: number;
let refused: string[];

async function open(options: Partial<InspectorServerOptions> = {}): Promise<void> {
  ring = new Ring();
  refused = [];
  clock = Date.now();
  tokens = new OneTimeTokens({ now: () => clock });
  http = createServer((request, response) => {
    if (isInspectPath(request.url)) void inspector.handle(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => void http.listen(0, "127.0.0.1", resolve));
  port = (http.address() as AddressInfo).port;
  inspector = new InspectorServer({
    source: ring,
    assets: async () =>
      new Map([["/inspect/", { type: "text/html; charset=utf-8", bytes: Buffer.from("<!doctype html>") }]]),
    access: { kind: "token", tokens, sessions: new Sessions({ now: () => clock }) },
    names: { hosts: loopbackHosts(port), scheme: "http" },
    onRefused: (code) => refused.push(code),
    ...options,
  });
}

beforeEach(() => open());
afterEach(async () => {
  inspector.close();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

const ask = (path: string, { body, ...options }: RequestOptions & { readonly body?: string } = {}): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, path, agent: false, ...options }, (response) => {
      let text = "";
      response.on("data", (chunk) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    request.on("error", reject).end(body);
  });

const exchange = (token: string, headers: Record<string, string> = {}): Promise<Reply> =>
  ask("/inspect/session", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ token }),
  });

async function signIn(): Promise<Record<string, string>> {
  const { headers } = await exchange(tokens.mint());
  return { cookie: (headers["set-cookie"]?.[0] ?? "").split(";")[0] ?? "" };
}

const codeOf = ({ body }: Reply): string => (JSON.parse(body) as { code: string }).code;

describe("the inspector's session", () => {
  it("opens with a token that was minted, and its cookie can be read by no script and sent by no other site", async () => {
    const reply = await exchange(tokens.mint());
    expect(reply.status).toBe(204);
    expect(reply.headers["set-cookie"]?.[0]).toMatch(
      new RegExp(`^sky_inspect_${port}=[A-Za-z0-9_-]{43}; HttpOnly; SameSite=Strict; Path=/inspect; Max-Age=43200$`),
    );
  });

  it("opens once for each token", async () => {
    const token = tokens.mint();
    expect((await exchange(token)).status).toBe(204);
    const again = await exchange(token);
    expect([again.status, codeOf(again)]).toEqual([401, "UNAUTHENTICATED"]);
  });

  it("does not open with a token that has expired, was never minted, or is none", async () => {
    const token = tokens.mint();
    clock += 10 * 60_000;
    for (const wrong of [token, "A".repeat(43), "", "x", "A".repeat(500)])
      expect((await exchange(wrong)).status).toBe(401);
  });

  it("answers guesses with less and less, and a right token still", async () => {
    let last: Reply | undefined;
    for (let i = 0; i < 31; i += 1) last = await exchange(`${i}`.padStart(43, "A"));
    expect(last && [last.status, codeOf(last), last.headers["retry-after"]]).toEqual([503, "TOO_MANY", "60"]);
    expect((await exchange(tokens.mint())).status).toBe(204);
  });

  it("is asked for by every question, and ends", async () => {
    const headers = await signIn();
    expect((await ask("/inspect/api/source")).status).toBe(401);
    expect((await ask("/inspect/api/entries")).status).toBe(401);
    expect(
      (await ask("/inspect/api/source", { headers: { cookie: `sky_inspect_${port}=${"A".repeat(43)}` } })).status,
    ).toBe(401);
    expect((await ask("/inspect/api/source", { headers })).status).toBe(200);
    clock += 12 * 3_600_000;
    expect((await ask("/inspect/api/source", { headers })).status).toBe(401);
  });

  it("takes no body that is long, no JSON, or of a type that other sites may post", async () => {
    const token = tokens.mint();
    const post = (body: string, type = "application/json"): Promise<Reply> =>
      ask("/inspect/session", { method: "POST", headers: { "content-type": type }, body });
    for (const body of ["", "{", "[]", '{"token":1}', `{"token":"${"A".repeat(2_000)}"}`])
      expect(codeOf(await post(body))).toBe("BODY_REFUSED");
    expect(codeOf(await post(JSON.stringify({ token }), "text/plain"))).toBe("BODY_REFUSED");
    expect((await exchange(token)).status).toBe(204);
  });
});

describe("names and origins", () => {
  it("a stranger's name that leads here is refused, whatever is asked", async () => {
    const cookie = await signIn();
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      `127.0.0.1:${port + 1}`,
      "127.0.0.1",
      `127.0.0.1.evil.example:${port}`,
    ])
      for (const path of ["/inspect/", "/inspect/api/source", "/inspect/session"]) {
        const reply = await ask(path, { headers: { ...cookie, host } });
        expect([reply.status, codeOf(reply)]).toEqual([403, "FOREIGN_HOST"]);
      }
    expect((await ask("/inspect/api/source", { headers: { ...cookie, host: `LOCALHOST:${port}` } })).status).toBe(200);
  });

  it("another site's page gets nothing, and cannot use up a token", async () => {
    const cookie = await signIn();
    const token = tokens.mint();
    for (const origin of [
      "https://evil.example",
      "null",
      `http://127.0.0.1:${port + 1}`,
      `https://127.0.0.1:${port}`,
    ]) {
      expect(codeOf(await ask("/inspect/api/source", { headers: { ...cookie, origin } }))).toBe("FOREIGN_ORIGIN");
      expect(codeOf(await exchange(token, { origin }))).toBe("FOREIGN_ORIGIN");
    }
    for (const site of ["cross-site", "same-site"])
      expect(codeOf(await ask("/inspect/api/source", { headers: { ...cookie, "sec-fetch-site": site } }))).toBe(
        "FOREIGN_ORIGIN",
      );
    expect((await ask("/inspect/", { headers: { "sec-fetch-site": "cross-site" } })).status).toBe(200);
    expect((await exchange(token, { origin: `http://127.0.0.1:${port}` })).status).toBe(204);
  });
});

describe("what is answered", () => {
  it("the page loads nothing from elsewhere, in no frame, and is kept by nobody", async () => {
    const { status, headers } = await ask("/inspect/");
    expect(status).toBe(200);
    expect(headers["content-security-policy"]).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "cache-control": "no-store",
    });
    expect((await ask("/inspect")).headers.location).toBe("/inspect/");
  });

  it("nothing but GET and HEAD", async () => {
    const headers = await signIn();
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const reply = await ask("/inspect/api/source", { method, headers });
      expect([reply.status, reply.headers.allow]).toEqual([405, "GET, HEAD"]);
    }
    const head = await ask("/inspect/api/source", { method: "HEAD", headers });
    expect([head.status, head.body]).toEqual([200, ""]);
  });

  it("questions within their bounds reach the source, others are told what is wrong", async () => {
    const headers = await signIn();
    expect((await ask("/inspect/api/blocks?from=3&limit=500", { headers })).status).toBe(200);
    expect(ring.asked).toEqual([{ node: null, from: 3, limit: 500 }]);
    for (const bad of [
      "blocks?limit=501",
      "blocks?from=-1",
      "blocks?from=1e3",
      "blocks?from=1&from=2",
      "blocks?other=1",
      "context?node=n1&life=0&n=1",
      "context?node=n1&life=0&n=1&machine=x",
      "check?subject=a",
      "check?subject=&object=b",
      `graph?focus=${"x".repeat(4_097)}`,
      "graph?limit=2001",
      "graph?height=99999999999999999",
    ]) {
      const reply = await ask(`/inspect/api/${bad}`, { headers });
      expect([bad, reply.status, codeOf(reply)]).toEqual([bad, 400, "INVALID_QUESTION"]);
    }
    expect(codeOf(await ask(`/inspect/api/graph?focus=${"x".repeat(12_000)}`, { headers }))).toBe("INVALID_QUESTION");
    await ask("/inspect/api/check?subject=what?&object=a?b", { headers });
    expect(ring.asked.at(-1)).toMatchObject({ subject: "what?", object: "a?b" });
    expect(codeOf(await ask("/inspect/api/constructor", { headers }))).toBe("NOT_FOUND");
    expect(codeOf(await ask("/inspect/../etc/passwd", { headers }))).toBe("NOT_FOUND");
    expect(codeOf(await ask("/inspect/api/members", { headers }))).toBe("NOT_SHOWN");
  });

  it("are refused as answers to whoever takes them so, lest a browser calls them errors of its page; strangers are not", async () => {
    const headers = { ...(await signIn()), "sky-refusals-as-answers": "1" };
    const told = await ask("/inspect/api/members", { headers });
    expect([told.status, told.headers["sky-refusal-status"], codeOf(told)]).toEqual([200, "404", "NOT_SHOWN"]);
    const wrong = await ask("/inspect/api/blocks?from=-1", { headers });
    expect([wrong.status, wrong.headers["sky-refusal-status"], codeOf(wrong)]).toEqual([
      200,
      "400",
      "INVALID_QUESTION",
    ]);
    expect(refused).toEqual(["NOT_SHOWN", "INVALID_QUESTION"]);
    expect((await ask("/inspect/api/members", { headers: { "sky-refusals-as-answers": "1" } })).status).toBe(401);
    const shown = await ask("/inspect/api/blocks?from=0", { headers });
    expect([shown.status, shown.headers["sky-refusal-status"], shown.body]).toEqual([200, undefined, "[]\n"]);
  });
});

interface Heard {
  readonly entries: number[];
  readonly gaps: { from: number; to: number }[];
  readonly id: string;
}

/** Reads a stream until it has heard so many entries, then leaves. */
function listen(headers: Record<string, string>, count: number, query = ""): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port, path: `/inspect/api/entries${query}`, headers },
      (response) => {
        if (response.statusCode !== 200) return reject(new Error(`${response.statusCode}`));
        let text = "";
        const heard = { entries: [] as number[], gaps: [] as { from: number; to: number }[], id: "" };
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString();
          const blocks = text.split("\n\n");
          text = blocks.pop() ?? "";
          for (const block of blocks) {
            const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
            heard.id = field("id") || heard.id;
            if (field("event") === "entries")
              heard.entries.push(...(JSON.parse(field("data")) as Entry[]).map(({ n }) => n));
            if (field("event") === "gap") heard.gaps.push(JSON.parse(field("data")) as { from: number; to: number });
          }
          if (heard.entries.length >= count) {
            request.destroy();
            resolve(heard);
          }
        });
        response.on("error", () => {});
      },
    );
    request.on("error", reject).end();
  });
}

describe("the stream of entries", () => {
  it("goes on where the reader was, without gap or duplicate, by Last-Event-ID or after", async () => {
    const headers = await signIn();
    ring.add(700);
    const first = await listen(headers, 500);
    expect(first.entries).toHaveLength(500);
    ring.add(10);
    const second = await listen({ ...headers, "last-event-id": first.id }, 210);
    const third = await listen(headers, 210, `?after=${encodeURIComponent(first.id)}`);
    const expected = Array.from({ length: 210 }, (_, i) => 500 + i);
    expect(second.entries).toEqual(expected);
    expect(third.entries).toEqual(expected);
    expect(second.gaps).toEqual([]);
  });

  it("says what is not held any more", async () => {
    const headers = await signIn();
    ring.add(100);
    const { id } = await listen(headers, 100);
    ring.add(900);
    ring.lose(500);
    const later = await listen({ ...headers, "last-event-id": id }, 500);
    expect(later.gaps).toMatchObject([{ from: 100, to: 500 }]);
    expect(later.entries[0]).toBe(500);
  });

  it("pulls nothing for a reader that takes nothing, and ends it", async () => {
    inspector.close();
    http.close();
    await open({ times: { stalledMs: 300, heartbeatMs: 50 } });
    const { cookie = "" } = await signIn();
    ring.add(400_000);
    const socket = connect(port, "127.0.0.1");
    socket.pause();
    socket.on("error", () => {});
    const closed = new Promise((resolve) => http.once("connection", (peer) => peer.once("close", resolve)));
    socket.write(`GET /inspect/api/entries HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nCookie: ${cookie}\r\n\r\n`);
    await closed;
    expect(ring.yielded).toBeGreaterThan(0);
    expect(ring.yielded).toBeLessThan(ring.held.length);
    socket.destroy();
  });

  it("is given to so many readers, and to the next when one leaves", async () => {
    inspector.close();
    http.close();
    await open({ limits: { streamsMax: 1 } });
    const headers = await signIn();
    const watcher = httpRequest({ host: "127.0.0.1", port, path: "/inspect/api/entries", headers }).on(
      "error",
      () => {},
    );
    const answered = new Promise((resolve) => watcher.once("response", resolve));
    watcher.end();
    await answered;
    await expect(listen(headers, 1)).rejects.toThrow("503");
    ring.add(1);
    const left = new Promise((resolve) => watcher.once("close", resolve));
    watcher.destroy();
    await left;
    await expect
      .poll(() =>
        listen(headers, 1)
          .then(({ entries }) => entries)
          .catch(() => []),
      )
      .toEqual([0]);
  });

  it("leaves a browser connections to ask by: of one session so many may watch, and others still may", async () => {
    inspector.close();
    http.close();
    await open({ limits: { streamsOfOneMax: 2 } });
    const [mine, others] = [await signIn(), await signIn()];
    ring.add(1);
    const watch = (headers: Record<string, string>): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const path = "/inspect/api/entries";
        const request = httpRequest({ host: "127.0.0.1", port, path, headers, agent: false });
        request.on("response", (response) => resolve(response.statusCode));
        request.on("error", reject).end();
      });
    expect([await watch(mine), await watch(mine), await watch(mine)]).toEqual([200, 200, 503]);
    expect((await ask("/inspect/api/entries", { method: "HEAD", headers: mine })).status).toBe(503);
    expect((await ask("/inspect/api/source", { headers: mine })).status).toBe(200);
    expect(await watch(others)).toBe(200);
  });

  it("refuses what is no cursor for being long, and begins anew for one of nobody's", async () => {
    const headers = await signIn();
    ring.add(3);
    await expect(listen(headers, 1, `?after=${"x".repeat(4_097)}`)).rejects.toThrow("400");
    expect((await listen(headers, 3, "?after=garbage")).entries).toEqual([0, 1, 2]);
  });
});

describe("cursors", () => {
  it("survive whatever a node is called", () => {
    const positions = new Map([
      ["n1", { life: 1, n: 2 }],
      ["a.b~c d\n%", { life: 1_700_000_000, n: 0 }],
    ]);
    expect(readCursor(cursorOf(positions))).toEqual(positions);
    expect(cursorOf(positions)).not.toMatch(/\s/);
  });

  it("are what cursorOf made, or nothing", () => {
    for (const text of ["n1", "n1.1", "n1.1.x", "n1.1.2~", "n1.1.2~n1.1.3", "%.1.2", "n1.-1.2"])
      expect(readCursor(text)).toBeUndefined();
    expect(readCursor("")).toEqual(new Map());
  });
});
