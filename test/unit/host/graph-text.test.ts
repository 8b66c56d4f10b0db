import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatNode, parseAssertion, parseChange, parseNode, parseRelation } from "../../../src/host/cli/graph-text.ts";

const nowhere = { namespace: "", name: "" };

describe("names on the command line", () => {
  it.each([
    ["my-org:Users#member", { namespace: "my-org", name: "Users", relation: { namespace: "my-org", name: "member" } }],
    ["my-org:Jale", { namespace: "my-org", name: "Jale", relation: nowhere }],
    ["Jale", { namespace: "", name: "Jale", relation: nowhere }],
    ["a:b#c:d", { namespace: "a", name: "b", relation: { namespace: "c", name: "d" } }],
    [
      "my-org:Document%3A123#View",
      { namespace: "my-org", name: "Document:123", relation: { namespace: "my-org", name: "View" } },
    ],
    [":x#:r", { namespace: "", name: "x", relation: { namespace: "", name: "r" } }],
  ])("reads %s", (text, node) => {
    expect(parseNode(text)).toEqual({ ok: true, value: node });
  });

  it.each(["", "#member", "a:", "a:b:c", "a:b#c#d", "a:b#", "a:b#c:d:e", "a:%zz"])("refuses %j as a node", (text) => {
    expect(parseNode(text)).toMatchObject({ ok: false, refusal: { code: "MALFORMED" } });
  });

  it("reads back every node that it writes, and writes nothing that divides or drives a terminal", () => {
    const word = fc.string({ unit: "binary", maxLength: 12 }).filter((text) => text.isWellFormed());
    const relation = fc.oneof(
      fc.constant(nowhere),
      fc.record({ namespace: word, name: word.filter((text) => text !== "") }),
    );
    const node = fc.record({ namespace: word, name: word.filter((text) => text !== ""), relation });
    fc.assert(
      fc.property(node, (one) => {
        const text = formatNode(one);
        expect(text).not.toMatch(/[\s\p{C}]/u);
        expect(parseNode(text)).toEqual({ ok: true, value: one });
      }),
    );
  });

  it("reads relations and assertions", () => {
    expect(parseRelation("my-org:member")).toEqual({ ok: true, value: { namespace: "my-org", name: "member" } });
    expect(parseRelation("my-org:member#x").ok).toBe(false);
    expect(parseAssertion("a:s  a:o#v")).toMatchObject({
      ok: true,
      value: { subject: { name: "s" }, object: { name: "o" } },
    });
    expect(parseAssertion("a:s").ok).toBe(false);
  });
});

describe("changes on the command line", () => {
  const nodes = { subject: { name: "s" }, object: { name: "o" } };
  const edge = { parent: { name: "p" }, child: { name: "c" } };
  it.each([
    ["add namespace n%20m", { kind: "addNamespace", namespace: "n m" }],
    ["delete namespace n", { kind: "deleteNamespace", namespace: "n" }],
    ["add relation n:r", { kind: "addRelation", relation: { namespace: "n", name: "r" } }],
    ["delete relation n:r", { kind: "deleteRelation", relation: { namespace: "n", name: "r" } }],
    ["add subject n:s", { kind: "addSubject", subject: nodes.subject }],
    ["delete subject n:s", { kind: "deleteSubject", subject: nodes.subject }],
    ["add object n:o", { kind: "addObject", object: nodes.object }],
    ["delete object n:o", { kind: "deleteObject", object: nodes.object }],
    ["add assertion n:s n:o", { kind: "addAssertion", assertion: nodes }],
    ["delete assertion n:s n:o", { kind: "deleteAssertion", assertion: nodes }],
    ["map relation n:p n:c", { kind: "mapRelation", edge }],
    ["unmap relation n:p n:c", { kind: "unmapRelation", edge }],
    ["map subject n:p n:c", { kind: "mapSubject", edge }],
    ["unmap subject n:p n:c", { kind: "unmapSubject", edge }],
    ["map object n:p n:c", { kind: "mapObject", edge }],
    ["unmap object n:p n:c", { kind: "unmapObject", edge }],
  ])("reads %s", (text, change) => {
    expect(parseChange(text)).toMatchObject({ ok: true, value: change });
  });

  it.each([
    ["fly", "is not a change; there are add namespace"],
    ["add subject", 'is not "add subject" with one name'],
    ["map subject n:p", 'is not "map subject" with two names'],
    ["map subject n:p n:c n:d", 'is not "map subject" with two names'],
    ["add assertion n: n:o", '"n:" is not a subject or object'],
    ["toString x", "is not a change"],
  ])("refuses %j and says why", (text, reason) => {
    const parsed = parseChange(text);
    expect(parsed.ok ? "" : parsed.refusal.message).toContain(reason);
  });
});
