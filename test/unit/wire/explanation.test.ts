import fc from "fast-check";
import { expect, test } from "vitest";
import { height } from "../../../src/base/brands.ts";
import type { Explanation, Reached } from "../../../src/events/facts/explanation.ts";
import type { Assertion, GraphNode, NodeEdge } from "../../../src/events/facts/graph.ts";
import { explanationMessage, explanationOf, nodesOf } from "../../../src/wire/explanation.ts";
import { ExplainResponse } from "../../../src/wire/generated/sky/oracle/v1/oracle.ts";

const name = fc.constantFrom("a", "b", "Gül", "\u{1f600}");
const node: fc.Arbitrary<GraphNode> = fc.record({
  namespace: fc.constantFrom("", "n"),
  name,
  relation: fc.constantFrom({ namespace: "", name: "" }, { namespace: "n", name: "r" }, { namespace: "", name: "q" }),
});
const assertion: fc.Arbitrary<Assertion> = fc.record({ subject: node, object: node });
const edges: fc.Arbitrary<readonly NodeEdge[]> = fc.array(fc.record({ parent: node, child: node }), { maxLength: 3 });
const reached: fc.Arbitrary<readonly Reached[]> = fc.array(
  fc.record({ node, distance: fc.nat({ max: 9 }), via: fc.option(node) }),
  { maxLength: 3 },
);
const assertions = fc.array(assertion, { maxLength: 3 });
const known = fc.record({ node: fc.boolean(), namespace: fc.boolean(), relation: fc.boolean() });
const both = fc.record({ subject: known, object: known });
const question = { subject: node, object: node, known: both, truncated: fc.boolean() };
const explanation: fc.Arbitrary<Explanation> = fc.oneof(
  fc.record({
    ...question,
    result: fc.constant(true),
    path: fc.record({ subjectMaps: edges, assertion, objectMaps: edges }),
    tried: fc.constant(null),
  }),
  fc.record({
    ...question,
    result: fc.constant(false),
    path: fc.constant(null),
    tried: fc.record({ subjects: reached, objects: reached, onObjects: assertions, bySubjects: assertions }),
  }),
  fc.record({
    ...question,
    truncated: fc.constant(true),
    result: fc.constant(true),
    path: fc.constant(null),
    tried: fc.constant(null),
  }),
);

test("an explanation comes back from the wire as it was", () => {
  fc.assert(
    fc.property(explanation, fc.nat(), (given, at) => {
      const bytes = ExplainResponse.encode(explanationMessage(given, height(at))).finish();
      const read = explanationOf(given, ExplainResponse.decode(bytes));
      expect(read).toEqual({ ok: true, value: { ...given, height: at } });
      expect(nodesOf(given).length).toBeGreaterThanOrEqual(given.path === null ? 0 : 2);
    }),
    { seed: 7 },
  );
});

test("an explanation that does not fit its result, or names nothing, is refused as the node's fault", () => {
  const some = { namespace: "n", name: "x", relation: { namespace: "", name: "" } };
  const sound = explanationMessage(
    {
      subject: some,
      object: some,
      result: true,
      known: {
        subject: { node: true, namespace: true, relation: true },
        object: { node: true, namespace: true, relation: true },
      },
      path: { subjectMaps: [], assertion: { subject: some, object: some }, objectMaps: [] },
      tried: null,
      truncated: false,
    },
    height(1),
  );
  const nameless = { namespace: "n", name: "", relationNamespace: "", relationName: "" };
  const tried = { subjects: [], objects: [], onObjects: [], bySubjects: [] };
  const asked = { subject: some, object: some };
  expect(explanationOf(asked, sound).ok).toBe(true);
  for (const broken of [
    { ...sound, chain: undefined },
    { ...sound, result: false },
    { ...sound, tried },
    { ...sound, subject: undefined },
    { ...sound, result: false, chain: undefined },
    { ...sound, chain: { subjectMaps: [], assertion: undefined, objectMaps: [] } },
    {
      ...sound,
      chain: {
        subjectMaps: [{ parent: nameless, child: nameless }],
        assertion: sound.chain?.assertion,
        objectMaps: [],
      },
    },
    {
      ...sound,
      result: false,
      chain: undefined,
      tried: { ...tried, subjects: [{ node: undefined, distance: 0, via: undefined }] },
    },
    {
      ...sound,
      result: false,
      chain: undefined,
      tried: { ...tried, onObjects: [{ subject: undefined, object: undefined }] },
    },
  ])
    expect(explanationOf(asked, broken)).toMatchObject({ ok: false, refusal: { code: "MALFORMED", blame: "peer" } });
});
