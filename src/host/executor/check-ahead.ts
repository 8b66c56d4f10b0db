/**
 * Checks clients' signatures between a bundle's arrival and its block: few of them here, in slices; many on the crypto pool,
 * which starts on first use.
 */
import { availableParallelism } from "node:os";
import type { Piscina } from "piscina";
import { isSignedBy } from "../../crypto/key-set.ts";
import { ENTRIES } from "../entries.ts";
import type { CheckTask } from "./crypto-task.ts";
import type { PendingCheck } from "./signed-pool.ts";

/** Below this many, shipping a batch to the pool costs more than checking it. */
const POOL_FROM = 64;
/** Signatures of one pool task. */
const TASK_SIZE = 64;
/** The host thread answers reads too: it checks for this long, then lets them pass. Units: ms. */
const SLICE_MS = 2;

export class CheckAhead {
  readonly #waiting: PendingCheck[] = [];
  #pool: Piscina | undefined;
  #running = false;
  #shipped = 0;
  #isStopped = false;

  add(checks: readonly PendingCheck[]): void {
    if (this.#isStopped) return;
    this.#waiting.push(...checks);
    if (this.#waiting.length >= POOL_FROM && availableParallelism() > 1) void this.#ship();
    if (this.#running || this.#waiting.length === 0) return;
    this.#running = true;
    setImmediate(() => this.#slice());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#waiting.length = 0;
    await this.#pool?.destroy();
  }

  #slice(): void {
    const end = performance.now() + SLICE_MS;
    while (this.#waiting.length > 0 && performance.now() < end) {
      const check = this.#waiting.shift();
      if (check !== undefined) check.settle(isSignedBy(check.keyState, check.message, check.signatures));
    }
    this.#running = this.#waiting.length > 0;
    if (this.#running) setImmediate(() => this.#slice());
  }

  async #ship(): Promise<void> {
    const { Piscina } = await import("piscina");
    if (this.#isStopped) return;
    this.#pool ??= new Piscina({
      filename: ENTRIES.cryptoTask.href,
      minThreads: 0,
      maxThreads: Math.max(1, availableParallelism() - 1),
      idleTimeout: 10_000,
    });
    while (this.#waiting.length >= TASK_SIZE && this.#shipped < 8) {
      const batch = this.#waiting.splice(0, TASK_SIZE);
      const task: CheckTask = batch.map(({ keyState: { keys, threshold }, message, signatures }) => ({
        keys,
        threshold,
        message,
        signatures,
      }));
      this.#shipped += 1;
      try {
        const verdicts = (await this.#pool.run(task)) as readonly boolean[];
        for (const [i, check] of batch.entries()) check.settle(verdicts[i] === true);
      } catch {
        // Stopped under way, or a thread ended: these were checked ahead of time, and who needs a verdict checks for itself.
      } finally {
        this.#shipped -= 1;
      }
    }
  }
}
