import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Api } from "../../../tools/visualizer/page/model/api.ts";
import { History } from "../../../tools/visualizer/page/model/history.ts";
import { type Cursor, readLink, tokenIn, withoutToken, writeLink } from "../../../tools/visualizer/page/model/link.ts";
import { find, parseQuery } from "../../../tools/visualizer/page/model/search.ts";
import { nameOfKey } from "../../../tools/visualizer/page/model/entries.ts";
import { Life } from "./entries.ts";

const cursors: fc.Arbitrary<Cursor> = fc.oneof(
  fc.constant({ kind: "now" as const }),
  fc.nat(1e9).map((height) => ({ kind: "height" as const, height })),
  fc
    .record({ node: fc.constantFrom("n1", "n2'", "node & co", "zürich"), life: fc.nat(99), n: fc.nat(1e6) })
    .map((key) => ({ kind: "entry" as const, key })),
);

describe("a permanent link", () => {
  test("reads what it wrote", () => {
    const links = fc.record({
      view: fc.option(fc.constantFrom("states", "blocks")),
      cursor: cursors,
      focus: fc.option(fc.string({ minLength: 1, maxLength: 60 })),
      theme: fc.option(fc.constantFrom("light" as const, "dark" as const)),
    });
    fc.assert(
      fc.property(links, (link) => {
        expect(readLink(`#${writeLink(link)}`)).toEqual(link);
      }),
    );
  });

  test("reads as a person would write it", () => {
    const link = writeLink({
      view: "states",
      cursor: { kind: "entry", key: { node: "n3", life: 0, n: 42 } },
      focus: "n3/consensus",
      theme: "dark",
    });
    expect(link).toBe("view=states&at=n3:0:42&focus=n3/consensus&theme=dark");
  });

  test("what is not a link means now", () => {
    for (const fragment of ["", "#", "#at=nonsense", "#height=-1", "#at=n1:0:99999999999999999999"])
      expect(readLink(fragment).cursor).toEqual({ kind: "now" });
  });

  test("a token is found and taken out, the moment stays", () => {
    expect(tokenIn("#token=abc&view=blocks&height=3")).toBe("abc");
    expect(withoutToken("#token=abc&view=blocks&height=3")).toBe("view=blocks&height=3");
    expect(tokenIn("#view=blocks")).toBeNull();
  });
});

describe("search", () => {
  const history = new History();
  history.add([
    ...new Life("n1").booted().step({ type: "voteVerified", view: 7, member: 2 }).finalised(3, 7).entries,
    ...new Life("n2", 0, 10).booted().step({ type: "timerFired", timer: "leader" }, [{ type: "recordVote", view: 812 }])
      .entries,
  ]);
  const found = (text: string): readonly string[] => find(history, parseQuery(text)).newest.map(nameOfKey);

  test.each([
    ["node:n2", ["n2:0:1", "n2:0:0"]],
    ["view:7", ["n1:0:2", "n1:0:1"]],
    ["view:800-900", ["n2:0:1"]],
    ["height:3", ["n1:0:2"]],
    ["type:vote node:n1", ["n1:0:1"]],
    ["type:recordvote", ["n2:0:1"]],
    ["kind:booted", ["n2:0:0", "n1:0:0"]],
    ["LEADER timerfired", ["n2:0:1"]],
    ["n1:0:2", ["n1:0:2"]],
    ["nothing-like-it", []],
    ["", []],
  ])("%s finds %j", (text, expected) => {
    expect(found(text)).toEqual(expected);
  });

  test("says what a term takes", () => {
    expect(parseQuery("view:abc").problem).toMatch(/number or a range/);
  });
});

describe("questions to the server", () => {
  const answering = (status: number, body: unknown) =>
    new Api(() => Promise.resolve({ ok: status < 300, status, json: () => Promise.resolve(body) }));

  test("a refusal is an answer with code and sentence", async () => {
    const answer = await answering(401, { code: "TOKEN_USED", message: "Ask for another." }).source();
    expect(answer).toEqual({ ok: false, status: 401, refusal: { code: "TOKEN_USED", message: "Ask for another." } });
  });

  test("a refusal that comes as an answer has the status of a refusal", async () => {
    const api = new Api((_path, options) => {
      const isAsked = options?.headers?.["sky-refusals-as-answers"] !== undefined;
      const headers = new Headers(isAsked ? { "sky-refusal-status": "503" } : {});
      const body = { code: "NOT_READY", message: "Sealed." };
      return Promise.resolve({ ok: true, status: 200, headers, json: () => Promise.resolve(body) });
    });
    expect(await api.members("n1")).toEqual({
      ok: false,
      status: 503,
      refusal: { code: "NOT_READY", message: "Sealed." },
    });
  });

  test("a server that is gone is an answer too", async () => {
    const answer = await new Api(() => Promise.reject(new TypeError("failed to fetch"))).source();
    expect(answer).toMatchObject({ ok: false, status: 0, refusal: { code: "UNREACHABLE" } });
  });

  test("parameters are escaped, those that are not given left out", async () => {
    const asked: string[] = [];
    const api = new Api((path) => {
      asked.push(path);
      return Promise.resolve({ ok: true, status: 200, json: () => Promise.resolve([]) });
    });
    await api.get("check", { node: "n1", subject: "a:b#c&d", object: null });
    expect(asked).toEqual(["/inspect/api/check?node=n1&subject=a%3Ab%23c%26d"]);
  });
});
