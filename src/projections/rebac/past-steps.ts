/** The graph of a past height, one step at a time, from the tables: what explanations of past checks walk. */
import { present } from "../../base/errors.ts";
import type { Height } from "../../base/brands.ts";
import type { Assertion, GraphNode, Relation } from "../../events/facts/graph.ts";
import type { GraphSteps } from "./graph-steps.ts";
import { NULL_RELATION, isNullRelation } from "./names.ts";
import { numberOf, textOf } from "./table-rows.ts";
import { EDGE_KINDS, NODE_KINDS, type stepStatements } from "./table-schema.ts";
import type { Side } from "./vocabulary.ts";

export type StepStatements = ReturnType<typeof stepStatements>;

export class PastSteps implements GraphSteps {
  readonly #sql: StepStatements;
  readonly #height: Height;
  readonly #check: (check: Assertion) => boolean;

  constructor(sql: StepStatements, height: Height, check: (check: Assertion) => boolean) {
    this.#sql = sql;
    this.#height = height;
    this.#check = check;
  }

  check(check: Assertion): boolean {
    return this.#check(check);
  }

  find(side: Side, node: GraphNode): number {
    return isNameable(node) ? this.#find(NODE_KINDS[side], node.namespace, node.name, node.relation) : 0;
  }

  nodeOf(_side: Side, id: number): GraphNode {
    return nodeOf(present(this.#sql.node.get({ id }), "an edge joins nodes that are there"));
  }

  mapped(side: Side, id: number, most: number): readonly number[] | undefined {
    return this.#ends("out", side === "subject" ? EDGE_KINDS.subjectMap : EDGE_KINDS.objectMap, id, most);
  }

  asserted(side: Side, id: number, most: number): readonly number[] | undefined {
    return this.#ends(side === "subject" ? "out" : "in", EDGE_KINDS.assertion, id, most);
  }

  holds(subject: number, object: number): boolean {
    return this.#sql.holds.get({ subject, object, height: this.#height }) !== undefined;
  }

  hasNamespace(namespace: string): boolean {
    if (namespace === "") return true;
    return namespace.isWellFormed() && this.#find(NODE_KINDS.namespace, namespace, "", NULL_RELATION) !== 0;
  }

  hasRelation(relation: Relation): boolean {
    if (isNullRelation(relation)) return true;
    if (!isNameableRelation(relation)) return false;
    return this.#find(NODE_KINDS.relation, relation.namespace, relation.name, NULL_RELATION) !== 0;
  }

  #find(kind: number, namespace: string, name: string, relation: Relation): number {
    const row = this.#sql.find.get({
      kind,
      namespace,
      name,
      relation_namespace: relation.namespace,
      relation_name: relation.name,
      height: this.#height,
    });
    return row === undefined ? 0 : numberOf(row, "id");
  }

  #ends(direction: "out" | "in", kind: number, id: number, most: number): readonly number[] | undefined {
    const rows = this.#sql[direction].all({ id, kind, height: this.#height, most: most + 1 });
    return rows.length > most ? undefined : rows.map((row) => numberOf(row, "id"));
  }
}

/** Half a surrogate pair would be bound as U+FFFD, and so find another node's name. */
export const isNameable = ({ namespace, name, relation }: GraphNode): boolean =>
  namespace.isWellFormed() && name.isWellFormed() && isNameableRelation(relation);

export const isNameableRelation = (relation: Relation): boolean =>
  relation.namespace.isWellFormed() && relation.name.isWellFormed();

/** A node as a row names it. */
export const nodeOf = (row: unknown): GraphNode => ({
  namespace: textOf(row, "namespace"),
  name: textOf(row, "name"),
  relation: { namespace: textOf(row, "relation_namespace"), name: textOf(row, "relation_name") },
});
