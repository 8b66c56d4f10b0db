import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { refuse } from "../../../src/base/result.ts";
import {
  type Assertion,
  type Namespace,
  Object as DelphiObject,
  Oracle_Service as calls,
  type Relation,
  type Subject,
} from "../../../src/wire/generated/com/hellblazer/delphi/v1/oracle.ts";
import { type Answer, type Served, call, serve } from "./support/served.ts";

let served: Served;
beforeEach(async () => {
  served = await serve();
});
afterEach(() => {
  expect(served.defects).toEqual([]);
  served.close();
});

const ns = (name: string): Namespace => ({ name });
const rel = (name: string): Relation => ({ namespace: ns("my-org"), name });
const node = (name: string, relation?: string): Subject => ({
  namespace: ns("my-org"),
  name,
  relation: relation === undefined ? undefined : rel(relation),
});
const assertion = (subject: Subject, object: Subject): Assertion => ({ subject, object });
const shown = (nodes: readonly Subject[] | undefined): readonly string[] =>
  (nodes ?? []).map(({ name, relation }) => (relation?.name ? `${name}#${relation.name}` : name));

type Calls = typeof calls;
type RequestOf<Name extends keyof Calls> = Parameters<Calls[Name]["requestSerialize"]>[0];
type ReplyOf<Name extends keyof Calls> = ReturnType<Calls[Name]["responseDeserialize"]>;
const ask = <Name extends keyof Calls>(
  name: Name,
  request: RequestOf<Name>,
  options: Parameters<typeof call>[3] = {},
): Promise<Answer<ReplyOf<Name>>> =>
  call(served.compatible, calls[name] as never, request, options) as Promise<Answer<ReplyOf<Name>>>;

const users = node("Users", "member");
const flagged = node("ABCTechnicians", "flag");
const view = { namespace: ns("Document"), name: "123", relation: { namespace: ns("Document"), name: "View" } };

const MAPS: readonly (readonly [Subject, Subject])[] = [
  [node("HelpDesk", "member"), node("Admins", "member")],
  [node("Ali", "flag"), node("Admins", "member")],
  [node("Ali", "flag"), users],
  [node("Burcu"), users],
  [node("Can"), users],
  [node("Managers", "member"), users],
  [node("Technicians", "member"), users],
  [node("Demet"), node("HelpDesk", "member")],
  [node("Egin", "flag"), node("HelpDesk", "member")],
  [node("Egin", "flag"), users],
  [node("Fuat", "flag"), node("Managers", "member")],
  [node("Gül", "flag"), node("Managers", "member")],
  [node("Hakan"), node("Technicians", "member")],
  [node("Irmak"), node("Technicians", "member")],
  [node("ABCTechnicians", "member"), node("Technicians", "member")],
  [flagged, node("Technicians", "member")],
  [node("Jale"), node("ABCTechnicians", "member")],
];

const mayView = async (subject: Subject): Promise<boolean | undefined> =>
  (await ask("check", { ts: 0n, assertion: assertion(subject, view) })).reply?.result;

