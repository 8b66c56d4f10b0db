/** Edges of one node as the writer sees them. */
import { type EdgeTable, HIDDEN_FROM_WRITER, NEXT_IN, NEXT_OUT, RECORD_SHIFT, STATE } from "./edge-table.ts";

/** Visits the edges that leave a node (`out`) or arrive at it (`in`); stops early when `visit` returns false. */
export function eachEdge(
  edges: EdgeTable,
  direction: "out" | "in",
  node: number,
  visit: (edge: number) => boolean | void,
): void {
  const { records } = edges;
  const [head, degree, following] =
    direction === "out" ? [edges.outHead, edges.outDegree, NEXT_OUT] : [edges.inHead, edges.inDegree, NEXT_IN];
  // Counting down spares the edges that this block removed: they may be many, and stay in the list until it is merged.
  let left = degree[node] ?? 0;
  for (let edge = head[node] ?? 0; edge !== 0 && left > 0; ) {
    const record = edge << RECORD_SHIFT;
    const next = records[record + following] ?? 0;
    if (((records[record + STATE] ?? 0) & HIDDEN_FROM_WRITER) === 0) {
      left -= 1;
      if (visit(edge) === false) return;
    }
    edge = next;
  }
}
