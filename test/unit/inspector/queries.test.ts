/** The graph as a picture, the difference of two states and the first divergence, against what the tables' own readers say. */
import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, test } from "vitest";
import { height } from "../../../src/base/brands.ts";
import type { GraphNode, GraphWrite } from "../../../src/events/facts/graph.ts";
import { differencesIn, differencesOf } from "../../../src/host/inspector/queries-difference.ts";
import { type Chain, firstDivergence } from "../../../src/host/inspector/queries-divergence.ts";
import { GraphPictures, readFocus } from "../../../src/host/inspector/queries-graph.ts";
import { BlockOverlay } from "../../../src/projections/rebac/block-overlay.ts";
import { decide } from "../../../src/projections/rebac/decide.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import { PastGraph } from "../../../src/projections/rebac/past-graph.ts";
import { RebacTables } from "../../../src/projections/rebac/tables.ts";
import { history, nodes } from "../rebac/random-writes.ts";

function tablesOf(blocks: readonly (readonly GraphWrite[])[]): Database.Database {
  const db = new Database(":memory:");
  const live = new LiveGraph();
  const tables = new RebacTables(db);
  const applied = blocks.map((block, at) => {
    const overlay = new BlockOverlay(live);
    const commands = block.flatMap((command, index) => {
      const decided = decide(overlay, command, { mayChangePolicy: true });
      if (!decided.ok) return [];
      overlay.keepCommand();
      return [{ index, facts: decided.value.facts }];
    });
    overlay.merge();
    return { height: height(at), commands };
  });
  tables.applyBlocks(applied);
  return db;
}

const none = { namespace: "", name: "" };
const node = (name: string): GraphNode => ({ namespace: "n", name, relation: none });
const write = (...changes: GraphWrite["changes"]): GraphWrite => ({ changes, preconditions: [] });
const map = (parent: string, child: string): GraphWrite["changes"][number] => ({
  kind: "mapSubject",
  edge: { parent: node(parent), child: node(child) },
});
const assertion = { subject: node("Users"), object: node("Report") };
/** Ali and Can belong to Users, who have Report; Jale stands alone. */
const OFFICE = [
  [write(map("Ali", "Users"), map("Can", "Users"), { kind: "addAssertion", assertion })],
  [write({ kind: "addSubject", subject: node("Jale") })],
  [write({ kind: "deleteAssertion", assertion })],
];

test("a picture shows exactly the assertions that the past graph reads at that height", () => {
  fc.assert(
    fc.property(history, (blocks) => {
      const db = tablesOf(blocks);
      const [pictures, past] = [new GraphPictures(db), new PastGraph(db)];
      for (let at = 0; at < blocks.length; at++) {
        const { links, truncated } = pictures.picture(at, null, 1000);
        const read = nodes.flatMap((subject) => past.readObjectsAt(height(at), [subject])).length;
        expect(links.filter(({ kind }) => kind === "assertion")).toHaveLength(read);
        expect(truncated).toBe(false);
      }
      db.close();
    }),
    { numRuns: 40, seed: 11 },
  );
});

test("a focus shows what is around it, nearest first, and says when there is more", () => {
  const db = tablesOf(OFFICE);
  const pictures = new GraphPictures(db);
  const around = (text: string, limit: number, at = 1) => pictures.picture(at, readFocus(text) ?? null, limit);
  expect(around("n:Ali", 3)).toEqual({
    height: 1,
    points: [
      { id: "subject n:Ali", kind: "subject", namespace: "n", name: "Ali", relation: "" },
      { id: "subject n:Users", kind: "subject", namespace: "n", name: "Users", relation: "" },
      expect.objectContaining({ name: "Report" }),
    ],
    links: [
      { from: "subject n:Ali", to: "subject n:Users", kind: "subjectMapped" },
      { from: "subject n:Users", to: "object n:Report", kind: "assertion" },
    ],
    truncated: true,
  });
  expect(around("Report", 10).points.map(({ name }) => name)).toEqual(["Report", "Users", "Ali", "Can"]);
  expect(around("Report", 10, 2).points.map(({ name }) => name)).toEqual(["Report"]);
  expect(around("n:", 10).points).toHaveLength(5);
  expect(around("Nobody", 10)).toEqual({ height: 1, points: [], links: [], truncated: false });
  db.close();
});

test("a focus is what the command line writes, or less of it; anything else is none", () => {
  expect(readFocus("a:b#c:d")).toEqual({ namespace: "a", name: "b", relation: { namespace: "c", name: "d" } });
  expect(readFocus("b%3A1")).toEqual({ namespace: null, name: "b:1", relation: null });
  for (const text of ["", "a:b:c", "a#b#c", "%zz", "#r", "a#", ":"]) expect(readFocus(text), text).toBeUndefined();
});

test("what changed between two heights is what two whole states differ in", () => {
  fc.assert(
    fc.property(history, fc.nat(), fc.nat(), (blocks, one, other) => {
      const [a, b] = [one % blocks.length, other % blocks.length];
      const [db, copy] = [tablesOf(blocks), tablesOf(blocks)];
      const within = differencesOf({ db, height: a }, { db, height: b });
      expect(within).toEqual(differencesOf({ db, height: a }, { db: copy, height: b }));
      if (a === b) expect(within.differences).toEqual([]);
      db.close();
      copy.close();
    }),
    { numRuns: 60, seed: 12 },
  );
});

