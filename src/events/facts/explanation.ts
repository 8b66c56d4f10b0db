/** Why a check is true, or what was tried when it is false: plain data, fit for JSON. How it is found: projections/rebac/explain.ts. */
import type { Assertion, GraphNode, NodeEdge } from "./graph.ts";

/** What the names in a question refer to. The null namespace and the null relation are always there. */
export interface Known {
  readonly node: boolean;
  readonly namespace: boolean;
  readonly relation: boolean;
}

/** Shortest chain: subject → … → assertion.subject, the assertion, object → … → assertion.object. */
export interface ExplainedPath {
  /** In order; empty when the assertion names the subject itself. */
  readonly subjectMaps: readonly NodeEdge[];
  readonly assertion: Assertion;
  /** In order; empty when the assertion names the object itself. */
  readonly objectMaps: readonly NodeEdge[];
}

/** One edge of a chain. */
export type ChainLink =
  | { readonly kind: "subjectMap" | "objectMap"; readonly edge: NodeEdge }
  | { readonly kind: "assertion"; readonly assertion: Assertion };

/** The chain's links in order: the subject's maps, the assertion, the object's maps. */
export const linksOf = ({ subjectMaps, assertion, objectMaps }: ExplainedPath): readonly ChainLink[] => [
  ...subjectMaps.map((edge): ChainLink => ({ kind: "subjectMap", edge })),
  { kind: "assertion", assertion },
  ...objectMaps.map((edge): ChainLink => ({ kind: "objectMap", edge })),
];

/** A node reached through maps, by a shortest way. */
export interface Reached {
  readonly node: GraphNode;
  /** Maps on the way; 0 is the node that was asked for. */
  readonly distance: number;
  /** The node before it on the way; null for the one asked for. */
  readonly via: GraphNode | null;
}

export interface Tried {
  /** Nearest first, then by bytes. */
  readonly subjects: readonly Reached[];
  readonly objects: readonly Reached[];
  /** Assertions on the objects reached: none is by a subject reached. */
  readonly onObjects: readonly Assertion[];
  /** Assertions of the subjects reached: none is on an object reached. */
  readonly bySubjects: readonly Assertion[];
}

export interface Explanation {
  readonly subject: GraphNode;
  readonly object: GraphNode;
  /** What `check` says, always. */
  readonly result: boolean;
  readonly known: { readonly subject: Known; readonly object: Known };
  /** When true; null when it is false, or when the bounds ended the search before a chain was found. */
  readonly path: ExplainedPath | null;
  /** When false; null otherwise. */
  readonly tried: Tried | null;
  /** Whether the bounds cut anything: a list goes on, or a shorter chain may be there. */
  readonly truncated: boolean;
}
