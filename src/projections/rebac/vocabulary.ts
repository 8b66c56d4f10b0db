/** Interned namespaces, relations and nodes: names in, small integers out. Deleted ids are used again, so churn does not grow memory. */
import { assert, present } from "../../base/errors.ts";
import type { GraphNode, Relation } from "../../events/facts/graph.ts";
import { REMOVED, SETTLED, VACANT, grown } from "./edge-table.ts";
import { Marks } from "./marks.ts";
import { NULL_RELATION } from "./names.ts";

export type Side = "subject" | "object";

export interface NamespaceEntry {
  readonly id: number;
  readonly name: string;
  state: number;
  readonly relations: Map<string, RelationEntry>;
  /** Nodes of the namespace, by the id of their relation. */
  readonly scopes: { readonly subject: Map<number, Scope>; readonly object: Map<number, Scope> };
}

export interface RelationEntry {
  readonly id: number;
  readonly namespace: NamespaceEntry;
  readonly relation: Relation;
  state: number;
  readonly scopes: { readonly subject: Set<Scope>; readonly object: Set<Scope> };
}

/** Nodes that share a namespace and a relation: ids by name. */
export interface Scope {
  readonly namespace: NamespaceEntry;
  readonly relation: RelationEntry;
  readonly nodes: Map<string, number>;
}

const scopesOfNamespace = () => ({ subject: new Map<number, Scope>(), object: new Map<number, Scope>() });
const scopesOfRelation = () => ({ subject: new Set<Scope>(), object: new Set<Scope>() });

/** Namespaces and relations. The null ones have id 0 and are always there. */
export class Vocabulary {
  readonly marks = new Marks();
  readonly #namespaces = new Map<string, NamespaceEntry>();
  readonly #namespaceById: (NamespaceEntry | undefined)[] = [];
  readonly #relationById: (RelationEntry | undefined)[] = [];
  readonly #vacantNamespaces: number[] = [];
  readonly #vacantRelations: number[] = [];
  readonly #nullRelation: RelationEntry;

  constructor() {
    this.insertRelation(this.insertNamespace("", SETTLED), NULL_RELATION, SETTLED);
    this.#nullRelation = this.relationById(0);
  }

  /** Length of an array that every relation id indexes. */
  get relationsEnd(): number {
    return this.#relationById.length;
  }

  namespace(name: string): NamespaceEntry | undefined {
    return this.#namespaces.get(name);
  }

  relation(relation: Relation): RelationEntry | undefined {
    if (relation.name === "" && relation.namespace === "") return this.#nullRelation;
    return this.#namespaces.get(relation.namespace)?.relations.get(relation.name);
  }

