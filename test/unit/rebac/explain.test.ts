import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Projector } from "../../../src/actors/projector/projector.ts";
import { height } from "../../../src/base/brands.ts";
import type { Assertion, GraphChange, GraphNode, NodeEdge } from "../../../src/events/facts/graph.ts";
import { BlockOverlay } from "../../../src/projections/rebac/block-overlay.ts";
import { decide } from "../../../src/projections/rebac/decide.ts";
import { EXPLAIN_BOUNDS, type Explanation, explain } from "../../../src/projections/rebac/explain.ts";
import { type GraphSteps, LiveSteps } from "../../../src/projections/rebac/graph-steps.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import { compareNodes } from "../../../src/projections/rebac/names.ts";
import { loadLiveGraph } from "../../../src/projections/rebac/load-live-graph.ts";
import { PastGraph } from "../../../src/projections/rebac/past-graph.ts";
import { RebacTables } from "../../../src/projections/rebac/tables.ts";
import * as brute from "../../../tools/sim/naive-graph.ts";
import { history, nodes } from "./random-writes.ts";

const NONE = { namespace: "", name: "" };
const GENEROUS = { visits: 100_000, listed: 10_000 };
const mayChange = { mayChangePolicy: true };
const keyOf = (n: GraphNode): string => JSON.stringify([n.namespace, n.name, n.relation.namespace, n.relation.name]);
const fail = (): never => {
  throw new Error("the pool is empty");
};
const at = (i: number): GraphNode => nodes[i % nodes.length] ?? fail();

/** The live graph after each block, by way of `visit`, then the tables of the whole history. */
function run(
  blocks: readonly (readonly Parameters<typeof decide>[1][])[],
  visit: (live: LiveGraph, state: brute.State, height: number) => void,
): PastGraph {
  const tables = new RebacTables(db());
  const live = new LiveGraph();
  let state = brute.emptyState();
  for (const [number, block] of blocks.entries()) {
    const overlay = new BlockOverlay(live);
    const commands = block.flatMap((command, index) => {
      const decided = decide(overlay, command, mayChange);
      if (!decided.ok) return [];
      overlay.keepCommand();
      const judged = brute.judge(state, command);
      if ("state" in judged) state = judged.state;
      return [{ index, facts: decided.value.facts }];
    });
    overlay.merge();
    tables.applyBlocks([{ height: height(number), commands }]);
    visit(live, state, number);
  }
  return new PastGraph(db.last);
}
/** A database for one history; that of the one before is closed. */
const db = Object.assign(
  () => {
    db.last.close();
    return (db.last = new Database(":memory:"));
  },
  { last: new Database(":memory:") },
);

const pair = (a: GraphNode, b: GraphNode): string => JSON.stringify([keyOf(a), keyOf(b)]);

/** Maps from a node to everything it reaches, by repetition. */
function distances(
  start: GraphNode,
  known: ReadonlySet<string>,
  maps: ReadonlySet<string>,
): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  if (known.has(keyOf(start))) found.set(keyOf(start), 0);
  for (let step = 0; step <= maps.size; step++) {
    for (const map of maps) {
      const [parent, child] = JSON.parse(map) as [string, string];
      if (found.get(parent) === step && !found.has(child)) found.set(child, step + 1);
    }
  }
  return found;
}

function expectChain(start: GraphNode, maps: readonly NodeEdge[], end: GraphNode, there: ReadonlySet<string>): void {
  let current = start;
  for (const { parent, child } of maps) {
    expect(parent).toEqual(current);
    expect(there.has(pair(parent, child))).toBe(true);
    current = child;
  }
  expect(current).toEqual(end);
}

