/** The consensus worker as the host sees it. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { type Digest, type Height, type MemberIndex, height as heightOf } from "../../base/brands.ts";
import { ZERO_DIGEST } from "../../base/bytes.ts";
import type { Delivery } from "../../actors/consensus/ports.ts";
import { Fault } from "../../base/errors.ts";
import type { RevokedKey } from "../../projections/certificates/live-certificates.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { Timings } from "../../machines/consensus/types.ts";
import type { Outcome } from "../inspector/block-rows.ts";
import type { RecordingStart } from "../inspector/live-entries.ts";
import type { WrittenCheckpoint } from "../checkpoints/checkpoint-writer.ts";
import { Outbox } from "./outbox.ts";
import type { ConsensusWorkerData, FromConsensus, ToConsensus } from "./worker-protocol.ts";
import { ENTRIES } from "../entries.ts";

type Other = Exclude<
  FromConsensus,
  { kind: "deliver" | "bundle" | "certify" | "renewed" | "started" | "stopped" | "failed" }
>;

export interface ConsensusHostOptions {
  readonly directory: string;
  readonly founding: Uint8Array;
  readonly self: MemberIndex;
  readonly timings: Timings;
  readonly checkpointEvery: number;
  readonly listen: { readonly host: string; readonly port: number };
  /** As in ConsensusWorkerData. */
  readonly connectionMaxAgeMs: number;
  readonly keyStates: readonly KeyState[];
  readonly revokedKeys: readonly RevokedKey[];
  readonly recording: RecordingStart | null;
  readonly signer: MessagePort;
  /** Chain (PEM) for the worker's fresh TLS key. */
  readonly certify: (spki: Uint8Array) => Promise<string>;
  readonly onDelivery: (delivery: Delivery) => void;
  readonly onBundle: (bundle: Uint8Array) => void;
  readonly onEvent: (event: Other) => void;
  /** A start that waits (for peers to heal a damaged log) is given up when this is aborted. */
  readonly signal: AbortSignal;
  /** The worker ended by itself; a Fault of the disk is final. */
  readonly onDeath: (error: Error) => void;
}

export interface ConsensusHost {
  /** `begins`: the checkpoint that the log begins with, while older blocks are still to come. */
  readonly head: { readonly height: Height; readonly hash: Digest; readonly begins: Height | null };
  readonly submit: (signed: Uint8Array) => void;
  readonly startDelivery: (from: Height) => void;
  /** What came of its commands is told for the inspector alone. */
  readonly executed: (height: Height, root: Digest, outcome?: Outcome) => void;
  readonly checkpointWritten: (written: WrittenCheckpoint) => void;
  /** Key states of members that changed. */
  readonly keyStates: (keyStates: readonly KeyState[]) => void;
  /** Certificates of members were revoked. */
  readonly revokedKeys: (keys: readonly RevokedKey[]) => void;
  /** The network takes a fresh key and certificate, that `certify` makes. Rejects when it has none; the one before stays in use. */
  readonly renewCertificate: () => Promise<void>;
  /** Stops voting, marks the log as verified, closes it. */
  readonly stop: () => Promise<void>;
}

const STOP_TIMEOUT_MS = 5000;
const NO_CERTIFICATE = (): Fault =>
  new Fault("CERTIFICATE_FAILED", "The port for members has no new certificate; it goes on with the one that it has.");

/** Starts the worker; resolves when its log is verified and its listener open. Rejects, with the worker gone, when it cannot. */
export async function startConsensus(options: ConsensusHostOptions): Promise<ConsensusHost> {
  const consensus = new WorkerConsensus(options);
  const abort = (): void => consensus.abandon();
  options.signal.addEventListener("abort", abort, { once: true });
  try {
    if (options.signal.aborted) abort();
    await consensus.ready;
    return consensus;
  } catch (error) {
    await consensus.stop();
    throw error;
  } finally {
    options.signal.removeEventListener("abort", abort);
  }
}

class WorkerConsensus implements ConsensusHost {
  head: ConsensusHost["head"] = { height: heightOf(0), hash: ZERO_DIGEST, begins: null };
  readonly ready: Promise<void>;
  readonly #options: ConsensusHostOptions;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #outbox: Outbox<ToConsensus>;
  readonly #stopped: Promise<void>;
  #gone = (): void => {};
  #resolveReady = (): void => {};
  #rejectReady = (_error: Error): void => {};
  #stopping = false;
  /** Asked for, oldest first. */
  #renewals: ((isRenewed: boolean) => void)[] = [];
  /** Its first certificate is there: later ones may fail. */
  #isCertified = false;

