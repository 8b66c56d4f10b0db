/** What passes between the host and the worker that builds another projection. */
import type { MessagePort } from "node:worker_threads";
import type { Digest } from "../../base/brands.ts";
import type { ProjectionRoots } from "../../actors/projector/projector.ts";
import type { TableDifference } from "./compare.ts";

export interface RebuildWorkerData {
  /** The file that is built, or brought up to date. */
  readonly path: string;
  readonly from: "nothing" | "itself";
  readonly serving: string;
  readonly log: string;
  readonly cluster: Digest;
  /** Their directory. */
  readonly checkpoints: string;
  /** Of a core, while it works. From above 0 to 1. */
  readonly share: number;
  readonly reserveBytes: number;
  /** What the serving projection holds when it begins. */
  readonly target: number;
  readonly port: MessagePort;
}

export type ToRebuilder =
  /** The serving projection holds everything up to this height. */
  | { readonly kind: "target"; readonly height: number }
  /** The serving projection stands still at this height: stand there too, and close the file. */
  | { readonly kind: "finish"; readonly height: number }
  | { readonly kind: "abandon" };

export type FromRebuilder =
  | { readonly kind: "progress"; readonly height: number; readonly target: number }
  /** The copy had caught up: how both compare at a height; no differences when all sums are equal. */
  | { readonly kind: "compared"; readonly height: number; readonly differences: readonly TableDifference[] }
  | { readonly kind: "finished"; readonly roots: ProjectionRoots }
  | { readonly kind: "failed"; readonly code: string; readonly message: string }
  | { readonly kind: "abandoned" };
