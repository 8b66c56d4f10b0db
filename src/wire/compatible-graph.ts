/** Between the messages of com.hellblazer.delphi.v1 and the graph's own types. */
import { type Result, ok, refuse } from "../base/result.ts";
import type { Assertion, GraphNode, NodeEdge, Relation, RelationEdge } from "../events/facts/graph.ts";
import type * as Delphi from "./generated/com/hellblazer/delphi/v1/oracle.ts";

/** Shape that Subject_ and Object_ share. */
type NodeMessage = Delphi.Subject;

const NULL_RELATION: Relation = { namespace: "", name: "" };

const EMPTY = refuse("EMPTY_MESSAGE", "The message is empty or names nothing; fill in what the call needs.");
const NAMELESS = refuse("NAME_EMPTY", "A subject or object has no name; only namespace and relation may be left out.");
const INCOMPLETE = refuse(
  "RELATION_INCOMPLETE",
  "A relation has a namespace but no name; give both, or neither for the null relation.",
);

/** An absent message, an empty one and "" are the same null relation. Refuses: RELATION_INCOMPLETE. */
export function relationOf(message: Delphi.Relation | undefined): Result<Relation> {
  if (message === undefined) return ok(NULL_RELATION);
  const namespace = message.namespace === undefined ? "" : message.namespace.name;
  if (message.name === "" && namespace !== "") return INCOMPLETE;
  return ok({ namespace, name: message.name });
}

/** A relation that must not be null. Refuses: EMPTY_MESSAGE, RELATION_INCOMPLETE. */
export function namedRelationOf(message: Delphi.Relation | undefined): Result<Relation> {
  const relation = relationOf(message);
  return relation.ok && relation.value.name === "" ? EMPTY : relation;
}

/** Refuses: EMPTY_MESSAGE, NAME_EMPTY, RELATION_INCOMPLETE. */
export function nodeOf(message: NodeMessage | undefined): Result<GraphNode> {
  if (message === undefined) return EMPTY;
  const relation = relationOf(message.relation);
  if (!relation.ok) return relation;
  const namespace = message.namespace === undefined ? "" : message.namespace.name;
  if (message.name === "") return namespace === "" && relation.value.name === "" ? EMPTY : NAMELESS;
  return ok({ namespace, name: message.name, relation: relation.value });
}

/** Refuses: EMPTY_MESSAGE, and what nodeOf refuses. */
export function assertionOf(message: Delphi.Assertion | undefined): Result<Assertion> {
  if (message === undefined) return EMPTY;
  const subject = nodeOf(message.subject);
  if (!subject.ok) return subject;
  const object = nodeOf(message.object);
  if (!object.ok) return object;
  return ok({ subject: subject.value, object: object.value });
}

export function namespaceOf(message: Delphi.Namespace): Result<string> {
  return message.name === "" ? EMPTY : ok(message.name);
}

export function nodeEdgeOf(message: {
  readonly parent: NodeMessage | undefined;
  readonly child: NodeMessage | undefined;
}): Result<NodeEdge> {
  const parent = nodeOf(message.parent);
  if (!parent.ok) return parent;
  const child = nodeOf(message.child);
  if (!child.ok) return child;
  return ok({ parent: parent.value, child: child.value });
}

export function relationEdgeOf(message: Delphi.RelationMap): Result<RelationEdge> {
  const parent = namedRelationOf(message.parent);
  if (!parent.ok) return parent;
  const child = namedRelationOf(message.child);
  if (!child.ok) return child;
  return ok({ parent: parent.value, child: child.value });
}

/** Nodes that one read may ask about. */
export const NODES_PER_READ_MAX = 10_000;

/** Refuses: EMPTY_MESSAGE for none, TOO_MANY beyond 10,000, and what nodeOf refuses. */
export function nodesOf(messages: readonly NodeMessage[]): Result<readonly GraphNode[]> {
  if (messages.length === 0) return EMPTY;
  if (messages.length > NODES_PER_READ_MAX)
    return refuse(
      "TOO_MANY",
      `The call lists ${messages.length} nodes; ask for at most ${NODES_PER_READ_MAX} at a time.`,
    );
  const nodes: GraphNode[] = [];
  for (const message of messages) {
    const node = nodeOf(message);
    if (!node.ok) return node;
    nodes.push(node.value);
  }
  return ok(nodes);
}

/** A node as a reply shows it: namespace and relation are always set. */
export const nodeMessage = (node: GraphNode): Delphi.Subject => ({
  namespace: { name: node.namespace },
  name: node.name,
  relation: { namespace: { name: node.relation.namespace }, name: node.relation.name },
});

const varintBytes = (n: number): number => (n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x200000 ? 3 : 4);
const messageBytes = (n: number): number => 1 + varintBytes(n) + n;
const stringBytes = (text: string): number => (text === "" ? 0 : messageBytes(Buffer.byteLength(text)));

/** Exact bytes that nodes take as the repeated field of a reply. */
export function encodedBytes(nodes: readonly GraphNode[]): number {
  let total = 0;
  for (const node of nodes) {
    const relation = messageBytes(stringBytes(node.relation.namespace)) + stringBytes(node.relation.name);
    total += messageBytes(messageBytes(stringBytes(node.namespace)) + stringBytes(node.name) + messageBytes(relation));
  }
  return total;
}
