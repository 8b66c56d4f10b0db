/** Rules for names that a gateway lets through (oracle.md): what `decide` refuses, and what only gateways can judge. */
import { type Result, ok, refuse } from "../base/result.ts";
import {
  type GraphChange,
  type GraphNode,
  type GraphWrite,
  NAME_BYTES_MAX,
  type Relation,
} from "../events/facts/graph.ts";

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/u;
const PRINTABLE_ASCII = /^[\u0020-\u007e]*$/;

/**
 * A name as a gateway accepts it for a write: the bytes themselves, never changed.
 * Refuses: NAME_TOO_LONG, NAME_ILL_FORMED, NAME_CONTROL_CHARACTER, NAME_REPLACEMENT_CHARACTER, NAME_NOT_NFC.
 */
export function judgeName(name: string): Result<string> {
  if (name.length <= NAME_BYTES_MAX && PRINTABLE_ASCII.test(name)) return ok(name);
  if (!name.isWellFormed())
    return refuse("NAME_ILL_FORMED", "A name holds half of a surrogate pair; send well-formed text.");
  if (Buffer.byteLength(name) > NAME_BYTES_MAX)
    return refuse("NAME_TOO_LONG", `A name has more than ${NAME_BYTES_MAX} bytes of UTF-8; shorten it.`);
  if (CONTROL.test(name)) return refuse("NAME_CONTROL_CHARACTER", "A name holds a control character; remove it.");
  if (name.includes("\ufffd"))
    return refuse(
      "NAME_REPLACEMENT_CHARACTER",
      "A name holds U+FFFD, the mark of text decoded wrongly; send the original text.",
    );
  if (name !== name.normalize("NFC"))
    return refuse("NAME_NOT_NFC", "A name is not in Unicode normal form C; normalise it before sending.");
  return ok(name);
}

function* namesOfRelation(relation: Relation): Generator<string> {
  yield relation.namespace;
  yield relation.name;
}

function* namesOfNode(node: GraphNode): Generator<string> {
  yield node.namespace;
  yield node.name;
  yield* namesOfRelation(node.relation);
}

function* namesOfChange(change: GraphChange): Generator<string> {
  switch (change.kind) {
    case "addNamespace":
    case "deleteNamespace":
      yield change.namespace;
      return;
    case "addRelation":
    case "deleteRelation":
      yield* namesOfRelation(change.relation);
      return;
    case "addSubject":
    case "deleteSubject":
      yield* namesOfNode(change.subject);
      return;
    case "addObject":
    case "deleteObject":
      yield* namesOfNode(change.object);
      return;
    case "addAssertion":
    case "deleteAssertion":
      yield* namesOfNode(change.assertion.subject);
      yield* namesOfNode(change.assertion.object);
      return;
    case "mapRelation":
    case "unmapRelation":
      yield* namesOfRelation(change.edge.parent);
      yield* namesOfRelation(change.edge.child);
      return;
    case "mapSubject":
    case "unmapSubject":
    case "mapObject":
    case "unmapObject":
      yield* namesOfNode(change.edge.parent);
      yield* namesOfNode(change.edge.child);
      return;
    default:
      change satisfies never;
  }
}

/** Namespaces that a change names. */
export function* namespacesOf(change: GraphChange): Generator<string> {
  switch (change.kind) {
    case "addNamespace":
    case "deleteNamespace":
      yield change.namespace;
      return;
    case "addRelation":
    case "deleteRelation":
      yield change.relation.namespace;
      return;
    case "mapRelation":
    case "unmapRelation":
      yield change.edge.parent.namespace;
      yield change.edge.child.namespace;
      return;
    default:
      for (const node of nodesOf(change)) {
        yield node.namespace;
        yield node.relation.namespace;
      }
  }
}

type NodeChange = Exclude<
  GraphChange,
  {
    readonly kind:
      | "addNamespace"
      | "deleteNamespace"
      | "addRelation"
      | "deleteRelation"
      | "mapRelation"
      | "unmapRelation";
  }
>;

function nodesOf(change: NodeChange): readonly GraphNode[] {
  switch (change.kind) {
    case "addSubject":
    case "deleteSubject":
      return [change.subject];
    case "addObject":
    case "deleteObject":
      return [change.object];
    case "addAssertion":
    case "deleteAssertion":
      return [change.assertion.subject, change.assertion.object];
    default:
      return [change.edge.parent, change.edge.child];
  }
}

/** Judges every name that a write holds. Refuses: what judgeName refuses. */
export function judgeWriteNames(write: GraphWrite): Result<GraphWrite> {
  for (const change of write.changes) {
    for (const name of namesOfChange(change)) {
      const judged = judgeName(name);
      if (!judged.ok) return judged;
    }
  }
  for (const { assertion } of write.preconditions) {
    for (const node of [assertion.subject, assertion.object]) {
      for (const name of namesOfNode(node)) {
        const judged = judgeName(name);
        if (!judged.ok) return judged;
      }
    }
  }
  return ok(write);
}
