/**
 * Judges one graph command: the facts that follow from it, or why it is refused.
 *
 * Preconditions come first, against the state before the command; then the changes in order, each seeing those before it; all
 * of them or none. Adding a node adds what it lies in and has: its namespace, its relation and its relation's namespace. An
 * assertion or a map adds its missing ends the same way. So whatever is there has its namespace and relation there, and
 * deleting one of these reaches everything in it. The null namespace and the null relation are always there and are never
 * facts. Deleting a node leaves the namespace and relation that came with it.
 * Nothing recurses. What a command may visit is bounded (budget.ts), and nothing here depends on the order of lists in memory,
 * which differs between a node that ran for a year and one that has just loaded its tables.
 */
import { unreachable } from "../../base/errors.ts";
import { type Result, ok } from "../../base/result.ts";
import type { GraphFact } from "../../events/facts/fact.ts";
import type {
  Assertion,
  GraphChange,
  GraphNode,
  GraphWrite,
  NodeEdge,
  Relation,
  RelationEdge,
} from "../../events/facts/graph.ts";
import type { BlockOverlay } from "./block-overlay.ts";
import { Budget } from "./budget.ts";
import { Cascade } from "./cascade.ts";
import { judgeNames, judgeNode, namesPolicy } from "./change-parts.ts";
import { findCycle } from "./cycle.ts";
import { HIDDEN_FROM_WRITER } from "./edge-table.ts";
import type { GraphStore } from "./graph-store.ts";
import {
  compareNodes,
  compareRelations,
  isNullRelation,
  policyObject,
  sameNode,
  sameRelation,
  showNode,
  showRelation,
} from "./names.ts";
import { policyReach } from "./policy-reach.ts";
import { type GraphRefusal, cycleRefusal, limitExceeded, refusal } from "./refusals.ts";
import type { Side } from "./vocabulary.ts";

export interface DecideOptions {
  /** Whether the author may touch the cluster's policy: an administrator, through `sky.oracle.v1`. */
  readonly mayChangePolicy: boolean;
}

export interface GraphDecision {
  readonly facts: readonly GraphFact[];
  /** For each change, whether it changed anything. */
  readonly changed: readonly boolean[];
}

/**
 * Judges a command in the block in work. When it is accepted its changes stand in the overlay, tentatively: the caller ends it
 * with `keepCommand` or `dropCommand`. When it is refused, or throws, nothing of it is left.
 * Refuses: every GraphRefusalCode.
 */
export function decide(
  overlay: BlockOverlay,
  write: GraphWrite,
  options: DecideOptions,
): Result<GraphDecision, GraphRefusal> {
  overlay.beginCommand();
  const judgement = new Judgement(overlay, options);
  let refused: GraphRefusal | undefined;
  let judged = false;
  try {
    refused = judgement.judge(write);
    judged = true;
  } finally {
    if (!judged || refused !== undefined) overlay.dropCommand();
  }
  return refused === undefined
    ? ok({ facts: judgement.facts, changed: judgement.changed })
    : { ok: false, refusal: refused };
}

const NOTHING: readonly GraphFact[] = [];
const POLICY_REFUSAL = refusal(
  "POLICY_FORBIDDEN",
  "The command touches the cluster's policy (namespace sky, or a group that was granted one of its roles); ask an administrator.",
);

/** Facts of one change, or why there are none. */
type Outcome = readonly GraphFact[] | GraphRefusal;
const isRefusal = (outcome: Outcome): outcome is GraphRefusal => "code" in outcome;

class Judgement {
  readonly facts: GraphFact[] = [];
  readonly changed: boolean[] = [];
  readonly #overlay: BlockOverlay;
  readonly #store: GraphStore;
  readonly #mayChangePolicy: boolean;
  readonly #budget = new Budget();

  constructor(overlay: BlockOverlay, options: DecideOptions) {
    this.#overlay = overlay;
    this.#store = overlay.store;
    this.#mayChangePolicy = options.mayChangePolicy;
  }

