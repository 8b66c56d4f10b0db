/** The graph as readers see it: what the last whole block left. Blocks reach it through a BlockOverlay. Source: DESIGN §3, §5. */
import type { ChainLink } from "../../events/facts/explanation.ts";
import type { Assertion, GraphNode, Relation } from "../../events/facts/graph.ts";
import { HIDDEN_FROM_READERS } from "./edge-table.ts";
import { type ExplainBounds, type Explanation, explain } from "./explain.ts";
import { GraphReader } from "./graph-reader.ts";
import { LiveSteps } from "./graph-steps.ts";
import { GraphStore } from "./graph-store.ts";

/** How much the graph holds, the block in work included. */
export interface GraphSize {
  readonly namespaces: number;
  readonly relations: number;
  readonly subjects: number;
  readonly objects: number;
  readonly assertions: number;
  readonly maps: number;
  /** Memory of the edges; names come on top. Units: bytes. */
  readonly edgeBytes: number;
}

/** What can be asked of a graph, at a height. */
export interface GraphView {
  check(subject: GraphNode, object: GraphNode): boolean;
  /** Whether the assertion itself is there, without any map. */
  holds(assertion: Assertion): boolean;
  readSubjects(objects: readonly GraphNode[], predicate?: Relation): readonly GraphNode[];
  readObjects(subjects: readonly GraphNode[], predicate?: Relation): readonly GraphNode[];
  expandSubjects(object: GraphNode, predicate?: Relation): readonly GraphNode[];
  expandObjects(subject: GraphNode, predicate?: Relation): readonly GraphNode[];
}

export class LiveGraph implements GraphView {
  /** The memory behind the graph; only this folder's files touch it. */
  readonly store = new GraphStore();
  readonly #reader = new GraphReader(this.store, HIDDEN_FROM_READERS);
  readonly #steps = new LiveSteps(this.store, ({ subject, object }) => this.#reader.check(subject, object));

  check(subject: GraphNode, object: GraphNode): boolean {
    return this.#reader.check(subject, object);
  }

  holds(assertion: Assertion): boolean {
    return this.#reader.holds(assertion.subject, assertion.object);
  }

  readSubjects(objects: readonly GraphNode[], predicate?: Relation): readonly GraphNode[] {
    return this.#reader.readSubjects(objects, predicate);
  }

  readObjects(subjects: readonly GraphNode[], predicate?: Relation): readonly GraphNode[] {
    return this.#reader.readObjects(subjects, predicate);
  }

  expandSubjects(object: GraphNode, predicate?: Relation): readonly GraphNode[] {
    return this.#reader.expandSubjects(object, predicate);
  }

  expandObjects(subject: GraphNode, predicate?: Relation): readonly GraphNode[] {
    return this.#reader.expandObjects(subject, predicate);
  }

  /** Why a check is true, or what was tried. */
  explain(check: Assertion, bounds: ExplainBounds): Explanation {
    return explain(this.#steps, check, bounds);
  }

  /** A small number for an edge that is there: no other has it until this one goes. 0 when it is not there. */
  edgeId(link: ChainLink): number {
    const side = link.kind === "objectMap" ? "object" : "subject";
    const [from, to] =
      link.kind === "assertion"
        ? [this.#find("subject", link.assertion.subject), this.#find("object", link.assertion.object)]
        : [this.#find(side, link.edge.parent), this.#find(side, link.edge.child)];
    if (from === 0 || to === 0) return 0;
    const edge = this.store[link.kind].find(from, to);
    return (this.store[link.kind].stateOf(edge) & HIDDEN_FROM_READERS) === 0 ? edge : 0;
  }

  #find(side: "subject" | "object", node: GraphNode): number {
    return this.store[side].find(node, HIDDEN_FROM_READERS);
  }

  get size(): GraphSize {
    const { vocabulary, subject, object, assertion, subjectMap, objectMap, relationMap } = this.store;
    return {
      ...vocabulary.count(),
      subjects: subject.size,
      objects: object.size,
      assertions: assertion.size,
      maps: subjectMap.size + objectMap.size + relationMap.size,
      edgeBytes: this.store.edgeBytes,
    };
  }
}
