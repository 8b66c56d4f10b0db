/** What the enclave needs of the world; the host injects it (src/host/enclave), tests and the simulator inject theirs. */
import type { Aid, Digest } from "../../base/brands.ts";
import type { Refusal } from "../../base/result.ts";
import type { ceremonyMachine } from "../../machines/ceremony/ceremony.machine.ts";
import type {
  CeremonyEffect,
  CeremonyEvent,
  CeremonyRecord,
  CeremonyReply,
  Outcome,
  Purpose,
} from "../../machines/ceremony/ceremony.types.ts";
import type { Stepper } from "../../machines/step.ts";
import type { Sealed } from "../../crypto/hpke.ts";
import type { KeyStateRef } from "../../events/facts/command.ts";

/** What the founding document says about this node and its operators. */
export interface EnclaveFounding {
  readonly cluster: Digest;
  readonly node: { readonly aid: Aid; readonly name: string; readonly key: Uint8Array; readonly epochKey: Uint8Array };
  /** Index i of a share is the position here plus one. By which key an operator signs, the caller says at each call. */
  readonly operators: readonly {
    readonly aid: Aid;
    readonly name: string;
    readonly hpkeKey: Uint8Array;
  }[];
  readonly threshold: number;
}

/** What the boot file keeps of a dealing. The sealed shares go when every operator holds its own. */
export interface Dealt {
  readonly commitments: readonly Uint8Array[];
  readonly operators: readonly Aid[];
  /** By the node's identifier, over commitments' hash and table. */
  readonly signature: Uint8Array;
  /** Share of operator i at position i − 1; empty once forgotten. */
  readonly sealed: readonly Sealed[];
}

/** Of the ceremony machine; immutable. */
export type CeremonySnapshot = ReturnType<Stepper<typeof ceremonyMachine>["snapshot"]>;

export interface EnclavePorts {
  /** The machine begins with this snapshot, and took an event: for the inspector, whose redaction stands in host/inspector. */
  readonly began?: (snapshot: CeremonySnapshot) => void;
  readonly stepped?: (
    event: CeremonyEvent,
    effects: readonly CeremonyEffect[],
    before: CeremonySnapshot,
    after: CeremonySnapshot,
  ) => void;
  /** Units: ms since 1970. */
  readonly now: () => number;
  /** Fresh uniform bytes from the operating system. */
  readonly random: (length: number) => Uint8Array;
  readonly x25519PublicKey: (privateKey: Uint8Array) => Uint8Array;
  /** Ed25519 by the boot key. */
  readonly bootSign: (message: Uint8Array) => Uint8Array;
  /** Appends and syncs. Throws: Fault; the enclave then stops. */
  readonly journal: {
    readonly read: () => readonly CeremonyRecord[];
    readonly append: (records: readonly CeremonyRecord[]) => void;
  };
  readonly keystore: { readonly read: () => Uint8Array; readonly write: (file: Uint8Array) => void };
  readonly bootFile: { readonly read: () => Dealt | null; readonly write: (dealt: Dealt) => void };
  /** Calls back once at that time; the returned function takes it back. */
  readonly timer: (at: number, fire: () => void) => () => void;
  /** The node must stop voting and serving, and call `drained` when it has. */
  readonly onDraining: (exit: boolean) => void;
  /** The enclave is sealed and its keys are erased: the host ends the worker. */
  readonly onSealed: (exit: boolean) => void;
  /** A journal or defect that a timer met: nobody waits for an answer, so the worker ends. */
  readonly onFatal: (error: unknown) => void;
}

export type NodeState =
  | "uninitialised"
  | "sealed"
  | "collecting"
  | "verifying"
  | "unwrapping"
  | "unsealed"
  | "draining"
  | "failed"
  | "expired"
  | "cancelled";

export interface EnclaveStatus {
  readonly node: Aid;
  readonly name: string;
  readonly cluster: Digest;
  readonly state: NodeState;
  /** Whether the founder's passphrase has opened the keystore, which is what `initialise` needs. */
  readonly passphraseAccepted: boolean;
  readonly purpose: Purpose | null;
  readonly ceremony: string | null;
  readonly initiator: Aid | null;
  readonly deadline: number | null;
  readonly threshold: number;
  readonly total: number;
  readonly accepted: readonly Aid[];
  readonly missing: number;
  /** At most one entry per operator: its newest wrong share, or the failure it is blamed for. */
  readonly blamed: readonly { readonly operator: Aid; readonly code: string; readonly message: string }[];
  readonly outcome: Outcome | null;
  readonly sealVotes: readonly Aid[];
  /** Operators that have not acknowledged their share of the root; empty before `initialise`. */
  readonly unacknowledged: readonly Aid[];
}

/** Which keys an unsealed node has. */
export interface NodeKeyStatus {
  /** Establishment event of the key in force, as the keystore knows it. */
  readonly keyState: KeyStateRef;
  /** When it came into force; 0 when that is not known. Units: ms since 1970. */
  readonly since: number;
  /** A rotation that the log is still to have, and its bytes to submit. */
  readonly pending: (KeyStateRef & { readonly stream: Uint8Array }) | null;
  /** Ed25519 public key of the non-transferable identifier that the node witnesses as. */
  readonly witness: Uint8Array;
}

export interface SignedSessionKey {
  readonly publicKey: Uint8Array;
  readonly ceremony: string;
  /** Units: ms since 1970. */
  readonly expiry: number;
  readonly bootSignature: Uint8Array;
  readonly purpose: Purpose;
}

/** The answer to an operator: what the machine said, and the state after it. */
export interface EnclaveAnswer extends CeremonyReply {
  readonly status: EnclaveStatus;
}

export interface SessionAnswer extends EnclaveAnswer {
  /** Present while a ceremony is open. */
  readonly sessionKey: SignedSessionKey | null;
}

export interface FetchedShare {
  readonly index: number;
  readonly sealed: Sealed;
  readonly commitments: readonly Uint8Array[];
  readonly threshold: number;
  readonly total: number;
  readonly nodeSignature: Uint8Array;
  readonly operators: readonly Aid[];
}

export interface OfferedShare extends Sealed {
  /** 16 bytes as hex. */
  readonly ceremony: string;
}

export interface SealQuestion {
  /** Unsealed members as this node sees them, itself included. */
  readonly unsealedMembers: number;
  /** q of the current epoch. */
  readonly quorum: number;
  /** End the process afterwards. */
  readonly exit: boolean;
}

export type EnclaveRefusal = Refusal<
  | "NOT_OPERATOR"
  | "NOT_INITIALISED"
  | "SHARES_FORGOTTEN"
  | "BAD_SIGNATURE"
  | "SEALED"
  | "SIGNING_REFUSED"
  | "PASSPHRASE_WRONG"
  | "ALREADY_INITIALISED"
  | "KEYSTORE_DAMAGED"
  | "KEYS_ELSEWHERE"
>;
