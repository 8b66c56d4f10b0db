/** Random commands over few names, so that collisions, cycles, deletions and nodes that bear relations happen often. */
import fc from "fast-check";
import type { GraphChange, GraphNode, GraphWrite, Relation } from "../../../src/events/facts/graph.ts";

const NONE: Relation = { namespace: "", name: "" };
export const relations: readonly Relation[] = [
  { namespace: "a", name: "r" },
  { namespace: "b", name: "r" },
  { namespace: "", name: "q" },
];
/** Beyond U+FFFF and below: UTF-8 and UTF-16 order these two differently. */
const names = ["x", "y", "~\u{1f600}", "~\uff5e"];

export const nodes: readonly GraphNode[] = [
  { namespace: "", name: "x", relation: NONE },
  { namespace: "a", name: "x", relation: NONE },
  { namespace: "b", name: "x", relation: { namespace: "a", name: "r" } },
  { namespace: "a", name: "x", relation: { namespace: "b", name: "r" } },
  ...names.map((name) => ({ namespace: "c", name, relation: { namespace: "", name: "q" } })),
  { namespace: "sky", name: "cluster", relation: { namespace: "sky", name: "admin" } },
];

export const namespaces = ["a", "b", "c", "sky"];

const namespace = fc.constantFrom(...namespaces);
const relation = fc.constantFrom(...relations);
const node = fc.constantFrom(...nodes);
const assertion = fc.record({ subject: node, object: node });
const edge = fc.record({ parent: node, child: node });
const relationEdge = fc.record({ parent: relation, child: relation });

export const change: fc.Arbitrary<GraphChange> = fc.oneof(
  { weight: 8, arbitrary: assertion.map((it): GraphChange => ({ kind: "addAssertion", assertion: it })) },
  { weight: 10, arbitrary: edge.map((it): GraphChange => ({ kind: "mapSubject", edge: it })) },
  { weight: 6, arbitrary: edge.map((it): GraphChange => ({ kind: "mapObject", edge: it })) },
  { weight: 2, arbitrary: relationEdge.map((it): GraphChange => ({ kind: "mapRelation", edge: it })) },
  { weight: 3, arbitrary: assertion.map((it): GraphChange => ({ kind: "deleteAssertion", assertion: it })) },
  { weight: 3, arbitrary: edge.map((it): GraphChange => ({ kind: "unmapSubject", edge: it })) },
  { weight: 2, arbitrary: edge.map((it): GraphChange => ({ kind: "unmapObject", edge: it })) },
  { weight: 1, arbitrary: relationEdge.map((it): GraphChange => ({ kind: "unmapRelation", edge: it })) },
  { weight: 1, arbitrary: node.map((it): GraphChange => ({ kind: "addSubject", subject: it })) },
  { weight: 2, arbitrary: node.map((it): GraphChange => ({ kind: "deleteSubject", subject: it })) },
  { weight: 1, arbitrary: node.map((it): GraphChange => ({ kind: "addObject", object: it })) },
  { weight: 2, arbitrary: node.map((it): GraphChange => ({ kind: "deleteObject", object: it })) },
  { weight: 1, arbitrary: relation.map((it): GraphChange => ({ kind: "addRelation", relation: it })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...relations, NONE).map((it): GraphChange => ({ kind: "deleteRelation", relation: it })),
  },
  { weight: 1, arbitrary: namespace.map((it): GraphChange => ({ kind: "addNamespace", namespace: it })) },
  { weight: 1, arbitrary: namespace.map((it): GraphChange => ({ kind: "deleteNamespace", namespace: it })) },
);

export const write: fc.Arbitrary<GraphWrite> = fc.record({
  changes: fc.array(change, { minLength: 1, maxLength: 5 }),
  preconditions: fc.oneof(
    { weight: 5, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(
        fc.record({ kind: fc.constantFrom("mustExist" as const, "mustNotExist" as const), assertion }),
        { maxLength: 2 },
      ),
    },
  ),
});

/** Blocks of commands. */
export const history: fc.Arbitrary<readonly (readonly GraphWrite[])[]> = fc.array(fc.array(write, { maxLength: 4 }), {
  minLength: 1,
  maxLength: 12,
});
