import { expect, test } from "vitest";
import type { GraphChange, GraphNode, GraphWrite, Relation } from "../../../src/events/facts/graph.ts";
import { BlockOverlay } from "../../../src/projections/rebac/block-overlay.ts";
import { VISITS_MAX } from "../../../src/projections/rebac/budget.ts";
import { decide } from "../../../src/projections/rebac/decide.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import { policyObject } from "../../../src/projections/rebac/names.ts";

const none: Relation = { namespace: "", name: "" };
const node = (name: string, namespace = "n", relation = none): GraphNode => ({ namespace, name, relation });
const map = (parent: string, child: string): GraphChange => ({
  kind: "mapSubject",
  edge: { parent: node(parent), child: node(child) },
});
const grant = (subject: GraphNode, object: GraphNode): GraphChange => ({
  kind: "addAssertion",
  assertion: { subject, object },
});
const revoke = (subject: GraphNode, object: GraphNode): GraphChange => ({
  kind: "deleteAssertion",
  assertion: { subject, object },
});
const commandOf = (...changes: readonly GraphChange[]): GraphWrite => ({ changes, preconditions: [] });

/** Decides and merges; returns what was decided. */
function run(graph: LiveGraph, write: GraphWrite, mayChangePolicy = true) {
  const overlay = new BlockOverlay(graph);
  const decided = decide(overlay, write, { mayChangePolicy });
  if (decided.ok) overlay.keepCommand();
  overlay.merge();
  return decided;
}
const codeOf = (graph: LiveGraph, write: GraphWrite, mayChangePolicy = true): string => {
  const decided = run(graph, write, mayChangePolicy);
  return decided.ok ? "accepted" : decided.refusal.code;
};

test("an assertion between new nodes adds them with their namespaces and relations, outermost first", () => {
  const viewer = node("doc", "d", { namespace: "r", name: "view" });
  const decided = run(new LiveGraph(), commandOf(grant(node("ali"), viewer), grant(node("ali"), viewer)));
  expect(decided.ok && decided.value.facts.map((fact) => fact.kind)).toEqual([
    "namespaceAdded",
    "subjectAdded",
    "namespaceAdded",
    "namespaceAdded",
    "relationAdded",
    "objectAdded",
    "assertionAdded",
  ]);
  expect(decided.ok && decided.value.changed).toEqual([true, false]);
});

test.each([
  ["1,025 bytes", "é".repeat(512) + "x", "NAME_TOO_LONG"],
  ["a lone high surrogate", "a\ud800", "NAME_ILL_FORMED"],
  ["a lone low surrogate", "\udc00a", "NAME_ILL_FORMED"],
  ["two high surrogates", "\ud83d\ud83d\ude00", "NAME_ILL_FORMED"],
  ["U+0000", "\0", "NAME_CONTROL_CHARACTER"],
  ["U+001F", "a\u001fb", "NAME_CONTROL_CHARACTER"],
  ["U+007F", "\u007f", "NAME_CONTROL_CHARACTER"],
  ["U+009F", "é\u009f", "NAME_CONTROL_CHARACTER"],
])("a name of %s is refused in every part of every change", (_what, bad, code) => {
  const inRelation: Relation = { namespace: "r", name: bad };
  const inSpace: Relation = { namespace: bad, name: "r" };
  const worse = [node(bad), node("x", bad), node("x", "n", inRelation), node("x", "n", inSpace)];
  const changes: GraphChange[] = [
    { kind: "addNamespace", namespace: bad },
    { kind: "deleteNamespace", namespace: bad },
    { kind: "addRelation", relation: inRelation },
    { kind: "deleteRelation", relation: inSpace },
    { kind: "mapRelation", edge: { parent: inRelation, child: inSpace } },
    ...worse.flatMap((it): GraphChange[] => [
      { kind: "addSubject", subject: it },
      { kind: "deleteObject", object: it },
      grant(it, node("o")),
      grant(node("s"), it),
      revoke(it, node("o")),
      { kind: "mapObject", edge: { parent: node("p"), child: it } },
      { kind: "unmapSubject", edge: { parent: it, child: node("c") } },
    ]),
  ];
  const graph = new LiveGraph();
  for (const change of changes) expect(codeOf(graph, commandOf(change))).toBe(code);
  expect(
    codeOf(graph, {
      changes: [map("a", "b")],
      preconditions: [{ kind: "mustNotExist", assertion: { subject: node(bad), object: node("o") } }],
    }),
  ).toBe(code);
  expect(graph.size.namespaces).toBe(0);
});

