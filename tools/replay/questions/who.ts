/** Who could do something: every subject for which the check is true in the state that a log's blocks leave. */
import type { GraphNode } from "../../../src/events/facts/graph.ts";
import type { Known } from "../../../src/events/facts/explanation.ts";
import { evolve } from "../../../src/projections/rebac/evolve.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import type { ReplayedBlock } from "../replayed.ts";
import { graphFactsOf } from "./graph-facts.ts";

export interface WhoAnswer {
  /** Whether there is such an object, its namespace and its relation. */
  readonly known: Known;
  /** Sorted by bytes. */
  readonly subjects: readonly GraphNode[];
}

/** What became different of who could do something. */
export interface Review {
  readonly came: readonly GraphNode[];
  readonly went: readonly GraphNode[];
}

/** Both sorted by bytes, as answers are. */
export function compared(earlier: readonly GraphNode[], now: readonly GraphNode[]): Review {
  const without = (list: readonly GraphNode[], others: readonly GraphNode[]): readonly GraphNode[] => {
    const names = new Set(others.map(nameOf));
    return list.filter((node) => !names.has(nameOf(node)));
  };
  return { came: without(now, earlier), went: without(earlier, now) };
}

const nameOf = ({ namespace, name, relation }: GraphNode): string =>
  JSON.stringify([namespace, name, relation.namespace, relation.name]);

/** Bounds: the memory of the graph. */
export class Who {
  readonly #graph = new LiveGraph();

  take(block: ReplayedBlock): void {
    const commands = graphFactsOf(block);
    if (commands.length === 0) return;
    evolve(
      this.#graph,
      commands.flatMap(({ facts }) => facts),
    );
  }

  /** As of the last block taken. */
  answer(object: GraphNode): WhoAnswer {
    const { known } = this.#graph.explain({ subject: object, object }, { visits: 0, listed: 0 });
    return { known: known.object, subjects: this.#graph.expandSubjects(object) };
  }
}
