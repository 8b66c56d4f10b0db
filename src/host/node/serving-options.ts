/** What a serving node is given, and what it tells. */
import type { Aid } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import type { Position } from "../../actors/consensus/ports.ts";
import type { NodeKeyStatus } from "../../actors/enclave/ports.ts";
import type { KeyStateRef } from "../../events/facts/command.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { RevokedKey } from "../../projections/certificates/live-certificates.ts";
import type { Divergence, Timings } from "../../machines/consensus/types.ts";
import type { LogReport } from "../consensus/worker-protocol.ts";
import type { EnclaveHost } from "../enclave/enclave-host.ts";
import type { Founding } from "../founding/document.ts";
import type { ExternalCertificate } from "../issuers/external-certificate.ts";
import type { LiveEntries } from "../inspector/live-entries.ts";
import type { StateQuestion } from "../inspector/state-questions.ts";
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Rebuild } from "../projector/rebuild.ts";
import type { Certificates } from "./certificates.ts";

export interface ServingOptions {
  readonly directory: string;
  readonly founding: Founding;
  readonly foundingFile: Uint8Array;
  readonly aid: Aid;
  readonly enclave: EnclaveHost;
  readonly timings: Timings;
  /** C: heights between checkpoints. */
  readonly checkpointEvery: number;
  readonly bind: {
    readonly host: string;
    readonly cluster: number;
    readonly service: number;
    readonly approach: number;
    readonly identity: { readonly host: string; readonly port: number };
  };
  /** Where others reach the identity port; undefined: they do not. */
  readonly identityUrl: string | undefined;
  readonly connectionsMax: number;
  /** Units: ms. */
  readonly connectionMaxAgeMs: number;
  readonly certificateLifetimeMs: number;
  readonly rotateKeysEveryMs: number;
  readonly certificates: Certificates;
  /** A second certificate of the SERVICE port, where an external issuer is configured. */
  readonly external: ExternalCertificate | undefined;
  /** Key states that the node knew when it was started; the log has newer ones. */
  readonly keyStateOf: (aid: Aid) => KeyState | undefined;
  /** Revoked keys of certificates that have not ended, as the log last said, here or in the projection. */
  readonly revokedKeys: () => readonly RevokedKey[];
  /** Blocks were executed that changed these. */
  readonly onKeyStates: (keyStates: readonly KeyState[]) => void;
  /** Keys of certificates that the log says are revoked. */
  readonly onRevokedKeys: (keys: readonly RevokedKey[]) => void;
  /** What the node remembers for the inspector; undefined: nothing. */
  readonly entries: LiveEntries | undefined;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Gives up a start that waits for peers to heal the log. */
  readonly signal: AbortSignal;
  /** What is done about the log: damage, healing, a lost journal. */
  readonly onLogReport: (report: LogReport) => void;
  /** What happened to the log, in sentences. */
  readonly onLogNotes: (notes: readonly string[]) => void;
  /** The log is damaged: service must stop and start anew, which heals it. */
  readonly onDamaged: (height: number | null, reason: string) => void;
  /** This replica parted from the others: service must stop, for good. */
  readonly onDiverged: (divergence: Divergence) => void;
  /** The log goes on from a checkpoint that was fetched: service must stop and start anew, from there. */
  readonly onAdopted: () => void;
  /** Service cannot go on: the sentence says where and why. */
  readonly onFatal: (code: string, reason: string) => void;
}

export interface Serving {
  readonly position: () => Position | undefined;
  readonly connected: () => number;
  readonly height: () => number;
  readonly projected: () => number;
  readonly keyState: (aid: Aid) => KeyState | undefined;
  /** Which keys the node has. */
  readonly keys: () => NodeKeyStatus;
  /** Rotates the node's key; resolves when the new one is in force. */
  readonly rotateKeys: () => Promise<Result<KeyStateRef>>;
  /** By which another projection takes the place of the serving one. */
  readonly rebuild: () => Rebuild;
  /** The inspector's questions about the graph, now and before. */
  readonly askState: (question: StateQuestion) => Promise<Result<unknown>>;
  /** Whether the graph lets it see what the inspector shows: `sky:cluster#audit` or `#admin`. */
  readonly mayAudit: (aid: Aid) => boolean;
  /** Stops voting, then serving, in order; what was accepted is settled or answered as unknown. */
  readonly stop: () => Promise<void>;
}
