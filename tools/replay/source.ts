/**
 * What replay and verification read: a log, wherever it is. Nothing that a source says is trusted; whoever reads it checks hashes,
 * proofs and roots. A node's directory, a bare log.db and a node that answers ReadLog are sources.
 */
import type { Digest, Height } from "../../src/base/brands.ts";

/** A block as its source gives it: bytes that nobody has looked at yet. */
export interface SourceEvent {
  /** Where the source says that it stands. */
  readonly height: number;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  /** Encoded FinalityProof. */
  readonly proof: Uint8Array;
  /** What the source keeps beside the block, to be compared with it; undefined where a source keeps nothing (a stream). */
  readonly hash?: Uint8Array;
  readonly time?: number;
  /** What is wrong about where the source keeps it, a clause; undefined where nothing is. */
  readonly misplaced?: string | undefined;
}

/** Where blocks are still to come that a checkpoint stood in for. */
export interface SourceGap {
  /** Last height before the gap. */
  readonly below: Height;
  /** First height after it. */
  readonly begins: Height;
}

/** A bundle as its source gives it. */
export interface SourceBundle {
  readonly bytes: Uint8Array;
  /** Where the source says that it was ordered first; undefined where a source keeps no such thing. */
  readonly height?: number | null;
  /** As of an event. */
  readonly misplaced?: string | undefined;
}

/** Throws: Fault SOURCE_* or LOG_* where the medium itself cannot be read. */
export interface LogSource {
  /** Names it in messages: a path, or a node's address. */
  readonly name: string;
  /** Height of the last event; undefined for an empty log. A log that grows meanwhile is read up to here. */
  readonly lastHeight: () => Promise<Height | undefined>;
  /** Height of the last event as the source's writer noted it apart from the events; undefined where nobody did. */
  readonly committedHeight: () => Promise<Height | undefined>;
  /** Events in the order of the log from a height on, up to and with another; ends early where the source has no more. */
  readonly events: (from: Height, to: Height) => AsyncIterable<SourceEvent>;
  /** What the source has under these digests, in the order asked for; undefined where it has nothing. */
  readonly bundles: (digests: readonly Digest[]) => Promise<readonly (SourceBundle | undefined)[]>;
  /** Undefined when the log is whole. */
  readonly gap: () => Promise<SourceGap | undefined>;
  /** The root that the source keeps for an executed height: undefined where it keeps none, null where what it keeps is damaged. */
  readonly executedRoot: (height: Height) => Promise<Digest | null | undefined>;
  /** A height for which it keeps a root that it must not: out of order, or beyond the log's end. Undefined where there is none. */
  readonly strayRoot: () => Promise<number | undefined>;
  readonly close: () => Promise<void>;
}
