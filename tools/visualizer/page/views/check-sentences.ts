/** What a check's explanation says, in sentences, and which points and links of the picture it speaks of. */
import { formatNode } from "../../../../src/host/cli/graph-text.ts";
import type { Explanation } from "../../../../src/projections/rebac/explain.ts";
import type { Assertion, GraphNode, NodeEdge } from "../../../../src/events/facts/graph.ts";
import type { GraphLink } from "../../../../src/host/inspector/contract.ts";

type Known = Explanation["known"]["subject"];
type Tried = NonNullable<Explanation["tried"]>;
type Reached = Tried["subjects"][number];

export interface CheckStory {
  readonly verdict: string;
  /** The chain, step by step, or what was tried. */
  readonly steps: readonly string[];
  /** When false: what would have to be there, nearest first. */
  readonly nearly: readonly string[];
}

/** Of a list that could be long, so many are named; the rest is counted. */
const NAMED_MAX = 6;

const subjectId = (node: GraphNode): string => `subject ${formatNode(node)}`;
const objectId = (node: GraphNode): string => `object ${formatNode(node)}`;
export const linkKey = ({ from, to, kind }: GraphLink): string => `${kind} ${from} ${to}`;

function listed(nodes: readonly GraphNode[]): string {
  const names = nodes.slice(0, NAMED_MAX).map(formatNode);
  const more = nodes.length - names.length;
  if (more > 0) return `${names.join(", ")} and ${more} more`;
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

function unknownSentence(what: string, node: GraphNode, known: Known): string | null {
  if (known.node) return null;
  const name = formatNode(node);
  if (!known.namespace) return `There is no namespace “${node.namespace}”, so nothing is known of ${name}.`;
  if (!known.relation) return `There is no relation “${node.relation.name}”, so nothing is known of ${name}.`;
  return `${name} is not known as ${what} at this height. The relation is part of the name: ${name} and ${node.namespace === "" ? "" : `${node.namespace}:`}${node.name} with another one are two.`;
}

const belongs = ({ parent, child }: NodeEdge): string => `${formatNode(parent)} belongs to ${formatNode(child)}.`;
const inherits = ({ parent, child }: NodeEdge): string =>
  `${formatNode(parent)} inherits what is granted on ${formatNode(child)}.`;
const granted = ({ subject, object }: Assertion): string => `${formatNode(subject)} was granted ${formatNode(object)}.`;

/** The groups that a node came to, each with the way. */
function reachedSentence(what: "belongs to" | "inherits from", reached: readonly Reached[], start: GraphNode): string {
  const beyond = reached.filter(({ distance }) => distance > 0).map(({ node }) => node);
  const name = formatNode(start);
  if (beyond.length === 0)
    return what === "belongs to" ? `${name} belongs to nothing else.` : `${name} inherits from no other object.`;
  return `${name} ${what} ${listed(beyond)}.`;
}

function triedSteps({ subject, object, known }: Explanation, tried: Tried): readonly string[] {
  const unknown = [
    unknownSentence("a subject", subject, known.subject),
    unknownSentence("an object", object, known.object),
  ].filter((sentence) => sentence !== null);
  if (unknown.length > 0) return unknown;
  return [
    reachedSentence("belongs to", tried.subjects, subject),
    reachedSentence("inherits from", tried.objects, object),
    tried.onObjects.length === 0
      ? `Nobody was granted ${formatNode(object)}, or anything it inherits from.`
      : `Granted there is ${listed(tried.onObjects.map((assertion) => assertion.subject))}: none of these is ${formatNode(subject)} or a group it belongs to.`,
  ];
}

/** Who lacks a map to a subject that has the grant, or lacks the grant itself. */
function nearlySteps({ subject, object, known }: Explanation, tried: Tried): readonly string[] {
  const who = formatNode(subject);
  const maps = tried.onObjects
    .slice(0, NAMED_MAX)
    .map(
      (assertion) =>
        `${who} would pass if it belonged to ${formatNode(assertion.subject)}, which was granted ${formatNode(assertion.object)}.`,
    );
  const grants = tried.bySubjects
    .slice(0, NAMED_MAX)
    .map(
      (assertion) =>
        `${formatNode(assertion.subject)} has ${formatNode(assertion.object)}, which is not what ${formatNode(object)} inherits from.`,
    );
  const both = [...maps, ...grants];
  if (both.length > 0 || !known.subject.node || !known.object.node) return both;
  return [`A grant of ${formatNode(object)} to ${who}, or to a group it belongs to, is what is missing.`];
}

export function storyOf(explanation: Explanation): CheckStory {
  const { subject, object, result, path, tried, truncated } = explanation;
  const who = formatNode(subject);
  const what = formatNode(object);
  const cut = truncated ? ["There is more than was looked at: lists end early, or a shorter way may exist."] : [];
  if (result) {
    const steps =
      path === null
        ? ["The chain is longer than what was looked at."]
        : [...path.subjectMaps.map(belongs), granted(path.assertion), ...path.objectMaps.toReversed().map(inherits)];
    return { verdict: `Allowed: ${who} has ${what}.`, steps: [...steps, ...cut], nearly: [] };
  }
  return {
    verdict: `Denied: ${who} does not have ${what}.`,
    steps: tried === null ? cut : [...triedSteps(explanation, tried), ...cut],
    nearly: tried === null ? [] : nearlySteps(explanation, tried),
  };
}

/** What to highlight: the chain when it is true; what both sides reached, and the grants that nearly fit, when it is false. */
export interface Highlight {
  readonly chain: boolean;
  readonly points: ReadonlySet<string>;
  readonly links: ReadonlySet<string>;
  readonly subject: string;
  readonly object: string;
}

export function highlightOf({ subject, object, path, tried }: Explanation): Highlight {
  const points = new Set([subjectId(subject), objectId(object)]);
  const links = new Set<string>();
  const map = (kind: "subjectMapped" | "objectMapped", from: GraphNode, to: GraphNode): void => {
    const id = kind === "subjectMapped" ? subjectId : objectId;
    points.add(id(from)).add(id(to));
    links.add(linkKey({ kind, from: id(from), to: id(to) }));
  };
  const grant = (assertion: Assertion): void => {
    const [from, to] = [subjectId(assertion.subject), objectId(assertion.object)];
    points.add(from).add(to);
    links.add(linkKey({ kind: "assertion", from, to }));
  };
  if (path !== null) {
    for (const { parent, child } of path.subjectMaps) map("subjectMapped", parent, child);
    grant(path.assertion);
    for (const { parent, child } of path.objectMaps) map("objectMapped", parent, child);
  }
  if (tried !== null) {
    for (const { node, via } of tried.subjects) if (via !== null) map("subjectMapped", via, node);
    for (const { node, via } of tried.objects) if (via !== null) map("objectMapped", via, node);
    for (const assertion of [...tried.onObjects, ...tried.bySubjects]) grant(assertion);
  }
  return { chain: path !== null, points, links, subject: subjectId(subject), object: objectId(object) };
}
