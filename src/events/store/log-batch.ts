/** What the consensus worker makes durable in one synced transaction (consensus.md, "Durable before sending"). */
import type { Digest, Epoch, Height, View } from "../../base/brands.ts";
import type { Block, Executed, LogEvent } from "../facts/block.ts";

/** Something of the worker's own that must survive a crash: a vote, a certificate, a verdict, a proposal made. */
export interface JournalRecord {
  readonly epoch: Epoch;
  readonly view: View;
  readonly kind: string;
  /** Tells records of one kind and view apart; the store gives it no meaning and keeps every record. */
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** A record as read back; `seq` grows in the order of recording. */
export interface StoredRecord extends JournalRecord {
  readonly seq: number;
}

/** A proposed block that is not final. */
export interface Candidate {
  readonly hash: Digest;
  readonly epoch: Epoch;
  readonly view: View;
  readonly block: Block;
}

export interface StoredBundle {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** A small value by its name; null removes it. */
export interface Mark {
  readonly name: string;
  readonly value: Uint8Array | null;
}

export interface LogBatch {
  /** A bundle that is already stored stays as it is. */
  readonly bundles?: readonly StoredBundle[];
  /** A candidate that is already stored stays as it is. */
  readonly candidates?: readonly Candidate[];
  /** Final blocks; `expected` is the head's height + 1, or 0 for an empty log. */
  readonly append?: { readonly expected: Height; readonly events: readonly LogEvent[] };
  /** Bundles that a final block names; the first height given to a bundle stays. */
  readonly bundleHeights?: readonly { readonly digest: Digest; readonly height: Height }[];
  readonly executed?: readonly Executed[];
  readonly journal?: readonly JournalRecord[];
  /** Drops journal records and candidates of older epochs, and of this epoch below this view; before `journal` and `candidates` are written. */
  readonly pruneBelow?: { readonly epoch: Epoch; readonly view: View };
  readonly marks?: readonly Mark[];
}
