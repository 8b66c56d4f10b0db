/** What a client learns about a command that was settled. */
import type { CommandId, Digest, Height } from "../base/brands.ts";

/** Where a command was settled: an answer "at least as fresh" as it has seen the command. (KERI's are always KERI receipts.) */
export interface Receipt {
  readonly height: Height;
  /** Index of the command in its block. */
  readonly index: number;
  readonly blockHash: Digest;
}

export interface CommandOutcome {
  readonly id: CommandId;
  readonly receipt: Receipt;
  readonly result:
    | {
        readonly kind: "executed";
        /** For each change, whether it changed anything. */
        readonly changed: readonly boolean[];
      }
    | { readonly kind: "refused"; readonly code: string; readonly message: string };
}
