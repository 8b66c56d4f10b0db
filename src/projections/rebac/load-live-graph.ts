/** The live graph of the newest height, from the tables. Verify them first (`RebacTables.verifyRows`) or trust what kept them. */
import { assert } from "../../base/errors.ts";
import { SETTLED } from "./edge-table.ts";
import { type EdgeKind } from "./graph-store.ts";
import { LiveGraph } from "./live-graph.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { numberOf, textOf } from "./table-rows.ts";
import { EDGE_KINDS, NODE_KINDS, createTables, loadStatements } from "./table-schema.ts";

const EDGE_TABLES: readonly EdgeKind[] = ["assertion", "subjectMap", "objectMap", "relationMap"];

/** Throws: Fault PROJECTION_DAMAGED or Defect when the rows are not those of a graph. */
export function loadLiveGraph(db: SqlDatabase): LiveGraph {
  createTables(db);
  const graph = new LiveGraph();
  const { store } = graph;
  const statements = loadStatements(db);
  const idOfRow = new Map<number, number>();
  for (const row of statements.nodes.iterate()) {
    const kind = numberOf(row, "kind");
    const namespace = textOf(row, "namespace");
    const name = textOf(row, "name");
    if (kind === NODE_KINDS.namespace) store.settleNamespace(namespace);
    else if (kind === NODE_KINDS.relation)
      idOfRow.set(numberOf(row, "id"), store.settleRelation({ namespace, name }).id);
    else {
      const relation = { namespace: textOf(row, "relation_namespace"), name: textOf(row, "relation_name") };
      const side = kind === NODE_KINDS.subject ? "subject" : "object";
      idOfRow.set(numberOf(row, "id"), store.insertNode(side, { namespace, name, relation }, SETTLED));
    }
  }
  for (const row of statements.edges.iterate()) {
    const from = idOfRow.get(numberOf(row, "parent"));
    const to = idOfRow.get(numberOf(row, "child"));
    const table = EDGE_TABLES.find((name) => EDGE_KINDS[name] === numberOf(row, "kind"));
    assert(from !== undefined && to !== undefined && table !== undefined, "an edge's ends are there while it is");
    assert(store[table].find(from, to) === 0, "an edge is there once");
    store[table].insert(from, to, SETTLED);
  }
  return graph;
}
