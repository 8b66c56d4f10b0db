/** The projector worker as the host sees it. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Digest, Height } from "../../base/brands.ts";
import { Fault } from "../../base/errors.ts";
import { type No, type Result, refuse } from "../../base/result.ts";
import type { KerlAnswer, KerlQuestion, ProjectedBlock, ProjectionRoots } from "../../actors/projector/projector.ts";
import type { Assertion } from "../../events/facts/graph.ts";
import type { Explanation } from "../../events/facts/explanation.ts";
import type { WrittenCheckpoint } from "../checkpoints/checkpoint-writer.ts";
import type { StateQuestion } from "../inspector/state-questions.ts";
import { Outbox } from "../consensus/outbox.ts";
import type { FromProjector, ProjectorWorkerData, ToProjector } from "./worker-protocol.ts";
import { ENTRIES } from "../entries.ts";

export interface ProjectorHostOptions {
  readonly path: string;
  readonly checkpoints: ProjectorWorkerData["checkpoints"];
  readonly onProjected: (height: Height) => void;
  readonly onCheckpoint: (written: WrittenCheckpoint) => void;
  /** Its rows, read after the start, are not those that were written: the next start rebuilds it. */
  readonly onDamaged: (reason: string) => void;
  readonly onDeath: (error: Error) => void;
}

export interface ProjectorHost {
  /** What the database held when it was opened. */
  readonly opened: { readonly height: number; readonly hash: Digest | null; readonly rebuilt: string | null };
  /** Soon: blocks that come shortly after one another are handed over together. */
  readonly project: (block: ProjectedBlock) => void;
  /** What was to be projected soon is handed over now: somebody waits for it. */
  readonly hurry: () => void;
  /** The log begins with this checkpoint: a damaged projection is filled from it. */
  readonly keepCheckpoint: (height: Height) => void;
  /** Blocks that wait to be applied, oldest first. */
  readonly backlog: () => readonly ProjectedBlock[];
  /** Bytes of facts that wait to be applied. */
  readonly backlogBytes: () => number;
  readonly checkAt: (height: Height, assertions: readonly Assertion[]) => Promise<Result<readonly boolean[]>>;
  /** Refuses: HISTORY_LAGGING, OVERLOADED, UNAVAILABLE. */
  readonly explainAt: (height: Height, assertion: Assertion) => Promise<Result<Explanation>>;
  /** Refuses: HISTORY_LAGGING, OVERLOADED, UNAVAILABLE. */
  readonly askKerl: (question: KerlQuestion) => Promise<Result<KerlAnswer>>;
  /** The inspector's questions. Refuses: NOT_FOUND, INVALID_QUESTION, OVERLOADED, UNAVAILABLE. */
  readonly askState: (question: StateQuestion) => Promise<Result<unknown>>;
  /** Stands still, and answers on; for the exchange of its file (exchange.ts). Rejects when the worker ends. */
  readonly hold: () => Promise<ProjectionRoots>;
  /** Goes on after `hold`, or after `reopen`. */
  readonly resume: () => void;
  /** After `hold`: the file is closed, and questions wait, until `reopen`. */
  readonly release: () => Promise<void>;
  /** Opens the file that stands there now, and stands still on; resolves with its height. `isOther`: the files were exchanged. */
  readonly reopen: (isOther: boolean) => Promise<number>;
  readonly stop: () => Promise<void>;
}

/** Questions about the past that may wait at once. */
const QUESTIONS_MAX = 256;
const STOP_TIMEOUT_MS = 5000;
/**
 * A transaction of the projector costs as much as hundreds of rows, and dirties the same pages again. So a block waits this long for those
 * after it: nobody waits for the projector but who asks about the past, and a question hurries it. Units: ms.
 */
const GATHER_MS = 100;
/** Facts of some 4,000 writes, 50 ms of work: enough for a transaction, they wait for nothing more. Units: bytes. */
const GATHERED_BYTES = 1024 * 1024;

type StepMessage = Extract<FromProjector, { readonly kind: "held" | "released" | "reopened" }>;

/** Starts the worker; resolves when its database is open and verified. */
export async function startProjector(options: ProjectorHostOptions): Promise<ProjectorHost> {
  const host = new WorkerProjector(options);
  await host.ready;
  return host;
}