describe("the compatible service", () => {
  it("has 26 calls under the names that clients were compiled with", () => {
    expect(Object.keys(calls)).toHaveLength(26);
    expect(Object.values(calls).every(({ path }) => path.startsWith("/com.hellblazer.delphi.v1.Oracle_/"))).toBe(true);
  });

  it("tells the story that everyone knows", async () => {
    const mapped = await Promise.all(MAPS.map(([parent, child]) => ask("mapSubject", { parent, child })));
    expect(mapped.map(({ code }) => code)).toEqual(MAPS.map(() => status.OK));
    expect((await ask("addAssertion", assertion(users, view))).reply?.added).toBe(true);
    expect(shown((await ask("readSubjects", { objects: [view] })).reply?.subjects)).toEqual(["Users#member"]);
    await ask("addAssertion", assertion(flagged, view));
    expect(shown((await ask("readSubjects", { objects: [view] })).reply?.subjects)).toEqual([
      "ABCTechnicians#flag",
      "Users#member",
    ]);
    expect(
      shown((await ask("readSubjectsMatching", { objects: [view], predicate: rel("flag") })).reply?.subjects),
    ).toEqual(["ABCTechnicians#flag"]);
    expect((await ask("expandSubject", view)).reply?.subjects).toHaveLength(14);
    const flags = ["ABCTechnicians#flag", "Ali#flag", "Egin#flag", "Fuat#flag", "Gül#flag"];
    expect(shown((await ask("expandSubjects", { object: view, predicate: rel("flag") })).reply?.subjects)).toEqual(
      flags,
    );
    expect(shown((await ask("subjects", { object: view, predicate: rel("flag") })).reply?.subjects)).toEqual(flags);
    const checks = [node("Jale"), node("Egin", "flag"), node("HelpDesk", "member"), node("Demet")];
    expect(await Promise.all(checks.map(mayView))).toEqual([true, true, false, false]);
    await ask("unmapSubject", { parent: node("ABCTechnicians", "member"), child: node("Technicians", "member") });
    expect(await Promise.all(checks.map(mayView))).toEqual([false, true, false, false]);
    await ask("deleteAssertion", assertion(users, view));
    expect(await Promise.all(checks.map(mayView))).toEqual([false, false, false, false]);
  });

  it("answers objects as it answers subjects", async () => {
    const folder = { ...view, name: "folder" };
    await ask("mapObject", { parent: view, child: folder });
    await ask("addAssertion", assertion(users, folder));
    expect(shown((await ask("readObjects", { subjects: [users] })).reply?.objects)).toEqual(["folder#View"]);
    expect(shown((await ask("expandObject", users)).reply?.objects)).toEqual(["123#View", "folder#View"]);
    const all = await ask("expandObjects", { subject: users, predicate: view.relation });
    expect(shown(all.reply?.objects)).toEqual(["123#View", "folder#View"]);
    expect((await ask("readObjectsMatching", { subjects: [users], predicate: rel("View") })).reply?.objects).toEqual(
      [],
    );
    await ask("unmapObject", { parent: view, child: folder });
    expect(shown((await ask("expandObject", users)).reply?.objects)).toEqual(["folder#View"]);
    await ask("deleteObject", folder);
    expect((await ask("expandObject", users)).reply?.objects).toEqual([]);
  });

  it("adds, maps and deletes namespaces, relations and nodes, and returns the height that settled each", async () => {
    const answers = [
      await ask("addNamespace", ns("my-org")),
      await ask("addRelation", rel("member")),
      await ask("addSubject", users),
      await ask("addObject", view),
      await ask("mapRelation", { parent: rel("lead"), child: rel("member") }),
      await ask("unmapRelation", { parent: rel("lead"), child: rel("member") }),
      await ask("deleteSubject", users),
      await ask("deleteRelation", rel("member")),
      await ask("deleteNamespace", ns("my-org")),
    ];
    expect(answers.map(({ reply }) => reply?.ts)).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n]);
    expect(answers.map(({ trailers }) => trailers["sky-height"])).toEqual([
      "1",
      "2",
      "3",
      "4",
      "5",
      "6",
      "7",
      "8",
      "9",
    ]);
  });

  it("reports added = false for an assertion that is there", async () => {
    const first = await ask("addAssertion", assertion(users, view));
    const again = await ask("addAssertion", assertion(users, view));
    expect([first.reply?.added, again.reply?.added]).toEqual([true, false]);
    expect(await ask("check", { ts: again.reply?.ts ?? 0n, assertion: assertion(users, view) })).toMatchObject({
      reply: { result: true },
    });
  });

  it("takes an absent predicate for the null relation, not for no filter", async () => {
    await ask("addAssertion", assertion(users, view));
    await ask("addAssertion", assertion(node("Jale"), view));
    expect(
      shown((await ask("readSubjectsMatching", { objects: [view], predicate: undefined })).reply?.subjects),
    ).toEqual(["Jale"]);
    expect(shown((await ask("expandSubjects", { object: view, predicate: undefined })).reply?.subjects)).toEqual([
      "Jale",
    ]);
    expect(
      shown(
        (await ask("expandSubjects", { object: view, predicate: { namespace: ns(""), name: "" } })).reply?.subjects,
      ),
    ).toEqual(["Jale"]);
  });

  it("always sets namespace and relation in replies", async () => {
    const bare = { namespace: undefined, name: "Jale", relation: undefined };
    await ask("addAssertion", assertion(bare, view));
    const { reply } = await ask("readSubjects", { objects: [view] });
    expect(reply?.subjects).toEqual([
      { namespace: { name: "" }, name: "Jale", relation: { namespace: { name: "" }, name: "" } },
    ]);
  });

  it("names the cycle that a map would close", async () => {
    await ask("mapSubject", { parent: node("A"), child: node("B") });
    const refused = await ask("mapSubject", { parent: node("B"), child: node("A") });
    expect(refused.code).toBe(status.FAILED_PRECONDITION);
    expect(refused.trailers).toMatchObject({ "sky-code": "CYCLE", "sky-reason": "cycle" });
    expect(refused.details).toMatch(/my-org:B.*my-org:A.*my-org:B/);
  });
});

