/** The enclave worker as the host sees it: started, asked, drained, ended when it seals, and started again. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import * as Comlink from "comlink";
import { Fault } from "../../base/errors.ts";
import { faultAcross } from "../node/disk-fault.ts";
import type { EnclaveFounding } from "../../actors/enclave/ports.ts";
import type { EntryBody } from "../inspector/recorder.ts";
import type { EnclaveControl, EnclaveEvent, EnclaveWorkerData } from "./worker-protocol.ts";
import { ENTRIES } from "../entries.ts";

export interface EnclaveHostOptions {
  readonly directory: string;
  readonly founding: EnclaveFounding;
  /** Stops voting and serving, in order; when it resolves, keys are erased. Bounds: after 10 s they are anyway. */
  readonly stopServing: () => Promise<void>;
  /** The worker with the keys is gone and a sealed one has taken its place; `exit`: the operator asked to end the process. */
  readonly onSealed: (exit: boolean) => void;
  /** What the ceremony machine took, redacted. */
  readonly onCeremony?: (body: EntryBody, context: unknown) => void;
  /** The worker died by itself: a fault of the disk or a defect. Every further call fails; the host decides what ends. */
  readonly onDeath: (error: Error) => void;
}

export interface EnclaveHost extends Omit<EnclaveControl, "connect" | "drained"> {
  /** A new port that serves SigningRequests, to hand to another worker. It closes when the node seals. */
  readonly signerPort: () => Promise<MessagePort>;
  readonly stop: () => Promise<void>;
}

/** One worker, from start to end. */
interface Running {
  /** Rejects when the worker ends before it answered. */
  readonly call: <T>(use: (remote: EnclaveControl) => Promise<T>) => Promise<T>;
  readonly end: () => Promise<void>;
}

/** Starts the worker. Throws: Fault ENCLAVE_FAILED with its reason when it cannot start. */
export async function startEnclave(options: EnclaveHostOptions): Promise<EnclaveHost> {
  let stopped = false;
  const spawn = (): Promise<Running> => startWorker(options, (event) => void onEvent(event).catch(options.onDeath));
  let current = spawn();

  async function onEvent(event: EnclaveEvent): Promise<void> {
    if (event.kind === "ceremony") return options.onCeremony?.(event.body, event.context);
    const { kind, exit } = event;
    const asked = current;
    const running = await asked;
    if (kind === "draining") {
      await options.stopServing();
      // `sealed` may overtake the answer: then the worker has been replaced, and that is what was wanted.
      return running
        .call((remote) => remote.drained())
        .catch((error: unknown) => {
          if (current === asked && !stopped) throw error;
        });
    }
    const ended = running.end();
    if (stopped) return ended;
    current = ended.then(spawn);
    await current;
    options.onSealed(exit);
  }

  const call = async <T>(use: (remote: EnclaveControl) => Promise<T>): Promise<T> => (await current).call(use);
  await current;
  return {
    status: () => call((remote) => remote.status()),
    openWithPassphrase: (passphrase) => call((remote) => remote.openWithPassphrase(passphrase)),
    initialise: (caller) => call((remote) => remote.initialise(caller)),
    fetchShare: (caller) => call((remote) => remote.fetchShare(caller)),
    acknowledgeShare: (caller, index, signature, key) =>
      call((remote) => remote.acknowledgeShare(caller, index, signature, key)),
    beginUnseal: (caller) => call((remote) => remote.beginUnseal(caller)),
    sessionKey: (caller) => call((remote) => remote.sessionKey(caller)),
    apply: (caller, share, key) => call((remote) => remote.apply(caller, share, key)),
    unwrap: (caller, ceremony) => call((remote) => remote.unwrap(caller, ceremony)),
    cancel: (caller, ceremony) => call((remote) => remote.cancel(caller, ceremony)),
    seal: (caller, question) => call((remote) => remote.seal(caller, question)),
    keys: () => call((remote) => remote.keys()),
    prepareRotation: (last) => call((remote) => remote.prepareRotation(last)),
    settleRotation: (inForce) => call((remote) => remote.settleRotation(inForce)),
    issueCertificate: (request) => call((remote) => remote.issueCertificate(request)),
    revocationList: (input) => call((remote) => remote.revocationList(input)),
    ocspAnswer: (input) => call((remote) => remote.ocspAnswer(input)),
    bootCertificate: (request) => call((remote) => remote.bootCertificate(request)),
    signerPort: async () => {
      const { port1, port2 } = new MessageChannel();
      await call((remote) => remote.connect(transferred(port2)));
      return port1;
    },
    stop: async () => {
      stopped = true;
      await (await current).end();
    },
  };
}

/** comlink's types know the ports of browsers; Node's are transferred alike. */
const transferred = (port: MessagePort): MessagePort =>
  Comlink.transfer(port, [port] as unknown as Parameters<typeof Comlink.transfer>[1]);

async function startWorker(options: EnclaveHostOptions, onEvent: (event: EnclaveEvent) => void): Promise<Running> {
  const control = new MessageChannel();
  const events = new MessageChannel();
  const data: EnclaveWorkerData = {
    directory: options.directory,
    founding: options.founding,
    control: control.port2,
    events: events.port2,
  };
  const worker = new Worker(ENTRIES.enclave, {
    name: "enclave",
    workerData: data,
    transferList: [control.port2, events.port2],
  });
  // A MessagePort of Node is an EventTarget too; comlink's own type spreads promises over unions of results.
  const remote = Comlink.wrap<EnclaveControl>(
    control.port1 as unknown as Comlink.Endpoint,
  ) as unknown as EnclaveControl;
  control.port1.start();
  events.port1.on("message", onEvent);

  const open = new Set<(error: Error) => void>();
  let over: Error | undefined;
  const finish = (error: Error): void => {
    over ??= error;
    for (const reject of open) reject(over);
    open.clear();
    control.port1.close();
    events.port1.close();
  };
  const call: Running["call"] = (use) =>
    new Promise((resolve, reject) => {
      if (over !== undefined) return reject(over);
      open.add(reject);
      use(remote)
        .then(resolve, reject)
        .finally(() => open.delete(reject));
    });
  let started = false;
  const onDeath = (error: Error): void => {
    const first = over === undefined;
    finish(failed(error));
    if (first && started) options.onDeath(failed(error));
  };
  worker.on("error", onDeath);
  worker.on("exit", (code) => onDeath(new Error(`it ended with code ${code}`)));
  await call((enclave) => enclave.status());
  started = true;
  return {
    call,
    end: async () => {
      finish(failed(new Error("it was ended, since the node sealed or stopped")));
      await worker.terminate();
    },
  };
}

/** A fault of the disk keeps its name. */
const failed = (cause: Error): Fault =>
  (cause.name === "Fault" ? faultAcross(cause) : undefined) ??
  new Fault("ENCLAVE_FAILED", `The enclave does not answer: ${cause.message}`, { cause });