test("names of 1,024 bytes, spaces, unnormalised and astral characters are accepted as they are", () => {
  const graph = new LiveGraph();
  for (const name of ["é".repeat(512), " ", "e\u0301", "\u{1f600}", "\u00a0", "\ufffd"]) {
    expect(codeOf(graph, commandOf({ kind: "addSubject", subject: node(name) }))).toBe("accepted");
  }
  expect(graph.size.subjects).toBe(6);
});

test("what has no name is refused, and what is reserved cannot be deleted", () => {
  const half: Relation = { namespace: "r", name: "" };
  const cases: [GraphChange, string][] = [
    [{ kind: "addNamespace", namespace: "" }, "NAME_EMPTY"],
    [{ kind: "deleteNamespace", namespace: "" }, "RESERVED"],
    [{ kind: "deleteNamespace", namespace: "sky" }, "RESERVED"],
    [{ kind: "addRelation", relation: none }, "NAME_EMPTY"],
    [{ kind: "addRelation", relation: half }, "NAME_EMPTY"],
    [{ kind: "deleteRelation", relation: none }, "RESERVED"],
    [{ kind: "deleteRelation", relation: half }, "NAME_EMPTY"],
    [{ kind: "mapRelation", edge: { parent: none, child: { namespace: "", name: "r" } } }, "NAME_EMPTY"],
    [{ kind: "addSubject", subject: node("") }, "NAME_EMPTY"],
    [{ kind: "deleteObject", object: node("", "") }, "NAME_EMPTY"],
    [{ kind: "addObject", object: node("o", "n", half) }, "NAME_EMPTY"],
  ];
  for (const [change, code] of cases)
    expect([change, codeOf(new LiveGraph(), commandOf(change))]).toEqual([change, code]);
  expect(codeOf(new LiveGraph(), commandOf())).toBe("EMPTY_MESSAGE");
});

test("a map that would close a cycle is refused, and the sentence names the shortest one", () => {
  const graph = new LiveGraph();
  run(
    graph,
    commandOf(
      map("a", "b"),
      map("b", "c"),
      map("a", "z"),
      map("z", "y"),
      map("y", "c"),
      map("a", "aa"),
      map("aa", "c"),
    ),
  );
  const decided = run(graph, commandOf(map("c", "a")));
  expect(decided.ok ? "accepted" : decided.refusal).toEqual({
    code: "CYCLE",
    message: "The map would close the cycle n:c → n:a → n:aa → n:c; remove one of its maps first.",
    blame: "client",
  });
  const self = run(graph, commandOf(map("new", "new")));
  expect(self.ok ? "accepted" : self.refusal.message).toContain("n:new → n:new");
  const relation = (name: string): Relation => ({ namespace: "n", name });
  const relations = run(
    graph,
    commandOf(
      { kind: "mapRelation", edge: { parent: relation("r"), child: relation("q") } },
      { kind: "mapRelation", edge: { parent: relation("q"), child: relation("r") } },
    ),
  );
  expect(relations.ok ? "accepted" : relations.refusal.message).toContain("n/q → n/r → n/q");
  expect(graph.size.relations).toBe(0);
});

test("of several shortest cycles the same one is named, whatever the order in which the maps came", () => {
  const named = [
    ["a", "b"],
    ["a", "d"],
  ].map((order) => {
    const graph = new LiveGraph();
    for (const middle of [...order.slice(1), "c", order[1] === "b" ? "d" : "b"])
      run(graph, commandOf(map("a", middle), map(middle, "z")));
    const decided = run(graph, commandOf(map("z", "a")));
    return decided.ok ? "accepted" : decided.refusal.message;
  });
  expect(named[0]).toContain("n:z → n:a → n:b → n:z");
  expect(named[1]).toBe(named[0]);
});

