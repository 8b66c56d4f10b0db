/** Executes final blocks once, in order, in slices that let reads pass; answers whoever waits (DESIGN §3, host thread). */

import { logTime } from "../../base/brands.ts";
import { decode } from "../../base/codec.ts";
import { assert } from "../../base/errors.ts";
import type { Delivery } from "../../actors/consensus/ports.ts";
import type { ProjectedBlock } from "../../actors/projector/projector.ts";
import { BODY_BYTES_MAX, HEADER_BYTES_MAX, bodyShape, headerShape } from "../../events/facts/block.ts";
import type { ExecutableBlock, ExecutedBlock, Ledger } from "../../projections/ledger/ledger.ts";
import { contentOf } from "../../projections/ledger/content.ts";

/** Work between two chances for a read. Units: ms. */
const SLICE_MS = 2;
/** Facts that wait for the projector; beyond it execution pauses, and leaders see it lag (DESIGN §4). */
const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;

export interface ExecutorOptions {
  readonly ledger: Ledger;
  readonly project: (block: ProjectedBlock) => void;
  readonly backlogBytes: () => number;
  readonly onExecuted: (block: ExecutedBlock, ms: number) => void;
  readonly onFailure: (error: unknown) => void;
}

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #queue: Delivery[] = [];
  #running = false;
  #paused = false;
  #stopped = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  deliver(delivery: Delivery): void {
    this.#queue.push(delivery);
    if (this.#running || this.#stopped) return;
    this.#running = true;
    this.#next();
  }

  /** The projector caught up a little. */
  resume(): void {
    if (!this.#paused || this.#options.backlogBytes() > BACKLOG_BYTES_MAX) return;
    this.#paused = false;
    this.#next();
  }

  stop(): void {
    this.#stopped = true;
    this.#queue.length = 0;
  }

  #next(): void {
    try {
      if (this.#stopped) return;
      if (this.#options.backlogBytes() > BACKLOG_BYTES_MAX) {
        this.#paused = true;
        return;
      }
      let delivery = this.#queue.shift();
      while (delivery !== undefined && delivery.height <= this.#options.ledger.height) delivery = this.#queue.shift(); // delivered again
      if (delivery === undefined) {
        this.#running = false;
        return;
      }
      this.#slice(delivery, this.#options.ledger.execute(executableOf(delivery)), performance.now());
    } catch (error) {
      this.#fail(error);
    }
  }

  #slice(delivery: Delivery, work: Generator<void, ExecutedBlock>, began: number): void {
    try {
      const end = performance.now() + SLICE_MS;
      for (;;) {
        const step = work.next();
        if (step.done === true) {
          this.#executed(delivery, step.value, performance.now() - began);
          return this.#queue.length === 0 ? this.#next() : void setImmediate(() => this.#next());
        }
        // A look at the clock costs 40 ns, a message of key events with 64 signatures 7 ms.
        if (performance.now() > end) return void setImmediate(() => this.#slice(delivery, work, began));
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #executed({ block }: Delivery, executed: ExecutedBlock, ms: number): void {
    const { height, hash, root, time, facts } = executed;
    this.#options.project({ height, hash, root, time, facts, block });
    this.#options.onExecuted(executed, ms);
  }

  #fail(error: unknown): void {
    this.stop();
    this.#options.onFailure(error);
  }
}

/** A final block as the ledger takes it. */
export function executableOf({
  height,
  hash,
  block,
  bundles,
}: Pick<Delivery, "height" | "hash" | "block" | "bundles">): ExecutableBlock {
  const header = decode(headerShape, block.header, HEADER_BYTES_MAX);
  const body = decode(bodyShape, block.body, BODY_BYTES_MAX);
  assert(header.ok && body.ok, "a final block was judged before");
  return { height, hash, time: logTime(header.value.time), content: contentOf(body.value, bundles) };
}
