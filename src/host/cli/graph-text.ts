/**
 * Names and changes of the graph as words of a command line.
 *
 * A node is `NAMESPACE:NAME#RELATION`, a relation `NAMESPACE:NAME`. A relation within a node stands in the node's namespace unless it names
 * its own (`#OTHER:RELATION`). Namespace and relation may be absent. `%3A`, `%23`, `%20` and so on stand for characters that would divide.
 */
import { unreachable } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import type { Assertion, GraphChange, GraphNode, Relation } from "../../events/facts/graph.ts";

export type TextRefusal = Refusal<"MALFORMED">;

const malformed = (text: string, expected: string) => refuse("MALFORMED", `"${text}" is not ${expected}.`);

/** The text that percent signs stand for; undefined when they stand for none. */
function unescape(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** `NAMESPACE:NAME`, or `NAME` in the namespace given. */
function parseQualified(text: string, namespace: string): Relation | undefined {
  const parts = text.split(":").map(unescape);
  const [first, second] = parts;
  if (parts.length > 2 || first === undefined) return undefined;
  if (parts.length === 1) return { namespace, name: first };
  return second === undefined ? undefined : { namespace: first, name: second };
}

export function parseRelation(text: string): Result<Relation, TextRefusal> {
  const relation = text.includes("#") ? undefined : parseQualified(text, "");
  return relation === undefined || relation.name === "" ? malformed(text, "a relation NAMESPACE:NAME") : ok(relation);
}

export function parseNode(text: string): Result<GraphNode, TextRefusal> {
  const [head = "", tail, more] = text.split("#");
  const node = parseQualified(head, "");
  const relation = tail === undefined ? { namespace: "", name: "" } : parseQualified(tail, node?.namespace ?? "");
  const isWhole = node !== undefined && node.name !== "" && relation !== undefined && more === undefined && tail !== "";
  return isWhole ? ok({ ...node, relation }) : malformed(text, "a subject or object NAMESPACE:NAME#RELATION");
}

/** `SUBJECT OBJECT` */
export function parseAssertion(text: string): Result<Assertion, TextRefusal> {
  const words = text.trim().split(/\s+/);
  const [subject, object, more] = words;
  if (subject === undefined || object === undefined || more !== undefined) return malformed(text, '"SUBJECT OBJECT"');
  return parseAssertionOf(subject, object);
}

/** The same in two words. */
export function parseAssertionOf(subject: string, object: string): Result<Assertion, TextRefusal> {
  const pair = parsePair([subject, object], parseNode);
  return pair.ok ? ok({ subject: pair.value[0], object: pair.value[1] }) : pair;
}

function parsePair<T>(
  words: readonly string[],
  parse: (text: string) => Result<T, TextRefusal>,
): Result<readonly [T, T], TextRefusal> {
  const [first, second] = [parse(words[0] ?? ""), parse(words[1] ?? "")];
  if (!first.ok) return first;
  return second.ok ? ok([first.value, second.value]) : second;
}

type Parse = (words: readonly string[]) => Result<GraphChange, TextRefusal>;

const named =
  (build: (name: string) => GraphChange): Parse =>
  ([text = ""]) => {
    const name = unescape(text);
    return name === undefined || name === "" ? malformed(text, "a name") : ok(build(name));
  };
const one =
  <T>(parse: (text: string) => Result<T, TextRefusal>, build: (value: T) => GraphChange): Parse =>
  ([text = ""]) => {
    const parsed = parse(text);
    return parsed.ok ? ok(build(parsed.value)) : parsed;
  };
const two =
  <T>(parse: (text: string) => Result<T, TextRefusal>, build: (first: T, second: T) => GraphChange): Parse =>
  (words) => {
    const parsed = parsePair(words, parse);
    return parsed.ok ? ok(build(...parsed.value)) : parsed;
  };

/** Every change: how many names follow its two words, and what they make. */
const CHANGES: Readonly<Record<string, { readonly names: 1 | 2; readonly parse: Parse }>> = {
  "add namespace": { names: 1, parse: named((namespace) => ({ kind: "addNamespace", namespace })) },
  "delete namespace": { names: 1, parse: named((namespace) => ({ kind: "deleteNamespace", namespace })) },
  "add relation": { names: 1, parse: one(parseRelation, (relation) => ({ kind: "addRelation", relation })) },
  "delete relation": { names: 1, parse: one(parseRelation, (relation) => ({ kind: "deleteRelation", relation })) },
  "add subject": { names: 1, parse: one(parseNode, (subject) => ({ kind: "addSubject", subject })) },
  "delete subject": { names: 1, parse: one(parseNode, (subject) => ({ kind: "deleteSubject", subject })) },
  "add object": { names: 1, parse: one(parseNode, (object) => ({ kind: "addObject", object })) },
  "delete object": { names: 1, parse: one(parseNode, (object) => ({ kind: "deleteObject", object })) },
  "add assertion": {
    names: 2,
    parse: two(parseNode, (subject, object) => ({ kind: "addAssertion", assertion: { subject, object } })),
  },
  "delete assertion": {
    names: 2,
    parse: two(parseNode, (subject, object) => ({ kind: "deleteAssertion", assertion: { subject, object } })),
  },
  "map relation": {
    names: 2,
    parse: two(parseRelation, (parent, child) => ({ kind: "mapRelation", edge: { parent, child } })),
  },
  "unmap relation": {
    names: 2,
    parse: two(parseRelation, (parent, child) => ({ kind: "unmapRelation", edge: { parent, child } })),
  },
  "map subject": {
    names: 2,
    parse: two(parseNode, (parent, child) => ({ kind: "mapSubject", edge: { parent, child } })),
  },
  "unmap subject": {
    names: 2,
    parse: two(parseNode, (parent, child) => ({ kind: "unmapSubject", edge: { parent, child } })),
  },
  "map object": {
    names: 2,
    parse: two(parseNode, (parent, child) => ({ kind: "mapObject", edge: { parent, child } })),
  },
  "unmap object": {
    names: 2,
    parse: two(parseNode, (parent, child) => ({ kind: "unmapObject", edge: { parent, child } })),
  },
};

/** A change such as `map subject my-org:Ali#flag my-org:Users#member` (Ali belongs to Users). */
export function parseChange(text: string): Result<GraphChange, TextRefusal> {
  const [verb = "", noun = "", ...names] = text.trim().split(/\s+/);
  const change = CHANGES[`${verb} ${noun}`];
  if (change === undefined) return malformed(text, `a change; there are ${Object.keys(CHANGES).join(", ")}`);
  if (names.length !== change.names)
    return malformed(text, `"${verb} ${noun}" with ${change.names === 1 ? "one name" : "two names"}`);
  return change.parse(names);
}

/** Escapes what would divide, and whatever could drive a terminal. */
const escape = (text: string): string => text.replace(/[%:#\s\p{C}]/gu, (character) => encodeURIComponent(character));

/** What `parseNode` reads back as the same node. */
export function formatNode({ namespace, name, relation }: GraphNode): string {
  const head = namespace === "" ? escape(name) : `${escape(namespace)}:${escape(name)}`;
  if (relation.name === "") return head;
  return relation.namespace === namespace
    ? `${head}#${escape(relation.name)}`
    : `${head}#${escape(relation.namespace)}:${escape(relation.name)}`;
}

/** What `parseRelation` reads back as the same relation. */
export const formatRelation = ({ namespace, name }: Relation): string =>
  namespace === "" ? escape(name) : `${escape(namespace)}:${escape(name)}`;

/** What `parseChange` reads back as the same change. */
export function formatChange(change: GraphChange): string {
  switch (change.kind) {
    case "addNamespace":
    case "deleteNamespace":
      return `${wordsOf(change.kind)} ${escape(change.namespace)}`;
    case "addRelation":
    case "deleteRelation":
      return `${wordsOf(change.kind)} ${formatRelation(change.relation)}`;
    case "addSubject":
    case "deleteSubject":
      return `${wordsOf(change.kind)} ${formatNode(change.subject)}`;
    case "addObject":
    case "deleteObject":
      return `${wordsOf(change.kind)} ${formatNode(change.object)}`;
    case "addAssertion":
    case "deleteAssertion":
      return `${wordsOf(change.kind)} ${formatNode(change.assertion.subject)} ${formatNode(change.assertion.object)}`;
    case "mapRelation":
    case "unmapRelation":
      return `${wordsOf(change.kind)} ${formatRelation(change.edge.parent)} ${formatRelation(change.edge.child)}`;
    case "mapSubject":
    case "unmapSubject":
    case "mapObject":
    case "unmapObject":
      return `${wordsOf(change.kind)} ${formatNode(change.edge.parent)} ${formatNode(change.edge.child)}`;
    default:
      return unreachable(change);
  }
}

/** "addAssertion" as "add assertion". */
const wordsOf = (kind: GraphChange["kind"]): string => kind.replace(/[A-Z]/, (letter) => ` ${letter.toLowerCase()}`);
