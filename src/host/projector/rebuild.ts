/**
 * Another projection in the place of the one that serves, while it serves (docs/adr/0023). A worker builds it from the log, or brings the
 * previous one up to date; when it has caught up, both are compared at one height; then the projector stands still for the few blocks that
 * are left, and the files are exchanged.
 */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Digest } from "../../base/brands.ts";
import { utf8 } from "../../base/bytes.ts";
import { Fault } from "../../base/errors.ts";
import { type No, type Result, ok, refuse } from "../../base/result.ts";
import { type ProjectionRoots, TABLE_SETS } from "../../actors/projector/projector.ts";
import { sha256Digest } from "../../crypto/hash.ts";
import { Outbox } from "../consensus/outbox.ts";
import { ENTRIES } from "../entries.ts";
import { fileExists } from "../founding/files.ts";
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { TableDifference } from "./compare.ts";
import { type ProjectionFiles, exchange, removeDatabase } from "./exchange.ts";
import type { MovableDatabase } from "./movable-database.ts";
import type { ProjectorHost } from "./projector-host.ts";
import type { FromRebuilder, RebuildWorkerData, ToRebuilder } from "./rebuild-protocol.ts";

export type RebuildPhase = "idle" | "building" | "differs" | "switching" | "done" | "failed";

export interface RebuildStatus {
  readonly phase: RebuildPhase;
  readonly kind: "rebuild" | "rollBack";
  /** Of the copy; −1 before its first block. */
  readonly height: number;
  /** Of the serving projection. */
  readonly target: number;
  /** At which both were compared; null before. */
  readonly comparedAt: number | null;
  readonly differences: readonly TableDifference[];
  /** Names these differences: accepting needs it. Empty when there are none. */
  readonly difference: string;
  /** Of `failed`. */
  readonly code: string;
  readonly message: string;
  /** Whether there is a projection to roll back to. */
  readonly hasPrevious: boolean;
  /** Units: ms since 1970; 0 before the first. */
  readonly startedAt: number;
  readonly endedAt: number;
}

export interface RebuildOptions {
  readonly files: ProjectionFiles;
  readonly log: string;
  readonly cluster: Digest;
  readonly checkpoints: string;
  /** The one that runs: its worker may be restarted. */
  readonly projector: () => ProjectorHost;
  /** Last height that it holds. */
  readonly projected: () => number;
  /** The host thread's own connection to the serving file. */
  readonly past: () => MovableDatabase;
  /** Another projection serves whose rows are others: whatever was loaded from them is to be loaded anew. */
  readonly onOther: () => void;
  /** The exchange was begun and could not be ended. */
  readonly onFatal: (error: unknown) => void;
  readonly now: () => number;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Of a core, for the worker. */
  readonly share?: number;
  readonly reserveBytes?: number;
}

/** Half of one core: the node keeps the other half and all others. */
const SHARE = 0.5;
/** What the log needs for a good while: a full disk stops the node. Units: bytes. */
const RESERVE_BYTES = 256 * 1024 * 1024;
/** Another program that has a file open is waited for so long: a query takes less. Units: ms. */
const IN_USE_MS = 5_000;
const IN_USE_LOOK_MS = 100;

const STOPPING = refuse("STOPPED", "The node stopped meanwhile; ask again.", "none");

const IDLE: RebuildStatus = {
  phase: "idle",
  kind: "rebuild",
  height: -1,
  target: -1,
  comparedAt: null,
  differences: [],
  difference: "",
  code: "",
  message: "",
  hasPrevious: false,
  startedAt: 0,
  endedAt: 0,
};

interface Running {
  readonly port: MessagePort;
  readonly outbox: Outbox<ToRebuilder>;
  readonly worker: Worker;
  readonly finished: PromiseWithResolvers<ProjectionRoots>;
  readonly gone: Promise<void>;
  readonly path: string;
  isFinished: boolean;
}

export class Rebuild {
  readonly #options: RebuildOptions;
  readonly #watchers = new Set<(status: RebuildStatus) => void>();
  #status: RebuildStatus = IDLE;
  #running: Running | undefined;
  #isStopped = false;

  constructor(options: RebuildOptions) {
    this.#options = options;
  }

