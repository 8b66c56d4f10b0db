/** The projector worker as the host sees it. */
import { MessageChannel, Worker } from "node:worker_threads";
import type { Digest, Height } from "../../base/brands.ts";
import { type Result, refuse } from "../../base/result.ts";
import type { ProjectedBlock } from "../../actors/projector/projector.ts";
import type { Assertion } from "../../events/facts/graph.ts";
import { Outbox } from "../consensus/outbox.ts";
import type { FromProjector, ProjectorWorkerData, ToProjector } from "./worker-protocol.ts";

export interface ProjectorHostOptions {
  readonly path: string;
  readonly onProjected: (height: Height) => void;
  readonly onDeath: (error: Error) => void;
}

export interface ProjectorHost {
  /** What the database held when it was opened. */
  readonly opened: { readonly height: number; readonly hash: Digest | null; readonly rebuilt: string | null };
  readonly project: (block: ProjectedBlock) => void;
  /** Bytes of facts that wait to be applied. */
  readonly backlogBytes: () => number;
  readonly checkAt: (height: Height, assertions: readonly Assertion[]) => Promise<Result<readonly boolean[]>>;
  readonly stop: () => Promise<void>;
}

/** Questions about the past that may wait at once. */
const QUESTIONS_MAX = 256;
const STOP_TIMEOUT_MS = 5000;
const ENTRY = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

/** Starts the worker; resolves when its database is open and verified. */
export function startProjector(options: ProjectorHostOptions): Promise<ProjectorHost> {
  const { port1, port2 } = new MessageChannel();
  const data: ProjectorWorkerData = { path: options.path, port: port2 };
  const worker = new Worker(ENTRY, { name: "projector", workerData: data, transferList: [port2] });
  const outbox = new Outbox<ToProjector>(port1);
  const questions = new Map<number, (answer: Result<readonly boolean[]>) => void>();
  const backlog = new Map<Height, number>();
  let backlogBytes = 0;
  let ids = 0;
  let stopping = false;
  let gone = (): void => {};
  const stopped = new Promise<void>((resolve) => {
    gone = resolve;
  });

  const projected = (height: Height): void => {
    for (const [at, bytes] of backlog) {
      if (at > height) continue;
      backlogBytes -= bytes;
      backlog.delete(at);
    }
    options.onProjected(height);
  };

  return new Promise((resolve, reject) => {
    const died = (error: Error): void => {
      gone();
      reject(error);
      for (const answer of questions.values())
        answer(refuse("UNAVAILABLE", "The node is stopping; ask another one.", "none"));
      questions.clear();
      if (!stopping) options.onDeath(error);
      stopping = true;
    };
    worker.on("error", (error) => died(error instanceof Error ? error : new Error(String(error))));
    worker.on("exit", (code) => died(new Error(`the projector worker ended with code ${code}`)));
    const host = (opened: ProjectorHost["opened"]): ProjectorHost => ({
      opened,
      project: (block) => {
        backlog.set(block.height, block.facts.length);
        backlogBytes += block.facts.length;
        outbox.post({ kind: "project", block });
      },
      backlogBytes: () => backlogBytes,
      checkAt: (height, assertions) => {
        if (stopping) return Promise.resolve(refuse("UNAVAILABLE", "The node is stopping; ask another one.", "none"));
        if (questions.size >= QUESTIONS_MAX) {
          return Promise.resolve(
            refuse("OVERLOADED", "Too many questions about the past are waiting; ask again in a moment.", "none"),
          );
        }
        return new Promise((answer) => {
          ids += 1;
          questions.set(ids, answer);
          outbox.post({ kind: "checkAt", id: ids, height, assertions });
        });
      },
      stop: async () => {
        stopping = true;
        outbox.post({ kind: "stop" });
        const timer = setTimeout(gone, STOP_TIMEOUT_MS);
        await stopped;
        clearTimeout(timer);
        port1.close();
        await worker.terminate();
      },
    });
    const take = (message: FromProjector): void => {
      switch (message.kind) {
        case "opened":
          return resolve(host(message));
        case "projected":
          return projected(message.height);
        case "checkedAt":
          questions.get(message.id)?.(message.answer);
          questions.delete(message.id);
          return;
        case "stopped":
          return gone();
      }
    };
    port1.on("message", (messages: readonly FromProjector[]) => messages.forEach(take));
  });
}
