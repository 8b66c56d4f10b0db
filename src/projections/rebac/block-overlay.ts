/**
 * The block in work over a live graph. The writer reads and changes through it, command by command; readers of the live graph
 * see nothing of it until `merge`, and then all of it. What it changes stands in the live graph's own lists under state bits
 * (edge-table.ts), so an overlay costs what its block changes, whatever the size of what it touches. One at a time per graph.
 */
import { assert, present, unreachable } from "../../base/errors.ts";
import type { GraphFact } from "../../events/facts/fact.ts";
import type { Assertion, GraphNode, Relation } from "../../events/facts/graph.ts";
import { ADDED, type EdgeTable, HIDDEN_FROM_WRITER, REMOVED, SETTLED } from "./edge-table.ts";
import { GraphReader } from "./graph-reader.ts";
import { type EdgeKind, type GraphStore, isTentative } from "./graph-store.ts";
import type { GraphView, LiveGraph } from "./live-graph.ts";

/** Tables in the order in which a merge takes things away: edges before their ends, nodes before what they lie in. */
const TABLES = [
  "assertion",
  "subjectMap",
  "objectMap",
  "relationMap",
  "subject",
  "object",
  "relation",
  "namespace",
] as const;
type Table = (typeof TABLES)[number];
const INSERTED = 0;
const HID = 1;
const RESTORED = 2;

/** Graphs with a block in work. */
const inWork = new WeakSet<LiveGraph>();

export class BlockOverlay implements GraphView {
  /** The memory behind the graph; only this folder's files touch it. */
  readonly store: GraphStore;
  readonly #graph: LiveGraph;
  readonly #reader: GraphReader;
  /** What the block did, one integer each: id · 32 + table · 4 + action. */
  #journal: number[] = [];
  /** Where the command in work began; −1 between commands. */
  #commandStart = -1;

  constructor(graph: LiveGraph) {
    assert(!inWork.has(graph), "one block at a time is in work");
    inWork.add(graph);
    this.#graph = graph;
    this.store = graph.store;
    this.#reader = new GraphReader(graph.store, HIDDEN_FROM_WRITER);
  }

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

