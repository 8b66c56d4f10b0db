/** What passes between the host and the consensus worker, many messages to a post. */
import type { MessagePort } from "node:worker_threads";
import type { Digest, Height, MemberIndex } from "../../base/brands.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { HealingReport } from "../../actors/consensus/healing.ts";
import type { Delivery, Position } from "../../actors/consensus/ports.ts";
import type { Outcome } from "../inspector/block-rows.ts";
import type { RecordingStart } from "../inspector/live-entries.ts";
import type { WrittenCheckpoint } from "../checkpoints/checkpoint-writer.ts";
import type { RevokedKey } from "../../projections/certificates/live-certificates.ts";
import type { Divergence, Timings } from "../../machines/consensus/types.ts";

export interface ConsensusWorkerData {
  readonly directory: string;
  /** The founding file's bytes, opened and checked by the host before. */
  readonly founding: Uint8Array;
  readonly self: MemberIndex;
  readonly timings: Timings;
  /** Of heights between checkpoints (C). */
  readonly checkpointEvery: number;
  readonly listen: { readonly host: string; readonly port: number };
  /** Dialled streams migrate to new connections at this age; 0: never. Units: ms. */
  readonly connectionMaxAgeMs: number;
  /** Of the members, the newest that the node knows. */
  readonly keyStates: readonly KeyState[];
  /** Of the members' certificates, as far as the node knows. */
  readonly revokedKeys: readonly RevokedKey[];
  /** What the inspector is to know; null: nothing is remembered for it. */
  readonly recording: RecordingStart | null;
  /** Serves SigningRequests of the enclave. */
  readonly signer: MessagePort;
  readonly port: MessagePort;
}

export type LogReport =
  | HealingReport
  | { readonly kind: "healed"; readonly height: Height }
  /** The database file cannot be read and was renamed; the member begins anew from its peers. */
  | { readonly kind: "setAside"; readonly path: string; readonly reason: string }
  /** Votes may have been forgotten: the member follows without voting until others have said how far it may have voted. */
  | { readonly kind: "journalLost"; readonly reason: string }
  /** They have: it votes in views above this one. */
  | { readonly kind: "votesAgain"; readonly view: number };

export type ToConsensus =
  /** Null: the enclave gave none; the worker goes on with the one that it has. */
  | { readonly kind: "certificate"; readonly chain: string | null }
  /** A fresh key and certificate for the network, to which its streams migrate. */
  | { readonly kind: "renewCertificate" }
  /** Members' key states changed: connections under older ones end. */
  | { readonly kind: "keyStates"; readonly keyStates: readonly KeyState[] }
  /** Certificates of members were revoked: connections under these keys end. */
  | { readonly kind: "revokedKeys"; readonly keys: readonly RevokedKey[] }
  | { readonly kind: "submit"; readonly signed: Uint8Array }
  | { readonly kind: "startDelivery"; readonly from: Height }
  | ({ readonly kind: "executed"; readonly height: Height } & Pick<Outcome, "root"> & Partial<Outcome>)
  /** The projector wrote the state after this height as segments. */
  | { readonly kind: "checkpointWritten"; readonly written: WrittenCheckpoint }
  | { readonly kind: "stop" };

export type FromConsensus =
  /** The listener's fresh key wants a certificate. */
  | { readonly kind: "certify"; readonly spki: Uint8Array }
  /** The answer to each renewCertificate, in order: whether the network has a new one. */
  | { readonly kind: "renewed"; readonly isRenewed: boolean }
  /** The log is verified, the flags are loaded, the listener is open. `roots`: executed heights the log knows, newest last. */
  | {
      readonly kind: "started";
      readonly head: Height;
      readonly hash: Digest;
      /** The checkpoint that the log begins with, while older blocks are still to come. */
      readonly begins: Height | null;
    }
  /** The log goes on from a checkpoint that was fetched: everything is to start anew from there. */
  | { readonly kind: "adopted"; readonly height: Height }
  | { readonly kind: "deliver"; readonly delivery: Delivery }
  | { readonly kind: "bundle"; readonly bundle: Uint8Array }
  /** Not taken: the member holds as much as it may. */
  | { readonly kind: "refusedBatch"; readonly signed: Uint8Array }
  | { readonly kind: "position"; readonly position: Position }
  /** To how many other members a stream stands, and how many of them should be on a newer connection by now. */
  | { readonly kind: "peers"; readonly connected: number; readonly overdue: number }
  /** A stream moved to a new connection, or could not yet. */
  | { readonly kind: "migration"; readonly isDone: boolean }
  | { readonly kind: "refused"; readonly reason: string; readonly port: "cluster" | "consensus" }
  | { readonly kind: "evidence"; readonly evidence: string; readonly member: MemberIndex; readonly view: number }
  /** It parted from f+1 others, now or in an earlier life: it does nothing more. */
  | { readonly kind: "halted"; readonly divergence: Divergence }
  /** A record of the log is not what was written: the member takes no more part, its next start heals (DESIGN §4). */
  | { readonly kind: "damaged"; readonly height: number | null; readonly reason: string }
  /** What a start does about a damaged log, or one that lost its journal. */
  | { readonly kind: "healing"; readonly report: LogReport }
  /** Sentences about what happened to this log, oldest first. */
  | { readonly kind: "notes"; readonly notes: readonly string[] }
  /** The disk failed or is full; the worker does nothing more. */
  | { readonly kind: "failed"; readonly code: string; readonly message: string }
  | { readonly kind: "stopped" };