test("the sentence about a long cycle of long names stays within what a fact may hold", () => {
  const graph = new LiveGraph();
  const name = (i: number): string => `${"\u{1f600}".repeat(250)}${i}`;
  const links = Array.from({ length: 500 }, (_, i) => map(name(i), name(i + 1)));
  run(graph, commandOf(...links));
  const decided = run(graph, commandOf(map(name(500), name(0))));
  if (decided.ok) throw new Error("accepted");
  expect(decided.refusal.message).toContain("(493 more)");
  expect(Buffer.byteLength(decided.refusal.message)).toBeLessThan(16_384);
  expect(decided.refusal.message.isWellFormed()).toBe(true);
});

test("a refused command leaves nothing of the changes before it", () => {
  const graph = new LiveGraph();
  run(graph, commandOf(map("a", "b")));
  const before = graph.size;
  const overlay = new BlockOverlay(graph);
  const decided = decide(
    overlay,
    commandOf({ kind: "deleteNamespace", namespace: "n" }, grant(node("x"), node("o")), map("q", "q")),
    { mayChangePolicy: true },
  );
  expect(decided.ok ? "accepted" : decided.refusal.code).toBe("CYCLE");
  expect(overlay.holds({ subject: node("x"), object: node("o") })).toBe(false);
  overlay.merge();
  expect(graph.size).toEqual(before);
});

test("preconditions are judged before the changes, against the block in work", () => {
  const graph = new LiveGraph();
  const assertion = { subject: node("s"), object: node("o") };
  const overlay = new BlockOverlay(graph);
  const once: GraphWrite = {
    changes: [grant(assertion.subject, assertion.object)],
    preconditions: [{ kind: "mustNotExist", assertion }],
  };
  expect(decide(overlay, once, { mayChangePolicy: false }).ok).toBe(true);
  overlay.keepCommand();
  const again = decide(overlay, once, { mayChangePolicy: false });
  expect(again.ok ? "accepted" : again.refusal).toMatchObject({
    code: "PRECONDITION_FAILED",
    message: expect.stringContaining("n:s on n:o is there"),
  });
  const then: GraphWrite = {
    changes: [revoke(assertion.subject, assertion.object)],
    preconditions: [{ kind: "mustExist", assertion }],
  };
  expect(decide(overlay, then, { mayChangePolicy: false }).ok).toBe(true);
  overlay.keepCommand();
  overlay.merge();
  expect(graph.size.assertions).toBe(0);
});

const admin = policyObject("admin");

test("the last administrator cannot be removed, directly or by a cascade, until there is another", () => {
  const graph = new LiveGraph();
  const root = node("root", "people", { namespace: "people", name: "person" });
  run(graph, commandOf(grant(root, admin)));
  const ways: GraphChange[] = [
    revoke(root, admin),
    { kind: "deleteSubject", subject: root },
    { kind: "deleteObject", object: admin },
    { kind: "deleteNamespace", namespace: "people" },
    { kind: "deleteRelation", relation: { namespace: "people", name: "person" } },
    { kind: "deleteRelation", relation: admin.relation },
  ];
  for (const way of ways) expect([way.kind, codeOf(graph, commandOf(way))]).toEqual([way.kind, "RESERVED"]);
  expect(graph.check(root, admin)).toBe(true);
  expect(codeOf(graph, commandOf(revoke(root, admin), grant(node("next"), admin)))).toBe("RESERVED");
  expect(codeOf(graph, commandOf(grant(node("next"), admin), revoke(root, admin)))).toBe("accepted");
  expect(graph.readSubjects([admin])).toEqual([node("next")]);
});