  judge(write: GraphWrite): GraphRefusal | undefined {
    if (write.changes.length === 0)
      return refusal("EMPTY_MESSAGE", "The command asks for no change; send at least one.");
    for (const [i, { kind, assertion }] of write.preconditions.entries()) {
      const fault = judgeNode("subject", assertion.subject) ?? judgeNode("object", assertion.object);
      if (fault !== undefined) return fault;
      if (!this.#mayChangePolicy && namesPolicy({ kind: "addAssertion", assertion })) return POLICY_REFUSAL;
      if (this.#overlay.holds(assertion) !== (kind === "mustExist")) return unmet(i, kind, assertion);
    }
    for (const change of write.changes) {
      const refused = this.#apply(change);
      if (refused !== undefined) return refused;
    }
    return undefined;
  }

  #apply(change: GraphChange): GraphRefusal | undefined {
    const policed = !this.#mayChangePolicy;
    const fault = judgeNames(change);
    if (policed && namesPolicy(change)) return POLICY_REFUSAL;
    if (fault !== undefined) return fault;
    const admins = this.#adminCount();
    const outcome = this.#outcomeOf(change);
    if (isRefusal(outcome)) return outcome;
    if (policed && outcome.length > 0) {
      if (outcome.some(namesPolicy)) return POLICY_REFUSAL;
      const reach = policyReach(this.#store, outcome, this.#budget);
      if (reach !== "none") return reach === "limit" ? limitExceeded() : POLICY_REFUSAL;
    }
    for (const fact of outcome) {
      this.#overlay.evolve(fact);
      this.facts.push(fact);
    }
    if (admins > 0 && this.#adminCount() === 0) {
      return refusal(
        "RESERVED",
        "The last assertion on sky:cluster#sky/admin cannot be removed; name another administrator first.",
      );
    }
    this.changed.push(outcome.length > 0);
    return undefined;
  }

  #outcomeOf(change: GraphChange): Outcome {
    switch (change.kind) {
      case "addNamespace":
        return this.#missingNamespace(change.namespace, []);
      case "deleteNamespace":
        return this.#deleteNamespace(change.namespace);
      case "addRelation":
        return this.#missingRelation(change.relation, []);
      case "deleteRelation":
        return this.#deleteRelation(change.relation);
      case "addSubject":
        return this.#missingNode("subject", change.subject, []);
      case "deleteSubject":
        return this.#deleteNode("subject", change.subject);
      case "addObject":
        return this.#missingNode("object", change.object, []);
      case "deleteObject":
        return this.#deleteNode("object", change.object);
      case "addAssertion":
        return this.#addAssertion(change.assertion);
      case "deleteAssertion":
        return this.#overlay.holds(change.assertion)
          ? [{ kind: "assertionDeleted", assertion: change.assertion }]
          : NOTHING;
      case "mapRelation":
        return this.#mapRelation(change.edge);
      case "unmapRelation":
        return this.#isRelationMapped(change.edge) ? [{ kind: "relationUnmapped", edge: change.edge }] : NOTHING;
      case "mapSubject":
        return this.#mapNode("subject", change.edge, { kind: "subjectMapped", edge: change.edge });
      case "unmapSubject":
        return this.#isNodeMapped("subject", change.edge) ? [{ kind: "subjectUnmapped", edge: change.edge }] : NOTHING;
      case "mapObject":
        return this.#mapNode("object", change.edge, { kind: "objectMapped", edge: change.edge });
      case "unmapObject":
        return this.#isNodeMapped("object", change.edge) ? [{ kind: "objectUnmapped", edge: change.edge }] : NOTHING;
      default:
        return unreachable(change);
    }
  }

  #missingNamespace(namespace: string, facts: GraphFact[]): GraphFact[] {
    const promised = facts.some((fact) => fact.kind === "namespaceAdded" && fact.namespace === namespace);
    if (!promised && this.#store.namespace(namespace, HIDDEN_FROM_WRITER) === undefined)
      facts.push({ kind: "namespaceAdded", namespace });
    return facts;
  }

  #missingRelation(relation: Relation, facts: GraphFact[]): GraphFact[] {
    const promised = facts.some((fact) => fact.kind === "relationAdded" && sameRelation(fact.relation, relation));
    if (promised || this.#store.relation(relation, HIDDEN_FROM_WRITER) !== undefined) return facts;
    this.#missingNamespace(relation.namespace, facts);
    facts.push({ kind: "relationAdded", relation });
    return facts;
  }

  #missingNode(side: Side, node: GraphNode, facts: GraphFact[]): GraphFact[] {
    if (this.#idOf(side, node) !== 0) return facts;
    this.#missingNamespace(node.namespace, facts);
    if (!isNullRelation(node.relation)) this.#missingRelation(node.relation, facts);
    facts.push(side === "subject" ? { kind: "subjectAdded", subject: node } : { kind: "objectAdded", object: node });
    return facts;
  }

  #addAssertion(assertion: Assertion): Outcome {
    if (this.#overlay.holds(assertion)) return NOTHING;
    const facts = this.#missingNode("subject", assertion.subject, []);
    this.#missingNode("object", assertion.object, facts);
    facts.push({ kind: "assertionAdded", assertion });
    return facts;
  }

  #mapNode(side: Side, edge: NodeEdge, mapped: GraphFact): Outcome {
    if (sameNode(edge.parent, edge.child)) return cycleRefusal(showNode(edge.parent), [showNode(edge.child)]);
    if (this.#isNodeMapped(side, edge)) return NOTHING;
    const parent = this.#idOf(side, edge.parent);
    const child = this.#idOf(side, edge.child);
    const nodes = this.#store[side];
    if (parent !== 0 && child !== 0) {
      const byName = (a: number, b: number): number => compareNodes(nodes.nodeOf(a), nodes.nodeOf(b));
      const search = findCycle(this.#mapsOf(side), nodes.marks, { parent, child }, this.#budget, byName);
      if (search.kind === "limit") return limitExceeded();
      if (search.kind === "cycle")
        return cycleRefusal(
          showNode(edge.parent),
          search.path.map((id) => showNode(nodes.nodeOf(id))),
        );
    }
    const facts = this.#missingNode(side, edge.parent, []);
    this.#missingNode(side, edge.child, facts);
    facts.push(mapped);
    return facts;
  }

  #mapRelation(edge: RelationEdge): Outcome {
    if (sameRelation(edge.parent, edge.child))
      return cycleRefusal(showRelation(edge.parent), [showRelation(edge.child)]);
    if (this.#isRelationMapped(edge)) return NOTHING;
    const { vocabulary, relationMap } = this.#store;
    const parent = this.#store.relation(edge.parent, HIDDEN_FROM_WRITER);
    const child = this.#store.relation(edge.child, HIDDEN_FROM_WRITER);
    if (parent !== undefined && child !== undefined) {
      const named = (id: number): Relation => vocabulary.relationById(id).relation;
      const byName = (a: number, b: number): number => compareRelations(named(a), named(b));
      const search = findCycle(
        relationMap,
        vocabulary.marks,
        { parent: parent.id, child: child.id },
        this.#budget,
        byName,
      );
      if (search.kind === "limit") return limitExceeded();
      if (search.kind === "cycle")
        return cycleRefusal(
          showRelation(edge.parent),
          search.path.map((id) => showRelation(named(id))),
        );
    }
    const facts = this.#missingRelation(edge.parent, []);
    this.#missingRelation(edge.child, facts);
    facts.push({ kind: "relationMapped", edge });
    return facts;
  }

  #deleteNamespace(namespace: string): Outcome {
    const entry = this.#store.namespace(namespace, HIDDEN_FROM_WRITER);
    if (entry === undefined) return NOTHING;
    const cascade = new Cascade(this.#store, this.#budget);
    cascade.takeNamespace(entry);
    return cascade.facts() ?? limitExceeded();
  }

  #deleteRelation(relation: Relation): Outcome {
    const entry = this.#store.relation(relation, HIDDEN_FROM_WRITER);
    if (entry === undefined) return NOTHING;
    const cascade = new Cascade(this.#store, this.#budget);
    cascade.takeRelation(entry);
    return cascade.facts() ?? limitExceeded();
  }

  #deleteNode(side: Side, node: GraphNode): Outcome {
    const id = this.#idOf(side, node);
    if (id === 0) return NOTHING;
    const cascade = new Cascade(this.#store, this.#budget);
    cascade.takeNode(side, id);
    return cascade.facts() ?? limitExceeded();
  }

  #idOf(side: Side, node: GraphNode): number {
    return this.#store[side].find(node, HIDDEN_FROM_WRITER);
  }

  #mapsOf(side: Side) {
    return side === "subject" ? this.#store.subjectMap : this.#store.objectMap;
  }

