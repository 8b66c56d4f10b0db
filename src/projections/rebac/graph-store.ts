/**
 * The memory that the readers' graph and the block in work share. Every record says who sees it (edge-table.ts), so a block in
 * work stands in the same lists as the settled graph: nothing is copied, and merging it is turning its bits.
 */
import { assert } from "../../base/errors.ts";
import type { GraphNode, Relation } from "../../events/facts/graph.ts";
import { ADDED, EdgeTable, REMOVED, SETTLED } from "./edge-table.ts";
import { type NamespaceEntry, type RelationEntry, NodeTable, Vocabulary } from "./vocabulary.ts";

export type EdgeKind = "assertion" | "subjectMap" | "objectMap" | "relationMap";

export class GraphStore {
  readonly vocabulary = new Vocabulary();
  readonly subject = new NodeTable("subject", this.vocabulary);
  readonly object = new NodeTable("object", this.vocabulary);
  /** From subject to object. */
  readonly assertion = new EdgeTable();
  /** Maps, from parent to child. */
  readonly subjectMap = new EdgeTable();
  readonly objectMap = new EdgeTable();
  readonly relationMap = new EdgeTable();

  namespace(name: string, hidden: number): NamespaceEntry | undefined {
    const entry = this.vocabulary.namespace(name);
    return entry === undefined || (entry.state & hidden) !== 0 ? undefined : entry;
  }

  relation(relation: Relation, hidden: number): RelationEntry | undefined {
    const entry = this.vocabulary.relation(relation);
    return entry === undefined || (entry.state & hidden) !== 0 ? undefined : entry;
  }

  /** Adds a settled namespace, or returns the one that is there. */
  settleNamespace(name: string): NamespaceEntry {
    return this.vocabulary.namespace(name) ?? this.vocabulary.insertNamespace(name, SETTLED);
  }

  settleRelation(relation: Relation): RelationEntry {
    return (
      this.vocabulary.relation(relation) ??
      this.insertRelation(this.settleNamespace(relation.namespace), relation, SETTLED)
    );
  }

  insertRelation(namespace: NamespaceEntry, relation: Relation, state: number): RelationEntry {
    const entry = this.vocabulary.insertRelation(namespace, relation, state);
    this.relationMap.reserve(this.vocabulary.relationsEnd, this.vocabulary.relationsEnd);
    return entry;
  }

  insertNode(side: "subject" | "object", node: GraphNode, state: number): number {
    const namespace = this.vocabulary.namespace(node.namespace);
    const relation = this.vocabulary.relation(node.relation);
    assert(namespace !== undefined && relation !== undefined, "a node's namespace and relation come before it");
    const id = this[side].insert(namespace, relation, node.name, state);
    this.assertion.reserve(this.subject.end, this.object.end);
    const maps = side === "subject" ? this.subjectMap : this.objectMap;
    maps.reserve(this[side].end, this[side].end);
    return id;
  }

  /** Takes a node away whose edges have gone. */
  deleteNode(side: "subject" | "object", id: number): void {
    const maps = side === "subject" ? this.subjectMap : this.objectMap;
    const asserted = side === "subject" ? this.assertion.outHead[id] : this.assertion.inHead[id];
    assert(asserted === 0 && maps.outHead[id] === 0 && maps.inHead[id] === 0, "a node goes after all edges it has");
    this[side].delete(id);
  }

  deleteRelation(id: number): void {
    assert(
      this.relationMap.outHead[id] === 0 && this.relationMap.inHead[id] === 0,
      "a relation goes after all maps it has",
    );
    this.vocabulary.deleteRelation(id);
  }

  /** Memory of the arrays; names and maps of names come on top. Units: bytes. */
  get edgeBytes(): number {
    return this.assertion.bytes + this.subjectMap.bytes + this.objectMap.bytes + this.relationMap.bytes;
  }
}

/** Whether a state is one that came or went within the block in work. */
export const isTentative = (state: number): boolean => (state & (ADDED | REMOVED)) !== 0;