test("without the right to change policy, no name may lie in namespace sky", () => {
  const graph = new LiveGraph();
  run(graph, commandOf(grant(node("root"), admin)));
  const inSky = node("x", "n", { namespace: "sky", name: "r" });
  const changes: GraphChange[] = [
    { kind: "addNamespace", namespace: "sky" },
    { kind: "deleteNamespace", namespace: "sky" },
    { kind: "addRelation", relation: { namespace: "sky", name: "r" } },
    grant(node("me"), admin),
    revoke(node("me"), admin),
    grant(inSky, node("o")),
    { kind: "addObject", object: node("x", "sky") },
    { kind: "mapSubject", edge: { parent: node("me"), child: inSky } },
    { kind: "mapObject", edge: { parent: admin, child: node("o") } },
    { kind: "mapRelation", edge: { parent: { namespace: "n", name: "r" }, child: admin.relation } },
  ];
  for (const change of changes)
    expect([change.kind, codeOf(graph, commandOf(change), false)]).toEqual([change.kind, "POLICY_FORBIDDEN"]);
  const asking: GraphWrite = {
    changes: [map("a", "b")],
    preconditions: [{ kind: "mustExist", assertion: { subject: node("root"), object: admin } }],
  };
  expect(codeOf(graph, asking, false)).toBe("POLICY_FORBIDDEN");
  expect(
    codeOf(
      graph,
      commandOf({ kind: "addNamespace", namespace: "skyline" }, { kind: "addSubject", subject: node("sky", "x") }),
      false,
    ),
  ).toBe("accepted");
});

test("without the right to change policy, nobody gets or loses a role by way of groups, objects or cascades that do not name it", () => {
  const graph = new LiveGraph();
  const write = policyObject("write");
  run(
    graph,
    commandOf(
      grant(node("root"), admin),
      grant(node("ops"), write),
      map("oncall", "ops"),
      map("eve", "oncall"),
      grant(node("direct"), write),
    ),
  );
  run(graph, commandOf({ kind: "mapObject", edge: { parent: write, child: node("everything") } }));
  const ways: GraphChange[] = [
    map("mallory", "oncall"),
    map("mallory", "ops"),
    { kind: "unmapSubject", edge: { parent: node("eve"), child: node("oncall") } },
    { kind: "deleteSubject", subject: node("oncall") },
    { kind: "deleteSubject", subject: node("direct") },
    { kind: "deleteNamespace", namespace: "n" },
    grant(node("mallory"), node("everything")),
    { kind: "mapObject", edge: { parent: node("everything"), child: node("mine") } },
  ];
  for (const way of ways) {
    expect([way, codeOf(graph, commandOf(way), false)]).toEqual([way, "POLICY_FORBIDDEN"]);
  }
  expect(
    codeOf(
      graph,
      commandOf(grant(node("mallory"), node("mine")), map("mallory", "readers"), {
        kind: "mapObject",
        edge: { parent: node("mine"), child: node("everything") },
      }),
      false,
    ),
  ).toBe("accepted");
  expect(graph.check(node("mallory"), write)).toBe(false);
  expect(graph.check(node("eve"), write)).toBe(true);
});

test("a cascade of exactly the bound is made, one more is refused and changes nothing", () => {
  const graph = new LiveGraph();
  const group = node("group");
  const fill = (from: number, to: number): void => {
    const overlay = new BlockOverlay(graph);
    for (let i = from; i < to; i += 1000) {
      const changes = Array.from({ length: Math.min(1000, to - i) }, (_, k) => grant(group, node(`o${i + k}`)));
      if (decide(overlay, commandOf(...changes), { mayChangePolicy: true }).ok) overlay.keepCommand();
    }
    overlay.merge();
  };
  fill(0, VISITS_MAX);
  expect(codeOf(graph, commandOf({ kind: "deleteSubject", subject: group }))).toBe("LIMIT_EXCEEDED");
  expect(graph.size.assertions).toBe(VISITS_MAX);
  run(graph, commandOf(revoke(group, node("o7"))));
  const decided = run(graph, commandOf({ kind: "deleteSubject", subject: group }));
  expect(decided.ok && decided.value.facts.length).toBe(VISITS_MAX);
  expect(graph.size.assertions).toBe(0);
});

test("a cycle search of exactly the bound answers, one more is refused", () => {
  const graph = new LiveGraph();
  const chain = (from: number, to: number): void => {
    const overlay = new BlockOverlay(graph);
    for (let i = from; i < to; i += 1000) {
      const changes = Array.from({ length: Math.min(1000, to - i) }, (_, k) => map(`c${i + k}`, `c${i + k + 1}`));
      if (decide(overlay, commandOf(...changes), { mayChangePolicy: true }).ok) overlay.keepCommand();
    }
    overlay.merge();
  };
  chain(0, VISITS_MAX);
  expect(codeOf(graph, commandOf(map(`c${VISITS_MAX}`, "c0")))).toBe("CYCLE");
  chain(VISITS_MAX, VISITS_MAX + 1);
  expect(codeOf(graph, commandOf(map(`c${VISITS_MAX + 1}`, "c0")))).toBe("LIMIT_EXCEEDED");
  expect(codeOf(graph, commandOf(map("fresh", "c0")))).toBe("accepted");
});