  #isNodeMapped(side: Side, edge: NodeEdge): boolean {
    const parent = this.#idOf(side, edge.parent);
    const child = this.#idOf(side, edge.child);
    return parent !== 0 && child !== 0 && this.#mapsOf(side).has(parent, child, HIDDEN_FROM_WRITER);
  }

  #isRelationMapped(edge: RelationEdge): boolean {
    const parent = this.#store.relation(edge.parent, HIDDEN_FROM_WRITER);
    const child = this.#store.relation(edge.child, HIDDEN_FROM_WRITER);
    return (
      parent !== undefined &&
      child !== undefined &&
      this.#store.relationMap.has(parent.id, child.id, HIDDEN_FROM_WRITER)
    );
  }

  /** Direct assertions on the object that makes administrators. */
  #adminCount(): number {
    return this.#store.assertion.inDegree[this.#idOf("object", ADMIN)] ?? 0;
  }
}

const ADMIN = policyObject("admin");

function unmet(i: number, kind: "mustExist" | "mustNotExist", { subject, object }: Assertion): GraphRefusal {
  const found = kind === "mustExist" ? "is not there" : "is there";
  const sentence = `Precondition ${i} does not hold: the assertion of ${showNode(subject)} on ${showNode(object)} ${found}. Read again, then decide anew.`;
  return refusal("PRECONDITION_FAILED", sentence);
}
