/**
 * What the key-state rules ask of whoever keeps the logs, and how a fact changes what is kept.
 *
 * `KerlReader` answers the rules; `KerlStore` is what `applyKerlFact` (kerl-fold.ts) writes to, and the only way that
 * anything changes. MemoryKerl (memory-kerl.ts) is one, for `sky kel verify` and tests; the projection is the other.
 */
import type { Aid, Said } from "../base/brands.ts";
import type { Refusal, Result } from "../base/result.ts";
import type { CommandChecks } from "./check-budget.ts";
import type { KerlFact } from "./kerl-facts.ts";
import type { KeyState } from "./key-state.ts";
import type { EscrowReason, EventSeal, KeyEvent } from "./messages.ts";
import type { RuleName } from "./rule-names.ts";

/** Position of an event in a log. */
export interface EventRef {
  readonly sn: number;
  readonly said: Said;
}

/** What is known of an accepted event without its bytes. */
export interface KerlEvent extends EventRef {
  readonly aid: Aid;
  readonly type: KeyEvent["type"];
  /** False once another event lawfully superseded it. */
  readonly inForce: boolean;
  /** Of a delegated event: the event of the delegator that anchored it. */
  readonly anchor: EventRef | null;
}

export interface KerlEscrow {
  readonly aid: Aid;
  readonly sn: number;
  readonly said: Said;
  readonly reason: EscrowReason;
  readonly waitsFor: Aid;
  readonly event: Uint8Array;
  readonly attached: Uint8Array;
  /** Height at which it came; a replacement does not move it. */
  readonly height: number;
  /** Grows with every newcomer: the order in which escrows are judged anew. A replacement does not move it. */
  readonly order: number;
}

/** The newest reply for a subject. */
export interface KerlReply {
  readonly said: Said;
  readonly signer: Aid;
  readonly signedAt: number;
  readonly date: string;
}

/**
 * Answers of one moment. Synchronous; the same question gets the same answer until a fact is applied.
 * Cost: keyState, eventAt, event, escrowCount, escrowBytes are asked for every message and must be O(1) in memory (an index at worst);
 * keyStateAt, anchors, signers, escrow are asked where a message names them (delegation, receipts, recovery): one indexed look-up;
 * eventBytes is asked only for receipts, forks and recovery and may read from disk.
 */
export interface KerlReader {
  /** The latest state in force. */
  keyState(aid: Aid): KeyState | undefined;
  /** The state after the event in force at `sn`. */
  keyStateAt(aid: Aid, sn: number): KeyState | undefined;
  /** The event in force at `sn`. */
  eventAt(aid: Aid, sn: number): KerlEvent | undefined;
  /** Any accepted event, superseded ones too. */
  event(said: Said): KerlEvent | undefined;
  /** Exact bytes of an accepted event's body. */
  eventBytes(said: Said): Uint8Array | undefined;
  /** Every accepted event of `delegator` that holds this event seal, superseded ones too, in the order they were accepted; mostly one. */
  anchors(delegator: Aid, seal: EventSeal): readonly EventRef[];
  /** Names (`signerName…` below) of those whose signatures for this accepted event are kept. Bounds: SIGNERS_PER_EVENT_MAX. */
  signers(said: Said): ReadonlySet<string>;
  /** By its name (`escrowName`). */
  escrow(name: string): KerlEscrow | undefined;
  /**
   * Receipts and replies that wait for the log of this identifier, their signer, in the order they came. (Delegated events that
   * wait for an anchor are found by the seal: their name is known then.)
   */
  waitingFor(aid: Aid): readonly KerlEscrow[];
  /** What is kept under the name of this identifier (field `i`), in the order it came. Bounds: twice ESCROW_BOUNDS.perAid. */
  escrowsOf(aid: Aid): readonly KerlEscrow[];
  /** All escrows of everybody; and these, in no order, asked for when there are many. */
  escrowCount(): number;
  /** Bodies and attachments of all escrows; O(1), as their count. Units: bytes. */
  escrowBytes(): number;
  escrows(): Iterable<KerlEscrow>;
  /** Evidence kept against this identifier, without what came into force later. Bounds: FORKS_PER_AID_MAX. */
  forks(aid: Aid): readonly EventRef[];
  /** The newest reply by subject (`replySubject`). */
  reply(subject: string): KerlReply | undefined;
}

/** An accepted event, with what is folded from it. */
export interface KerlEntry extends KerlEvent {
  readonly bytes: Uint8Array;
  readonly attached: Uint8Array;
  readonly eventSeals: readonly EventSeal[];
  /** The identifier's state after it. */
  readonly state: KeyState;
}

