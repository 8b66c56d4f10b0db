import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Height, height } from "../../../src/base/brands.ts";
import type { GraphFact } from "../../../src/events/facts/fact.ts";
import type { GraphNode, GraphWrite } from "../../../src/events/facts/graph.ts";
import { BlockOverlay } from "../../../src/projections/rebac/block-overlay.ts";
import { decide } from "../../../src/projections/rebac/decide.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import { compareNames } from "../../../src/projections/rebac/names.ts";
import { PastGraph } from "../../../src/projections/rebac/past-graph.ts";
import { type CommandFacts, RebacTables } from "../../../src/projections/rebac/tables.ts";
import { history } from "./random-writes.ts";

interface DecidedBlock {
  readonly height: Height;
  readonly commands: readonly CommandFacts[];
}

function decideAll(blocks: readonly (readonly GraphWrite[])[]): readonly DecidedBlock[] {
  const live = new LiveGraph();
  return blocks.map((block, at) => {
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
}

const none = { namespace: "", name: "" };
const node = (name: string): GraphNode => ({ namespace: "n", name, relation: none });
const assertion = { subject: node("s"), object: node("o") };
const coming: readonly GraphFact[] = [
  { kind: "namespaceAdded", namespace: "n" },
  { kind: "relationAdded", relation: { namespace: "n", name: "r" } },
  { kind: "subjectAdded", subject: node("s") },
  { kind: "objectAdded", object: node("o") },
  { kind: "assertionAdded", assertion },
];
const going: readonly GraphFact[] = [{ kind: "assertionDeleted", assertion }];

test("however blocks are sliced into transactions and restarts, rows and roots are the same", () => {
  fc.assert(
    fc.property(history, fc.integer({ min: 1, max: 4 }), (blocks, slice) => {
      const decided = decideAll(blocks);
      const [one, many] = [new Database(":memory:"), new Database(":memory:")];
      const whole = new RebacTables(one);
      whole.applyBlocks(decided);
      for (let i = 0; i < decided.length; i += slice) new RebacTables(many).applyBlocks(decided.slice(i, i + slice));
      const restarted = new RebacTables(many);
      expect([restarted.height, restarted.rollingRoot, restarted.rowsRoot]).toEqual([
        whole.height,
        whole.rollingRoot,
        whole.rowsRoot,
      ]);
      for (const table of ["rebac_node", "rebac_edge", "rebac_meta"]) {
        const all = `select * from ${table} order by id`;
        expect(many.prepare(all).all()).toEqual(one.prepare(all).all());
      }
      expect(whole.fullRoot()).toBe(whole.rowsRoot);
      one.close();
      many.close();
    }),
    { numRuns: 60, seed: 6 },
  );
});

test("every edited column, deleted row and inserted row is found", () => {
  const db = new Database(":memory:");
  const tables = new RebacTables(db);
  tables.applyBlocks([
    { height: height(3), commands: [{ index: 0, facts: coming }] },
    { height: height(4), commands: [{ index: 7, facts: going }] },
  ]);
  const sabotage: string[] = [];
  for (const table of ["rebac_node", "rebac_edge"]) {
    const columns = db.prepare(`select name, type from pragma_table_info('${table}')`).all() as {
      name: string;
      type: string;
    }[];
    expect(columns.length).toBeGreaterThan(7);
    for (const { name, type } of columns) {
      const other =
        type.toLowerCase() === "text"
          ? `${name} || 'x'`
          : name === "id"
            ? "id + 1000"
            : name === "to_height"
              ? "5"
              : `${name} + 1`;
      sabotage.push(`update ${table} set ${name} = ${other} where id = 1`);
    }
    sabotage.push(`delete from ${table} where id = 1`);
  }
  sabotage.push(
    "insert into rebac_edge select 99, kind, parent, child, from_height, from_index, to_height, to_index from rebac_edge",
  );
  sabotage.push(
    "insert into rebac_node (id, kind, namespace, name, relation_namespace, relation_name, from_height, from_index, to_height, to_index) select 99, kind, namespace, name, relation_namespace, relation_name, from_height, from_index, to_height, to_index from rebac_node where id = 1",
  );
  sabotage.push("update rebac_node set namespace = name, name = namespace where id = 3");
  for (const edit of sabotage) {
    db.exec("begin");
    const { changes } = db.prepare(edit).run();
    expect([edit, changes]).toEqual([edit, 1]);
    expect([edit, tables.verifyRows().ok]).toEqual([edit, false]);
    db.exec("rollback");
    expect(tables.verifyRows().ok).toBe(true);
  }
  db.close();
});

test("the rolling root tells facts apart by height and command, the rows root by what is left", () => {
  const rootsOf = (at: number, index: number, facts: readonly GraphFact[]): readonly string[] => {
    const db = new Database(":memory:");
    const tables = new RebacTables(db);
    tables.applyBlocks([{ height: height(at), commands: [{ index, facts }] }]);
    db.close();
    return [tables.rollingRoot, tables.rowsRoot];
  };
  const all = [
    rootsOf(1, 0, coming),
    rootsOf(2, 0, coming),
    rootsOf(1, 1, coming),
    rootsOf(1, 0, coming.slice(0, -1)),
    rootsOf(1, 0, [...coming, ...going]),
  ];
  expect(new Set(all.flat()).size).toBe(10);
  expect(rootsOf(1, 0, coming)).toEqual(all[0]);
});

test("blocks that do not follow leave tables, roots and memory as they were", () => {
  const db = new Database(":memory:");
  const tables = new RebacTables(db);
  tables.applyBlocks([{ height: height(1), commands: [{ index: 0, facts: coming }] }]);
  const before = [tables.height, tables.rollingRoot, tables.rowsRoot];
  const bad = [
    { height: height(2), commands: [{ index: 0, facts: going }] },
    { height: height(3), commands: [{ index: 0, facts: going }] },
  ];
  expect(() => tables.applyBlocks(bad)).toThrow("an edge that is there");
  expect(() => tables.applyBlocks([{ height: height(1), commands: [] }])).toThrow("in order, once");
  expect([tables.height, tables.rollingRoot, tables.rowsRoot]).toEqual(before);
  expect(tables.verifyRows().ok).toBe(true);
  tables.applyBlocks(bad.slice(0, 1));
  expect([tables.height, tables.verifyRows().ok]).toEqual([2, true]);
  db.close();
});

test("an assertion's history says since when, by which command, and when it did before", () => {
  const db = new Database(":memory:");
  const tables = new RebacTables(db);
  const again = coming.slice(-1);
  const gone: readonly GraphFact[] = [...going, { kind: "subjectDeleted", subject: node("s") }];
  tables.applyBlocks([
    { height: height(2), commands: [{ index: 5, facts: coming }] },
    {
      height: height(4),
      commands: [
        { index: 1, facts: gone },
        { index: 3, facts: [...coming.slice(2, 3), ...again] },
      ],
    },
    {
      height: height(6),
      commands: [
        { index: 0, facts: going },
        { index: 1, facts: again },
      ],
    },
  ]);
  const past = new PastGraph(db);
  expect(past.assertionHistory(assertion)).toEqual([
    { added: { height: 2, index: 5 }, removed: { height: 4, index: 1 } },
    { added: { height: 4, index: 3 }, removed: { height: 6, index: 0 } },
    { added: { height: 6, index: 1 }, removed: null },
  ]);
  expect([1, 2, 3, 4, 5, 6, 7].map((at) => past.checkAt(height(at), assertion.subject, assertion.object))).toEqual([
    false,
    true,
    true,
    true,
    true,
    true,
    true,
  ]);
  expect(past.assertionHistory({ subject: node("o"), object: node("s") })).toEqual([]);
  db.close();
});

test("half a surrogate pair asks about no one, though SQLite would read it as U+FFFD", () => {
  const db = new Database(":memory:");
  const replaced: GraphNode = { namespace: "n", name: "\ufffd", relation: none };
  const facts: readonly GraphFact[] = [
    coming[0],
    coming[3],
    { kind: "subjectAdded", subject: replaced },
    { kind: "assertionAdded", assertion: { subject: replaced, object: node("o") } },
  ] as GraphFact[];
  new RebacTables(db).applyBlocks([{ height: height(1), commands: [{ index: 0, facts }] }]);
  const past = new PastGraph(db);
  expect(past.checkAt(height(1), replaced, node("o"))).toBe(true);
  expect(past.checkAt(height(1), { ...replaced, name: "\ud800" }, node("o"))).toBe(false);
  expect(past.expandObjectsAt(height(1), { ...replaced, name: "\ud800" })).toEqual([]);
  expect(past.readObjectsAt(height(1), [{ ...replaced, name: "\ud800" }])).toEqual([]);
  db.close();
});

test("names are ordered as their UTF-8 bytes are", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
      expect(Math.sign(compareNames(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
    }),
    { numRuns: 3000, seed: 7 },
  );
  expect(compareNames("\uff5e", "\u{1f600}")).toBeLessThan(0);
});