const OVERLOADED = refuse(
  "OVERLOADED",
  "Too many questions about the past are waiting; ask again in a moment.",
  "none",
);
const STOPPING = refuse("UNAVAILABLE", "The node is stopping; ask another one.", "none");

class WorkerProjector implements ProjectorHost {
  opened: ProjectorHost["opened"] = { height: -1, hash: null, rebuilt: null };
  readonly ready: Promise<void>;
  readonly #options: ProjectorHostOptions;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #outbox: Outbox<ToProjector>;
  readonly #questions = new Map<number, (answer: Result<readonly boolean[]>) => void>();
  readonly #explanations = new Map<number, (answer: Result<Explanation>) => void>();
  readonly #stateQuestions = new Map<number, (answer: Result<unknown>) => void>();
  readonly #kerlQuestions = new Map<number, (answer: Result<KerlAnswer>) => void>();
  /** Blocks handed over and not applied: a worker that is restarted gets them again. */
  readonly #backlog = new Map<Height, ProjectedBlock>();
  readonly #steps = new Map<StepMessage["kind"], PromiseWithResolvers<StepMessage>>();
  readonly #stopped: Promise<void>;
  #gone = (): void => {};
  #backlogBytes = 0;
  /** Of the blocks that were not handed over yet. */
  #gatheredBytes = 0;
  #gathering: NodeJS.Timeout | undefined;
  #ids = 0;
  #stopping = false;

