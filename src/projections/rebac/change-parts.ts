/** The names in a change or a fact, judged part by part. */
import { unreachable } from "../../base/errors.ts";
import type { GraphFact } from "../../events/facts/fact.ts";
import type { GraphChange, GraphNode, Relation } from "../../events/facts/graph.ts";
import { POLICY_NAMESPACE, isNullRelation, nameFault } from "./names.ts";
import { type GraphRefusal, NAME_FAULTS, refusal } from "./refusals.ts";

/** What is wrong with the names of a change. Refuses: NAME_TOO_LONG, NAME_ILL_FORMED, NAME_CONTROL_CHARACTER, NAME_EMPTY, RESERVED. */
export function judgeNames(change: GraphChange): GraphRefusal | undefined {
  switch (change.kind) {
    case "addNamespace":
      if (change.namespace === "")
        return refusal("NAME_EMPTY", "A namespace needs a name; the null one is always there.");
      return judgeName("namespace", change.namespace);
    case "deleteNamespace":
      if (change.namespace === "") return refusal("RESERVED", "The null namespace cannot be deleted; name another.");
      if (change.namespace === POLICY_NAMESPACE) {
        return refusal(
          "RESERVED",
          `The namespace ${POLICY_NAMESPACE} holds the cluster's policy and cannot be deleted.`,
        );
      }
      return judgeName("namespace", change.namespace);
    case "addRelation":
      return judgeNamedRelation(change.relation);
    case "deleteRelation":
      if (isNullRelation(change.relation))
        return refusal("RESERVED", "The null relation cannot be deleted; name another.");
      return judgeRelation(change.relation);
    case "addSubject":
    case "deleteSubject":
      return judgeNode("subject", change.subject);
    case "addObject":
    case "deleteObject":
      return judgeNode("object", change.object);
    case "addAssertion":
    case "deleteAssertion":
      return judgeNode("subject", change.assertion.subject) ?? judgeNode("object", change.assertion.object);
    case "mapRelation":
    case "unmapRelation":
      return judgeNamedRelation(change.edge.parent) ?? judgeNamedRelation(change.edge.child);
    case "mapSubject":
    case "unmapSubject":
      return judgeNode("subject", change.edge.parent) ?? judgeNode("subject", change.edge.child);
    case "mapObject":
    case "unmapObject":
      return judgeNode("object", change.edge.parent) ?? judgeNode("object", change.edge.child);
    default:
      return unreachable(change);
  }
}

export function judgeNode(what: "subject" | "object", node: GraphNode): GraphRefusal | undefined {
  if (node.name === "") return refusal("NAME_EMPTY", `The ${what} needs a name.`);
  return judgeName("namespace", node.namespace) ?? judgeName(what, node.name) ?? judgeRelation(node.relation);
}

function judgeNamedRelation(relation: Relation): GraphRefusal | undefined {
  return isNullRelation(relation)
    ? refusal("NAME_EMPTY", "The relation needs a name; the null one is always there.")
    : judgeRelation(relation);
}

function judgeRelation(relation: Relation): GraphRefusal | undefined {
  if (isNullRelation(relation)) return undefined;
  if (relation.name === "") return refusal("NAME_EMPTY", "A relation with a namespace needs a name too.");
  return judgeName("relation's namespace", relation.namespace) ?? judgeName("relation", relation.name);
}

function judgeName(what: string, name: string): GraphRefusal | undefined {
  const fault = nameFault(name);
  return fault === undefined ? undefined : refusal(fault, `The name of the ${what} ${NAME_FAULTS[fault]}.`);
}

const isInPolicy = (end: GraphNode | Relation): boolean =>
  end.namespace === POLICY_NAMESPACE || ("relation" in end && end.relation.namespace === POLICY_NAMESPACE);

/** Whether any name in a change or fact lies in the namespace of the cluster's policy. */
export function namesPolicy(part: GraphChange | GraphFact): boolean {
  if ("namespace" in part) return part.namespace === POLICY_NAMESPACE;
  if ("relation" in part) return isInPolicy(part.relation);
  if ("subject" in part) return isInPolicy(part.subject);
  if ("object" in part) return isInPolicy(part.object);
  if ("assertion" in part) return isInPolicy(part.assertion.subject) || isInPolicy(part.assertion.object);
  return isInPolicy(part.edge.parent) || isInPolicy(part.edge.child);
}
