/** What the ceremony machine hears, remembers and asks for. Source: docs/protocol/ceremony.md. */
import type { Aid } from "../../base/brands.ts";

/** `reshare`, `rotateRoot` and `recover` are names that later purposes will use; nothing opens them yet. */
export type Purpose = "initialise" | "unseal";

export interface Operator {
  readonly aid: Aid;
  readonly name: string;
}

/** One gathering of shares. Shares and the session's private key stay with the shell, under `id`. */
export interface Ceremony {
  /** 16 bytes as hex: the first half of SHA-256("sky/ceremony/v1" ‖ cluster ‖ node ‖ session public key). */
  readonly id: string;
  readonly purpose: Purpose;
  readonly initiator: Aid;
  /** X25519 public key that shares are sealed to, hex. */
  readonly sessionKey: string;
  /** Units: ms since 1970, as the caller of the machine counts; so are all `at`. */
  readonly openedAt: number;
  readonly deadline: number;
  readonly lastAcceptedAt: number | null;
  readonly accepted: readonly Aid[];
  readonly rejected: readonly Attempt[];
  readonly cancelVotes: readonly Aid[];
}

/** A wrong share. Bounds: the newest WRONG_ATTEMPTS_MAX of each operator are remembered. */
export interface Attempt {
  readonly operator: Aid;
  readonly at: number;
  readonly code: ShareFault;
}

export type ShareFault = "UNREADABLE_SHARE" | "WRONG_INDEX" | "WRONG_SIGNATURE" | "WRONG_COMMITMENT";

export interface SealVote {
  readonly operator: Aid;
  readonly at: number;
}

/** How the keystore's data key is wrapped: under a passphrase (closed or opened by it), or under the root. */
export type Custody = "passphrase" | "opened" | "root";

export type Outcome =
  | { readonly kind: "failed"; readonly reason: string; readonly blamed: readonly Aid[] }
  | { readonly kind: "expired"; readonly ceremony: string }
  | { readonly kind: "cancelled"; readonly ceremony: string; readonly by: readonly Aid[] };

/** The call that waits for the answer to a request. */
export interface Pending {
  readonly call: number;
  readonly caller: Aid;
}

export interface CeremonyInput {
  readonly node: Operator;
  /** Index i of a share is the position here plus one. */
  readonly operators: readonly Operator[];
  readonly threshold: number;
  readonly custody: "passphrase" | "root";
  /** From the journal, so that a restart forgives nothing. */
  readonly attempts: readonly Attempt[];
  readonly acknowledged: readonly Aid[];
}

export interface CeremonyContext {
  readonly node: Operator;
  readonly operators: readonly Operator[];
  readonly threshold: number;
  readonly custody: Custody;
  readonly ceremony: Ceremony | null;
  readonly outcome: Outcome | null;
  readonly attempts: readonly Attempt[];
  readonly sealVotes: readonly SealVote[];
  readonly acknowledged: readonly Aid[];
  readonly pending: Pending | null;
}

/** Asked by a caller, who gets exactly one reply. `caller` is the identifier of the mutual TLS connection. */
interface Asked {
  readonly at: number;
  readonly call: number;
  readonly caller: Aid;
}

export type AskedEvent =
  | ({ readonly type: "initialiseAsked" } & Asked)
  /** `id` and `sessionKey` come from a key drawn for this question; unused when no ceremony opens. */
  | ({ readonly type: "unsealAsked"; readonly id: string; readonly sessionKey: string } & Asked)
  | ({ readonly type: "shareOffered"; readonly ceremony: string } & Asked)
  /** `ceremony` null: whichever is open (the upstream API does not say). */
  | ({ readonly type: "unwrapAsked"; readonly ceremony: string | null } & Asked)
  | ({ readonly type: "cancelAsked"; readonly ceremony: string | null } & Asked)
  /** `unsealedMembers` counts this node; `quorum` is q of the current epoch. */
  | ({ readonly type: "sealAsked"; readonly unsealedMembers: number; readonly quorum: number } & Asked)
  | ({ readonly type: "shareAcknowledged" } & Asked);

export type CeremonyEvent =
  | AskedEvent
  | { readonly type: "passphraseAccepted"; readonly at: number }
  /** The root is drawn and its shares are sealed to the operators; `dealing` names the bytes that the shell holds. */
  | { readonly type: "dealt"; readonly at: number; readonly dealing: string }
  | { readonly type: "rewrapped"; readonly at: number }
  | { readonly type: "shareVerified"; readonly at: number; readonly ceremony: string; readonly operator: Aid }
  | {
      readonly type: "shareRefuted";
      readonly at: number;
      readonly ceremony: string;
      readonly operator: Aid;
      readonly code: ShareFault;
    }
  | { readonly type: "keystoreOpened"; readonly at: number }
  | { readonly type: "openingFailed"; readonly at: number; readonly reason: string; readonly blamed: readonly Aid[] }
  | { readonly type: "drained"; readonly at: number }
  | { readonly type: "timerFired"; readonly at: number; readonly timer: string };

