/** What a graph command may ask for: names, changes and preconditions of the ReBAC graph. Source: shared/protocols/oracle.md. */
import { type LogTime, logTime } from "../../base/brands.ts";
import { type Shape, list, record, text, union, variant } from "../../base/codec.ts";
import { versions } from "./upcast.ts";

/** A relation; both parts empty is the null relation. */
export interface Relation {
  readonly namespace: string;
  readonly name: string;
}

/** A subject or an object: the relation is part of its identity. Empty namespace and relation are the null ones. */
export interface GraphNode {
  readonly namespace: string;
  readonly name: string;
  readonly relation: Relation;
}

/** The statement that `subject` has what `object` stands for. */
export interface Assertion {
  readonly subject: GraphNode;
  readonly object: GraphNode;
}

/** parent belongs to child (subjects), or inherits the grants made on child (objects). */
export interface NodeEdge {
  readonly parent: GraphNode;
  readonly child: GraphNode;
}

export interface RelationEdge {
  readonly parent: Relation;
  readonly child: Relation;
}

export type GraphChange =
  | { readonly kind: "addNamespace"; readonly namespace: string }
  | { readonly kind: "deleteNamespace"; readonly namespace: string }
  | { readonly kind: "addRelation"; readonly relation: Relation }
  | { readonly kind: "deleteRelation"; readonly relation: Relation }
  | { readonly kind: "addSubject"; readonly subject: GraphNode }
  | { readonly kind: "deleteSubject"; readonly subject: GraphNode }
  | { readonly kind: "addObject"; readonly object: GraphNode }
  | { readonly kind: "deleteObject"; readonly object: GraphNode }
  | { readonly kind: "addAssertion"; readonly assertion: Assertion }
  | { readonly kind: "deleteAssertion"; readonly assertion: Assertion }
  | { readonly kind: "mapRelation"; readonly edge: RelationEdge }
  | { readonly kind: "unmapRelation"; readonly edge: RelationEdge }
  | { readonly kind: "mapSubject"; readonly edge: NodeEdge }
  | { readonly kind: "unmapSubject"; readonly edge: NodeEdge }
  | { readonly kind: "mapObject"; readonly edge: NodeEdge }
  | { readonly kind: "unmapObject"; readonly edge: NodeEdge };

/** Holds or fails as a whole, judged against the direct assertions as they stand when the command's turn comes. */
export interface Precondition {
  readonly kind: "mustExist" | "mustNotExist";
  readonly assertion: Assertion;
}

/** One atomic intent: every change is made, in order, or none. */
export interface GraphWrite {
  readonly changes: readonly GraphChange[];
  readonly preconditions: readonly Precondition[];
  /** Why, in the words of whoever signs it: for audits. It decides nothing. Since version 2. */
  readonly note?: string;
}

/** UTF-8 bytes a name may have (oracle.md). `decide` refuses longer ones; codecs refuse only what is absurd. */
export const NAME_BYTES_MAX = 1024;
export const CHANGES_MAX = 1000;
export const PRECONDITIONS_MAX = 100;
/** A reason and where more of it stands. Units: UTF-8 bytes. */
export const NOTE_BYTES_MAX = 1024;

/** Room for a name that is too long to be accepted, so that the refusal is a recorded fact and not a malformed block. */
const name = text(4 * NAME_BYTES_MAX);
export const relationShape: Shape<Relation> = record("relation", { namespace: name, name });
export const graphNodeShape: Shape<GraphNode> = record("node", { namespace: name, name, relation: relationShape });
export const assertionShape: Shape<Assertion> = record("assertion", {
  subject: graphNodeShape,
  object: graphNodeShape,
});
export const nodeEdgeShape: Shape<NodeEdge> = record("edge", { parent: graphNodeShape, child: graphNodeShape });
export const relationEdgeShape: Shape<RelationEdge> = record("edge", { parent: relationShape, child: relationShape });

const namespaceField = record("namespace", { namespace: name });
const relationField = record("relation", { relation: relationShape });
const subjectField = record("subject", { subject: graphNodeShape });
const objectField = record("object", { object: graphNodeShape });
const assertionField = record("assertion", { assertion: assertionShape });
const nodeEdgeField = record("edge", { edge: nodeEdgeShape });
const relationEdgeField = record("edge", { edge: relationEdgeShape });

export const graphChangeShape: Shape<GraphChange> = union<GraphChange>(
  variant("addNamespace", namespaceField),
  variant("deleteNamespace", namespaceField),
  variant("addRelation", relationField),
  variant("deleteRelation", relationField),
  variant("addSubject", subjectField),
  variant("deleteSubject", subjectField),
  variant("addObject", objectField),
  variant("deleteObject", objectField),
  variant("addAssertion", assertionField),
  variant("deleteAssertion", assertionField),
  variant("mapRelation", relationEdgeField),
  variant("unmapRelation", relationEdgeField),
  variant("mapSubject", nodeEdgeField),
  variant("unmapSubject", nodeEdgeField),
  variant("mapObject", nodeEdgeField),
  variant("unmapObject", nodeEdgeField),
);

export const preconditionShape: Shape<Precondition> = union<Precondition>(
  variant("mustExist", assertionField),
  variant("mustNotExist", assertionField),
);

const firstParts = {
  changes: list(graphChangeShape, CHANGES_MAX, 1),
  preconditions: list(preconditionShape, PRECONDITIONS_MAX),
};
type FirstWrite = Omit<GraphWrite, "note">;
const notedShape = record<Required<GraphWrite>>("noted write", { ...firstParts, note: text(NOTE_BYTES_MAX) });

const firstWrites = versions<FirstWrite>("write", record("write", firstParts));
const writes = firstWrites.next(
  notedShape as Shape<GraphWrite>, // `down` leaves it those with a note
  {
    up: (write): GraphWrite => write,
    down: (write) => (write.note === undefined || write.note === "" ? write : undefined),
  },
);

/** Version 2 added the note; a write without one is of version 1 still. */
export const graphWriteShape: Shape<GraphWrite> = writes.shape;

/** Log time from which on version 2 is in force: 2026-11-22. Before, its bytes were refused as unreadable, and are so whenever the log is executed. */
export const NOTES_SINCE = logTime(1_795_305_600_000);

/** What `decide` reads a write by, in a block of this time. */
export const graphWriteShapeAt = (time: LogTime): Shape<GraphWrite> =>
  time < NOTES_SINCE ? firstWrites.shape : graphWriteShape;
