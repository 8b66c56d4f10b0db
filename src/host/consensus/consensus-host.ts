/** The consensus worker as the host sees it. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Digest, Height, MemberIndex } from "../../base/brands.ts";
import type { Delivery } from "../../actors/consensus/ports.ts";
import type { Timings } from "../../machines/consensus/types.ts";
import { Outbox } from "./outbox.ts";
import type { ConsensusWorkerData, FromConsensus, ToConsensus } from "./worker-protocol.ts";

type Other = Exclude<FromConsensus, { kind: "deliver" | "bundle" | "certify" | "started" | "stopped" }>;

export interface ConsensusHostOptions {
  readonly directory: string;
  readonly founding: Uint8Array;
  readonly self: MemberIndex;
  readonly timings: Timings;
  readonly listen: { readonly host: string; readonly port: number };
  readonly signer: MessagePort;
  /** Chain (PEM) for the worker's fresh TLS key. */
  readonly certify: (spki: Uint8Array) => Promise<string>;
  readonly onDelivery: (delivery: Delivery) => void;
  readonly onBundle: (bundle: Uint8Array) => void;
  readonly onEvent: (event: Other) => void;
  /** The worker ended by itself. */
  readonly onDeath: (error: Error) => void;
}

export interface ConsensusHost {
  readonly head: { readonly height: Height; readonly hash: Digest };
  readonly submit: (signed: Uint8Array) => void;
  readonly startDelivery: (from: Height) => void;
  readonly executed: (height: Height, root: Digest) => void;
  /** Stops voting, marks the log as verified, closes it. */
  readonly stop: () => Promise<void>;
}

const ENTRY = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);
const STOP_TIMEOUT_MS = 5000;

/** Starts the worker; resolves when its log is verified and its listener open. Rejects when it dies first. */
export function startConsensus(options: ConsensusHostOptions): Promise<ConsensusHost> {
  const { port1, port2 } = new MessageChannel();
  const { directory, founding, self, timings, listen, signer } = options;
  const data: ConsensusWorkerData = { directory, founding, self, timings, listen, signer, port: port2 };
  const worker = new Worker(ENTRY, { name: "consensus", workerData: data, transferList: [port2, signer] });
  const outbox = new Outbox<ToConsensus>(port1);
  let stopping = false;
  let stopped = (): void => {};
  const gone = new Promise<void>((resolve) => {
    stopped = resolve;
  });

  return new Promise((resolve, reject) => {
    const died = (error: Error): void => {
      stopped();
      reject(error);
      if (!stopping) options.onDeath(error);
      stopping = true;
    };
    worker.on("error", (error) => died(error instanceof Error ? error : new Error(String(error))));
    worker.on("exit", (code) => died(new Error(`the consensus worker ended with code ${code}`)));
    const stop = async (): Promise<void> => {
      stopping = true;
      outbox.post({ kind: "stop" });
      const timer = setTimeout(stopped, STOP_TIMEOUT_MS);
      await gone;
      clearTimeout(timer);
      port1.close();
      await worker.terminate();
    };
    const take = (message: FromConsensus): void => {
      switch (message.kind) {
        case "certify":
          options.certify(message.spki).then((chain) => outbox.post({ kind: "certificate", chain }), died);
          return;
        case "started":
          return resolve({
            head: { height: message.head, hash: message.hash },
            submit: (signed) => outbox.post({ kind: "submit", signed }),
            startDelivery: (from) => outbox.post({ kind: "startDelivery", from }),
            executed: (height, root) => outbox.post({ kind: "executed", height, root }),
            stop,
          });
        case "deliver":
          return options.onDelivery(message.delivery);
        case "bundle":
          return options.onBundle(message.bundle);
        case "stopped":
          return stopped();
        default:
          return options.onEvent(message);
      }
    };
    port1.on("message", (messages: readonly FromConsensus[]) => messages.forEach(take));
  });
}
