/** What passes between the enclave worker and the threads that use it. */
import type { MessagePort } from "node:worker_threads";
import type { Aid } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import type { SigningKey } from "../../actors/enclave/custody.ts";
import type {
  EnclaveAnswer,
  EnclaveFounding,
  EnclaveRefusal,
  EnclaveStatus,
  FetchedShare,
  NodeKeyStatus,
  OfferedShare,
  SealQuestion,
  SessionAnswer,
} from "../../actors/enclave/ports.ts";
import type { KeyStateRef } from "../../events/facts/command.ts";
import type { OcspInput, RevocationListInput } from "../../crypto/revocation.ts";
import type { EntryBody } from "../inspector/recorder.ts";
import type { CertificateRequest } from "./certificates.ts";

/** What operators' services and the host ask; every call goes to the worker. `caller` is whom mutual TLS has named. */
export interface EnclavePort {
  readonly status: () => Promise<EnclaveStatus>;
  /** Before `initialise` only. The bytes are copied to the worker; the caller erases its own. */
  readonly openWithPassphrase: (passphrase: Uint8Array) => Promise<Result<EnclaveStatus, EnclaveRefusal>>;
  readonly initialise: (caller: Aid) => Promise<EnclaveAnswer>;
  readonly fetchShare: (caller: Aid) => Promise<Result<FetchedShare, EnclaveRefusal>>;
  readonly acknowledgeShare: (
    caller: Aid,
    index: number,
    signature: Uint8Array,
    key: Uint8Array,
  ) => Promise<Result<EnclaveAnswer, EnclaveRefusal>>;
  readonly beginUnseal: (caller: Aid) => Promise<SessionAnswer>;
  readonly sessionKey: (caller: Aid) => Promise<SessionAnswer>;
  /** `key`: by which the operator signs now (acknowledgeShare too): its identifier may have rotated since the founding. */
  readonly apply: (caller: Aid, share: OfferedShare, key: Uint8Array) => Promise<EnclaveAnswer>;
  readonly unwrap: (caller: Aid, ceremony: string | null) => Promise<EnclaveAnswer>;
  readonly cancel: (caller: Aid, ceremony: string | null) => Promise<EnclaveAnswer>;
  readonly seal: (caller: Aid, question: SealQuestion) => Promise<EnclaveAnswer>;
}

/** What the host asks besides. */
export interface EnclaveControl extends EnclavePort {
  readonly drained: () => Promise<void>;
  /** Which keys the node has. Refuses: SEALED. */
  readonly keys: () => Promise<Result<NodeKeyStatus, EnclaveRefusal>>;
  /** A rotation to submit, on disk by now; the pending one if there is one. `last`: the identifier's newest event. Refuses: SEALED. */
  readonly prepareRotation: (last: KeyStateRef) => Promise<Result<NodeKeyStatus, EnclaveRefusal>>;
  /** Tells which establishment event of the node the log has in force. Refuses: SEALED, KEYS_ELSEWHERE. */
  readonly settleRotation: (inForce: KeyStateRef) => Promise<Result<NodeKeyStatus, EnclaveRefusal>>;
  /** Chain of a listener, leaf first, DER. Refuses: SEALED. */
  readonly issueCertificate: (request: CertificateRequest) => Promise<Result<readonly Uint8Array[], EnclaveRefusal>>;
  /** A list of revoked certificates that the node's issuer signs. Refuses: SEALED. */
  readonly revocationList: (input: RevocationListInput) => Promise<Result<Uint8Array, EnclaveRefusal>>;
  /** An answer about certificates that the node's issuer signs. Refuses: SEALED. */
  readonly ocspAnswer: (input: OcspInput) => Promise<Result<Uint8Array, EnclaveRefusal>>;
  /** Chain of the API listener while sealed. */
  readonly bootCertificate: (request: CertificateRequest) => Promise<readonly Uint8Array[]>;
  /** Serves SigningRequests on this port until the worker ends. */
  readonly connect: (port: MessagePort) => Promise<void>;
}

export interface EnclaveWorkerData {
  readonly directory: string;
  readonly founding: EnclaveFounding;
  readonly control: MessagePort;
  readonly events: MessagePort;
}

export type EnclaveEvent =
  | { readonly kind: "draining" | "sealed"; readonly exit: boolean }
  /** For the inspector: what the ceremony machine took and where it stands, redacted here. */
  | { readonly kind: "ceremony"; readonly body: EntryBody; readonly context: unknown };

export type SigningRequest =
  /** Complete messages: "sky/<type>/v1\0" ‖ cluster ‖ bytes; for the witness key, key events. One signature each, in order. */
  | { readonly id: number; readonly kind: "sign"; readonly key: SigningKey; readonly messages: readonly Uint8Array[] }
  | { readonly id: number; readonly kind: "mark"; readonly bytes: Uint8Array };

export interface SigningReply {
  readonly id: number;
  readonly result: Result<readonly Uint8Array[], EnclaveRefusal>;
}
