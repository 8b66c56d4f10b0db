/** What the consensus actor needs of the world; the node gives the real ones, the simulator its own. */
import type { Digest, Epoch, Height, MemberIndex, View } from "../../base/brands.ts";
import type { MerkleFrontier } from "../../crypto/merkle.ts";
import type { Block, LogEvent } from "../../events/facts/block.ts";
import type { CheckpointStatement } from "../../events/facts/checkpoint.ts";
import type { BeginningLog, Log } from "../../events/store/log.ts";
import type { PeerMessage } from "../../events/facts/peer-message.ts";
import type { consensusMachine } from "../../machines/consensus/consensus.machine.ts";
import type { ConsensusEffect, ConsensusEvent, Divergence, Timings } from "../../machines/consensus/types.ts";
import type { Stepper } from "../../machines/step.ts";

/** A final block on its way to the executor, in order of height. */
export interface Delivery {
  readonly height: Height;
  readonly hash: Digest;
  readonly header: Uint8Array;
  readonly block: Block;
  /** The bundles that the body names, in its order. */
  readonly bundles: readonly Uint8Array[];
}

export interface ConsensusPorts {
  readonly log: Log;
  readonly peers: {
    /** Sends one frame; dropped when the peer is not connected (it gets holdings when it returns). */
    readonly send: (to: MemberIndex, frame: Uint8Array) => void;
    readonly connected: () => readonly MemberIndex[];
  };
  readonly clock: {
    /** Units: ms since 1970. */
    readonly now: () => number;
    readonly set: (ms: number, run: () => void) => unknown;
    readonly clear: (handle: unknown) => void;
  };
  /** Runs soon, after the current work. */
  readonly schedule: (run: () => void) => void;
  /** Uniform in [0, 1); chooses peers to ask, nothing that is hashed. */
  readonly random: () => number;
  /** Signs with the epoch key in the enclave; `done` is called once, later. */
  readonly sign: (message: Uint8Array, done: (signature: Uint8Array) => void) => void;
  readonly executor: {
    readonly deliver: (delivery: Delivery) => void;
    /** A bundle of a peer was accepted: its clients' signatures can be checked ahead of its block. */
    readonly bundleHeld: (digest: Digest, bundle: Uint8Array) => void;
  };
  /** Absent where nobody writes checkpoints. */
  readonly checkpoints?: Checkpoints;
  readonly observer: {
    readonly refused: (reason: string, member: MemberIndex | null) => void;
    readonly advanced: (position: Position) => void;
    /** It is recorded: no later life of this log votes either. */
    readonly halted: (divergence: Divergence) => void;
    readonly evidence: (kind: string, member: MemberIndex, view: number) => void;
    /** The machine begins with this snapshot. */
    readonly began?: (snapshot: ConsensusSnapshot) => void;
    /**
     * The machine took an event, or refused it: what it answers is not recorded yet. For the simulator's invariants and records, and for
     * the inspector.
     */
    readonly stepped?: (
      event: ConsensusEvent,
      effects: readonly ConsensusEffect[],
      after: ConsensusSnapshot,
      refused: string | undefined,
    ) => void;
    /** A message is given to the network for this peer, and one of a peer was read. Nobody keeps its bytes. */
    readonly sent?: (to: MemberIndex, message: PeerMessage) => void;
    readonly delivered?: (from: MemberIndex, message: PeerMessage) => void;
  };
}

/** Of the consensus machine; immutable. */
export type ConsensusSnapshot = ReturnType<Stepper<typeof consensusMachine>["snapshot"]>;

/** A checkpoint whose segments are all kept: from its block on the log can go on, and the projection can be filled. */
export interface FetchedCheckpoint {
  readonly statement: CheckpointStatement;
  readonly segments: readonly Digest[];
  /** The block of the checkpoint's height; its proof is one of the blocks after it. */
  readonly event: LogEvent;
  /** Tree over everything up to and including that block. */
  readonly tree: MerkleFrontier;
  /** Views up to it are settled. */
  readonly pruneBelow: { readonly epoch: Epoch; readonly view: View };
}

/** Checkpoints on this node's disk. */
export interface Checkpoints {
  /** C: a member that is behind by more fetches a checkpoint first, then the blocks after it. */
  readonly distance: number;
  readonly log: BeginningLog;
  /** Digests of the segments of a checkpoint that is here whole, in order. */
  readonly segmentsOf: (height: Height) => readonly Digest[] | undefined;
  /** Bytes of a segment of such a checkpoint, as they are on the disk. */
  readonly segment: (digest: Digest) => Uint8Array | undefined;
  /** Of a checkpoint that is being fetched: a segment that is here already as its digest says, and one that came. */
  readonly fetched: (height: Height, digest: Digest) => Uint8Array | undefined;
  readonly keep: (height: Height, digest: Digest, segment: Uint8Array) => void;
  /** Frees the segments that were fetched, but for those of checkpoints of these heights. */
  readonly discardFetched: (isKept: (height: Height) => boolean) => void;
  /** The actor has stopped: the log is to begin there (`beginAt`), then everything is started again from log and segments. */
  readonly adopt: (found: FetchedCheckpoint) => void;
}

/** Where the member stands, for metrics and status. */
export interface Position {
  readonly state: string;
  readonly view: number;
  readonly finalHeight: number;
  readonly executedHeight: number;
  readonly mempool: number;
  /** Views that ended without a block since the member started. */
  readonly nullified: number;
  /** Lowest height from which the log is whole: 0, unless it began at a checkpoint and older blocks are still to come. */
  readonly vouchesFrom: number;
}

export interface Committee {
  readonly cluster: Digest;
  readonly epoch: Epoch;
  readonly self: MemberIndex;
  /** Public keys that sign consensus messages, by member. */
  readonly keys: readonly Uint8Array[];
  /** Whether a signature holds under a key: Ed25519, and in the simulator mostly a keyed hash. */
  readonly verify: (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  readonly timings: Timings;
}
