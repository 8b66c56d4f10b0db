/** Between the messages of sky.oracle.v1's Explain and explanations. */
import { type Result, ok, refuse } from "../base/result.ts";
import type { Explanation, ExplainedPath, Reached, Tried } from "../events/facts/explanation.ts";
import type { Assertion, GraphNode, NodeEdge } from "../events/facts/graph.ts";
import type { Height } from "../base/brands.ts";
import type * as Sky from "./generated/sky/oracle/v1/oracle.ts";
import { assertionMessage, assertionOf, heightOf, nodeMessage, nodeOf } from "./sky-graph.ts";

export function explanationMessage(explanation: Explanation, height: Height): Sky.ExplainResponse {
  const { result, known, path, tried, truncated } = explanation;
  return {
    result,
    height: BigInt(height),
    subject: known.subject,
    object: known.object,
    chain: path === null ? undefined : chainMessage(path),
    tried: tried === null ? undefined : triedMessage(tried),
    truncated,
  };
}

const chainMessage = ({ subjectMaps, assertion, objectMaps }: ExplainedPath): Sky.Chain => ({
  subjectMaps: subjectMaps.map(mapMessage),
  assertion: assertionMessage(assertion),
  objectMaps: objectMaps.map(mapMessage),
});

const mapMessage = ({ parent, child }: NodeEdge): Sky.NodeMap => ({
  parent: nodeMessage(parent),
  child: nodeMessage(child),
});

const triedMessage = ({ subjects, objects, onObjects, bySubjects }: Tried): Sky.Tried => ({
  subjects: subjects.map(reachedMessage),
  objects: objects.map(reachedMessage),
  onObjects: onObjects.map(assertionMessage),
  bySubjects: bySubjects.map(assertionMessage),
});

const reachedMessage = ({ node, distance, via }: Reached): Sky.ReachedNode => ({
  node: nodeMessage(node),
  distance,
  via: via === null ? undefined : nodeMessage(via),
});

/** Every node that an explanation names, as often as it does. */
export function nodesOf({ path, tried }: Explanation): readonly GraphNode[] {
  const both = ({ subject, object }: Assertion): readonly GraphNode[] => [subject, object];
  const ends = ({ parent, child }: NodeEdge): readonly GraphNode[] => [parent, child];
  const reached = ({ node, via }: Reached): readonly GraphNode[] => (via === null ? [node] : [node, via]);
  const chain =
    path === null ? [] : [...[...path.subjectMaps, ...path.objectMaps].flatMap(ends), ...both(path.assertion)];
  if (tried === null) return chain;
  return [
    ...chain,
    ...[...tried.subjects, ...tried.objects].flatMap(reached),
    ...[...tried.onObjects, ...tried.bySubjects].flatMap(both),
  ];
}

/** What a node answered about a question. Refuses: MALFORMED when it is not what a node sends. */
export function explanationOf(
  { subject, object }: Assertion,
  reply: Sky.ExplainResponse,
): Result<Explanation & { readonly height: Height }> {
  const path = pathOf(reply.chain);
  const tried = triedOf(reply.tried);
  const isWhole = reply.result ? tried === null && (path !== null || reply.truncated) : path === null && tried !== null;
  if (
    reply.subject === undefined ||
    reply.object === undefined ||
    path === undefined ||
    tried === undefined ||
    !isWhole
  )
    return refuse("MALFORMED", "The node's explanation does not fit its result; ask another node.", "peer");
  const known = { subject: reply.subject, object: reply.object };
  const { result, truncated } = reply;
  return ok({ subject, object, result, known, path, tried, truncated, height: heightOf(reply.height) });
}

/** Undefined: malformed. */
function pathOf(message: Sky.Chain | undefined): ExplainedPath | null | undefined {
  if (message === undefined) return null;
  const assertion = assertionOf(message.assertion);
  const subjectMaps = allOf(message.subjectMaps, mapOf);
  const objectMaps = allOf(message.objectMaps, mapOf);
  if (!assertion.ok || subjectMaps === undefined || objectMaps === undefined) return undefined;
  return { subjectMaps, assertion: assertion.value, objectMaps };
}

function triedOf(message: Sky.Tried | undefined): Tried | null | undefined {
  if (message === undefined) return null;
  const subjects = allOf(message.subjects, reachedOf);
  const objects = allOf(message.objects, reachedOf);
  const onObjects = allOf(message.onObjects, (text) => valueOf(assertionOf(text)));
  const bySubjects = allOf(message.bySubjects, (text) => valueOf(assertionOf(text)));
  if (subjects === undefined || objects === undefined || onObjects === undefined || bySubjects === undefined)
    return undefined;
  return { subjects, objects, onObjects, bySubjects };
}

function mapOf(message: Sky.NodeMap): NodeEdge | undefined {
  const parent = nodeOf(message.parent);
  const child = nodeOf(message.child);
  return parent.ok && child.ok ? { parent: parent.value, child: child.value } : undefined;
}

function reachedOf(message: Sky.ReachedNode): Reached | undefined {
  const node = nodeOf(message.node);
  const via = message.via === undefined ? null : valueOf(nodeOf(message.via));
  return node.ok && via !== undefined ? { node: node.value, distance: message.distance, via } : undefined;
}

const valueOf = <T>(result: Result<T>): T | undefined => (result.ok ? result.value : undefined);

/** All of them, or undefined when one is malformed. */
function allOf<Message, T>(
  messages: readonly Message[],
  item: (message: Message) => T | undefined,
): readonly T[] | undefined {
  const items: T[] = [];
  for (const message of messages) {
    const value = item(message);
    if (value === undefined) return undefined;
    items.push(value);
  }
  return items;
}
