/** Every change to a node of the graph, a namespace or an identifier, each with the act that made it. */
import type { Aid } from "../../../src/base/brands.ts";
import { unreachable } from "../../../src/base/errors.ts";
import type { Fact, FactData, GraphFact } from "../../../src/events/facts/fact.ts";
import type { GraphNode, Relation } from "../../../src/events/facts/graph.ts";
import { policySubject } from "../../../src/projections/ledger/policy.ts";
import { sameNode } from "../../../src/projections/rebac/names.ts";
import type { ReplayedBlock } from "../replayed.ts";
import { isGraphFact } from "./graph-facts.ts";
import { type Origin, originsOf } from "./origin.ts";

/** What is looked for: whatever fits one of them. */
export interface Target {
  /** A subject or object of this name. */
  readonly node?: GraphNode;
  /** Anything in it: nodes, relations, and itself. */
  readonly namespace?: string;
  /** Its key events, certificates, and what it was granted of the policy. */
  readonly aid?: Aid;
}

export interface Change {
  readonly fact: Fact;
  readonly origin: Origin;
}

/** In the order of the log. */
export function* changesIn(block: ReplayedBlock, target: Target): Generator<Change> {
  let originAt: ((index: number) => Origin) | undefined;
  for (const fact of block.facts) {
    if (!concerns(fact.data, target)) continue;
    originAt ??= originsOf(block);
    yield { fact, origin: originAt(fact.index) };
  }
}

function concerns(data: FactData, target: Target): boolean {
  if (isGraphFact(data)) return graphConcerns(data, target);
  const { aid } = target;
  if (aid === undefined) return false;
  switch (data.kind) {
    case "identifierIncepted":
    case "keyEventAccepted":
    case "keyEventEscrowed":
    case "keyEventDropped":
    case "keriReceiptAdded":
    case "keyEventForked":
    case "keriReplyAccepted":
      return data.aid === aid;
    case "certificateIssued":
    case "certificateRevoked":
      return data.record.aid === aid;
    case "commandExecuted":
    case "commandRefused":
    case "batchRefused":
    case "checkpointOrdered":
      return false; // what somebody did, or asked for: acts.ts
    default:
      return unreachable(data);
  }
}

function graphConcerns(fact: GraphFact, { node, namespace, aid }: Target): boolean {
  const { nodes, relations, named } = partsOf(fact);
  if (node !== undefined && nodes.some((part) => sameNode(part, node))) return true;
  if (aid !== undefined && nodes.some((part) => sameNode(part, policySubject(aid)))) return true;
  if (namespace === undefined) return false;
  return (
    named === namespace ||
    nodes.some((part) => part.namespace === namespace || part.relation.namespace === namespace) ||
    relations.some((part) => part.namespace === namespace)
  );
}

interface Parts {
  readonly nodes: readonly GraphNode[];
  readonly relations: readonly Relation[];
  readonly named?: string;
}

function partsOf(fact: GraphFact): Parts {
  switch (fact.kind) {
    case "namespaceAdded":
    case "namespaceDeleted":
      return { nodes: [], relations: [], named: fact.namespace };
    case "relationAdded":
    case "relationDeleted":
      return { nodes: [], relations: [fact.relation] };
    case "relationMapped":
    case "relationUnmapped":
      return { nodes: [], relations: [fact.edge.parent, fact.edge.child] };
    case "subjectAdded":
    case "subjectDeleted":
      return { nodes: [fact.subject], relations: [] };
    case "objectAdded":
    case "objectDeleted":
      return { nodes: [fact.object], relations: [] };
    case "assertionAdded":
    case "assertionDeleted":
      return { nodes: [fact.assertion.subject, fact.assertion.object], relations: [] };
    default:
      return { nodes: [fact.edge.parent, fact.edge.child], relations: [] };
  }
}