  /** Starts a command: what follows is tentative until `keepCommand` or `dropCommand`. */
  beginCommand(): void {
    assert(this.#commandStart === -1, "one command at a time is in work");
    this.#commandStart = this.#journal.length;
  }

  keepCommand(): void {
    assert(this.#commandStart !== -1, "a command is in work");
    this.#commandStart = -1;
  }

  /** Undoes what the command in work did. */
  dropCommand(): void {
    assert(this.#commandStart !== -1, "a command is in work");
    this.#undoTo(this.#commandStart);
    this.#commandStart = -1;
  }

  /** Makes the block visible to readers, in one step. Ends the overlay. */
  merge(): void {
    assert(this.#commandStart === -1, "a command is either kept or dropped before its block is merged");
    const touched = this.#end();
    for (const [table, name] of TABLES.entries()) {
      for (const entry of touched) if (((entry >>> 2) & 7) === table) this.#settle(name, Math.floor(entry / 32));
    }
  }

  /** Undoes the whole block. Ends the overlay. */
  discard(): void {
    this.#undoTo(0);
    this.#commandStart = -1;
    this.#end();
  }

  /** Folds one fact in. Throws: Defect when it does not follow from the state before it. */
  evolve(fact: GraphFact): void {
    switch (fact.kind) {
      case "namespaceAdded":
        return this.#addNamespace(fact.namespace);
      case "namespaceDeleted":
        return this.#hide(
          "namespace",
          present(this.store.namespace(fact.namespace, HIDDEN_FROM_WRITER)?.id, "it is there"),
        );
      case "relationAdded":
        return this.#addRelation(fact.relation);
      case "relationDeleted":
        return this.#hide(
          "relation",
          present(this.store.relation(fact.relation, HIDDEN_FROM_WRITER)?.id, "it is there"),
        );
      case "subjectAdded":
        return this.#addNode("subject", fact.subject);
      case "subjectDeleted":
        return this.#hide("subject", this.#known("subject", fact.subject));
      case "objectAdded":
        return this.#addNode("object", fact.object);
      case "objectDeleted":
        return this.#hide("object", this.#known("object", fact.object));
      case "assertionAdded":
        return this.#addEdge("assertion", ...this.#assertionEnds(fact.assertion));
      case "assertionDeleted":
        return this.#hideEdge("assertion", ...this.#assertionEnds(fact.assertion));
      case "subjectMapped":
        return this.#addEdge(
          "subjectMap",
          this.#known("subject", fact.edge.parent),
          this.#known("subject", fact.edge.child),
        );
      case "subjectUnmapped":
        return this.#hideEdge(
          "subjectMap",
          this.#known("subject", fact.edge.parent),
          this.#known("subject", fact.edge.child),
        );
      case "objectMapped":
        return this.#addEdge(
          "objectMap",
          this.#known("object", fact.edge.parent),
          this.#known("object", fact.edge.child),
        );
      case "objectUnmapped":
        return this.#hideEdge(
          "objectMap",
          this.#known("object", fact.edge.parent),
          this.#known("object", fact.edge.child),
        );
      case "relationMapped":
        return this.#addEdge(
          "relationMap",
          this.#knownRelation(fact.edge.parent),
          this.#knownRelation(fact.edge.child),
        );
      case "relationUnmapped":
        return this.#hideEdge(
          "relationMap",
          this.#knownRelation(fact.edge.parent),
          this.#knownRelation(fact.edge.child),
        );
      default:
        return unreachable(fact);
    }
  }

  #known(side: "subject" | "object", node: GraphNode): number {
    const id = this.store[side].find(node, HIDDEN_FROM_WRITER);
    assert(id !== 0, "a fact names nodes that are there");
    return id;
  }

  #knownRelation(relation: Relation): number {
    return present(this.store.relation(relation, HIDDEN_FROM_WRITER)?.id, "a fact names relations that are there");
  }

  #assertionEnds(assertion: Assertion): [number, number] {
    return [this.#known("subject", assertion.subject), this.#known("object", assertion.object)];
  }

  #addNamespace(name: string): void {
    const entry = this.store.vocabulary.namespace(name);
    if (entry !== undefined) this.#restore("namespace", entry.id);
    else this.#note("namespace", this.store.vocabulary.insertNamespace(name, ADDED).id, INSERTED);
  }

  #addRelation(relation: Relation): void {
    const entry = this.store.vocabulary.relation(relation);
    if (entry !== undefined) return this.#restore("relation", entry.id);
    const namespace = present(
      this.store.namespace(relation.namespace, HIDDEN_FROM_WRITER),
      "a relation's namespace comes before it",
    );
    this.#note("relation", this.store.insertRelation(namespace, relation, ADDED).id, INSERTED);
  }

  #addNode(side: "subject" | "object", node: GraphNode): void {
    const id = this.store[side].find(node, 0);
    if (id !== 0) this.#restore(side, id);
    else this.#note(side, this.store.insertNode(side, node, ADDED), INSERTED);
  }

  #addEdge(kind: EdgeKind, from: number, to: number): void {
    const edges: EdgeTable = this.store[kind];
    const edge = edges.find(from, to);
    if (edge !== 0) this.#restore(kind, edge);
    else this.#note(kind, edges.insert(from, to, ADDED), INSERTED);
  }

  #hideEdge(kind: EdgeKind, from: number, to: number): void {
    this.#hide(kind, this.store[kind].find(from, to));
  }

  /** Brings back what this block had taken away. */
  #restore(table: Table, id: number): void {
    const state = this.#stateOf(table, id);
    assert((state & REMOVED) !== 0, "a fact adds what is not there");
    this.#setState(table, id, state & ~REMOVED);
    this.#note(table, id, RESTORED);
  }

  #hide(table: Table, id: number): void {
    const state = this.#stateOf(table, id);
    assert((state & HIDDEN_FROM_WRITER) === 0, "a fact takes away what is there");
    this.#setState(table, id, state | REMOVED);
    this.#note(table, id, HID);
  }

  #note(table: Table, id: number, action: number): void {
    this.#journal.push(id * 32 + TABLES.indexOf(table) * 4 + action);
  }

  #undoTo(length: number): void {
    while (this.#journal.length > length) {
      const entry = this.#journal.pop() ?? 0;
      const table = present(TABLES[(entry >>> 2) & 7], "a journal entry names a table");
      const id = Math.floor(entry / 32);
      const action = entry & 3;
      if (action === INSERTED) this.#delete(table, id);
      else this.#setState(table, id, this.#stateOf(table, id) ^ REMOVED);
    }
  }

  /** Turns what the block left of a record into what everybody sees. A record that was touched twice is settled once. */
  #settle(table: Table, id: number): void {
    const state = this.#stateOf(table, id);
    if (!isTentative(state)) return;
    if ((state & REMOVED) !== 0) this.#delete(table, id);
    else this.#setState(table, id, SETTLED);
  }

  #stateOf(table: Table, id: number): number {
    if (table === "namespace") return this.store.vocabulary.stateOfNamespace(id);
    if (table === "relation") return this.store.vocabulary.stateOfRelation(id);
    return this.store[table].stateOf(id);
  }

  #setState(table: Table, id: number, state: number): void {
    if (table === "namespace") this.store.vocabulary.namespaceById(id).state = state;
    else if (table === "relation") this.store.vocabulary.relationById(id).state = state;
    else this.store[table].setState(id, state);
  }

  #delete(table: Table, id: number): void {
    if (table === "namespace") this.store.vocabulary.deleteNamespace(id);
    else if (table === "relation") this.store.deleteRelation(id);
    else if (table === "subject" || table === "object") this.store.deleteNode(table, id);
    else this.store[table].delete(id);
  }

  #end(): readonly number[] {
    assert(inWork.delete(this.#graph), "an overlay ends once");
    const touched = this.#journal;
    this.#journal = [];
    return touched;
  }
}