test("deleting a relation deletes every subject and object that has it, in any namespace, in one order", () => {
  const graph = new LiveGraph();
  const r = { namespace: "x", name: "r" };
  run(
    graph,
    commandOf(grant(node("s", "b", r), node("o", "a", r)), grant(node("s", "a", r), node("o", "a", r)), {
      kind: "mapSubject",
      edge: { parent: node("p"), child: node("s", "b", r) },
    }),
  );
  const decided = run(graph, commandOf({ kind: "deleteNamespace", namespace: "x" }));
  expect(decided.ok && decided.value.facts).toEqual([
    { kind: "assertionDeleted", assertion: { subject: node("s", "a", r), object: node("o", "a", r) } },
    { kind: "assertionDeleted", assertion: { subject: node("s", "b", r), object: node("o", "a", r) } },
    { kind: "subjectUnmapped", edge: { parent: node("p"), child: node("s", "b", r) } },
    { kind: "subjectDeleted", subject: node("s", "a", r) },
    { kind: "subjectDeleted", subject: node("s", "b", r) },
    { kind: "objectDeleted", object: node("o", "a", r) },
    { kind: "relationDeleted", relation: r },
    { kind: "namespaceDeleted", namespace: "x" },
  ]);
  expect(graph.size).toMatchObject({ namespaces: 3, relations: 0, subjects: 1, objects: 0, assertions: 0, maps: 0 });
});

test("a name with a separator in it finds no other node", () => {
  const graph = new LiveGraph();
  run(graph, commandOf(grant(node("b", "a"), node("o"))));
  for (const stranger of [
    node("a\0b", ""),
    node("a:b", ""),
    node("b\0", "a"),
    node("b", "a", { namespace: "", name: "\0" }),
  ]) {
    expect(graph.check(stranger, node("o"))).toBe(false);
  }
});

test("one block at a time is in work, and a command is ended before the next", () => {
  const graph = new LiveGraph();
  const overlay = new BlockOverlay(graph);
  expect(() => new BlockOverlay(graph)).toThrow("one block at a time");
  decide(overlay, commandOf(map("a", "b")), { mayChangePolicy: true });
  expect(() => decide(overlay, commandOf(map("a", "b")), { mayChangePolicy: true })).toThrow("one command at a time");
  expect(() => overlay.merge()).toThrow("kept or dropped");
  overlay.keepCommand();
  overlay.merge();
  expect(graph.size.maps).toBe(1);
  expect(() => overlay.merge()).toThrow("ends once");
});

test("facts that do not follow from the graph are a defect", () => {
  const graph = new LiveGraph();
  const overlay = new BlockOverlay(graph);
  expect(() => overlay.evolve({ kind: "subjectDeleted", subject: node("x") })).toThrow("that are there");
  overlay.evolve({ kind: "namespaceAdded", namespace: "n" });
  expect(() => overlay.evolve({ kind: "namespaceAdded", namespace: "n" })).toThrow("what is not there");
  overlay.discard();
  expect(graph.size.namespaces).toBe(0);
});

test("churn of new names does not grow what is kept", () => {
  const graph = new LiveGraph();
  const churn = (from: number): number => {
    for (let i = from; i < from + 3000; i++) {
      const r = { namespace: `space${i}`, name: `r${i}` };
      run(graph, commandOf(grant(node(`s${i}`, `n${i}`, r), node(`o${i}`, `n${i}`))));
      run(
        graph,
        commandOf({ kind: "deleteNamespace", namespace: `n${i}` }, { kind: "deleteNamespace", namespace: `space${i}` }),
      );
    }
    return (
      graph.store.edgeBytes + graph.store.subject.end + graph.store.object.end + graph.store.vocabulary.relationsEnd
    );
  };
  const first = churn(0);
  expect(churn(3000)).toBe(first);
  expect(graph.size).toMatchObject({ namespaces: 0, relations: 0, subjects: 0, objects: 0, assertions: 0 });
});
