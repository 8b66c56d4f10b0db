/** Checks batches' signatures on several threads before their block's turn comes; what they found is kept for the execution. */
import type { Piscina } from "piscina";
import type { CheckTask } from "../../src/host/executor/crypto-task.ts";
import type { PendingCheck } from "../../src/host/executor/signed-pool.ts";
import { ENTRIES } from "../../src/host/entries.ts";

/** Signatures of one task: some 7 ms of work, so that shipping them costs little beside it. */
const TASK_SIZE = 64;
/** Below this many in a block, shipping them costs more than checking them when their turn comes. */
const SHIPPED_FROM = 16;

export class SignatureThreads {
  readonly #threads: number;
  #pool: Promise<Piscina> | undefined;

  constructor(threads: number) {
    this.#threads = threads;
  }

  /** Resolves when all are settled; those of a small block never are, and are made by whoever needs them. */
  async check(checks: readonly PendingCheck[]): Promise<void> {
    if (this.#threads === 0 || checks.length < SHIPPED_FROM) return;
    this.#pool ??= this.#start();
    const pool = await this.#pool;
    const tasks: Promise<void>[] = [];
    for (let i = 0; i < checks.length; i += TASK_SIZE) tasks.push(settled(pool, checks.slice(i, i + TASK_SIZE)));
    await Promise.all(tasks);
  }

  async close(): Promise<void> {
    await (await this.#pool)?.destroy();
  }

  async #start(): Promise<Piscina> {
    const { Piscina } = await import("piscina");
    return new Piscina({ filename: ENTRIES.cryptoTask.href, minThreads: this.#threads, maxThreads: this.#threads });
  }
}

async function settled(pool: Piscina, checks: readonly PendingCheck[]): Promise<void> {
  const task: CheckTask = checks.map(({ keyState: { keys, threshold }, message, signatures }) => ({
    keys,
    threshold,
    message,
    signatures,
  }));
  const verdicts = (await pool.run(task)) as readonly boolean[];
  for (const [i, check] of checks.entries()) check.settle(verdicts[i] === true);
}
