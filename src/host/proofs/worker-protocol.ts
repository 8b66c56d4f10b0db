/** What passes between the host and the notary worker, which reads the log beside its writer and makes proofs. */
import type { MessagePort } from "node:worker_threads";
import type { Aid, CommandId, Height } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import type { Gap } from "../../events/store/log.ts";
import type { Wanted } from "./prover.ts";

export interface NotaryWorkerData {
  /** Path of log.db. */
  readonly log: string;
  /** The signed founding document. */
  readonly founding: Uint8Array;
  readonly port: MessagePort;
}

/** A command's height may be unknown: then it is looked for. */
export type Ask =
  | Wanted
  | {
      readonly kind: "command";
      readonly author: Aid;
      readonly id: CommandId;
      readonly height: Height | null;
      readonly withEffects: boolean;
    };

/** A block as it is stored, with the bundles that it names. */
export interface LoggedBlock {
  readonly height: Height;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  /** Encoded FinalityProof. */
  readonly finality: Uint8Array;
  readonly bundles: readonly Uint8Array[];
}

/** Where the log ends here, and what of it is missing. */
export interface LogEnds {
  readonly newest: Height;
  readonly gap: Gap | null;
}

export type ToNotary =
  | { readonly kind: "prove"; readonly id: number; readonly ask: Ask; readonly untilMs: number }
  | { readonly kind: "blocks"; readonly id: number; readonly from: Height; readonly to: Height }
  | { readonly kind: "ends"; readonly id: number }
  | { readonly kind: "stop" };

export type FromNotary =
  | { readonly kind: "proven"; readonly id: number; readonly answer: Result<Uint8Array> }
  | { readonly kind: "blocks"; readonly id: number; readonly answer: Result<readonly LoggedBlock[]> }
  | { readonly kind: "ends"; readonly id: number; readonly answer: Result<LogEnds> };