  namespaceById(id: number): NamespaceEntry {
    return present(this.#namespaceById[id], "a namespace id is of a namespace");
  }

  relationById(id: number): RelationEntry {
    return present(this.#relationById[id], "a relation id is of a relation");
  }

  /** Who sees the namespace of an id; VACANT when there is none. */
  stateOfNamespace(id: number): number {
    return this.#namespaceById[id]?.state ?? VACANT;
  }

  stateOfRelation(id: number): number {
    return this.#relationById[id]?.state ?? VACANT;
  }

  insertNamespace(name: string, state: number): NamespaceEntry {
    const id = this.#vacantNamespaces.pop() ?? this.#namespaceById.length;
    const entry: NamespaceEntry = { id, name, state, relations: new Map(), scopes: scopesOfNamespace() };
    this.#namespaceById[id] = entry;
    this.#namespaces.set(name, entry);
    return entry;
  }

  insertRelation(namespace: NamespaceEntry, relation: Relation, state: number): RelationEntry {
    const id = this.#vacantRelations.pop() ?? this.#relationById.length;
    const own = Object.freeze({ namespace: namespace.name, name: relation.name });
    const entry: RelationEntry = { id, namespace, relation: own, state, scopes: scopesOfRelation() };
    this.#relationById[id] = entry;
    namespace.relations.set(relation.name, entry);
    this.marks.reserve(this.#relationById.length);
    return entry;
  }

  deleteNamespace(id: number): void {
    const entry = this.namespaceById(id);
    const { subject, object } = entry.scopes;
    assert(entry.relations.size + subject.size + object.size === 0, "a namespace goes after all that is in it");
    this.#namespaces.delete(entry.name);
    this.#namespaceById[id] = undefined;
    this.#vacantNamespaces.push(id);
  }

  deleteRelation(id: number): void {
    const entry = this.relationById(id);
    assert(entry.scopes.subject.size + entry.scopes.object.size === 0, "a relation goes after all nodes that have it");
    entry.namespace.relations.delete(entry.relation.name);
    this.#relationById[id] = undefined;
    this.#vacantRelations.push(id);
  }

  /** Namespaces and relations the writer sees, without the null ones. */
  count(): { readonly namespaces: number; readonly relations: number } {
    const seen = (entry: { readonly state: number } | undefined): boolean =>
      entry !== undefined && (entry.state & REMOVED) === 0;
    return {
      namespaces: this.#namespaceById.filter(seen).length - 1,
      relations: this.#relationById.filter(seen).length - 1,
    };
  }
}

/** The subjects, or the objects. Id 0 is no node. */
export class NodeTable {
  readonly marks = new Marks();
  readonly #side: Side;
  readonly #vocabulary: Vocabulary;
  readonly #names: string[] = [""];
  readonly #scopes: (Scope | undefined)[] = [undefined];
  #states = Uint8Array.of(VACANT);
  readonly #vacant: number[] = [];
  #lastScope: Scope | undefined;

  constructor(side: Side, vocabulary: Vocabulary) {
    this.#side = side;
    this.#vocabulary = vocabulary;
  }

  /** Length of an array that every id indexes. */
  get end(): number {
    return this.#names.length;
  }

  /** Nodes, those of the block in work included. */
  get size(): number {
    return this.#names.length - 1 - this.#vacant.length;
  }

  /** The node of that name for those whom `hidden` bits hide; 0 when there is none. */
  find(node: GraphNode, hidden: number): number {
    const id = this.#scope(node)?.nodes.get(node.name) ?? 0;
    return ((this.#states[id] ?? VACANT) & hidden) === 0 ? id : 0;
  }

  /** Where a node would lie. One question is mostly followed by another about the same scope: comparing beats four look-ups. */
  #scope({ namespace, relation }: GraphNode): Scope | undefined {
    const last = this.#lastScope;
    if (last !== undefined && namespace === last.namespace.name) {
      const known = last.relation.relation;
      if (relation.name === known.name && relation.namespace === known.namespace) return last;
    }
    const entry = this.#vocabulary.relation(relation);
    if (entry === undefined) return undefined;
    const scope = this.#vocabulary.namespace(namespace)?.scopes[this.#side].get(entry.id);
    if (scope !== undefined) this.#lastScope = scope;
    return scope;
  }

  stateOf(id: number): number {
    return this.#states[id] ?? VACANT;
  }

  setState(id: number, state: number): void {
    this.#states[id] = state;
  }

  scopeOf(id: number): Scope {
    return present(this.#scopes[id], "a node id is of a node");
  }

  nodeOf(id: number): GraphNode {
    const { namespace, relation } = this.scopeOf(id);
    return { namespace: namespace.name, name: this.#names[id] ?? "", relation: relation.relation };
  }

  /** Adds a node that is not there, whoever would see it. */
  insert(namespace: NamespaceEntry, relation: RelationEntry, name: string, state: number): number {
    const id = this.#vacant.pop() ?? this.#names.length;
    let scope = namespace.scopes[this.#side].get(relation.id);
    if (scope === undefined) {
      scope = { namespace, relation, nodes: new Map() };
      namespace.scopes[this.#side].set(relation.id, scope);
      relation.scopes[this.#side].add(scope);
    }
    scope.nodes.set(name, id);
    this.#names[id] = name;
    this.#scopes[id] = scope;
    if (id >= this.#states.length) {
      this.#states = grown(this.#states, Math.max(1024, 2 * this.#states.length), (length) => new Uint8Array(length));
    }
    this.#states[id] = state;
    this.marks.reserve(this.#names.length);
    return id;
  }

  /** Takes a node away; its id may come again. */
  delete(id: number): void {
    const scope = this.scopeOf(id);
    scope.nodes.delete(this.#names[id] ?? "");
    if (scope.nodes.size === 0) {
      scope.namespace.scopes[this.#side].delete(scope.relation.id);
      scope.relation.scopes[this.#side].delete(scope);
      if (this.#lastScope === scope) this.#lastScope = undefined;
    }
    this.#names[id] = "";
    this.#scopes[id] = undefined;
    this.#states[id] = VACANT;
    this.#vacant.push(id);
  }
}
