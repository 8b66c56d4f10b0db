/**
 * A graph, one step at a time: what explanations walk (explain.ts). Ids are the graph's own and mean nothing outside of one question;
 * lists come in no order, and whole or not at all, so that no answer depends on how somebody keeps his lists.
 */
import type { Assertion, GraphNode, Relation } from "../../events/facts/graph.ts";
import { type EdgeTable, HIDDEN_FROM_READERS, NEXT_IN, NEXT_OUT, RECORD_SHIFT, STATE } from "./edge-table.ts";
import type { GraphStore } from "./graph-store.ts";
import type { Side } from "./vocabulary.ts";

export interface GraphSteps {
  /** The verdict itself. */
  check(check: Assertion): boolean;
  /** The node's id; 0 when it is not there. */
  find(side: Side, node: GraphNode): number;
  nodeOf(side: Side, id: number): GraphNode;
  /** What the node belongs to (subjects) or inherits from (objects) by one map; undefined when that is more than `most`. */
  mapped(side: Side, id: number, most: number): readonly number[] | undefined;
  /** The other ends of the node's direct assertions; undefined when there are more than `most`. */
  asserted(side: Side, id: number, most: number): readonly number[] | undefined;
  /** Whether the subject has a direct assertion on the object. */
  holds(subject: number, object: number): boolean;
  hasNamespace(namespace: string): boolean;
  hasRelation(relation: Relation): boolean;
}

/** The live graph as readers see it. */
export class LiveSteps implements GraphSteps {
  readonly #store: GraphStore;
  readonly #check: (check: Assertion) => boolean;

  constructor(store: GraphStore, check: (check: Assertion) => boolean) {
    this.#store = store;
    this.#check = check;
  }

  check(check: Assertion): boolean {
    return this.#check(check);
  }

  find(side: Side, node: GraphNode): number {
    return this.#store[side].find(node, HIDDEN_FROM_READERS);
  }

  nodeOf(side: Side, id: number): GraphNode {
    return this.#store[side].nodeOf(id);
  }

  mapped(side: Side, id: number, most: number): readonly number[] | undefined {
    const maps = side === "subject" ? this.#store.subjectMap : this.#store.objectMap;
    return ends(maps, "out", id, most);
  }

  asserted(side: Side, id: number, most: number): readonly number[] | undefined {
    return ends(this.#store.assertion, side === "subject" ? "out" : "in", id, most);
  }

  holds(subject: number, object: number): boolean {
    return this.#store.assertion.has(subject, object, HIDDEN_FROM_READERS);
  }

  hasNamespace(namespace: string): boolean {
    return this.#store.namespace(namespace, HIDDEN_FROM_READERS) !== undefined;
  }

  hasRelation(relation: Relation): boolean {
    return this.#store.relation(relation, HIDDEN_FROM_READERS) !== undefined;
  }
}

/** The other ends of a node's edges that readers see. */
function ends(edges: EdgeTable, direction: "out" | "in", node: number, most: number): readonly number[] | undefined {
  const { records } = edges;
  const [heads, following] = direction === "out" ? [edges.outHead, NEXT_OUT] : [edges.inHead, NEXT_IN];
  const found: number[] = [];
  for (let edge = heads[node] ?? 0; edge !== 0; ) {
    const record = edge << RECORD_SHIFT;
    if (((records[record + STATE] ?? 0) & HIDDEN_FROM_READERS) === 0) {
      if (found.length === most) return undefined;
      found.push(direction === "out" ? edges.toOf(edge) : edges.fromOf(edge));
    }
    edge = records[record + following] ?? 0;
  }
  return found;
}
