/** The scenario everyone knows. Source: protocols/oracle.md, last section. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { GraphChange, GraphNode, GraphWrite } from "../../../src/events/facts/graph.ts";
import { BlockOverlay } from "../../../src/projections/rebac/block-overlay.ts";
import { decide } from "../../../src/projections/rebac/decide.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import { showNode } from "../../../src/projections/rebac/names.ts";

const member = { namespace: "my-org", name: "member" };
const flag = { namespace: "my-org", name: "flag" };
const none = { namespace: "", name: "" };
const person = (name: string, relation = none): GraphNode => ({ namespace: "my-org", name, relation });
const group = (name: string): GraphNode => person(name, member);

const flaggedTechnicians = person("ABCTechnicians", flag);
const [users, admins, helpDesk, managers, technicians, abc] = [
  "Users",
  "Admins",
  "HelpDesk",
  "Managers",
  "Technicians",
  "ABCTechnicians",
].map(group);
const [egin, ali, gul, fuat] = ["Egin", "Ali", "Gül", "Fuat"].map((name) => person(name, flag));
const [jale, irmak, hakan, demet, can, burcu] = ["Jale", "Irmak", "Hakan", "Demet", "Can", "Burcu"].map((name) =>
  person(name),
);
const view: GraphNode = { namespace: "Document", name: "123", relation: { namespace: "Document", name: "View" } };

const maps = [
  [helpDesk, admins],
  [ali, admins],
  [ali, users],
  [burcu, users],
  [can, users],
  [managers, users],
  [technicians, users],
  [demet, helpDesk],
  [egin, helpDesk],
  [egin, users],
  [fuat, managers],
  [gul, managers],
  [hakan, technicians],
  [irmak, technicians],
  [abc, technicians],
  [flaggedTechnicians, technicians],
  [jale, abc],
] as [GraphNode, GraphNode][];

function write(graph: LiveGraph, ...changes: readonly GraphChange[]): readonly boolean[] {
  const overlay = new BlockOverlay(graph);
  const command: GraphWrite = { changes, preconditions: [] };
  const decided = decide(overlay, command, { mayChangePolicy: false });
  if (!decided.ok) throw new Error(decided.refusal.message);
  overlay.keepCommand();
  overlay.merge();
  return decided.value.changed;
}
const grant = (subject: GraphNode | undefined, object = view): GraphChange => ({
  kind: "addAssertion",
  assertion: { subject: there(subject), object },
});
const there = (node: GraphNode | undefined): GraphNode => {
  if (node === undefined) throw new Error("nobody");
  return node;
};
const may = (graph: LiveGraph, node: GraphNode | undefined): boolean => graph.check(there(node), view);

function tellTheStory(order: readonly [GraphNode, GraphNode][], together: boolean): void {
  const graph = new LiveGraph();
  const mapped = order.map(([parent, child]): GraphChange => ({ kind: "mapSubject", edge: { parent, child } }));
  if (together) write(graph, ...mapped);
  else for (const change of mapped) write(graph, change);

  write(graph, grant(users));
  expect(graph.readSubjects([view])).toEqual([users]);
  expect(write(graph, grant(flaggedTechnicians))).toEqual([true]);
  expect(write(graph, grant(flaggedTechnicians))).toEqual([false]);
  expect(graph.readSubjects([view])).toEqual([flaggedTechnicians, users]);
  expect(graph.readSubjects([view], flag)).toEqual([flaggedTechnicians]);
  expect(graph.expandSubjects(view)).toHaveLength(14);
  expect(graph.expandSubjects(view, flag)).toEqual([flaggedTechnicians, ali, egin, fuat, gul]);
  expect([jale, egin, helpDesk, demet].map((node) => may(graph, node))).toEqual([true, true, false, false]);
  expect(graph.expandObjects(there(jale))).toEqual([view]);
  expect(graph.expandObjects(there(helpDesk))).toEqual([]);

  write(graph, { kind: "unmapSubject", edge: { parent: there(abc), child: there(technicians) } });
  expect([jale, egin].map((node) => may(graph, node))).toEqual([false, true]);
  write(graph, { kind: "deleteAssertion", assertion: { subject: there(users), object: view } });
  expect([jale, egin].map((node) => may(graph, node))).toEqual([false, false]);
}

test("the story holds as it is told", () => {
  tellTheStory(maps, false);
  expect(maps).toHaveLength(17);
  expect(showNode(view)).toBe("Document:123#Document/View");
});

test("any order of the seventeen maps, one by one or in one command, gives the same", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(maps, { minLength: 17 }), fc.boolean(), (order, together) =>
      tellTheStory(order, together),
    ),
    { numRuns: 200, seed: 5 },
  );
});
