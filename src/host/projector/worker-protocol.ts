/** What passes between the host and the projector worker, many messages to a post. */
import type { MessagePort } from "node:worker_threads";
import type { Digest, Height } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import type { ProjectedBlock } from "../../actors/projector/projector.ts";
import type { Assertion } from "../../events/facts/graph.ts";

export interface ProjectorWorkerData {
  readonly path: string;
  /** Hash and root that the log knows for a height; what the projection says otherwise is rebuilt. */
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
  | { readonly kind: "stop" };

export type FromProjector =
  /** The database is open and its rows hold; `rebuilt`: it was damaged and starts from nothing. */
  | { readonly kind: "opened"; readonly height: number; readonly hash: Digest | null; readonly rebuilt: string | null }
  | { readonly kind: "projected"; readonly height: Height }
  | { readonly kind: "checkedAt"; readonly id: number; readonly answer: Result<readonly boolean[]> }
  | { readonly kind: "stopped" };
