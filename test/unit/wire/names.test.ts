import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GraphChange, GraphNode } from "../../../src/events/facts/graph.ts";
import { judgeName, judgeWriteNames, namespacesOf } from "../../../src/wire/names.ts";

const node = (name: string, namespace = "org", relation = { namespace: "org", name: "member" }): GraphNode => ({
  namespace,
  name,
  relation,
});
const codeOf = (name: string): string => {
  const judged = judgeName(name);
  return judged.ok ? "OK" : judged.refusal.code;
};

describe("a name at a gateway", () => {
  it.each([
    ["OK", "Gül"],
    ["OK", ""],
    ["OK", "x".repeat(1_024)],
    ["OK", "\u{1f600}"],
    ["NAME_TOO_LONG", "x".repeat(1_025)],
    ["NAME_TOO_LONG", "ü".repeat(513)],
    ["NAME_NOT_NFC", "Gu\u0308l"],
    ["NAME_NOT_NFC", "\u212b"],
    ["NAME_REPLACEMENT_CHARACTER", "a\ufffdb"],
    ["NAME_CONTROL_CHARACTER", "a\nb"],
    ["NAME_CONTROL_CHARACTER", "\u007f"],
    ["NAME_CONTROL_CHARACTER", "\u009f"],
    ["NAME_ILL_FORMED", "\ud800"],
  ])("%s: %j", (code, name) => {
    expect(codeOf(name)).toBe(code);
  });

  it("is let through unchanged or not at all", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (name) => {
        const judged = judgeName(name);
        if (judged.ok) {
          expect(judged.value).toBe(name);
          expect(Buffer.from(name, "utf8").toString("utf8").normalize("NFC")).toBe(name);
        }
      }),
    );
  });
});

describe("a write at a gateway", () => {
  const bad = "a\nb";
  const changes: readonly GraphChange[] = [
    { kind: "addNamespace", namespace: bad },
    { kind: "addRelation", relation: { namespace: bad, name: "x" } },
    { kind: "addSubject", subject: node(bad) },
    { kind: "addObject", object: node("x", bad) },
    {
      kind: "addAssertion",
      assertion: { subject: node("x"), object: node("x", "org", { namespace: "org", name: bad }) },
    },
    { kind: "mapRelation", edge: { parent: { namespace: "org", name: "x" }, child: { namespace: "org", name: bad } } },
    { kind: "mapSubject", edge: { parent: node("x"), child: node(bad) } },
    { kind: "unmapObject", edge: { parent: node("x", "org", { namespace: bad, name: "y" }), child: node("x") } },
  ];
  it.each(changes.map((change) => [change.kind, change] as const))("has every name judged: %s", (_kind, change) => {
    expect(judgeWriteNames({ changes: [change], preconditions: [] })).toMatchObject({
      ok: false,
      refusal: { code: "NAME_CONTROL_CHARACTER" },
    });
    expect([...namespacesOf(change)].length).toBeGreaterThan(0);
  });

  it("has the names of its preconditions judged", () => {
    const write = {
      changes: [{ kind: "addNamespace", namespace: "org" }],
      preconditions: [{ kind: "mustExist", assertion: { subject: node(bad), object: node("x") } }],
    } as const;
    expect(judgeWriteNames(write)).toMatchObject({ ok: false, refusal: { code: "NAME_CONTROL_CHARACTER" } });
  });
});
