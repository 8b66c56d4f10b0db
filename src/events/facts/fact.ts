/** Facts: what commands did, derived by `decide` and never stored as truth (DESIGN §4). */
import type { Aid, CommandId, Digest, Height, LogTime } from "../../base/brands.ts";
import {
  type Shape,
  boolean,
  bytes,
  hex,
  integer,
  list,
  nullable,
  record,
  text,
  union,
  variant,
} from "../../base/codec.ts";
import type { KerlFact } from "../../keri/kerl-facts.ts";
import { type CertificateFact, certificateVariants } from "./certificate.ts";
import { aidShape, digestShape } from "./command.ts";
import {
  type Assertion,
  type GraphNode,
  type NodeEdge,
  type Relation,
  type RelationEdge,
  CHANGES_MAX,
  assertionShape,
  graphNodeShape,
  nodeEdgeShape,
  relationEdgeShape,
  relationShape,
} from "./graph.ts";
import { kerlVariants } from "./kerl.ts";

/** Every change to the graph is one fact; a cascade is spelled out, one fact for each thing that went. */
export type GraphFact =
  | { readonly kind: "namespaceAdded"; readonly namespace: string }
  | { readonly kind: "namespaceDeleted"; readonly namespace: string }
  | { readonly kind: "relationAdded"; readonly relation: Relation }
  | { readonly kind: "relationDeleted"; readonly relation: Relation }
  | { readonly kind: "subjectAdded"; readonly subject: GraphNode }
  | { readonly kind: "subjectDeleted"; readonly subject: GraphNode }
  | { readonly kind: "objectAdded"; readonly object: GraphNode }
  | { readonly kind: "objectDeleted"; readonly object: GraphNode }
  | { readonly kind: "assertionAdded"; readonly assertion: Assertion }
  | { readonly kind: "assertionDeleted"; readonly assertion: Assertion }
  | { readonly kind: "relationMapped"; readonly edge: RelationEdge }
  | { readonly kind: "relationUnmapped"; readonly edge: RelationEdge }
  | { readonly kind: "subjectMapped"; readonly edge: NodeEdge }
  | { readonly kind: "subjectUnmapped"; readonly edge: NodeEdge }
  | { readonly kind: "objectMapped"; readonly edge: NodeEdge }
  | { readonly kind: "objectUnmapped"; readonly edge: NodeEdge };

/** What every outcome says of its command; enough to recognise a duplicate until `notAfter`. */
interface Settled {
  readonly author: Aid;
  readonly principal: Aid | null;
  readonly id: CommandId;
  /** Of the command's encoding (commandDigest). */
  readonly digest: Digest;
  readonly notAfter: LogTime;
}

/** First fact of every command: how it was settled. A duplicate has no facts: its first result stands. */
export type OutcomeFact =
  | (Settled & {
      readonly kind: "commandExecuted";
      /** For each change of a graph.write, message of a kerl.append or record of a certificate.issue, whether it changed anything. */
      readonly changed: readonly boolean[];
    })
  | (Settled & { readonly kind: "commandRefused"; readonly code: string; readonly message: string });

/** An inception of genesis, in force without signatures of its own: those of the founding document prove it. All others are KerlFacts. */
export type IdentityFact = {
  readonly kind: "identifierIncepted";
  readonly aid: Aid;
  /** The inception event's exact bytes. */
  readonly icp: Uint8Array;
};

/** A batch whose author, key state or signature does not hold: recorded once for the batch, at its first command's index. */
export type BatchFact = {
  readonly kind: "batchRefused";
  readonly author: Aid | null;
  readonly code: string;
  readonly message: string;
};

/** A checkpoint block was ordered: q members say so of the state at `checkpoint`, whose segments peers can fetch. */
export type CheckpointFact = {
  readonly kind: "checkpointOrdered";
  readonly checkpoint: Height;
  readonly root: Digest;
  /** Merkle root of the segments' digests. */
  readonly segments: Digest;
};

export type FactData = GraphFact | OutcomeFact | IdentityFact | BatchFact | CheckpointFact | KerlFact | CertificateFact;

export interface Fact {
  readonly height: Height;
  /** Which command of the block, in the order bundle, signed batch, command; from 0. */
  readonly index: number;
  /** Which fact of the command, from 0. */
  readonly n: number;
  readonly data: FactData;
}

const name = text(4096);
const namespaceField = record("namespace", { namespace: name });
const relationField = record("relation", { relation: relationShape });
const subjectField = record("subject", { subject: graphNodeShape });
const objectField = record("object", { object: graphNodeShape });
const assertionField = record("assertion", { assertion: assertionShape });
const nodeEdgeField = record("edge", { edge: nodeEdgeShape });
const relationEdgeField = record("edge", { edge: relationEdgeShape });

/** Tags are positions and never change; a changed shape is a new variant at the end, old ones stay decodable (golden files). */
export const factDataShape: Shape<FactData> = union<FactData>(
  variant("namespaceAdded", namespaceField),
  variant("namespaceDeleted", namespaceField),
  variant("relationAdded", relationField),
  variant("relationDeleted", relationField),
  variant("subjectAdded", subjectField),
  variant("subjectDeleted", subjectField),
  variant("objectAdded", objectField),
  variant("objectDeleted", objectField),
  variant("assertionAdded", assertionField),
  variant("assertionDeleted", assertionField),
  variant("relationMapped", relationEdgeField),
  variant("relationUnmapped", relationEdgeField),
  variant("subjectMapped", nodeEdgeField),
  variant("subjectUnmapped", nodeEdgeField),
  variant("objectMapped", nodeEdgeField),
  variant("objectUnmapped", nodeEdgeField),
  variant(
    "commandExecuted",
    record("executed", {
      author: aidShape,
      principal: nullable(aidShape),
      id: hex<CommandId>(16),
      digest: digestShape,
      notAfter: integer<LogTime>(),
      changed: list(boolean, CHANGES_MAX),
    }),
  ),
  variant(
    "commandRefused",
    record("refused", {
      author: aidShape,
      principal: nullable(aidShape),
      id: hex<CommandId>(16),
      digest: digestShape,
      notAfter: integer<LogTime>(),
      code: text(64),
      message: text(16_384),
    }),
  ),
  variant("identifierIncepted", record("incepted", { aid: aidShape, icp: bytes(1, 65_536) })),
  variant(
    "batchRefused",
    record("batch refused", { author: nullable(aidShape), code: text(64), message: text(16_384) }),
  ),
  variant(
    "checkpointOrdered",
    record("checkpoint ordered", { checkpoint: integer<Height>(), root: digestShape, segments: digestShape }),
  ),
  ...kerlVariants,
  ...certificateVariants,
);

export const factShape: Shape<Fact> = record("fact", {
  height: integer<Height>(),
  index: integer(),
  n: integer(),
  data: factDataShape,
});
