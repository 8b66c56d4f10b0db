/**
 * What replaying a log yields: its blocks with everything that they did, in the order of the log. Auditors' questions and the
 * inspector read these; how they are made stands in replay.ts.
 */
import type { Aid, Digest, Height, LogTime } from "../../src/base/brands.ts";
import type { Body, Header, LogEvent } from "../../src/events/facts/block.ts";
import type { Command, KeyStateRef } from "../../src/events/facts/command.ts";
import type { Fact, OutcomeFact } from "../../src/events/facts/fact.ts";
import type { LogSource } from "./source.ts";

/** How a command was settled. */
export type ReplayedOutcome =
  | { readonly kind: "executed"; readonly changed: readonly boolean[] }
  | { readonly kind: "refused"; readonly code: string; readonly message: string }
  /** The same bytes were settled before: that result stands, nothing was done again. */
  | {
      readonly kind: "duplicate";
      readonly of: { readonly height: Height; readonly index: number };
      readonly first: OutcomeFact;
    };

/** A command that was judged, with what it did. */
export interface ReplayedCommand {
  /** Which command of the block; from 0, or from 1 where escrows expired in this block. What receipts name. */
  readonly index: number;
  /** Which of the block's batches carried it. */
  readonly batch: number;
  /** Who signed. */
  readonly author: Aid;
  /** The legacy client that a gateway signed for. */
  readonly principal: Aid | null;
  /** Under which key state. */
  readonly keyState: KeyStateRef;
  /** Decode its payload by its kind: graphWriteShape, certificateIssueShape, certificateRevokeShape; a kerl.append's is a CESR stream. */
  readonly command: Command;
  readonly outcome: ReplayedOutcome;
  /** What it changed, without the outcome; none unless it was executed. */
  readonly facts: readonly Fact[];
}

/** What an author signed once. */
export interface ReplayedBatch {
  /** By which the executor and receipts of batches know it. */
  readonly digest: Digest;
  /** Which bundle of the block, from 0. */
  readonly bundle: number;
  /** Exact bytes, signatures included (signedShape). */
  readonly signed: Uint8Array;
  /** Index of its first command; of its only fact, where it was refused as a whole. */
  readonly index: number;
  /** Null where the bytes cannot be read. */
  readonly author: Aid | null;
  readonly principal: Aid | null;
  readonly keyState: KeyStateRef | null;
  /** As it was signed, also where the batch was refused. */
  readonly commands: readonly Command[];
  /** Why the batch as a whole was refused: none of its commands was judged. */
  readonly refused: { readonly code: string; readonly message: string } | null;
}

/** A block, checked and executed. */
export interface ReplayedBlock {
  readonly height: Height;
  readonly hash: Digest;
  readonly header: Header;
  readonly body: Body;
  /** The header's: the only clock of the log. Units: ms since 1970; 0 for genesis. */
  readonly time: LogTime;
  /** Exact bytes of header and body, and the finality proof. */
  readonly event: LogEvent;
  /** Bundles that the body names, in its order: exact bytes. */
  readonly bundles: readonly Uint8Array[];
  readonly batches: readonly ReplayedBatch[];
  readonly commands: readonly ReplayedCommand[];
  /** Every fact of the block in order, outcomes included; also those of no command (genesis, checkpoints, expired escrows). */
  readonly facts: readonly Fact[];
  /** The facts' encodings, one after the other: what the root is over. */
  readonly factBytes: Uint8Array;
  /** Root after this block. */
  readonly root: Digest;
}

export interface ReplayOptions {
  /** Whose log it must be; by default that of whoever its genesis founds, which is judged by its signatures either way. */
  readonly cluster?: Digest;
  /** Last height to replay; all by default. */
  readonly to?: Height;
  /** Stops before the first block with a later time. Units: ms since 1970. */
  readonly until?: number;
  /** Threads that check batches' signatures ahead of their execution; 0 checks them on this one. The verdicts are the same. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/**
 * Verifies a log from genesis and executes it again. A block comes when its hashes, links and the roots that it names hold; its finality may
 * be proven by a later one only, so that a log is sound when the generator ends, not before.
 * Throws: ReplayFailure (failure.ts) at the first thing that does not hold; Fault where the source cannot be read.
 */
export type Replay = (source: LogSource, options?: ReplayOptions) => AsyncGenerator<ReplayedBlock, void>;
