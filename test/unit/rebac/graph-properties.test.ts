import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, test } from "vitest";
import { height } from "../../../src/base/brands.ts";
import type { GraphFact } from "../../../src/events/facts/fact.ts";
import type { GraphNode, Relation } from "../../../src/events/facts/graph.ts";
import { BlockOverlay } from "../../../src/projections/rebac/block-overlay.ts";
import { decide } from "../../../src/projections/rebac/decide.ts";
import { evolve } from "../../../src/projections/rebac/evolve.ts";
import { type GraphView, LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import { loadLiveGraph } from "../../../src/projections/rebac/load-live-graph.ts";
import { PastGraph } from "../../../src/projections/rebac/past-graph.ts";
import { RebacTables } from "../../../src/projections/rebac/tables.ts";
import * as brute from "../../../tools/sim/naive-graph.ts";
import { history, nodes, relations, write } from "./random-writes.ts";

const PREDICATES: readonly (Relation | undefined)[] = [undefined, { namespace: "", name: "" }, ...relations];
const mayChange = { mayChangePolicy: true };

const readsOf = (view: GraphView) => ({
  check: nodes.map((s) => nodes.map((o) => view.check(s, o))),
  expand: nodes.map((n) => PREDICATES.map((p) => [view.expandSubjects(n, p), view.expandObjects(n, p)])),
  read: nodes.map((n, i) =>
    PREDICATES.map((p) => [view.readSubjects([n, nodes[0] ?? n], p), view.readObjects(nodes.slice(0, i), p)]),
  ),
});

const bruteView = (state: brute.State): GraphView => ({
  check: (s, o) => brute.check(state, s, o),
  holds: (assertion) => brute.holds(state, assertion),
  readSubjects: (objects, p) => brute.readSubjects(state, objects, p),
  readObjects: (subjects, p) => brute.readObjects(state, subjects, p),
  expandSubjects: (o, p) => brute.expandSubjects(state, o, p),
  expandObjects: (s, p) => brute.expandObjects(state, s, p),
});

const pastView = (past: PastGraph, at: number): GraphView => ({
  check: (s, o) => past.checkAt(height(at), s, o),
  holds: (assertion) =>
    past.assertionHistory(assertion).some((l) => l.added.height <= at && (l.removed?.height ?? Infinity) > at),
  readSubjects: (objects, p) => past.readSubjectsAt(height(at), objects, p),
  readObjects: (subjects, p) => past.readObjectsAt(height(at), subjects, p),
  expandSubjects: (o, p) => past.expandSubjectsAt(height(at), o, p),
  expandObjects: (s, p) => past.expandObjectsAt(height(at), s, p),
});

/** Fewer questions, for views that are asked very often. */
const sampleOf = (view: GraphView, at: number) => {
  const pick = (i: number): GraphNode => nodes[(at * 7 + i) % nodes.length] ?? nodes[0] ?? fail();
  const predicate = PREDICATES[at % PREDICATES.length];
  const [n, m] = [pick(0), pick(3)];
  return [
    nodes.map((s) => view.check(s, n)),
    nodes.map((o) => view.check(m, o)),
    nodes.map((o) => view.holds({ subject: m, object: o })),
    view.expandSubjects(n),
    view.expandSubjects(n, predicate),
    view.expandObjects(m),
    view.expandObjects(m, predicate),
    view.readSubjects([n, m]),
    view.readSubjects([n, m], predicate),
    view.readObjects([n, m, n]),
    view.readObjects([m], predicate),
  ];
};
const fail = (): never => {
  throw new Error("the pool is empty");
};

test("live reads, the block in work and every verdict agree with the brute force after each command", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(history, (blocks) => {
      const live = new LiveGraph();
      let state = brute.emptyState();
      for (const block of blocks) {
        const overlay = new BlockOverlay(live);
        const before = readsOf(live);
        for (const command of block) {
          const judged = brute.judge(state, command);
          const decided = decide(overlay, command, mayChange);
          if ("code" in judged) {
            expect(decided.ok ? "accepted" : decided.refusal.code).toBe(judged.code);
          } else {
            expect(decided.ok ? decided.value.changed : decided.refusal).toEqual(judged.changed);
            overlay.keepCommand();
            state = judged.state;
          }
          const verdict = "code" in judged ? judged.code : "accepted";
          seen.set(verdict, (seen.get(verdict) ?? 0) + 1);
          expect(sampleOf(overlay, seen.get(verdict) ?? 0)).toEqual(sampleOf(bruteView(state), seen.get(verdict) ?? 0));
        }
        expect(readsOf(live)).toEqual(before);
        overlay.merge();
        expect(sampleOf(live, block.length)).toEqual(sampleOf(bruteView(state), block.length));
      }
      expect(readsOf(live)).toEqual(readsOf(bruteView(state)));
      const { namespaces, relations: relationCount, subjects, objects, assertions, maps } = live.size;
      expect({ namespaces, relationCount, subjects, objects, assertions, maps }).toEqual({
        namespaces: state.namespaces.size,
        relationCount: state.relations.size,
        subjects: state.subjects.size,
        objects: state.objects.size,
        assertions: state.assertions.size,
        maps: state.subjectMaps.size + state.objectMaps.size + state.relationMaps.size,
      });
    }),
    { numRuns: 400, seed: 1 },
  );
  for (const verdict of ["accepted", "CYCLE", "RESERVED", "PRECONDITION_FAILED"])
    expect(seen.get(verdict) ?? 0).toBeGreaterThan(50);
});

