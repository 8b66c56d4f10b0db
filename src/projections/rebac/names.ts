/** Names of the graph: what may be a name, how names are ordered, and how sentences show them. Source: oracle.md, "What it means". */
import { type GraphNode, type Relation, NAME_BYTES_MAX } from "../../events/facts/graph.ts";

/** The relation of a node that has none. */
export const NULL_RELATION: Relation = Object.freeze({ namespace: "", name: "" });

/** Namespace of Sky's own policy (DESIGN §6). */
export const POLICY_NAMESPACE = "sky";
export const POLICY_ROLES = ["admin", "write", "read", "gateway", "legacy", "audit", "witness"] as const;
export type PolicyRole = (typeof POLICY_ROLES)[number];

/** The object `sky:cluster#role`; its relation lies in namespace `sky` too. Whoever passes `check` on it has the role. */
export const policyObject = (role: PolicyRole): GraphNode => ({
  namespace: POLICY_NAMESPACE,
  name: "cluster",
  relation: { namespace: POLICY_NAMESPACE, name: role },
});

export type NameFault = "NAME_TOO_LONG" | "NAME_ILL_FORMED" | "NAME_CONTROL_CHARACTER";

/** What is wrong with a name, in the order its characters come; undefined when nothing is. Bounds: 1,024 UTF-8 bytes. */
export function nameFault(text: string): NameFault | undefined {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) return "NAME_CONTROL_CHARACTER";
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 3;
    else {
      const low = text.charCodeAt(i + 1);
      if (unit > 0xdbff || !(low >= 0xdc00 && low <= 0xdfff)) return "NAME_ILL_FORMED";
      i += 1;
      bytes += 4;
    }
  }
  return bytes > NAME_BYTES_MAX ? "NAME_TOO_LONG" : undefined;
}

/**
 * Order of the UTF-8 bytes of two well-formed strings, without encoding them: the order of UTF-16 units, except that
 * surrogates (code points beyond U+FFFF) come after every other unit.
 */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

const rank = (unit: number): number =>
  unit >= 0xd800 && unit <= 0xdfff ? unit + 0x2000 : unit >= 0xe000 ? unit - 0x800 : unit;

/** By namespace, then name. */
export const compareRelations = (a: Relation, b: Relation): number =>
  a === b ? 0 : compareNames(a.namespace, b.namespace) || compareNames(a.name, b.name);

/** By namespace, name, relation namespace, relation name: the order of every list of nodes that leaves the graph. */
export const compareNodes = (a: GraphNode, b: GraphNode): number =>
  compareNames(a.namespace, b.namespace) || compareNames(a.name, b.name) || compareRelations(a.relation, b.relation);

export const sameRelation = (a: Relation, b: Relation): boolean => a.namespace === b.namespace && a.name === b.name;

export const sameNode = (a: GraphNode, b: GraphNode): boolean =>
  a.name === b.name && a.namespace === b.namespace && sameRelation(a.relation, b.relation);

export const isNullRelation = (relation: Relation): boolean => relation.name === "" && relation.namespace === "";

/** Units a name may take in a sentence: refusals are facts, and facts are small. */
const SHOWN_UNITS_MAX = 48;

/** A name as sentences show it: cut at a whole character. Only for names without fault. */
export function showName(name: string): string {
  if (name.length <= SHOWN_UNITS_MAX) return name;
  const last = name.charCodeAt(SHOWN_UNITS_MAX - 1);
  const whole = last >= 0xd800 && last <= 0xdbff ? SHOWN_UNITS_MAX - 1 : SHOWN_UNITS_MAX;
  return `${name.slice(0, whole)}…`;
}

export const showRelation = (relation: Relation): string =>
  relation.namespace === "" ? showName(relation.name) : `${showName(relation.namespace)}/${showName(relation.name)}`;

/** `namespace:name#relation`, without the parts that are null. */
export function showNode(node: GraphNode): string {
  const space = node.namespace === "" ? "" : `${showName(node.namespace)}:`;
  const relation = isNullRelation(node.relation) ? "" : `#${showRelation(node.relation)}`;
  return `${space}${showName(node.name)}${relation}`;
}
