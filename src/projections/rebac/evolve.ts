/** Folds the facts of one block into a live graph, in one step that readers see whole. For replay and for the projector's peers. */
import type { GraphFact } from "../../events/facts/fact.ts";
import { BlockOverlay } from "./block-overlay.ts";
import type { LiveGraph } from "./live-graph.ts";

/** Throws: Defect when the facts do not follow from the graph; nothing of the block is left then. */
export function evolve(graph: LiveGraph, facts: Iterable<GraphFact>): void {
  const overlay = new BlockOverlay(graph);
  let whole = false;
  try {
    for (const fact of facts) overlay.evolve(fact);
    whole = true;
  } finally {
    if (!whole) overlay.discard();
  }
  overlay.merge();
}