describe("a check at a height", () => {
  it("waits for a height ahead of the node", async () => {
    const checking = ask("check", { ts: 1n, assertion: assertion(users, view) });
    await ask("addAssertion", assertion(users, view));
    expect(await checking).toMatchObject({ code: status.OK, reply: { result: true }, trailers: { "sky-height": "1" } });
  });

  it("answers false with sky-reason: behind before the deadline, when the height does not come", async () => {
    await ask("addAssertion", assertion(users, view));
    served.node.isHurried = true;
    const answer = await ask("check", { ts: 2n ** 64n - 1n, assertion: assertion(users, view) });
    expect(answer).toMatchObject({
      code: status.OK,
      reply: { result: false },
      trailers: { "sky-reason": "behind", "sky-height": "1" },
    });
  });

  it("never looks back: a height of the past is at least as fresh", async () => {
    await ask("addAssertion", assertion(users, view));
    await ask("deleteAssertion", assertion(users, view));
    expect((await ask("check", { ts: 1n, assertion: assertion(users, view) })).reply?.result).toBe(false);
  });

  it("holds for reads through metadata sky-at-least", async () => {
    const reading = ask("readSubjects", { objects: [view] }, { metadata: { "sky-at-least": "1" } });
    await ask("addAssertion", assertion(users, view));
    expect(await reading).toMatchObject({
      code: status.OK,
      trailers: { "sky-height": "1" },
      reply: { subjects: [{ name: "Users" }] },
    });
    served.node.isHurried = true;
    const late = await ask("expandSubject", view, { metadata: { "sky-at-least": "9" } });
    expect(late).toMatchObject({
      code: status.UNAVAILABLE,
      trailers: { "sky-code": "BEHIND", "sky-reason": "behind" },
    });
    const bad = await ask("expandSubject", view, { metadata: { "sky-at-least": "-1" } });
    expect(bad).toMatchObject({ code: status.INVALID_ARGUMENT, trailers: { "sky-code": "BAD_METADATA" } });
  });
});

