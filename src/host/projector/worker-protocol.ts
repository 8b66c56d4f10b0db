/** What passes between the host and the projector worker, many messages to a post. */
import type { MessagePort } from "node:worker_threads";
import type { Digest, Height } from "../../base/brands.ts";
import type { Refusal, Result } from "../../base/result.ts";
import type { KerlAnswer, KerlQuestion, ProjectedBlock, ProjectionRoots } from "../../actors/projector/projector.ts";
import type { SegmentMember } from "../../projections/checkpoint/segment.ts";
import type { InspectorCode } from "../inspector/source.ts";
import type { StateQuestion } from "../inspector/state-questions.ts";
import type { WrittenCheckpoint } from "../checkpoints/checkpoint-writer.ts";
import type { Assertion } from "../../events/facts/graph.ts";
import type { Explanation } from "../../events/facts/explanation.ts";

export interface ProjectorWorkerData {
  readonly path: string;
  readonly checkpoints: {
    readonly directory: string;
    /** C: the state after every height that it divides is written as segments. */
    readonly every: number;
    readonly members: readonly SegmentMember[];
    /** A projection below this height is filled from the segments of this checkpoint: the log begins there. */
    readonly begins: Height | null;
  };
  readonly port: MessagePort;
}

export type ToProjector =
  | { readonly kind: "project"; readonly block: ProjectedBlock }
  | {
      readonly kind: "checkAt";
      readonly id: number;
      readonly height: Height;
      readonly assertions: readonly Assertion[];
    }
  | { readonly kind: "explainAt"; readonly id: number; readonly height: Height; readonly assertion: Assertion }
  /** Of the inspector. */
  | { readonly kind: "askState"; readonly id: number; readonly question: StateQuestion }
  | { readonly kind: "askKerl"; readonly id: number; readonly question: KerlQuestion }
  /** The log begins with this checkpoint: its segments are kept, whatever newer ones there are. */
  | { readonly kind: "keepCheckpoint"; readonly height: Height }
  /** Stand still at a height: another projection is about to take the place of this one. Questions are answered on. */
  | { readonly kind: "hold" }
  /** Go on as before. */
  | { readonly kind: "resume" }
  /** Close the file; questions wait. */
  | { readonly kind: "release" }
  /** Open the file that stands there now, and stand still on; `isOther`: the files were exchanged. */
  | { readonly kind: "reopen"; readonly isOther: boolean }
  | { readonly kind: "stop" };

export type FromProjector =
  /** The database is open and its rows hold; `rebuilt`: it was damaged and starts from nothing. */
  | { readonly kind: "opened"; readonly height: number; readonly hash: Digest | null; readonly rebuilt: string | null }
  | { readonly kind: "projected"; readonly height: Height }
  /** The state is on the disk as segments, for peers to fetch. Told again at each start, of the newest. */
  | ({ readonly kind: "checkpointWritten" } & WrittenCheckpoint)
  | { readonly kind: "checkedAt"; readonly id: number; readonly answer: Result<readonly boolean[]> }
  | { readonly kind: "explainedAt"; readonly id: number; readonly answer: Result<Explanation> }
  | { readonly kind: "stateAnswered"; readonly id: number; readonly answer: Result<unknown, Refusal<InspectorCode>> }
  | { readonly kind: "kerlAnswered"; readonly id: number; readonly answer: Result<KerlAnswer> }
  | { readonly kind: "held"; readonly roots: ProjectionRoots }
  | { readonly kind: "released" }
  | { readonly kind: "reopened"; readonly height: number }
  /** Its rows, read after the start, are not those that were written. */
  | { readonly kind: "damaged"; readonly reason: string }
  | { readonly kind: "stopped" };
