/**
 * The ReBAC graph of any height as a picture: what lies around a focus, or what the log brought first. Read from the projection's
 * tables, where every node and edge has the heights of its life, so that a node, a recording and a copied directory show the same.
 */
import type { GraphNode } from "../../events/facts/graph.ts";
import type { SqlDatabase } from "../../projections/rebac/sql-database.ts";
import { numberOf, textOf } from "../../projections/rebac/table-rows.ts";
import { EDGE_KINDS, NODE_KINDS, createTables } from "../../projections/rebac/table-schema.ts";
import { formatNode } from "../cli/graph-text.ts";
import type { GraphLink, GraphPicture, GraphPoint } from "./contract.ts";

/** Edges looked at for each node and direction, and shown for each point allowed: a hub must not hold up everybody else. */
const EDGES_PER_POINT_MAX = 4;
/** Edges read for each point allowed, on the way and for links, each: of 2,000 points a quarter of a second of the projector's thread. */
const READ_PER_POINT_MAX = 64;

const ALIVE = "from_height <= @height AND to_height > @height";
const NAMES = "id, kind, namespace, name, relation_namespace, relation_name";

const LINK_KINDS: Readonly<Record<number, GraphLink["kind"]>> = {
  [EDGE_KINDS.assertion]: "assertion",
  [EDGE_KINDS.subjectMap]: "subjectMapped",
  [EDGE_KINDS.objectMap]: "objectMapped",
  [EDGE_KINDS.relationMap]: "relationMapped",
};
const POINT_KINDS: Readonly<Record<number, GraphPoint["kind"]>> = {
  [NODE_KINDS.subject]: "subject",
  [NODE_KINDS.object]: "object",
  [NODE_KINDS.relation]: "relation",
};

const statementsOf = (db: SqlDatabase) => ({
  /** In the order in which the log brought them; relations only where they are mapped, since every node names its own. */
  first: db.prepare(
    `SELECT ${NAMES} FROM rebac_node WHERE ${ALIVE} AND (kind IN (${NODE_KINDS.subject}, ${NODE_KINDS.object}) OR kind = ${NODE_KINDS.relation} AND EXISTS
       (SELECT 1 FROM rebac_edge AS map WHERE map.kind = ${EDGE_KINDS.relationMap} AND (map.parent = rebac_node.id OR map.child = rebac_node.id)
          AND map.from_height <= @height AND map.to_height > @height)) ORDER BY id LIMIT @limit`,
  ),
  named: db.prepare(
    `SELECT ${NAMES} FROM rebac_node WHERE name = @name AND kind IN (${NODE_KINDS.subject}, ${NODE_KINDS.object}, ${NODE_KINDS.relation}) AND ${ALIVE}
       AND (@namespace IS NULL OR namespace = @namespace) AND (@relation IS NULL OR relation_name = @relation)
       AND (@relation_namespace IS NULL OR relation_namespace = @relation_namespace) ORDER BY id LIMIT @limit`,
  ),
  inNamespace: db.prepare(
    `SELECT ${NAMES} FROM rebac_node WHERE namespace = @namespace AND kind IN (${NODE_KINDS.subject}, ${NODE_KINDS.object}) AND ${ALIVE} ORDER BY id LIMIT @limit`,
  ),
  node: db.prepare(`SELECT ${NAMES} FROM rebac_node WHERE id = ?`),
  out: db.prepare(`SELECT id, kind, parent, child FROM rebac_edge WHERE parent = @node AND ${ALIVE} LIMIT @limit`),
  in: db.prepare(`SELECT id, kind, parent, child FROM rebac_edge WHERE child = @node AND ${ALIVE} LIMIT @limit`),
});

/** What a focus asks for: the parts that it gives. */
export interface Focus {
  readonly namespace: string | null;
  /** Null: everything in the namespace. */
  readonly name: string | null;
  readonly relation: { readonly namespace: string | null; readonly name: string } | null;
}

/** `NAMESPACE:NAME#RELATION` as the command line writes it, or only `NAME`, `NAMESPACE:NAME`, `NAME#RELATION`, `NAMESPACE:`. Undefined: none of these. */
export function readFocus(text: string): Focus | undefined {
  const [head = "", tail, more] = text.split("#");
  const node = qualified(head);
  const relation = tail === undefined ? null : qualified(tail);
  if (more !== undefined || node === undefined || relation === undefined) return undefined;
  if (relation !== null && (relation.name === null || node.name === null)) return undefined;
  if (node.name === null && (node.namespace ?? "") === "") return undefined;
  return { ...node, relation: relation === null ? null : { namespace: relation.namespace, name: relation.name ?? "" } };
}