/** Judges an explanation by nothing but the sets of the naive graph. */
function expectTrue(explanation: Explanation, state: brute.State): void {
  const { subject, object, path, tried, known } = explanation;
  const subjects = distances(subject, state.subjects, state.subjectMaps);
  const objects = distances(object, state.objects, state.objectMaps);
  expect(explanation.result).toBe(brute.check(state, subject, object));
  expect([known.subject.node, known.object.node]).toEqual([subjects.size > 0, objects.size > 0]);
  expect(known.subject.namespace).toBe(subject.namespace === "" || state.namespaces.has(subject.namespace));
  const { relation } = object;
  const isNull = relation.name === "" && relation.namespace === "";
  expect(known.object.relation).toBe(
    isNull || state.relations.has(JSON.stringify([relation.namespace, relation.name])),
  );
  const joined = [...state.assertions].map((text) => JSON.parse(text) as [string, string]);
  if (explanation.result) {
    expect(tried).toBeNull();
    if (path === null) throw new Error("there is room for every chain");
    expectChain(subject, path.subjectMaps, path.assertion.subject, state.subjectMaps);
    expectChain(object, path.objectMaps, path.assertion.object, state.objectMaps);
    expect(brute.holds(state, path.assertion)).toBe(true);
    const lengths = joined.map(([by, on]) => (subjects.get(by) ?? Infinity) + (objects.get(on) ?? Infinity));
    expect(path.subjectMaps.length + path.objectMaps.length).toBe(Math.min(...lengths));
    return;
  }
  expect(path).toBeNull();
  if (tried === null) throw new Error("a check that is false says what was tried");
  for (const [list, all] of [
    [tried.subjects, subjects],
    [tried.objects, objects],
  ] as const) {
    expect(Object.fromEntries(list.map(({ node, distance }) => [keyOf(node), distance]))).toEqual(
      Object.fromEntries(all),
    );
    const order = list.toSorted((a, b) => a.distance - b.distance || compareNodes(a.node, b.node));
    expect(list).toEqual(order);
    for (const { distance, via } of list) expect(via === null).toBe(distance === 0);
  }
  const texts = (assertions: readonly Assertion[]) => assertions.map((a) => pair(a.subject, a.object)).sort();
  const near = (fits: (by: string, on: string) => boolean) =>
    joined
      .filter(([by, on]) => fits(by, on))
      .map((both) => JSON.stringify(both))
      .sort();
  expect(texts(tried.onObjects)).toEqual(near((_, on) => objects.has(on)));
  expect(texts(tried.bySubjects)).toEqual(near((by) => subjects.has(by)));
}

test("every explanation is true of the graph as the naive one has it, live, past and loaded alike", () => {
  const seen = { true: 0, long: 0, false: 0 };
  fc.assert(
    fc.property(history, fc.nat({ max: 100 }), (blocks, salt) => {
      const live: Explanation[][] = [];
      const past = run(blocks, (graph, state, number) => {
        const explanations = nodes.map((subject, i) =>
          graph.explain({ subject, object: at(i * 3 + number + salt) }, GENEROUS),
        );
        for (const explanation of explanations) {
          expect(explanation.truncated).toBe(false);
          expectTrue(explanation, state);
          seen[explanation.result ? "true" : "false"] += 1;
          if ((explanation.path?.subjectMaps.length ?? 0) > 1) seen.long += 1;
        }
        live.push(explanations);
      });
      for (const [number, explanations] of live.entries())
        for (const explanation of explanations)
          expect(past.explainAt(height(number), explanation, GENEROUS)).toEqual(explanation);
      const loaded = loadLiveGraph(db.last);
      for (const explanation of live.at(-1) ?? []) expect(loaded.explain(explanation, GENEROUS)).toEqual(explanation);
    }),
    { numRuns: 250, seed: 5 },
  );
  expect(seen.true).toBeGreaterThan(400);
  expect(seen.long).toBeGreaterThan(50);
  expect(seen.false).toBeGreaterThan(500);
});