  constructor(options: ProjectorHostOptions) {
    const { port1, port2 } = new MessageChannel();
    const data: ProjectorWorkerData = { path: options.path, checkpoints: options.checkpoints, port: port2 };
    this.#options = options;
    this.#port = port1;
    this.#outbox = new Outbox(port1);
    this.#worker = new Worker(ENTRIES.projector, { name: "projector", workerData: data, transferList: [port2] });
    this.#stopped = new Promise((resolve) => {
      this.#gone = resolve;
    });
    this.ready = new Promise((resolve, reject) => {
      const died = (error: Error): void => {
        reject(error);
        this.#died(error);
      };
      this.#worker.on("error", (error) => died(error instanceof Error ? error : new Error(String(error))));
      this.#worker.on("exit", (code) => died(new Error(`the projector worker ended with code ${code}`)));
      port1.on("message", (messages: readonly FromProjector[]) => {
        for (const message of messages) this.#take(message, resolve);
      });
    });
  }

  project(block: ProjectedBlock): void {
    this.#backlog.set(block.height, block);
    this.#backlogBytes += block.facts.length;
    this.#gatheredBytes += block.facts.length;
    this.#outbox.keep({ kind: "project", block });
    if (this.#gatheredBytes >= GATHERED_BYTES) this.hurry();
    else this.#gathering ??= setTimeout(() => this.hurry(), GATHER_MS);
  }

  hurry(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#gatheredBytes = 0;
    this.#outbox.flush();
  }

  keepCheckpoint(height: Height): void {
    this.#outbox.post({ kind: "keepCheckpoint", height });
  }

  backlog(): readonly ProjectedBlock[] {
    return [...this.#backlog.values()];
  }

  backlogBytes(): number {
    return this.#backlogBytes;
  }

  checkAt(height: Height, assertions: readonly Assertion[]): Promise<Result<readonly boolean[]>> {
    const refused = this.#refusal();
    if (refused !== undefined) return Promise.resolve(refused);
    return new Promise((answer) => {
      this.#ids += 1;
      this.#questions.set(this.#ids, answer);
      this.#outbox.post({ kind: "checkAt", id: this.#ids, height, assertions });
    });
  }

  explainAt(height: Height, assertion: Assertion): Promise<Result<Explanation>> {
    const refused = this.#refusal();
    if (refused !== undefined) return Promise.resolve(refused);
    return new Promise((answer) => {
      this.#ids += 1;
      this.#explanations.set(this.#ids, answer);
      this.#outbox.post({ kind: "explainAt", id: this.#ids, height, assertion });
    });
  }

  askKerl(question: KerlQuestion): Promise<Result<KerlAnswer>> {
    const refused = this.#refusal();
    if (refused !== undefined) return Promise.resolve(refused);
    return new Promise((answer) => {
      this.#ids += 1;
      this.#kerlQuestions.set(this.#ids, answer);
      this.#outbox.post({ kind: "askKerl", id: this.#ids, question });
    });
  }

  askState(question: StateQuestion): Promise<Result<unknown>> {
    const refused = this.#refusal();
    if (refused !== undefined) return Promise.resolve(refused);
    return new Promise((answer) => {
      this.#ids += 1;
      this.#stateQuestions.set(this.#ids, answer);
      this.#outbox.post({ kind: "askState", id: this.#ids, question });
    });
  }

  async hold(): Promise<ProjectionRoots> {
    const held = await this.#step({ kind: "hold" }, "held");
    return held.roots;
  }

  resume(): void {
    this.#outbox.post({ kind: "resume" });
  }

  async release(): Promise<void> {
    await this.#step({ kind: "release" }, "released");
  }

  async reopen(isOther: boolean): Promise<number> {
    const reopened = await this.#step({ kind: "reopen", isOther }, "reopened");
    return reopened.height;
  }

  async #step<K extends StepMessage["kind"]>(
    message: ToProjector,
    answer: K,
  ): Promise<Extract<StepMessage, { readonly kind: K }>> {
    if (this.#stopping) throw new Fault("STOPPED", "The projector stops.");
    const step = Promise.withResolvers<StepMessage>();
    this.#steps.set(answer, step);
    this.#outbox.post(message);
    return (await step.promise) as Extract<StepMessage, { readonly kind: K }>;
  }

  #refusal(): No | undefined {
    if (this.#stopping) return STOPPING;
    const waiting =
      this.#questions.size + this.#explanations.size + this.#kerlQuestions.size + this.#stateQuestions.size;
    return waiting < QUESTIONS_MAX ? undefined : OVERLOADED;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#gathering);
    this.#outbox.post({ kind: "stop" });
    const timer = setTimeout(this.#gone, STOP_TIMEOUT_MS);
    await this.#stopped;
    clearTimeout(timer);
    this.#port.close();
    await this.#worker.terminate();
  }

  #take(message: FromProjector, opened: () => void): void {
    switch (message.kind) {
      case "opened":
        this.opened = message;
        return opened();
      case "projected":
        return this.#projected(message.height);
      case "checkpointWritten":
        return this.#options.onCheckpoint(message);
      case "checkedAt":
        this.#questions.get(message.id)?.(message.answer);
        this.#questions.delete(message.id);
        return;
      case "explainedAt":
        this.#explanations.get(message.id)?.(message.answer);
        this.#explanations.delete(message.id);
        return;
      case "stateAnswered":
        this.#stateQuestions.get(message.id)?.(message.answer);
        this.#stateQuestions.delete(message.id);
        return;
      case "kerlAnswered":
        this.#kerlQuestions.get(message.id)?.(message.answer);
        this.#kerlQuestions.delete(message.id);
        return;
      case "held":
      case "released":
      case "reopened":
        this.#steps.get(message.kind)?.resolve(message);
        this.#steps.delete(message.kind);
        return;
      case "damaged":
        if (!this.#stopping) this.#options.onDamaged(message.reason);
        return;
      case "stopped":
        return this.#gone();
    }
  }

  #projected(height: Height): void {
    for (const [at, { facts }] of this.#backlog) {
      if (at > height) break; // in order of height
      this.#backlogBytes -= facts.length;
      this.#backlog.delete(at);
    }
    this.#options.onProjected(height);
  }

  #died(error: Error): void {
    this.#gone();
    clearTimeout(this.#gathering);
    for (const answer of this.#questions.values()) answer(STOPPING);
    for (const answer of this.#explanations.values()) answer(STOPPING);
    for (const answer of this.#kerlQuestions.values()) answer(STOPPING);
    for (const answer of this.#stateQuestions.values()) answer(STOPPING);
    this.#questions.clear();
    this.#explanations.clear();
    this.#kerlQuestions.clear();
    this.#stateQuestions.clear();
    if (!this.#stopping) this.#options.onDeath(error);
    this.#stopping = true;
  }
}