  constructor(options: ConsensusHostOptions) {
    const { directory, founding, self, timings, checkpointEvery, listen, connectionMaxAgeMs } = options;
    const { keyStates, revokedKeys, recording, signer } = options;
    const { port1, port2 } = new MessageChannel();
    const data: ConsensusWorkerData = {
      directory,
      founding,
      self,
      timings,
      checkpointEvery,
      listen,
      connectionMaxAgeMs,
      keyStates,
      revokedKeys,
      recording,
      signer,
      port: port2,
    };
    this.#options = options;
    this.#port = port1;
    this.#outbox = new Outbox(port1);
    this.#stopped = new Promise((resolve) => {
      this.#gone = resolve;
    });
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    this.#worker = new Worker(ENTRIES.consensus, {
      name: "consensus",
      workerData: data,
      transferList: [port2, signer, ...(recording === null ? [] : [recording.port])],
    });
    this.#worker.on("error", (error) => this.#died(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on("exit", (code) => this.#died(new Error(`the consensus worker ended with code ${code}`)));
    port1.on("message", (messages: readonly FromConsensus[]) => {
      for (const message of messages) this.#take(message);
    });
  }

  submit(signed: Uint8Array): void {
    this.#outbox.post({ kind: "submit", signed });
  }

  startDelivery(from: Height): void {
    this.#outbox.post({ kind: "startDelivery", from });
  }

  executed(height: Height, root: Digest, outcome?: Outcome): void {
    this.#outbox.post({ kind: "executed", height, root, ...outcome });
  }

  abandon(): void {
    this.#stopping = true;
    this.#rejectReady(new Fault("STOPPED", "The node stops before its log was healed."));
  }

  checkpointWritten(written: WrittenCheckpoint): void {
    this.#outbox.post({ kind: "checkpointWritten", written });
  }

  keyStates(keyStates: readonly KeyState[]): void {
    this.#outbox.post({ kind: "keyStates", keyStates });
  }

  revokedKeys(keys: readonly RevokedKey[]): void {
    this.#outbox.post({ kind: "revokedKeys", keys });
  }

  renewCertificate(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#stopping) return reject(NO_CERTIFICATE());
      this.#renewals.push((isRenewed) => (isRenewed ? resolve() : reject(NO_CERTIFICATE())));
      this.#outbox.post({ kind: "renewCertificate" });
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#outbox.post({ kind: "stop" });
    const timer = setTimeout(this.#gone, STOP_TIMEOUT_MS);
    await this.#stopped;
    clearTimeout(timer);
    await this.end();
  }

  /** Ends the worker at once: what it recorded stays. */
  async end(): Promise<void> {
    this.#stopping = true;
    this.#giveUpRenewals();
    this.#port.close();
    await this.#worker.terminate();
  }

  #take(message: FromConsensus): void {
    switch (message.kind) {
      case "certify":
        this.#options.certify(message.spki).then(
          (chain) => {
            this.#isCertified = true;
            this.#outbox.post({ kind: "certificate", chain });
          },
          (error: unknown) => {
            if (this.#isCertified) return this.#outbox.post({ kind: "certificate", chain: null });
            this.#died(error instanceof Error ? error : new Error(String(error)));
          },
        );
        return;
      case "started":
        this.head = { height: message.head, hash: message.hash, begins: message.begins };
        return this.#resolveReady();
      case "deliver":
        return this.#options.onDelivery(message.delivery);
      case "bundle":
        return this.#options.onBundle(message.bundle);
      case "renewed":
        return this.#renewals.shift()?.(message.isRenewed);
      case "stopped":
        return this.#gone();
      case "failed":
        return this.#died(new Fault(message.code, message.message));
      case "damaged":
        this.#rejectReady(new Fault("LOG_DAMAGED", message.reason)); // if it was starting
        return this.#options.onEvent(message);
      case "halted":
        this.#rejectReady(new Fault("DIVERGED", "This replica parted from the others.")); // if it was starting
        return this.#options.onEvent(message);
      default:
        return this.#options.onEvent(message);
    }
  }

  #giveUpRenewals(): void {
    for (const settle of this.#renewals.splice(0)) settle(false);
  }

  #died(error: Error): void {
    this.#giveUpRenewals();
    this.#gone();
    this.#rejectReady(error);
    if (!this.#stopping) this.#options.onDeath(error);
    this.#stopping = true;
  }
}
