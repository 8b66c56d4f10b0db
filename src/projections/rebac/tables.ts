/**
 * The graph's tables in the projection database: every life of every node and edge, with the heights and commands at which it
 * came and went (table-schema.ts). Two digests go with the rows, in the same transaction:
 * - the rolling root, chained over every block's rows: two replicas that applied the same facts have the same;
 * - the rows root, a sum over the digests of all rows: `verifyRows` adds them up anew and so finds whatever was edited.
 */
import type { Digest, Height } from "../../base/brands.ts";
import { ZERO_DIGEST, digestBytes, digestOf, utf8 } from "../../base/bytes.ts";
import { assert, unreachable } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { domainDigest } from "../../crypto/hash.ts";
import type { GraphFact } from "../../events/facts/fact.ts";
import type { GraphNode, Relation } from "../../events/facts/graph.ts";
import type { EdgeEntry, NodeEntry } from "../checkpoint/segment.ts";
import { NULL_RELATION } from "./names.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { type NodeRow, RowSum, blobOf, edgeDigest, edgeRowOf, nodeDigest, nodeRowOf, numberOf } from "./table-rows.ts";
import { EDGE_KINDS, NODE_KINDS, OPEN, createTables, writerStatements } from "./table-schema.ts";

/** What one command of a block did. */
export interface CommandFacts {
  /** Which command of the block, from 0. */
  readonly index: number;
  readonly facts: readonly GraphFact[];
}

/** Ids remembered by name; beyond that all are forgotten and read again (3 µs each). 65,536: some 10 MB of names. */
const REMEMBERED_MAX = 65_536;

type NodeKind = keyof typeof NODE_KINDS;
type EdgeKind = keyof typeof EDGE_KINDS;

const namespaceNode = (namespace: string): GraphNode => ({ namespace, name: "", relation: NULL_RELATION });
const relationNode = ({ namespace, name }: Relation): GraphNode => ({ namespace, name, relation: NULL_RELATION });

export class RebacTables {
  readonly #db: SqlDatabase;
  readonly #sql: ReturnType<typeof writerStatements>;
  readonly #ids = new Map<string, number>();
  #height = -1;
  #rolling: Digest = ZERO_DIGEST;
  #sum = new RowSum();
  #nodes = 0;
  #edges = 0;
  /** Where the command in work stands. */
  #at = { height: 0, index: 0 };
  /** Digests of the rows that the block in work wrote, in order; each row says at which command it came or went. */
  #touched = "";

  /** Opens the tables, and makes those that are missing. */
  constructor(db: SqlDatabase) {
    this.#db = db;
    createTables(db);
    this.#sql = writerStatements(db);
    this.reload();
  }

  /** Last block applied; −1 before genesis. */
  get height(): number {
    return this.#height;
  }

  /** Chained over the rows of every block that wrote any. */
  get rollingRoot(): Digest {
    return this.#rolling;
  }

