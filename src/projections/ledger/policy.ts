/** Sky's policy, read from its own graph: `sky:cluster#admin | write | read | gateway | legacy | audit | witness` (DESIGN §6). */
import type { Aid } from "../../base/brands.ts";
import type { FoundingDocument } from "../../events/facts/founding.ts";
import type { GraphChange, GraphNode } from "../../events/facts/graph.ts";
import type { GraphView } from "../rebac/live-graph.ts";
import { NULL_RELATION, POLICY_NAMESPACE, type PolicyRole, policyObject } from "../rebac/names.ts";

/** The identifier as a subject of the policy. */
export const policySubject = (aid: Aid): GraphNode => ({
  namespace: POLICY_NAMESPACE,
  name: aid,
  relation: NULL_RELATION,
});

export const hasRole = (graph: GraphView, aid: Aid, role: PolicyRole): boolean =>
  graph.check(policySubject(aid), policyObject(role));

/** Administrators may do whatever writers and readers may. */
export const mayWrite = (graph: GraphView, aid: Aid): boolean =>
  hasRole(graph, aid, "write") || hasRole(graph, aid, "admin");
export const mayRead = (graph: GraphView, aid: Aid): boolean =>
  hasRole(graph, aid, "read") || hasRole(graph, aid, "write") || hasRole(graph, aid, "admin");

/** What the founding document grants, as the changes that genesis makes. */
export function foundingPolicy(document: FoundingDocument): readonly GraphChange[] {
  const grant = (aid: Aid, role: PolicyRole): GraphChange => ({
    kind: "addAssertion",
    assertion: { subject: policySubject(aid), object: policyObject(role) },
  });
  return [
    ...document.founders.map(({ aid }) => grant(aid, "witness")),
    ...document.admins.map(({ aid }) => grant(aid, "admin")),
    ...document.gateways.map((aid) => grant(aid, "gateway")),
    ...document.clients.flatMap(({ aid }) => (["legacy", "write", "read"] as const).map((role) => grant(aid, role))),
  ];
}
