/** An explanation as sentences for a terminal. */
import { type ChainLink, type Explanation, type Known, type Reached, linksOf } from "../../events/facts/explanation.ts";
import type { Assertion, GraphNode } from "../../events/facts/graph.ts";
import { formatNode } from "./graph-text.ts";

/** The lines under a verdict; `note` adds to a link of the chain, such as since when it holds. */
export function explanationLines(explanation: Explanation, note: LinkNote = () => []): readonly string[] {
  const { result, path, tried, truncated } = explanation;
  const lines = [...unknownLines(explanation)];
  if (path !== null) lines.push(...chainLines(explanation, path, note));
  else if (result) lines.push("The way is too long or too wide to be shown.");
  if (tried !== null) lines.push(...triedLines(explanation, tried));
  if (truncated && !(result && path === null))
    lines.push(result ? "A shorter way may be there: not everything was looked at." : "There is more: lists are cut.");
  return lines;
}

/** What else is to be said of a link of the chain: lines that follow it, indented. */
export type LinkNote = (link: ChainLink) => readonly string[];
export function linkText(link: ChainLink): string {
  switch (link.kind) {
    case "subjectMap":
      return `${formatNode(link.edge.parent)} belongs to ${formatNode(link.edge.child)}`;
    case "objectMap":
      return `${formatNode(link.edge.parent)} inherits from ${formatNode(link.edge.child)}`;
    case "assertion":
      return grantText(link.assertion);
  }
}

/** Of names that nothing has there is nothing to tell. */
function triedLines(
  { subject, object, known }: Explanation,
  tried: NonNullable<Explanation["tried"]>,
): readonly string[] {
  const lines: string[] = [];
  if (known.subject.node) {
    lines.push(`${formatNode(subject)} reaches, through maps of subjects:`);
    lines.push(...listed(tried.subjects.map(reachedText)));
  }
  if (known.object.node) {
    lines.push(`${formatNode(object)} reaches, through maps of objects:`);
    lines.push(...listed(tried.objects.map(reachedText)));
    lines.push("What the object reaches is granted to others only:");
    lines.push(...listed(tried.onObjects.map(grantText)));
  }
  if (known.subject.node) {
    lines.push("What the subject reaches is granted other things only:");
    lines.push(...listed(tried.bySubjects.map(grantText)));
  }
  return lines;
}

function chainLines(
  { subject, object }: Explanation,
  path: NonNullable<Explanation["path"]>,
  note: LinkNote,
): readonly string[] {
  const lines = linksOf(path).flatMap((link) => [`  ${linkText(link)}`, ...note(link).map((line) => `      ${line}`)]);
  return [`${formatNode(subject)} has ${formatNode(object)}, because`, ...lines];
}

const grantText = ({ subject, object }: Assertion): string =>
  `${formatNode(subject)} was granted ${formatNode(object)}`;

const reachedText = ({ node, distance, via }: Reached): string =>
  via === null
    ? `${formatNode(node)} (itself)`
    : `${formatNode(node)} (${String(distance)} away, by ${formatNode(via)})`;

const listed = (lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? ["  nothing"] : lines.map((line) => `  ${line}`);

function* unknownLines({ subject, object, known }: Explanation): Generator<string> {
  for (const [kind, node, names] of [
    ["subject", subject, known.subject],
    ["object", object, known.object],
  ] as const)
    if (!names.node) yield unknownText(kind, node, names);
}

export function unknownText(kind: string, node: GraphNode, { namespace, relation }: Known): string {
  const absent = [
    ...(namespace ? [] : [`namespace ${node.namespace}`]),
    ...(relation ? [] : [`relation ${formatNode({ ...node.relation, relation: { namespace: "", name: "" } })}`]),
  ];
  const more = absent.length === 0 ? "" : `; nor is there a ${absent.join(" or a ")}`;
  return `There is no ${kind} ${formatNode(node)}${more}.`;
}
