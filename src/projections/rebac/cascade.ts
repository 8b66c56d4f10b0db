/**
 * What goes when something goes, spelled out fact by fact in one order that every replica shares: assertions, maps, nodes,
 * relations, namespaces, each sorted by bytes. Source: oracle.md, "Deleting a node removes its assertions, its maps…".
 */
import type { GraphFact } from "../../events/facts/fact.ts";
import type { Budget } from "./budget.ts";
import { eachEdge } from "./edges-of.ts";
import { HIDDEN_FROM_WRITER } from "./edge-table.ts";
import type { EdgeKind, GraphStore } from "./graph-store.ts";
import { compareNodes, compareRelations } from "./names.ts";
import type { NamespaceEntry, RelationEntry, Scope, Side } from "./vocabulary.ts";

export class Cascade {
  readonly #store: GraphStore;
  readonly #budget: Budget;
  readonly #nodes = { subject: new Set<number>(), object: new Set<number>() };
  readonly #edges = {
    assertion: new Set<number>(),
    subjectMap: new Set<number>(),
    objectMap: new Set<number>(),
    relationMap: new Set<number>(),
  };
  readonly #relations = new Set<RelationEntry>();
  #namespace: NamespaceEntry | undefined;
  #exceeded = false;

  constructor(store: GraphStore, budget: Budget) {
    this.#store = store;
    this.#budget = budget;
  }

  /** A namespace goes with its relations (and what has them, in any namespace), its subjects and its objects. */
  takeNamespace(entry: NamespaceEntry): void {
    this.#namespace = entry;
    for (const relation of entry.relations.values()) if (isThere(relation.state)) this.takeRelation(relation);
    for (const side of ["subject", "object"] as const) {
      for (const scope of entry.scopes[side].values()) this.#takeScope(side, scope);
    }
  }

  /** A relation goes with every subject and object that has it. */
  takeRelation(entry: RelationEntry): void {
    if (!this.#take(this.#relations, entry)) return;
    this.#takeEdges("relationMap", "out", entry.id);
    this.#takeEdges("relationMap", "in", entry.id);
    for (const side of ["subject", "object"] as const) {
      for (const scope of entry.scopes[side]) this.#takeScope(side, scope);
    }
  }

  /** A node goes with its assertions and its maps. */
  takeNode(side: Side, id: number): void {
    if (!this.#take(this.#nodes[side], id)) return;
    const maps = side === "subject" ? "subjectMap" : "objectMap";
    this.#takeEdges("assertion", side === "subject" ? "out" : "in", id);
    this.#takeEdges(maps, "out", id);
    this.#takeEdges(maps, "in", id);
  }

  /** The facts, in order; undefined when there are more than the budget allows. */
  facts(): readonly GraphFact[] | undefined {
    if (this.#exceeded) return undefined;
    return [
      ...this.#assertionFacts(),
      ...this.#unmapFacts("subjectMap", "subject", (edge) => ({ kind: "subjectUnmapped", edge })),
      ...this.#unmapFacts("objectMap", "object", (edge) => ({ kind: "objectUnmapped", edge })),
      ...this.#relationUnmapFacts(),
      ...this.#sortedNodes("subject").map((subject): GraphFact => ({ kind: "subjectDeleted", subject })),
      ...this.#sortedNodes("object").map((object): GraphFact => ({ kind: "objectDeleted", object })),
      ...[...this.#relations]
        .map((entry) => entry.relation)
        .sort(compareRelations)
        .map((relation): GraphFact => ({ kind: "relationDeleted", relation })),
      ...(this.#namespace === undefined
        ? []
        : [{ kind: "namespaceDeleted", namespace: this.#namespace.name } satisfies GraphFact]),
    ];
  }

  #takeScope(side: Side, scope: Scope): void {
    for (const id of scope.nodes.values()) {
      if (this.#exceeded) return;
      if (isThere(this.#store[side].stateOf(id))) this.takeNode(side, id);
    }
  }

  #takeEdges(kind: EdgeKind, direction: "out" | "in", node: number): void {
    const taken = this.#edges[kind];
    eachEdge(this.#store[kind], direction, node, (edge) => {
      this.#take(taken, edge);
      return !this.#exceeded;
    });
  }

  /** Takes what has not been taken yet; false when there is nothing more to do for it. */
  #take<T>(taken: Set<T>, item: T): boolean {
    if (this.#exceeded || taken.has(item)) return false;
    if (!this.#budget.spend(1)) {
      this.#exceeded = true;
      return false;
    }
    taken.add(item);
    return true;
  }

  #assertionFacts(): GraphFact[] {
    const { assertion, subject, object } = this.#store;
    return [...this.#edges.assertion]
      .map((edge) => ({ subject: subject.nodeOf(assertion.fromOf(edge)), object: object.nodeOf(assertion.toOf(edge)) }))
      .sort((a, b) => compareNodes(a.subject, b.subject) || compareNodes(a.object, b.object))
      .map((found) => ({ kind: "assertionDeleted", assertion: found }));
  }

  #unmapFacts(kind: "subjectMap" | "objectMap", side: Side, fact: (edge: Edge) => GraphFact): GraphFact[] {
    const edges = this.#store[kind];
    const nodes = this.#store[side];
    return [...this.#edges[kind]]
      .map((edge) => ({ parent: nodes.nodeOf(edges.fromOf(edge)), child: nodes.nodeOf(edges.toOf(edge)) }))
      .sort((a, b) => compareNodes(a.parent, b.parent) || compareNodes(a.child, b.child))
      .map(fact);
  }

  #relationUnmapFacts(): GraphFact[] {
    const { relationMap, vocabulary } = this.#store;
    const named = (id: number) => vocabulary.relationById(id).relation;
    return [...this.#edges.relationMap]
      .map((edge) => ({ parent: named(relationMap.fromOf(edge)), child: named(relationMap.toOf(edge)) }))
      .sort((a, b) => compareRelations(a.parent, b.parent) || compareRelations(a.child, b.child))
      .map((edge) => ({ kind: "relationUnmapped", edge }));
  }

  #sortedNodes(side: Side) {
    return [...this.#nodes[side]].map((id) => this.#store[side].nodeOf(id)).sort(compareNodes);
  }
}

type Edge = Extract<GraphFact, { readonly kind: "subjectUnmapped" }>["edge"];

const isThere = (state: number): boolean => (state & HIDDEN_FROM_WRITER) === 0;