test("tables now, tables at every past height, a graph loaded from them and a replay of the facts agree with the brute force", () => {
  fc.assert(
    fc.property(history, (blocks) => {
      const db = new Database(":memory:");
      const tables = new RebacTables(db);
      const live = new LiveGraph();
      const replayed = new LiveGraph();
      const states: brute.State[] = [];
      let state = brute.emptyState();
      for (const [at, block] of blocks.entries()) {
        const overlay = new BlockOverlay(live);
        const commands: { index: number; facts: readonly GraphFact[] }[] = [];
        for (const [index, command] of block.entries()) {
          const decided = decide(overlay, command, mayChange);
          if (!decided.ok) continue;
          overlay.keepCommand();
          commands.push({ index, facts: decided.value.facts });
          const judged = brute.judge(state, command);
          if ("state" in judged) state = judged.state;
        }
        overlay.merge();
        evolve(
          replayed,
          commands.flatMap(({ facts }) => facts),
        );
        tables.applyBlocks([{ height: height(at), commands }]);
        states.push(state);
      }
      const past = new PastGraph(db);
      for (const [at, then] of states.entries())
        expect(sampleOf(pastView(past, at), at)).toEqual(sampleOf(bruteView(then), at));
      const expected = readsOf(live);
      expect(readsOf(pastView(past, blocks.length - 1))).toEqual(expected);
      expect(readsOf(loadLiveGraph(db))).toEqual(expected);
      expect(readsOf(replayed)).toEqual(expected);
      expect(tables.verifyRows().ok).toBe(true);
      db.close();
    }),
    { numRuns: 250, seed: 2 },
  );
});

test("a graph loaded from tables judges every next command as the graph that lived through the history, to the letter", () => {
  fc.assert(
    fc.property(history, fc.array(write, { minLength: 3, maxLength: 6 }), (blocks, next) => {
      const db = new Database(":memory:");
      const tables = new RebacTables(db);
      const live = new LiveGraph();
      for (const [at, block] of blocks.entries()) {
        const overlay = new BlockOverlay(live);
        const commands = block.flatMap((command, index) => {
          const decided = decide(overlay, command, mayChange);
          if (!decided.ok) return [];
          overlay.keepCommand();
          return [{ index, facts: decided.value.facts }];
        });
        overlay.merge();
        tables.applyBlocks([{ height: height(at), commands }]);
      }
      const [old, fresh] = [new BlockOverlay(live), new BlockOverlay(loadLiveGraph(db))];
      for (const [i, command] of next.entries()) {
        const options = { mayChangePolicy: i % 2 === 0 };
        const [a, b] = [decide(old, command, options), decide(fresh, command, options)];
        expect(b).toEqual(a);
        if (!a.ok) continue;
        old.keepCommand();
        fresh.keepCommand();
      }
      db.close();
    }),
    { numRuns: 400, seed: 3 },
  );
});

test("a dropped command and a discarded block leave nothing behind", () => {
  fc.assert(
    fc.property(history, fc.array(write, { minLength: 1, maxLength: 8 }), (blocks, dropped) => {
      const live = new LiveGraph();
      for (const block of blocks) {
        const overlay = new BlockOverlay(live);
        for (const command of block) if (decide(overlay, command, mayChange).ok) overlay.keepCommand();
        overlay.merge();
      }
      const before = { reads: readsOf(live), size: { ...live.size, edgeBytes: 0 } };
      const tentative = new BlockOverlay(live);
      for (const command of dropped) if (decide(tentative, command, mayChange).ok) tentative.dropCommand();
      expect(readsOf(tentative)).toEqual(before.reads);
      for (const command of dropped) if (decide(tentative, command, mayChange).ok) tentative.keepCommand();
      expect(readsOf(live)).toEqual(before.reads);
      tentative.discard();
      expect({ reads: readsOf(live), size: { ...live.size, edgeBytes: 0 } }).toEqual(before);
      const again = new BlockOverlay(live);
      for (const command of dropped) if (decide(again, command, mayChange).ok) again.keepCommand();
      const whole = readsOf(again);
      again.merge();
      expect(readsOf(live)).toEqual(whole);
    }),
    { numRuns: 120, seed: 4 },
  );
});