function qualified(text: string): { namespace: string | null; name: string | null } | undefined {
  const parts: string[] = [];
  for (const part of text.split(":")) {
    try {
      parts.push(decodeURIComponent(part));
    } catch {
      return undefined;
    }
  }
  const [first = "", second] = parts;
  if (parts.length > 2) return undefined;
  if (second === undefined) return first === "" ? undefined : { namespace: null, name: first };
  return { namespace: first, name: second === "" ? null : second };
}

type Way = "out" | "in";

interface Edge {
  readonly id: number;
  readonly kind: number;
  readonly parent: number;
  readonly child: number;
}

export class GraphPictures {
  readonly #sql: ReturnType<typeof statementsOf>;

  constructor(db: SqlDatabase) {
    createTables(db);
    this.#sql = statementsOf(db);
  }

  /**
   * What is within the fewest steps of whatever the focus names, along edges of either direction; without one, what the log brought
   * first. The same tables give the same picture. Bounds: `limit` points, EDGES_PER_POINT_MAX times as many links, READ_PER_POINT_MAX times
   * as many edges read.
   */
  picture(height: number, focus: Focus | null, limit: number): GraphPicture {
    const found = new Map<number, GraphPoint>();
    const edgesMax = EDGES_PER_POINT_MAX * limit;
    let truncated = false;
    const add = (row: unknown): number | undefined => {
      const id = numberOf(row, "id");
      if (found.has(id)) return undefined;
      if (found.size >= limit) {
        truncated = true;
        return undefined;
      }
      found.set(id, pointOf(row));
      return id;
    };
    const budget = { edges: READ_PER_POINT_MAX * limit };
    const looked = (node: number, ways: readonly Way[], left: { edges: number }): readonly Edge[] => {
      const most = Math.min(edgesMax, left.edges);
      const edges = most <= 0 ? [] : ways.flatMap((way) => this.#edgesFrom(way, height, node, most));
      left.edges -= edges.length;
      truncated ||= edges.length >= most;
      return edges;
    };
    const seeds = this.#seeds(height, focus, limit + 1).flatMap((row) => add(row) ?? []);
    if (focus !== null)
      for (let frontier = seeds; frontier.length > 0 && !truncated; ) {
        const others = frontier.flatMap((node) =>
          looked(node, ["out", "in"], budget).map(({ parent, child }) => (parent === node ? child : parent)),
        );
        frontier = [...new Set(others)].flatMap((id) => (found.has(id) ? [] : (add(this.#sql.node.get(id)) ?? [])));
      }
    const links: GraphLink[] = [];
    const ofLinks = { edges: READ_PER_POINT_MAX * limit };
    for (const [id, point] of found) {
      for (const { kind, child } of looked(id, ["out"], ofLinks)) {
        const to = found.get(child)?.id;
        if (to !== undefined) links.push({ from: point.id, to, kind: LINK_KINDS[kind] ?? "assertion" });
      }
    }
    const isMuch = links.length > edgesMax;
    return { height, points: [...found.values()], links: links.slice(0, edgesMax), truncated: truncated || isMuch };
  }

  #seeds(height: number, focus: Focus | null, limit: number): readonly unknown[] {
    if (focus === null) return this.#sql.first.all({ height, limit });
    const { namespace, name, relation } = focus;
    if (name === null) return this.#sql.inNamespace.all({ height, namespace, limit });
    // A relation stands in its node's namespace unless it names its own, as the command line has it.
    const relationNamespace = relation === null ? null : (relation.namespace ?? namespace);
    const parts = { namespace, name, relation: relation?.name ?? null, relation_namespace: relationNamespace };
    return this.#sql.named.all({ height, limit, ...parts });
  }

  #edgesFrom(direction: Way, height: number, node: number, limit: number): readonly Edge[] {
    const rows = this.#sql[direction].all({ height, node, limit });
    const edges = rows.map((row) => ({
      id: numberOf(row, "id"),
      kind: numberOf(row, "kind"),
      parent: numberOf(row, "parent"),
      child: numberOf(row, "child"),
    }));
    return edges.sort((a, b) => a.id - b.id);
  }
}

/** A row of rebac_node that is no namespace. */
export const nodeOfRow = (row: unknown): GraphNode => ({
  namespace: textOf(row, "namespace"),
  name: textOf(row, "name"),
  relation: { namespace: textOf(row, "relation_namespace"), name: textOf(row, "relation_name") },
});

function pointOf(row: unknown): GraphPoint {
  const kind = POINT_KINDS[numberOf(row, "kind")] ?? "subject";
  return pointOfNode(kind, nodeOfRow(row));
}

/** The point of a node: its id is its kind and how the command line writes it. */
export function pointOfNode(kind: GraphPoint["kind"], node: GraphNode): GraphPoint {
  const { namespace, name, relation } = node;
  const own =
    relation.namespace === namespace || relation.name === "" ? relation.name : `${relation.namespace}:${relation.name}`;
  return { id: `${kind} ${formatNode(node)}`, kind, namespace, name, relation: own };
}
