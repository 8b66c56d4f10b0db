/**
 * Whether facts would change who has a role of the cluster (`sky:cluster#…`) without naming the policy: by moving members in or
 * out of a group that was granted a role, or by deleting it. Only an administrator may do that, or any writer could make itself
 * one. Deviates: oracle.md and DESIGN §6 speak of names in namespace `sky`; this closes the way around them.
 */
import type { GraphFact } from "../../events/facts/fact.ts";
import type { Budget } from "./budget.ts";
import { eachEdge } from "./edges-of.ts";
import { type EdgeTable, HIDDEN_FROM_WRITER } from "./edge-table.ts";
import type { GraphStore } from "./graph-store.ts";
import { POLICY_ROLES, policyObject } from "./names.ts";
import type { NodeTable } from "./vocabulary.ts";

export type PolicyReach = "none" | "reaches" | "limit";

/** Judges facts against the state before them. Bounds: the budget, one visit for each edge followed. */
export function policyReach(store: GraphStore, facts: readonly GraphFact[], budget: Budget): PolicyReach {
  const { subject, object, assertion, objectMap, subjectMap } = store;
  const roles = POLICY_ROLES.map((role) => object.find(policyObject(role), HIDDEN_FROM_WRITER)).filter(
    (id) => id !== 0,
  );
  if (roles.length === 0) return "none";
  const granted = climb(object, objectMap, roles, budget);
  if (granted === undefined) return "limit";
  const grantedIds = new Set(granted);
  const groups = new Set<number>();
  for (const fact of facts) {
    if (fact.kind === "assertionAdded" || fact.kind === "assertionDeleted") {
      if (grantedIds.has(object.find(fact.assertion.object, HIDDEN_FROM_WRITER))) return "reaches";
    } else if (fact.kind === "objectMapped" || fact.kind === "objectUnmapped") {
      if (grantedIds.has(object.find(fact.edge.parent, HIDDEN_FROM_WRITER))) return "reaches";
    } else if (fact.kind === "subjectMapped" || fact.kind === "subjectUnmapped") {
      const group = subject.find(fact.edge.child, HIDDEN_FROM_WRITER);
      if (group !== 0) groups.add(group);
    }
  }
  if (groups.size === 0) return "none";
  const above = climb(subject, subjectMap, [...groups], budget);
  if (above === undefined) return "limit";
  const holdsRole = above.some((id) => granted.some((role) => assertion.has(id, role, HIDDEN_FROM_WRITER)));
  return holdsRole ? "reaches" : "none";
}

/** The starts and everything reachable from them through maps; undefined when the budget ends first. */
function climb(
  nodes: NodeTable,
  maps: EdgeTable,
  starts: readonly number[],
  budget: Budget,
): readonly number[] | undefined {
  const generation = nodes.marks.begin();
  const { marks } = nodes.marks;
  const reached = [...starts];
  for (const start of starts) marks[start] = generation;
  for (let at = 0; at < reached.length; at++) {
    const current = reached[at] ?? 0;
    if (!budget.spend(maps.outDegree[current] ?? 0)) return undefined;
    eachEdge(maps, "out", current, (edge) => {
      const next = maps.toOf(edge);
      if (marks[next] === generation) return;
      marks[next] = generation;
      reached.push(next);
    });
  }
  return reached;
}
