/** The live graph of the newest height, from the tables. Verify them first (`RebacTables.verifyRows`) or trust what kept them. */
import { assert } from "../../base/errors.ts";
import { type EdgeTable, SETTLED } from "./edge-table.ts";
import type { EdgeKind } from "./graph-store.ts";
import { LiveGraph } from "./live-graph.ts";
import type { SqlDatabase, SqlStatement } from "./sql-database.ts";
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
  for (const rows of pages(statements.nodes))
    for (const row of rows) {
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
  const tableOf = new Map<number, EdgeTable>(EDGE_TABLES.map((name) => [EDGE_KINDS[name], store[name]]));
  for (const rows of pages(statements.edges))
    for (const row of rows) {
      const from = idOfRow.get(numberOf(row, "parent"));
      const to = idOfRow.get(numberOf(row, "child"));
      const table = tableOf.get(numberOf(row, "kind"));
      assert(from !== undefined && to !== undefined && table !== undefined, "an edge's ends are there while it is");
      assert(table.find(from, to) === 0, "an edge is there once");
      table.insert(from, to, SETTLED);
    }
  return graph;
}

/** All rows of a statement that gives those after an id, in the order of ids. */
function* pages(statement: SqlStatement): Generator<readonly unknown[]> {
  for (let after = 0; ; ) {
    const rows = statement.all(after);
    if (rows.length === 0) return;
    yield rows;
    after = numberOf(rows.at(-1), "id");
  }
}
