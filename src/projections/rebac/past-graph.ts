/** Questions about any past height, answered from the tables: the graph as the block of that height left it. Source: DESIGN §5. */
import type { Height } from "../../base/brands.ts";
import type { Assertion, GraphNode, Relation } from "../../events/facts/graph.ts";
import { type ExplainBounds, type Explanation, explain } from "./explain.ts";
import { compareNodes, sameNode } from "./names.ts";
import { type StepStatements, PastSteps, isNameable, isNameableRelation, nodeOf } from "./past-steps.ts";
import type { SqlDatabase, SqlParameters } from "./sql-database.ts";
import { numberOf } from "./table-rows.ts";
import { OPEN, createTables, historyStatements, stepStatements } from "./table-schema.ts";

/** A command's place in the log. */
export interface Place {
  readonly height: number;
  readonly index: number;
}

/** One stretch of heights in which an assertion was there, and whose commands began and ended it. */
export interface AssertionLife {
  readonly added: Place;
  /** Null while it lasts. */
  readonly removed: Place | null;
}

export class PastGraph {
  readonly #sql: ReturnType<typeof historyStatements>;
  readonly #steps: StepStatements;

  constructor(db: SqlDatabase) {
    createTables(db);
    this.#sql = historyStatements(db);
    this.#steps = stepStatements(db);
  }

  checkAt(height: Height, subject: GraphNode, object: GraphNode): boolean {
    if (!isNameable(subject) || !isNameable(object)) return false;
    return this.#sql.check.get({ height, ...named("subject", subject), ...named("object", object) }) !== undefined;
  }

  /** Why a check was true at a height, or what there was to try. */
  explainAt(height: Height, check: Assertion, bounds: ExplainBounds): Explanation {
    const steps = new PastSteps(this.#steps, height, ({ subject, object }) => this.checkAt(height, subject, object));
    return explain(steps, check, bounds);
  }

  readSubjectsAt(height: Height, objects: readonly GraphNode[], predicate?: Relation): readonly GraphNode[] {
    return this.#readAt("subject", height, objects, predicate);
  }

  readObjectsAt(height: Height, subjects: readonly GraphNode[], predicate?: Relation): readonly GraphNode[] {
    return this.#readAt("object", height, subjects, predicate);
  }

  expandSubjectsAt(height: Height, object: GraphNode, predicate?: Relation): readonly GraphNode[] {
    if (!isNameable(object) || !isRelation(predicate)) return [];
    return this.#sql.expand.subject.all({ height, ...named("given", object), ...filter(predicate) }).map(nodeOf);
  }

  expandObjectsAt(height: Height, subject: GraphNode, predicate?: Relation): readonly GraphNode[] {
    if (!isNameable(subject) || !isRelation(predicate)) return [];
    return this.#sql.expand.object.all({ height, ...named("given", subject), ...filter(predicate) }).map(nodeOf);
  }

  /** Every life of an assertion, oldest first: since when it holds, by which command, and when it did before. */
  assertionHistory({ subject, object }: Assertion): readonly AssertionLife[] {
    if (!isNameable(subject) || !isNameable(object)) return [];
    return this.#sql.history.all({ ...named("subject", subject), ...named("object", object) }).map((row) => {
      const toHeight = numberOf(row, "to_height");
      return {
        added: { height: numberOf(row, "from_height"), index: numberOf(row, "from_index") },
        removed: toHeight === OPEN ? null : { height: toHeight, index: numberOf(row, "to_index") },
      };
    });
  }

  #readAt(
    asked: "subject" | "object",
    height: Height,
    given: readonly GraphNode[],
    predicate: Relation | undefined,
  ): readonly GraphNode[] {
    if (!isRelation(predicate)) return [];
    const found = given
      .filter(isNameable)
      .flatMap((node) =>
        this.#sql.read[asked].all({ height, ...named("given", node), ...filter(predicate) }).map(nodeOf),
      );
    if (given.length <= 1) return found;
    found.sort(compareNodes);
    return found.filter((node, i) => {
      const before = found[i - 1];
      return before === undefined || !sameNode(before, node);
    });
  }
}

const isRelation = (relation: Relation | undefined): boolean => relation === undefined || isNameableRelation(relation);

const named = (prefix: string, { namespace, name, relation }: GraphNode): SqlParameters => ({
  [`${prefix}_namespace`]: namespace,
  [`${prefix}_name`]: name,
  [`${prefix}_relation_namespace`]: relation.namespace,
  [`${prefix}_relation_name`]: relation.name,
});

const filter = (predicate: Relation | undefined): SqlParameters => ({
  filtered: predicate === undefined ? 0 : 1,
  predicate_namespace: predicate?.namespace ?? "",
  predicate_name: predicate?.name ?? "",
});