/** Journalled before anything of the same step is answered. */
export type CeremonyRecord =
  | {
      readonly kind: "opened";
      readonly at: number;
      readonly ceremony: string;
      readonly purpose: Purpose;
      readonly by: Aid;
    }
  | { readonly kind: "replaced"; readonly at: number; readonly ceremony: string; readonly by: Aid }
  | { readonly kind: "accepted"; readonly at: number; readonly ceremony: string; readonly operator: Aid }
  | {
      readonly kind: "rejected";
      readonly at: number;
      readonly ceremony: string;
      readonly operator: Aid;
      readonly code: ShareFault;
    }
  | { readonly kind: "dealt"; readonly at: number; readonly dealing: string }
  | { readonly kind: "initialised"; readonly at: number; readonly by: Aid }
  | { readonly kind: "unsealed"; readonly at: number; readonly ceremony: string; readonly by: readonly Aid[] }
  | { readonly kind: "failed"; readonly at: number; readonly reason: string; readonly blamed: readonly Aid[] }
  | { readonly kind: "expired"; readonly at: number; readonly ceremony: string }
  | { readonly kind: "cancelVoted"; readonly at: number; readonly ceremony: string; readonly operator: Aid }
  | { readonly kind: "cancelled"; readonly at: number; readonly ceremony: string; readonly by: readonly Aid[] }
  | { readonly kind: "sealVoted"; readonly at: number; readonly operator: Aid }
  | { readonly kind: "sealing"; readonly at: number; readonly by: readonly Aid[] }
  | { readonly kind: "sealed"; readonly at: number }
  | { readonly kind: "acknowledged"; readonly at: number; readonly operator: Aid };

export type CeremonyRequest =
  | { readonly kind: "deal" }
  /** Wrap the keystore's data key under the root just dealt, then erase scalar and shares. */
  | { readonly kind: "rewrap" }
  | { readonly kind: "verifyShare"; readonly ceremony: string; readonly operator: Aid; readonly index: number }
  | { readonly kind: "openKeystore"; readonly ceremony: string; readonly operators: readonly Aid[] }
  /** Stop voting and serving, in order; `drained` says that it is done. */
  | { readonly kind: "drain" };

export type CeremonyCode =
  | "OK"
  | "NOT_OPERATOR"
  | "BUSY"
  | "NOT_INITIALISED"
  | "ALREADY_INITIALISED"
  | "PASSPHRASE_NEEDED"
  | "CEREMONY_OPEN"
  | "NO_CEREMONY"
  | "WRONG_CEREMONY"
  | "RATE_LIMITED"
  | "TOO_FEW_SHARES"
  | "NO_SHARE_GIVEN"
  | "NOT_INITIATOR"
  | "MORE_SEALS_NEEDED"
  | "CEREMONY_EXPIRED"
  | "CEREMONY_REPLACED"
  | "OPENING_FAILED"
  | "ALREADY_UNSEALED"
  | "SEALING"
  | ShareFault;

export interface CeremonyReply {
  readonly ok: boolean;
  readonly code: CeremonyCode;
  /** A sentence that names who and says what to do. */
  readonly message: string;
  /** Distinct operators whose share is in. */
  readonly shares: number;
  /** How many more the next step needs. */
  readonly missing: number;
  readonly ceremony: string | null;
}

export type CeremonyEffect =
  | { readonly kind: "record"; readonly record: CeremonyRecord }
  | { readonly kind: "reply"; readonly call: number; readonly reply: CeremonyReply }
  | { readonly kind: "setTimer"; readonly timer: string; readonly at: number }
  | { readonly kind: "clearTimer"; readonly timer: string }
  | { readonly kind: "request"; readonly request: CeremonyRequest }
  /** Zero-fill the session key and every share of this ceremony. */
  | { readonly kind: "eraseCeremony"; readonly ceremony: string }
  /** All n operators hold their share: the node forgets the ciphertexts. */
  | { readonly kind: "forgetShares" }
  /** Zero-fill every key; the host ends the worker. */
  | { readonly kind: "closeKeystore" };

/** A ceremony that nobody finishes is over after a quarter of an hour: time enough to wake a second operator. */
export const CEREMONY_MS = 15 * 60_000;
/** After a minute without an accepted share another operator may start anew (ceremony.md). */
export const REPLACEABLE_AFTER_MS = 60_000;
/** Seals of k distinct operators count together for ten minutes (ceremony.md). */
export const SEAL_WINDOW_MS = 10 * 60_000;
/** Five wrong shares within ten minutes are more than typing errors and less than a search. */
export const WRONG_ATTEMPTS_MAX = 5;
export const ATTEMPT_WINDOW_MS = 10 * 60_000;
/** Draining that hangs must not keep a panic button from working. */
export const DRAIN_MS = 10_000;
/** Rejected shares shown in a ceremony's status; the journal has them all. */
export const REJECTED_SHOWN_MAX = 100;
