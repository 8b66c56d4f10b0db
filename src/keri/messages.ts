/**
 * What travels in a CESR stream, decoded: key events, receipts and replies with what is attached to them.
 * Source: ToIP KERI specification, "KERI data structures and labels"; ToIP CESR specification, "Count code tables".
 */
import type { Aid, Said } from "../base/brands.ts";
import type { Threshold } from "../crypto/threshold.ts";
import type { VerificationKey } from "../crypto/verification-key.ts";

/** Serialisation of a body. */
export type BodyKind = "JSON" | "CBOR" | "MGPK";

export interface ProtocolVersion {
  readonly major: 1 | 2;
  readonly minor: number;
}

/** A signature with the position of its key: in the current list, and where another one is stated in the prior next list. */
export interface IndexedSignature {
  /** Position in the current key list (or in the witness list). */
  readonly index: number;
  /** Position in the prior next list; null where the code says that the key stands in the current list only. */
  readonly ondex: number | null;
  readonly algorithm: "ed25519" | "secp256k1" | "p256" | "ed448";
  readonly sig: Uint8Array;
}

/** A signature of a non-transferable identifier, which is its own key. */
export interface ReceiptCouple {
  /** CESR text of the key. */
  readonly receiptor: string;
  /** CESR code of the signature. */
  readonly code: string;
  readonly sig: Uint8Array;
}

/** Signatures of a transferable identifier by the keys of one of its establishment events. */
export interface TransferableSignatures {
  readonly aid: Aid;
  /** Establishment event whose keys sign; null in groups that name only the identifier (the latest). */
  readonly establishment: { readonly sn: number; readonly said: Said } | null;
  readonly signatures: readonly IndexedSignature[];
}

/** Where a delegator, or an issuer, anchored what this is attached to. */
export interface SealSource {
  /** Null in couples, where the identifier is known from the event (field di). */
  readonly aid: Aid | null;
  readonly sn: number;
  readonly said: Said;
}

export interface Attachments {
  readonly controllerSignatures: readonly IndexedSignature[];
  readonly witnessSignatures: readonly IndexedSignature[];
  readonly receiptCouples: readonly ReceiptCouple[];
  readonly transferableSignatures: readonly TransferableSignatures[];
  readonly sealSources: readonly SealSource[];
  /** First-seen replay couples: ordinal, and date as text. Read, never believed. */
  readonly firstSeen: readonly { readonly sn: number; readonly date: string }[];
}

/** One message of a stream: bytes as they came, and what is attached, decoded. The body is not judged yet. */
export interface KeriMessage {
  /**
   * Exact bytes of the whole message: what stands before the body (mostly nothing; a genus version), body, and attached. The
   * sources of all messages, one after the other, are the stream.
   */
  readonly source: Uint8Array;
  /** Exact bytes of the body. */
  readonly body: Uint8Array;
  readonly bodyKind: BodyKind;
  readonly version: ProtocolVersion;
  /** Exact bytes of everything attached, in the text or binary domain as it came. */
  readonly attached: Uint8Array;
  readonly attachments: Attachments;
}

export type Trait = "EO" | "DND" | "RB" | "NB" | "NRB" | "DID";

/** An event seal, {i, s, d}: what a delegator anchors. */
export interface EventSeal {
  readonly aid: Aid;
  readonly sn: number;
  readonly said: Said;
}

interface EventBase {
  readonly aid: Aid;
  readonly sn: number;
  readonly said: Said;
  /** Exact bytes of the body. */
  readonly bytes: Uint8Array;
  readonly bodyKind: BodyKind;
  readonly version: ProtocolVersion;
}

interface Establishment extends EventBase {
  /** CESR texts of the keys, and the same keys to verify by. */
  readonly keys: readonly string[];
  readonly verificationKeys: readonly VerificationKey[];
  readonly threshold: Threshold;
  /** CESR texts of the digests of the next keys' texts. */
  readonly nextDigests: readonly string[];
  readonly nextThreshold: Threshold;
  readonly witnessThreshold: number;
  readonly eventSeals: readonly EventSeal[];
}

export interface InceptionEvent extends Establishment {
  readonly type: "icp" | "dip";
  readonly witnesses: readonly string[];
  readonly traits: readonly Trait[];
  /** Of dip; null for icp. */
  readonly delegator: Aid | null;
}

export interface RotationEvent extends Establishment {
  readonly type: "rot" | "drt";
  readonly prior: Said;
  readonly witnessesRemoved: readonly string[];
  readonly witnessesAdded: readonly string[];
  /** Version 2 only; empty in version 1. */
  readonly traits: readonly Trait[];
}

export interface InteractionEvent extends EventBase {
  readonly type: "ixn";
  readonly prior: Said;
  readonly eventSeals: readonly EventSeal[];
}

/** A receipt's body names the event that it is for. */
export interface ReceiptMessage extends EventBase {
  readonly type: "rct";
}

/** A reply: /end/role/add, /end/role/cut, /loc/scheme. `said` is that of the reply. */
export interface ReplyMessage {
  readonly type: "rpy";
  readonly said: Said;
  readonly bytes: Uint8Array;
  readonly bodyKind: BodyKind;
  readonly version: ProtocolVersion;
  /** Who replies, as version 2 states it; null in version 1. */
  readonly author: Aid | null;
  /** ISO 8601 with microseconds and offset, as it came. */
  readonly date: string;
  readonly route: string;
  /** Attributes, text by text (cid, role, eid; eid, scheme, url). */
  readonly attributes: Readonly<Record<string, string>>;
}

export type KeyEvent = InceptionEvent | RotationEvent | InteractionEvent;
export type ParsedBody = KeyEvent | ReceiptMessage | ReplyMessage;

export type EscrowReason =
  | "out-of-order"
  | "partially-signed"
  | "partially-witnessed"
  | "awaiting-anchor"
  | "unverified-receipt";
