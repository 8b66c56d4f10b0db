/** The notary worker as the host sees it: started when somebody asks, ended when nobody has for a while, so that its second ledger goes. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Height } from "../../base/brands.ts";
import { type No, type Result, refuse } from "../../base/result.ts";
import { ENTRIES } from "../entries.ts";
import type { Ask, FromNotary, LogEnds, LoggedBlock, NotaryWorkerData, ToNotary } from "./worker-protocol.ts";

export interface NotaryHostOptions {
  /** Path of log.db. */
  readonly log: string;
  readonly founding: Uint8Array;
  readonly onDeath: (error: Error) => void;
  /** How long nobody must have asked. Units: ms; 10 minutes unless given. */
  readonly idleMs?: number;
}

const IDLE_MS = 600_000;
/** Questions that may wait at once. */
const QUESTIONS_MAX = 64;
const PROOFS_MAX = 16;
const STOP_TIMEOUT_MS = 2_000;

const STOPPED = refuse("UNAVAILABLE", "The node is stopping; ask another one.", "none");
const DIED = refuse("UNAVAILABLE", "The worker that makes proofs failed; ask again, or another node.", "none");
const OVERLOADED = refuse("OVERLOADED", "Too many proofs are waiting; ask again in a moment, or another node.", "none");

interface Waiting {
  readonly isProof: boolean;
  readonly settle: (message: FromNotary) => void;
  readonly fail: (refusal: No) => void;
}

export class NotaryHost {
  readonly #options: NotaryHostOptions;
  #running: { readonly worker: Worker; readonly port: MessagePort } | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #idle: NodeJS.Timeout | undefined;
  #ids = 0;
  #isStopped = false;

  constructor(options: NotaryHostOptions) {
    this.#options = options;
  }

  /** A proof file. Units: ms since 1970. Refuses: NotaryRefusal, PROOF_PENDING, OVERLOADED, UNAVAILABLE. */
  prove(ask: Ask, untilMs: number): Promise<Result<Uint8Array>> {
    return this.#ask(
      (id) => ({ kind: "prove", id, ask, untilMs }),
      (message) => (message.kind === "proven" ? message.answer : DIED),
    );
  }

  /** Consecutive blocks from a height on, up to another or to the head; about a page of them. Refuses: HEIGHT_UNKNOWN, OVERLOADED, UNAVAILABLE. */
  blocks(from: Height, to: Height): Promise<Result<readonly LoggedBlock[]>> {
    return this.#ask(
      (id) => ({ kind: "blocks", id, from, to }),
      (message) => (message.kind === "blocks" ? message.answer : DIED),
    );
  }

  ends(): Promise<Result<LogEnds>> {
    return this.#ask(
      (id) => ({ kind: "ends", id }),
      (message) => (message.kind === "ends" ? message.answer : DIED),
    );
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#idle);
    for (const { fail } of this.#waiting.values()) fail(STOPPED);
    this.#waiting.clear();
    await this.#end();
  }

  #ask<T>(message: (id: number) => ToNotary, answerOf: (message: FromNotary) => Result<T>): Promise<Result<T>> {
    if (this.#isStopped) return Promise.resolve(STOPPED);
    const asked = message(this.#ids + 1);
    const isProof = asked.kind === "prove";
    const proofs = [...this.#waiting.values()].filter((one) => one.isProof).length;
    if (this.#waiting.size >= QUESTIONS_MAX || (isProof && proofs >= PROOFS_MAX)) return Promise.resolve(OVERLOADED);
    const { port } = this.#started();
    this.#ids += 1;
    const id = this.#ids;
    return new Promise((resolve) => {
      this.#waiting.set(id, { isProof, settle: (answered) => resolve(answerOf(answered)), fail: resolve });
      port.postMessage(asked);
    });
  }

  #started(): { readonly worker: Worker; readonly port: MessagePort } {
    clearTimeout(this.#idle);
    if (this.#running !== undefined) return this.#running;
    const { port1, port2 } = new MessageChannel();
    const { log, founding } = this.#options;
    const data: NotaryWorkerData = { log, founding, port: port2 };
    const worker = new Worker(ENTRIES.notary, { name: "notary", workerData: data, transferList: [port2] });
    const running = { worker, port: port1 };
    this.#running = running;
    port1.on("message", (message: FromNotary) => this.#take(message));
    const died = (error: Error): void => {
      if (this.#running !== running) return;
      this.#running = undefined;
      port1.close();
      for (const { fail } of this.#waiting.values()) fail(DIED);
      this.#waiting.clear();
      if (!this.#isStopped) this.#options.onDeath(error);
    };
    worker.on("error", (error) => died(error instanceof Error ? error : new Error(String(error))));
    worker.on("exit", (code) => died(new Error(`the notary worker ended with code ${code}`)));
    return running;
  }

  #take(message: FromNotary): void {
    this.#waiting.get(message.id)?.settle(message);
    this.#waiting.delete(message.id);
    if (this.#waiting.size > 0) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.#end(), this.#options.idleMs ?? IDLE_MS);
    this.#idle.unref();
  }

  /** The worker closes its files and ends by itself: a thread that is ended from outside within a call of SQLite may take the process with it. */
  async #end(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    const ended = new Promise<void>((resolve) => running.worker.once("exit", () => resolve()));
    const timer = setTimeout(() => void running.worker.terminate(), STOP_TIMEOUT_MS);
    const stop: ToNotary = { kind: "stop" };
    running.port.postMessage(stop);
    await ended;
    clearTimeout(timer);
    running.port.close();
  }
}