/** The strokes by which `applyKerlFact` writes. Each is total: nothing is refused, since the rules came before. */
export interface KerlStore extends KerlReader {
  /** In force at (aid, sn) from now on; `entry.state` is the identifier's latest state; its event seals can be found by `anchors`. */
  putEvent(entry: KerlEntry): void;
  /** No more in force; `event` and `anchors` find it still. */
  supersede(aid: Aid, sn: number, said: Said): void;
  /** `attached` are CESR groups to keep after those of the event; null where they came with it. */
  addSigners(said: Said, signers: readonly string[], attached: Uint8Array | null): void;
  /** Adds, or replaces the one of the same name (`escrowName`), keeping its height and order. */
  putEscrow(escrow: Omit<KerlEscrow, "order">): void;
  /** No effect when there is none of this name. */
  removeEscrow(name: string): void;
  putFork(aid: Aid, ref: EventRef, event: Uint8Array, attached: Uint8Array): void;
  putReply(subject: string, reply: KerlReply, bytes: Uint8Array, attached: Uint8Array): void;
}

/** How much may wait. Receipts are counted apart from events and replies. */
export interface EscrowBounds {
  readonly perAid: number;
  /** Bodies and attachments. */
  readonly bytesPerAid: number;
  /** Of everybody. */
  readonly all: number;
  /** Of everybody: bodies and attachments, receipts too. Units: bytes. */
  readonly bytesAll: number;
  /** Whether many send, so that nobody may take all of it (escrow-share.ts). Default: true. */
  readonly isShared?: boolean;
}

/** In the log. Source: docs/adr/0020. */
export const ESCROW_BOUNDS: EscrowBounds = { perAid: 16, bytesPerAid: 65_536, all: 4096, bytesAll: 32 * 1024 * 1024 };
/** The log has no other clock than its height. */
export const ESCROW_HEIGHTS_MAX = 1024;
/** Escrows judged anew in one command. */
export const REPROCESSED_MAX = 64;
export const FORKS_PER_AID_MAX = 8;
/** So that rivals at one place leave room for evidence at others. */
export const FORKS_PER_PLACE_MAX = 2;
/** Signatures kept per event: 64 keys, 64 witnesses and as many watchers again. */
export const SIGNERS_PER_EVENT_MAX = 256;

/** A signature of the identifier's own key at a position. */
export const controllerName = (index: number): string => `key:${index}`;
/** A signature of a non-transferable identifier, whether it came as a witness' indexed one or as a couple. */
export const nonTransferableName = (aid: string): string => `non:${aid}`;
/** A signature of one key of a transferable identifier's establishment event. */
export const transferableName = (aid: Aid, sn: number, index: number): string => `tra:${aid}:${sn}:${index}`;

/** Identity of an escrow: an event or a reply has one per SAID, receipts one per SAID and whom they wait for. */
export const escrowName = (escrow: Pick<KerlEscrow, "said" | "reason" | "waitsFor">): string =>
  escrow.reason === "unverified-receipt" ? `receipt:${escrow.said}:${escrow.waitsFor}` : `event:${escrow.said}`;

/** An escrow of a receipt, not of an event or a reply: counted apart, so that receipts of strangers keep no event out. */
export const isReceiptEscrow = (escrow: Pick<KerlEscrow, "reason">): boolean => escrow.reason === "unverified-receipt";

/** What it takes of the bytes that may wait. */
export const escrowSize = ({ event, attached }: Pick<KerlEscrow, "event" | "attached">): number =>
  event.length + attached.length;

/** Whether it has waited too long; the caller drops it by a fact (KERI_EXPIRED). */
export const isExpired = (escrow: KerlEscrow, height: number): boolean => height - escrow.height >= ESCROW_HEIGHTS_MAX;

export type KerlCode =
  | "KERI_MALFORMED"
  | "KERI_UNSUPPORTED"
  | "KERI_SAID_MISMATCH"
  | "KERI_RULE"
  | "KERI_BAD_SIGNATURE"
  | "KERI_ESCROW_FULL"
  | "LIMIT_EXCEEDED"
  | "TOO_LARGE";

/**
 * What became of a message. `known`: nothing new in it. `receipt`: signatures were added or were there already.
 * `duplicitous`: it was rejected as KERI_DUPLICITOUS, and kept as evidence (unless it is there already, or there is enough).
 */
export type KerlVerdict = "accepted" | `escrowed:${EscrowReason}` | "known" | "receipt" | "replied" | "duplicitous";

/** When and under what bounds a message is judged. */
export interface KerlMoment {
  readonly height: number;
  /** Default: ESCROW_BOUNDS. */
  readonly bounds?: EscrowBounds;
  /** Shared by the messages of one command. Default: each message may cost what a command may. */
  readonly checks?: CommandChecks;
}

/** As the rules use it. */
export type Judging = Required<KerlMoment>;

export interface KerlJudgement {
  readonly verdict: KerlVerdict;
  /** In the order in which they are to be applied; none where nothing changed. */
  readonly facts: readonly KerlFact[];
}

/** Why a message is rejected; `rule` says which one of the specification's, where it is one (KERI_RULE). */
export interface KerlRefusal extends Refusal<KerlCode> {
  readonly rule?: RuleName;
}

export type KerlResult = Result<KerlJudgement, KerlRefusal>;