test("whatever the bounds, the result is the check's, what is shown is true, what is left out is owned to, and all graphs cut alike", () => {
  let cut = 0;
  fc.assert(
    fc.property(history, fc.nat({ max: 6 }), fc.nat({ max: 3 }), (blocks, visits, listed) => {
      const bounds = { visits, listed };
      let last: Explanation[] = [];
      const past = run(blocks, (graph, state, number) => {
        last = nodes.map((subject, i) => graph.explain({ subject, object: at(i + number) }, bounds));
        for (const explanation of last) {
          const whole = graph.explain(explanation, GENEROUS);
          expect(explanation.result).toBe(brute.check(state, explanation.subject, explanation.object));
          if (!explanation.truncated) expect(explanation).toEqual(whole);
          else cut += 1;
          for (const list of [explanation.tried?.subjects, explanation.tried?.objects, explanation.tried?.onObjects])
            expect(list?.length ?? 0).toBeLessThanOrEqual(listed);
          if (explanation.path === null) continue;
          expectChain(
            explanation.subject,
            explanation.path.subjectMaps,
            explanation.path.assertion.subject,
            state.subjectMaps,
          );
          expectChain(
            explanation.object,
            explanation.path.objectMaps,
            explanation.path.assertion.object,
            state.objectMaps,
          );
          expect(brute.holds(state, explanation.path.assertion)).toBe(true);
        }
      });
      for (const explanation of last)
        expect(past.explainAt(height(blocks.length - 1), explanation, bounds)).toEqual(explanation);
    }),
    { numRuns: 150, seed: 6 },
  );
  expect(cut).toBeGreaterThan(300);
});

const named = (name: string): GraphNode => ({ namespace: "n", name, relation: NONE });
const graphOf = (changes: readonly GraphChange[]): LiveGraph => {
  const live = new LiveGraph();
  for (let from = 0; from < changes.length; from += 1000) {
    const overlay = new BlockOverlay(live);
    const decided = decide(overlay, { changes: changes.slice(from, from + 1000), preconditions: [] }, mayChange);
    expect(decided.ok).toBe(true);
    overlay.keepCommand();
    overlay.merge();
  }
  return live;
};
const asserts = (subject: string, object: string): GraphChange => ({
  kind: "addAssertion",
  assertion: { subject: named(subject), object: named(object) },
});
const maps = (kind: "mapSubject" | "mapObject", parent: string, child: string): GraphChange => ({
  kind,
  edge: { parent: named(parent), child: named(child) },
});

test("of several shortest chains everybody gives the same one: the nearest assertion's subject, then the first by bytes", () => {
  const changes = [
    maps("mapSubject", "ali", "z-team"),
    maps("mapSubject", "ali", "a-team"),
    asserts("z-team", "doc"),
    asserts("a-team", "doc"),
    maps("mapObject", "doc", "folder"),
  ];
  for (const order of [changes, changes.toReversed()]) {
    const { path } = graphOf(order).explain({ subject: named("ali"), object: named("doc") }, EXPLAIN_BOUNDS);
    expect(path?.assertion.subject.name).toBe("a-team");
    const direct = graphOf([...order, asserts("ali", "folder")]).explain(
      { subject: named("ali"), object: named("doc") },
      EXPLAIN_BOUNDS,
    );
    expect(direct.path?.assertion).toEqual({ subject: named("ali"), object: named("folder") });
    expect(direct.path?.objectMaps).toEqual([{ parent: named("doc"), child: named("folder") }]);
  }
});

test("an object with more assertions than an explanation may look at is passed over, and what others have is still shown", () => {
  const crowd = Array.from({ length: 3000 }, (_, i) => asserts(`reader-${String(i)}`, "crowded"));
  const live = graphOf([
    ...crowd,
    maps("mapObject", "crowded", "quiet"),
    asserts("somebody", "quiet"),
    asserts("ali", "other"),
  ]);
  const denied = live.explain({ subject: named("ali"), object: named("crowded") }, EXPLAIN_BOUNDS);
  expect(denied.result).toBe(false);
  expect(denied.tried?.onObjects).toEqual([{ subject: named("somebody"), object: named("quiet") }]);
  expect(denied.truncated).toBe(true);
  const allowed = live.explain({ subject: named("reader-2999"), object: named("crowded") }, EXPLAIN_BOUNDS);
  expect(allowed).toMatchObject({ result: true, truncated: false, path: { subjectMaps: [], objectMaps: [] } });
});