test("a difference names each side as the command line writes it", () => {
  const db = tablesOf(OFFICE);
  expect(differencesOf({ db, height: 0 }, { db, height: 2 })).toEqual({
    differences: [
      { kind: "assertion", side: "left", text: "n:Users n:Report" },
      { kind: "subject", side: "right", text: "n:Jale" },
    ],
    truncated: false,
  });
  db.close();
});

/** So many subjects at height 0, so many more at height 1. */
const crowd = (...counts: readonly number[]) =>
  tablesOf(
    counts.map((count, block) => [
      write(
        ...Array.from({ length: count }, (_, at) => ({
          kind: "addSubject" as const,
          subject: node(`s${block}.${String(at).padStart(6, "0")}`),
        })),
      ),
    ]),
  );

test("a difference goes step by step, blocks are applied in between, and no step reads more than a thousand rows", () => {
  const db = crowd(2_500, 1_500);
  let most = 0;
  const counted = {
    exec: (text: string) => db.exec(text),
    prepare: (text: string) => {
      const statement = db.prepare(text);
      const all = statement.all.bind(statement);
      statement.all = (...parameters: unknown[]) => {
        const rows = all(...parameters);
        most = Math.max(most, rows.length);
        return rows;
      };
      return statement;
    },
  };
  const state = (at: number) => ({ db: counted as never, height: at });
  const work = differencesIn(state(0), state(1));
  let steps = 0;
  let step = work.next();
  for (; step.done !== true; step = work.next(), steps += 1)
    db.prepare("UPDATE rebac_node SET to_height = 2 WHERE id = ?").run(steps + 1); // a block is applied
  expect([most <= 1_000, most > 0, steps >= 8]).toEqual([true, true, true]);
  expect(step.value.truncated).toBe(true);
  expect(step.value.differences).toHaveLength(500);
  expect(step.value.differences.map(({ text }) => text)).toEqual(
    Array.from({ length: 500 }, (_, at) => `n:s1.${String(at).padStart(6, "0")}`),
  );
  db.close();
});

test("what is compared and read for a difference is bounded, and the answer says so", () => {
  const [db, copy] = [crowd(3_000), crowd(3_000)];
  const [left, right] = [
    { db, height: 0 },
    { db: copy, height: 0 },
  ];
  expect(differencesOf(left, right)).toEqual({ differences: [], truncated: false });
  const cut = { differences: [], truncated: true };
  expect(differencesOf(left, right, { compared: 1_500, read: 1_000_000 })).toEqual(cut);
  expect(differencesOf(left, right, { compared: 1_000_000, read: 1_500 })).toEqual(cut);
  db.close();
  copy.close();
});

/** A chain that is like others below `parts`, of its own from there on. */
const chainOf = (length: number, name: string, blocksPartAt: number, rootsPartAt: number): Chain => ({
  lowest: 0,
  highest: length - 1,
  executed: length - 1,
  at: async (at) =>
    at >= length
      ? undefined
      : { hash: at >= blocksPartAt ? `${name}${at}` : `b${at}`, root: at >= rootsPartAt ? `${name}${at}` : `r${at}` },
});

test("the first divergence is found wherever it is, by few questions", async () => {
  for (let parts = 0; parts <= 40; parts++) {
    const left = chainOf(37, "left", 100, 100);
    const byBlock = await firstDivergence(left, chainOf(33, "right", parts, parts));
    expect(byBlock).toEqual(
      parts < 33
        ? { agreedTo: parts - 1, first: { height: parts, what: "block", left: `b${parts}`, right: `right${parts}` } }
        : { agreedTo: 32, first: null },
    );
    const byRoot = await firstDivergence(left, chainOf(33, "right", parts + 3, parts));
    if (parts < 33)
      expect(byRoot.first).toEqual({ height: parts, what: "root", left: `r${parts}`, right: `right${parts}` });
  }
  let asked = 0;
  const counted = chainOf(1_000_000, "left", 700_001, 700_001);
  const at = (n: number) => ((asked += 1), counted.at(n));
  await firstDivergence({ ...counted, at }, chainOf(1_000_000, "right", 700_001, 700_001));
  expect(asked).toBeLessThan(50);
});

test("a picture full of hubs reads so many edges for each point that it shows, and says that there are more", () => {
  const [hubs, leaves] = [60, 239];
  const hub = (at: number): GraphNode => ({ namespace: "hubs", name: `h${at}`, relation: none });
  const db = tablesOf([
    Array.from({ length: hubs }, (_, at) =>
      write(
        ...Array.from({ length: leaves }, (_, leaf) => ({
          kind: "mapSubject" as const,
          edge: { parent: hub(at), child: node(`leaf ${leaf}`) },
        })),
      ),
    ),
  ]);
  let rows = 0;
  const counted = {
    exec: (text: string) => db.exec(text),
    prepare: (text: string) => {
      const statement = db.prepare(text);
      return new Proxy(statement, {
        get: (target, name) =>
          name === "all"
            ? (parameters: object) => {
                const found = target.all(parameters);
                rows += found.length;
                return found;
              }
            : (Reflect.get(target, name) as (...all: unknown[]) => unknown).bind(target),
      });
    },
  };
  const { points, truncated } = new GraphPictures(counted as never).picture(0, readFocus("hubs:") ?? null, hubs);
  expect([points.length, truncated]).toEqual([hubs, true]);
  expect(rows).toBeLessThan(150 * hubs);
  db.close();
});