  /** Sum of all rows' digests, as it was kept while they changed. */
  get rowsRoot(): Digest {
    return digestOf(this.#sum.bytes());
  }

  /** Applies blocks in one transaction; when it throws nothing has changed. Throws: Defect when facts do not follow; the database's errors. */
  applyBlocks(blocks: Iterable<{ readonly height: Height; readonly commands: readonly CommandFacts[] }>): void {
    try {
      this.#db.transaction(() => {
        for (const { height, commands } of blocks) this.applyBlock(height, commands);
        this.flush();
      })();
    } catch (error) {
      this.reload();
      throw error;
    }
  }

  /** Applies one block within the caller's transaction, which ends with `flush` (or, when it fails, with `reload`). */
  applyBlock(height: Height, commands: readonly CommandFacts[]): void {
    assert(height > this.#height, "blocks are applied in order, once");
    this.#touched = "";
    for (const { index, facts } of commands) {
      this.#at = { height, index };
      for (const fact of facts) this.#apply(fact);
    }
    if (this.#touched !== "")
      this.#rolling = domainDigest("rebac-block", digestBytes(this.#rolling), utf8(this.#touched));
    this.#height = height;
  }

  /** Writes height and roots beside the rows. */
  flush(): void {
    this.#sql.writeMeta.run(this.#height, digestBytes(this.#rolling), this.#sum.bytes(), this.#nodes, this.#edges);
  }

  /** Forgets what was not committed. */
  reload(): void {
    this.#ids.clear();
    const row = this.#sql.readMeta.get();
    this.#height = row === undefined ? -1 : numberOf(row, "height");
    this.#rolling = row === undefined ? ZERO_DIGEST : digestOf(blobOf(row, "rolling"));
    this.#sum = row === undefined ? new RowSum() : RowSum.of(blobOf(row, "rows"));
    this.#nodes = row === undefined ? 0 : numberOf(row, "nodes");
    this.#edges = row === undefined ? 0 : numberOf(row, "edges");
  }

  /** The rows root, from the rows themselves: reads all of them (about 3 µs each). */
  fullRoot(): Digest {
    const sum = new RowSum();
    for (const row of this.#sql.allNodes.iterate()) sum.add(nodeDigest(nodeRowOf(row)));
    for (const row of this.#sql.allEdges.iterate()) sum.add(edgeDigest(edgeRowOf(row)));
    return digestOf(sum.bytes());
  }

  /** Whether the rows are those that were written. Refuses: PROJECTION_DAMAGED when any was edited, deleted or inserted; rebuild them. */
  verifyRows(): Result<Digest, Refusal<"PROJECTION_DAMAGED">> {
    const found = this.fullRoot();
    if (found === this.rowsRoot) return ok(found);
    return refuse(
      "PROJECTION_DAMAGED",
      `The graph's tables at height ${this.#height} are not those that were written; rebuild them.`,
      "none",
    );
  }

  /** Every life of a node, in the order of its id. */
  *nodeEntries(): Generator<NodeEntry> {
    for (const row of this.#sql.allNodes.iterate()) {
      const { kind, namespace, name, relationNamespace, relationName, ...life } = nodeRowOf(row);
      yield { kind, ...spanOf(life), namespace, name, relationNamespace, relationName };
    }
  }

  /** Every life of an edge, in the order of its id. */
  *edgeEntries(): Generator<EdgeEntry> {
    for (const row of this.#sql.allEdges.iterate()) {
      const { kind, parent, child, ...life } = edgeRowOf(row);
      yield { kind, ...spanOf(life), parent, child };
    }
  }

  /** Nodes of a checkpoint, in the order of `nodeEntries`. Returns what is wrong with them. */
  restoreNodes(entries: readonly NodeEntry[]): string | undefined {
    for (const { kind, from, to, namespace, name, relationNamespace, relationName } of entries) {
      const { id, fromHeight, fromIndex, toHeight, toIndex } = lifeRow((this.#nodes += 1), from, to);
      const row = {
        id,
        kind,
        namespace,
        name,
        relationNamespace,
        relationName,
        fromHeight,
        fromIndex,
        toHeight,
        toIndex,
      };
      const names = [namespace, name, relationNamespace, relationName];
      this.#sql.insertNode.run(id, kind, ...names, fromHeight, fromIndex, toHeight, toIndex);
      this.#sum.add(nodeDigest(row));
    }
    return undefined;
  }

  /** Edges of a checkpoint, after its nodes. Returns what is wrong with them. */
  restoreEdges(entries: readonly EdgeEntry[]): string | undefined {
    for (const { kind, from, to, parent, child } of entries) {
      if (parent > this.#nodes || child > this.#nodes) return "an edge joins nodes that are not there";
      const { id, fromHeight, fromIndex, toHeight, toIndex } = lifeRow((this.#edges += 1), from, to);
      this.#sql.insertEdge.run(id, kind, parent, child, fromHeight, fromIndex, toHeight, toIndex);
      this.#sum.add(edgeDigest({ id, kind, parent, child, fromHeight, fromIndex, toHeight, toIndex }));
    }
    return undefined;
  }

  /** Ends a restore: height and roots stand beside the rows. */
  restorePosition(height: Height, rolling: Digest): void {
    this.#height = height;
    this.#rolling = rolling;
    this.flush();
  }

  #apply(fact: GraphFact): void {
    switch (fact.kind) {
      case "namespaceAdded":
        return this.#openNode("namespace", namespaceNode(fact.namespace));
      case "namespaceDeleted":
        return this.#closeNode("namespace", namespaceNode(fact.namespace));
      case "relationAdded":
        return this.#openNode("relation", relationNode(fact.relation));
      case "relationDeleted":
        return this.#closeNode("relation", relationNode(fact.relation));
      case "subjectAdded":
        return this.#openNode("subject", fact.subject);
      case "subjectDeleted":
        return this.#closeNode("subject", fact.subject);
      case "objectAdded":
        return this.#openNode("object", fact.object);
      case "objectDeleted":
        return this.#closeNode("object", fact.object);
      case "assertionAdded":
        return this.#openEdge(
          "assertion",
          this.#idOf("subject", fact.assertion.subject),
          this.#idOf("object", fact.assertion.object),
        );
      case "assertionDeleted":
        return this.#closeEdge(
          "assertion",
          this.#idOf("subject", fact.assertion.subject),
          this.#idOf("object", fact.assertion.object),
        );
      case "subjectMapped":
        return this.#openEdge(
          "subjectMap",
          this.#idOf("subject", fact.edge.parent),
          this.#idOf("subject", fact.edge.child),
        );
      case "subjectUnmapped":
        return this.#closeEdge(
          "subjectMap",
          this.#idOf("subject", fact.edge.parent),
          this.#idOf("subject", fact.edge.child),
        );
      case "objectMapped":
        return this.#openEdge(
          "objectMap",
          this.#idOf("object", fact.edge.parent),
          this.#idOf("object", fact.edge.child),
        );
      case "objectUnmapped":
        return this.#closeEdge(
          "objectMap",
          this.#idOf("object", fact.edge.parent),
          this.#idOf("object", fact.edge.child),
        );
      case "relationMapped":
        return this.#openEdge("relationMap", this.#relationId(fact.edge.parent), this.#relationId(fact.edge.child));
      case "relationUnmapped":
        return this.#closeEdge("relationMap", this.#relationId(fact.edge.parent), this.#relationId(fact.edge.child));
      default:
        return unreachable(fact);
    }
  }

  #relationId(relation: Relation): number {
    return this.#idOf("relation", relationNode(relation));
  }

  #openNode(kind: NodeKind, node: GraphNode): void {
    this.#nodes += 1;
    const { height, index } = this.#at;
    const row = rowOf(this.#nodes, kind, node, { fromHeight: height, fromIndex: index, toHeight: OPEN, toIndex: 0 });
    const { namespace, name, relationNamespace, relationName } = row;
    this.#sql.insertNode.run(
      row.id,
      row.kind,
      namespace,
      name,
      relationNamespace,
      relationName,
      height,
      index,
      OPEN,
      0,
    );
    this.#remember(keyOf(kind, node), row.id);
    this.#came(nodeDigest(row));
  }

  #closeNode(kind: NodeKind, node: GraphNode): void {
    const id = this.#idOf(kind, node);
    const { height, index } = this.#at;
    const from = this.#sql.closeNode.get(height, index, id);
    const since = { fromHeight: numberOf(from, "from_height"), fromIndex: numberOf(from, "from_index") };
    this.#ids.delete(keyOf(kind, node));
    this.#went(nodeDigest(rowOf(id, kind, node, { ...since, toHeight: OPEN, toIndex: 0 })));
    this.#came(nodeDigest(rowOf(id, kind, node, { ...since, toHeight: height, toIndex: index })));
  }

  #openEdge(edgeKind: EdgeKind, parent: number, child: number): void {
    this.#edges += 1;
    const { height, index } = this.#at;
    const id = this.#edges;
    const kind = EDGE_KINDS[edgeKind];
    this.#sql.insertEdge.run(id, kind, parent, child, height, index, OPEN, 0);
    this.#came(
      edgeDigest({ id, kind, parent, child, fromHeight: height, fromIndex: index, toHeight: OPEN, toIndex: 0 }),
    );
  }

  #closeEdge(edgeKind: EdgeKind, parent: number, child: number): void {
    const { height, index } = this.#at;
    const kind = EDGE_KINDS[edgeKind];
    const closed = this.#sql.closeEdge.get(height, index, parent, kind, child);
    assert(closed !== undefined, "a fact takes away an edge that is there");
    const id = numberOf(closed, "id");
    const since = {
      id,
      kind,
      parent,
      child,
      fromHeight: numberOf(closed, "from_height"),
      fromIndex: numberOf(closed, "from_index"),
    };
    this.#went(edgeDigest({ ...since, toHeight: OPEN, toIndex: 0 }));
    this.#came(edgeDigest({ ...since, toHeight: height, toIndex: index }));
  }

  #came(digest: Digest): void {
    this.#sum.add(digest);
    this.#touched += digest;
  }

  #went(digest: Digest): void {
    this.#sum.subtract(digest);
  }

  #idOf(kind: NodeKind, node: GraphNode): number {
    const key = keyOf(kind, node);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const row = this.#sql.findNode.get(
      node.name,
      NODE_KINDS[kind],
      node.namespace,
      node.relation.name,
      node.relation.namespace,
    );
    assert(row !== undefined, "a fact names nodes that are there");
    const id = numberOf(row, "id");
    this.#remember(key, id);
    return id;
  }

  #remember(key: string, id: number): void {
    if (this.#ids.size >= REMEMBERED_MAX) this.#ids.clear();
    this.#ids.set(key, id);
  }
}

/** Names of facts have no control characters, so this joins no two nodes. */
const keyOf = (kind: NodeKind, { namespace, name, relation }: GraphNode): string =>
  `${NODE_KINDS[kind]}\0${namespace}\0${name}\0${relation.namespace}\0${relation.name}`;

type Span = Pick<NodeRow, "fromHeight" | "fromIndex" | "toHeight" | "toIndex">;
const rowOf = (id: number, kind: NodeKind, { namespace, name, relation }: GraphNode, span: Span): NodeRow => ({
  id,
  kind: NODE_KINDS[kind],
  namespace,
  name,
  relationNamespace: relation.namespace,
  relationName: relation.name,
  ...span,
});

const spanOf = ({ fromHeight, fromIndex, toHeight, toIndex }: Span) => ({
  from: { height: fromHeight, index: fromIndex },
  to: toHeight === OPEN ? null : { height: toHeight, index: toIndex },
});

const lifeRow = (id: number, from: NodeEntry["from"], to: NodeEntry["to"]): Span & { readonly id: number } => ({
  id,
  fromHeight: from.height,
  fromIndex: from.index,
  toHeight: to?.height ?? OPEN,
  toIndex: to?.index ?? 0,
});