  get status(): RebuildStatus {
    return { ...this.#status, hasPrevious: fileExists(this.#options.files.previous) };
  }

  /** Called at every change; returns how to stop. */
  watch(changed: (status: RebuildStatus) => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  /** Refuses: REBUILD_RUNNING, NO_PREVIOUS. */
  start(kind: RebuildStatus["kind"]): Result<RebuildStatus> {
    if (this.#isStopped) return refuse("UNAVAILABLE", "The node is stopping; ask again when it serves.", "none");
    if (this.#running !== undefined)
      return refuse(
        "REBUILD_RUNNING",
        "A projection is being built on this node already; see its status, or cancel it.",
      );
    const { files, projected, now, logger } = this.#options;
    if (kind === "rollBack" && !fileExists(files.previous))
      return refuse(
        "NO_PREVIOUS",
        "This node keeps no previous projection; one is kept by every rebuild that was switched to.",
      );
    if (kind === "rebuild") removeDatabase(files.rebuilt);
    const target = projected();
    this.#set({ ...IDLE, phase: "building", kind, target, startedAt: now() });
    this.#running = this.#spawn(kind, target);
    logger.info(
      kind === "rebuild" ? "Another projection is built from the log" : "The previous projection is brought up to date",
      {
        height: target,
      },
    );
    return ok(this.status);
  }

  /** Switches to a copy in spite of the differences that were shown. Refuses: NOTHING_TO_ACCEPT, DIFFERENCE_CHANGED. */
  accept(difference: string): Result<RebuildStatus> {
    if (this.#status.phase !== "differs" || this.#running === undefined)
      return refuse("NOTHING_TO_ACCEPT", "No copy waits that differs from the serving projection.");
    if (difference !== this.#status.difference)
      return refuse(
        "DIFFERENCE_CHANGED",
        `What waits differs as ${this.#status.difference}; look at its status, then accept that.`,
      );
    void this.#switch(this.#running);
    return ok(this.status);
  }

  /** Drops the copy. Refuses: NOTHING_TO_CANCEL. */
  cancel(): Result<RebuildStatus> {
    const { phase } = this.#status;
    if (this.#running === undefined || (phase !== "building" && phase !== "differs"))
      return refuse(
        "NOTHING_TO_CANCEL",
        "No projection is being built on this node, or it is being switched to already.",
      );
    void this.#fail(this.#running, "CANCELLED", "It was cancelled; the projection that served goes on.");
    return ok(this.status);
  }

  /** The serving projection moved on. */
  projected(height: number): void {
    if (this.#running === undefined) return;
    this.#status = { ...this.#status, target: height };
    if (this.#status.phase !== "switching") this.#running.outbox.post({ kind: "target", height });
  }

  /** The projector's worker is started anew, which settles the files: nothing may be under way. */
  async interrupt(): Promise<void> {
    if (this.#running !== undefined)
      await this.#fail(this.#running, "PROJECTOR_RESTARTED", "The projector was started anew meanwhile; ask again.");
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#running !== undefined)
      await this.#fail(this.#running, "STOPPED", "The node stopped meanwhile; ask again.");
    this.#watchers.clear();
  }

  #spawn(kind: RebuildStatus["kind"], target: number): Running {
    const { files, log, cluster, checkpoints, share, reserveBytes } = this.#options;
    const { port1, port2 } = new MessageChannel();
    const path = kind === "rebuild" ? files.rebuilt : files.previous;
    const workerData: RebuildWorkerData = {
      path,
      from: kind === "rebuild" ? "nothing" : "itself",
      serving: files.serving,
      log,
      cluster,
      checkpoints,
      share: share ?? SHARE,
      reserveBytes: reserveBytes ?? RESERVE_BYTES,
      target,
      port: port2,
    };
    const worker = new Worker(ENTRIES.rebuild, { name: "rebuild", workerData, transferList: [port2] });
    const finished = Promise.withResolvers<ProjectionRoots>();
    finished.promise.catch(() => {}); // told by #fail, too
    const gone = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    const running: Running = {
      port: port1,
      outbox: new Outbox(port1),
      worker,
      finished,
      gone,
      path,
      isFinished: false,
    };
    port1.on("message", (messages: readonly FromRebuilder[]) => {
      for (const message of messages) if (this.#running === running) this.#take(running, message);
    });
    worker.once(
      "error",
      (error) => void this.#fail(running, "REBUILD_FAILED", error instanceof Error ? error.message : String(error)),
    );
    // After its last message: one that has finished ends, too.
    port1.once("close", () => {
      if (!running.isFinished) void this.#fail(running, "REBUILD_FAILED", "The worker that built it ended.");
    });
    return running;
  }

  #take(running: Running, message: FromRebuilder): void {
    switch (message.kind) {
      case "progress":
        return this.#set({ ...this.#status, height: message.height });
      case "compared":
        return this.#compared(running, message.height, message.differences);
      case "finished":
        running.isFinished = true;
        return running.finished.resolve(message.roots);
      case "failed":
        return void this.#fail(running, message.code, message.message);
      case "abandoned":
        return;
    }
  }

  #compared(running: Running, comparedAt: number, differences: readonly TableDifference[]): void {
    const { logger } = this.#options;
    const difference =
      differences.length === 0 ? "" : sha256Digest(utf8(JSON.stringify([comparedAt, differences]))).slice(0, 16);
    this.#set({ ...this.#status, comparedAt, differences, difference });
    if (differences.length > 0 && this.#status.kind === "rebuild") {
      logger.warn("The rebuilt projection differs from the one that serves; an operator decides", {
        height: comparedAt,
      });
      return this.#set({ ...this.#status, phase: "differs" });
    }
    void this.#switch(running);
  }

  /** The projector stands still from here on, until it goes on with one file or the other. */
  async #switch(running: Running): Promise<void> {
    const { projector, now, logger, metrics } = this.#options;
    this.#set({ ...this.#status, phase: "switching" });
    const host = projector();
    const began = performance.now();
    try {
      const held = await host.hold();
      running.outbox.post({ kind: "finish", height: held.height });
      const refused = this.#judge(held, await running.finished.promise) ?? (await this.#exchange(host, running));
      host.resume();
      if (refused !== undefined) return await this.#fail(running, refused.refusal.code, refused.refusal.message);
      this.#running = undefined;
      await end(running);
      this.#set({ ...this.#status, phase: "done", height: held.height, endedAt: now() });
      metrics.count(this.#status.kind === "rebuild" ? "projection_rebuilds" : "projection_roll_backs");
      logger.info("Another projection serves; the one before it is kept", {
        height: held.height,
        ms: Math.round(performance.now() - began),
      });
      if (this.#status.differences.length > 0) this.#options.onOther();
    } catch (error) {
      host.resume();
      if (this.#running === running)
        await this.#fail(
          running,
          error instanceof Fault ? error.code : "REBUILD_FAILED",
          error instanceof Error ? error.message : String(error),
        );
    }
  }

  /** At the height at which both stand: nothing differs but what was seen before. */
  #judge(held: ProjectionRoots, copy: ProjectionRoots): No | undefined {
    const isExpected = this.#status.differences.length > 0;
    const differing = TABLE_SETS.filter((set) => held.rows[set] !== copy.rows[set]);
    // A copy that knows more blocks than a serving one that a checkpoint began has another sum there, and no difference.
    const others = differing.filter((set) => set !== "ledger");
    if (held.height === copy.height && held.executed === copy.executed && (isExpected || others.length === 0))
      return undefined;
    return refuse(
      "REBUILD_DIFFERS",
      `Both were alike at height ${this.#status.comparedAt}, and differ at height ${held.height} in ${differing.join(", ")}; the serving one goes on. Ask again, and report it if it happens again.`,
      "none",
    );
  }

  /** Questions about the past wait for the projector meanwhile: some milliseconds. */
  async #exchange(host: ProjectorHost, running: Running): Promise<No | undefined> {
    const end = performance.now() + IN_USE_MS;
    for (;;) {
      await host.release();
      const exchanged = this.#running === running ? this.#exchangeFiles(running.path) : STOPPING;
      await host.reopen(exchanged.ok);
      if (exchanged.ok) return undefined;
      if (exchanged.refusal.code !== "PROJECTION_IN_USE" || performance.now() > end) return exchanged;
      await new Promise((resolve) => setTimeout(resolve, IN_USE_LOOK_MS));
    }
  }

  #exchangeFiles(candidate: string): Result<void> {
    const { files, past, onFatal } = this.#options;
    try {
      return past().whileClosed(() => exchange(files, candidate));
    } catch (error) {
      onFatal(error); // the disk failed: which of the two will be there after a power cut is not known
      return refuse("EXCHANGE_FAILED", error instanceof Error ? error.message : String(error), "none");
    }
  }

  async #fail(running: Running, code: string, message: string): Promise<void> {
    if (this.#running !== running) return;
    const { files, now, logger, metrics } = this.#options;
    this.#running = undefined;
    running.finished.reject(new Fault(code, message));
    await end(running);
    // The previous one is whole at the height that it reached, and stays.
    if (running.path === files.rebuilt) removeDatabase(files.rebuilt);
    metrics.count("projection_rebuild_failures");
    logger.warn("Another projection could not be had; the one that serves goes on", { code, reason: message });
    this.#set({ ...this.#status, phase: "failed", code, message, endedAt: now() });
  }

  #set(status: RebuildStatus): void {
    this.#status = status;
    this.#options.metrics.set(
      "projection_rebuild_height",
      status.phase === "building" ? Math.max(0, status.height) : 0,
    );
    for (const changed of this.#watchers) changed(this.status);
  }
}

/** Long enough for one turn of work. Units: ms. */
const ABANDON_MS = 2_000;

async function end({ outbox, worker, port, gone }: Running): Promise<void> {
  outbox.post({ kind: "abandon" });
  const timer = setTimeout(() => void worker.terminate(), ABANDON_MS);
  await gone;
  clearTimeout(timer);
  port.close();
}