test("readers' explanations see nothing of a block in work", () => {
  const live = graphOf([asserts("ali", "doc"), asserts("ayse", "other")]);
  const question = { subject: named("ayse"), object: named("doc") };
  const before = live.explain(question, EXPLAIN_BOUNDS);
  const overlay = new BlockOverlay(live);
  const change = {
    changes: [asserts("ayse", "doc"), { kind: "deleteSubject", subject: named("ali") } as const],
    preconditions: [],
  };
  expect(decide(overlay, change, mayChange).ok).toBe(true);
  overlay.keepCommand();
  expect(live.explain(question, EXPLAIN_BOUNDS)).toEqual(before);
  overlay.merge();
  expect(live.explain(question, EXPLAIN_BOUNDS).result).toBe(true);
});

test("names that nothing has are said to be unknown, and ill-formed ones are no more than that", () => {
  const live = graphOf([asserts("ali", "doc")]);
  const stranger = { namespace: "nowhere", name: "x", relation: { namespace: "nowhere", name: "r" } };
  const explained = live.explain({ subject: stranger, object: named("doc") }, EXPLAIN_BOUNDS);
  expect(explained.known).toEqual({
    subject: { node: false, namespace: false, relation: false },
    object: { node: true, namespace: true, relation: true },
  });
  expect(explained.tried).toMatchObject({ subjects: [], onObjects: [{ subject: named("ali") }] });
  const past = new PastGraph(new Database(":memory:"));
  const halved = past.explainAt(height(0), { subject: named("\ud800"), object: named("doc") }, EXPLAIN_BOUNDS);
  expect(halved).toMatchObject({ result: false, known: { subject: { node: false } }, truncated: false });
});

/** Counts what an explanation looks at. */
function counted(graph: LiveGraph): { readonly steps: GraphSteps; readonly looks: () => number } {
  const live = new LiveSteps(graph.store, ({ subject, object }) => graph.check(subject, object));
  let looks = 0;
  const counting =
    <Arguments extends readonly unknown[]>(
      list: (...given: Arguments) => readonly number[] | undefined,
      most: number,
    ) =>
    (...given: Arguments) => {
      const found = list(...given);
      looks += found?.length ?? Number(given[most]);
      return found;
    };
  const steps: GraphSteps = {
    check: (check) => live.check(check),
    find: (side, node) => live.find(side, node),
    nodeOf: (side, id) => live.nodeOf(side, id),
    mapped: counting(live.mapped.bind(live), 2),
    asserted: counting(live.asserted.bind(live), 2),
    holds: (subject, object) => {
      looks += 1;
      return live.holds(subject, object);
    },
    hasNamespace: (namespace) => live.hasNamespace(namespace),
    hasRelation: (relation) => live.hasRelation(relation),
  };
  return { steps, looks: () => looks };
}

test("however wide the graph, an explanation looks at no more than its bounds allow", () => {
  // Everybody in every group, every group with every grant, every document in every folder: closures and lists that multiply.
  const range = Array.from({ length: 60 }, (_, i) => String(i));
  const wide = graphOf([
    ...range.flatMap((i) => range.map((j) => asserts(`group-${i}`, `folder-${j}`))),
    ...range.map((i) => maps("mapSubject", "ali", `group-${i}`)),
    ...range.map((i) => maps("mapObject", "doc", `shelf-${i}`)),
    ...range.flatMap((i) => range.map((j) => asserts(`stranger-${i}`, `shelf-${j}`))),
  ]);
  for (const visits of [10, 100, 1000]) {
    for (const object of ["doc", "folder-59"]) {
      const { steps, looks } = counted(wide);
      const { result } = explain(steps, { subject: named("ali"), object: named(object) }, { visits, listed: 100 });
      expect(result).toBe(object === "folder-59");
      // Five walks, and one list of each that is cut short of its end.
      expect(looks()).toBeLessThanOrEqual(7 * visits);
    }
  }
});

test("of a height that is not projected yet the projector explains nothing", () => {
  const projector = new Projector(new Database(":memory:"));
  const question = { subject: named("ali"), object: named("doc") };
  expect(projector.explainAt(height(0), question)).toMatchObject({ ok: false, refusal: { code: "HISTORY_LAGGING" } });
});