describe("what the compatible service refuses", () => {
  const empty = { namespace: undefined, name: "", relation: undefined };
  it.each([
    ["check", { ts: 0n, assertion: undefined }],
    ["check", { ts: 0n, assertion: { subject: undefined, object: undefined } }],
    ["check", { ts: 0n, assertion: { subject: empty, object: view } }],
    ["addNamespace", ns("")],
    ["addRelation", { namespace: undefined, name: "" }],
    ["deleteNamespace", ns("")],
    ["deleteRelation", { namespace: ns(""), name: "" }],
    ["addSubject", empty],
    ["mapSubject", { parent: users, child: undefined }],
    ["mapRelation", { parent: rel("a"), child: undefined }],
    ["readSubjects", { objects: [] }],
    ["expandSubjects", { object: undefined, predicate: undefined }],
  ] as const)("an empty message: %s (%#)", async (name, request) => {
    const answer = await ask(name, request as never);
    expect(answer).toMatchObject({ code: status.INVALID_ARGUMENT, trailers: { "sky-code": "EMPTY_MESSAGE" } });
    expect(answer.details).toMatch(/^[A-Z].*\.$/);
  });

  it("an expandSubject of no bytes at all", async () => {
    const answer = await ask("expandSubject", view, { bytes: Buffer.alloc(0) });
    expect(answer).toMatchObject({ code: status.INVALID_ARGUMENT, trailers: { "sky-code": "EMPTY_MESSAGE" } });
  });

  it.each([
    ["NAME_EMPTY", { namespace: ns("my-org"), name: "", relation: undefined }],
    ["RELATION_INCOMPLETE", { namespace: ns("my-org"), name: "x", relation: { namespace: ns("my-org"), name: "" } }],
    ["NAME_NOT_NFC", node("Gu\u0308l")],
    ["NAME_REPLACEMENT_CHARACTER", node("G\ufffdl")],
    ["NAME_CONTROL_CHARACTER", node("a\u0085b")],
    ["NAME_TOO_LONG", node("ü".repeat(513))],
  ])("a subject to be added: %s", async (code, subject) => {
    const answer = await ask("addSubject", subject);
    expect(answer).toMatchObject({ code: status.INVALID_ARGUMENT, trailers: { "sky-code": code } });
    expect(served.node.submissions).toBe(0);
  });

  it("text that is not UTF-8, in reads as in writes", async () => {
    const good = Buffer.from(DelphiObject.encode(view).finish());
    const bad = Buffer.from(good);
    bad[good.indexOf("123")] = 0xff;
    for (const name of ["addObject", "expandSubject"] as const) {
      const answer = await ask(name, view, { bytes: bad });
      expect(answer).toMatchObject({ code: status.INVALID_ARGUMENT, trailers: { "sky-code": "MALFORMED" } });
    }
    // An overlong encoding and an encoded surrogate are no UTF-8 either.
    for (const name of ["c080", "eda080"]) {
      const bytes = Buffer.from(`12${(name.length / 2).toString(16).padStart(2, "0")}${name}`, "hex");
      expect((await ask("addObject", view, { bytes })).trailers["sky-code"]).toBe("MALFORMED");
    }
    expect(served.node.submissions).toBe(0);
  });

  it("garbage, truncated messages and bytes after the message; and serves on", async () => {
    const good = Buffer.from(DelphiObject.encode(view).finish());
    for (const bytes of [
      good.subarray(0, -1),
      Buffer.concat([good, Buffer.from([0])]),
      Buffer.alloc(64, 0xff),
      Buffer.alloc(5_000, 0x0b),
    ]) {
      const answer = await ask("expandSubject", view, { bytes });
      expect(answer).toMatchObject({ code: status.INVALID_ARGUMENT, trailers: { "sky-code": "MALFORMED" } });
    }
    expect((await ask("expandSubject", view)).code).toBe(status.OK);
  });

  it("more fields than any request may have, before memory grows by them", async () => {
    const answer = await ask("readSubjects", { objects: [] }, { bytes: Buffer.from("0a00".repeat(1_000_000), "hex") });
    expect(answer).toMatchObject({ code: status.INVALID_ARGUMENT, trailers: { "sky-code": "MALFORMED" } });
    const many = await ask("readSubjects", { objects: Array.from({ length: 10_001 }, () => view) });
    expect(many).toMatchObject({ code: status.INVALID_ARGUMENT, trailers: { "sky-code": "TOO_MANY" } });
  });

  it("messages beyond 4 MiB", async () => {
    const answer = await ask("expandSubject", view, { bytes: Buffer.alloc(4 * 1024 * 1024 + 1) });
    expect(answer.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  it("results beyond 4 MiB, rather than cutting them", async () => {
    const groups = Array.from({ length: 1_100 }, (_, i) => node(`${i}`.padEnd(1_000, "x")));
    for (const group of groups)
      await ask(
        "addAssertion",
        assertion(
          {
            ...group,
            namespace: ns("n".repeat(1_000)),
            relation: { namespace: ns("r".repeat(1_000)), name: "m".repeat(1_000) },
          },
          view,
        ),
      );
    const answer = await ask("expandSubject", view);
    expect(answer).toMatchObject({ code: status.RESOURCE_EXHAUSTED, trailers: { "sky-code": "RESULT_TOO_LARGE" } });
  });

  it("namespace sky, whatever the call", async () => {
    const policy = { namespace: ns("sky"), name: "cluster", relation: { namespace: ns("sky"), name: "admin" } };
    for (const answer of [
      await ask("addAssertion", assertion(users, policy)),
      await ask("deleteNamespace", ns("sky")),
      await ask("mapRelation", { parent: rel("a"), child: policy.relation }),
      await ask("mapSubject", { parent: users, child: { ...users, relation: policy.relation } }),
    ]) {
      expect(answer).toMatchObject({ code: status.PERMISSION_DENIED, trailers: { "sky-code": "POLICY_FORBIDDEN" } });
    }
    expect(served.node.submissions).toBe(0);
  });

  it("readers without the grant, and callers whose connection is not known", async () => {
    served.node.readers.clear();
    expect(await ask("check", { ts: 0n, assertion: assertion(users, view) })).toMatchObject({
      code: status.PERMISSION_DENIED,
      trailers: { "sky-code": "PERMISSION_DENIED" },
    });
    expect((await ask("expandSubject", view)).code).toBe(status.PERMISSION_DENIED);
    served.known = false;
    expect((await ask("addSubject", users)).code).toBe(status.UNAUTHENTICATED);
    expect((await ask("check", { ts: 0n, assertion: assertion(users, view) })).code).toBe(status.UNAUTHENTICATED);
  });

  it("work while overloaded, and says when to come back", async () => {
    served.node.refuseNext.push(refuse("OVERLOADED", "The mempool is full; try again later.", "none"));
    const answer = await ask("addSubject", users);
    expect(answer).toMatchObject({ code: status.RESOURCE_EXHAUSTED, trailers: { "sky-code": "OVERLOADED" } });
    expect(Number(answer.trailers["grpc-retry-pushback-ms"])).toBeGreaterThan(0);
  });

  it("a write that is not settled before its deadline, without losing it", async () => {
    const release = served.node.hold();
    const answer = await ask("addAssertion", assertion(users, view), { deadlineMs: 100 });
    expect(answer.code).toBe(status.DEADLINE_EXCEEDED);
    release();
    expect((await ask("check", { ts: 1n, assertion: assertion(users, view) })).reply?.result).toBe(true);
  });
});
