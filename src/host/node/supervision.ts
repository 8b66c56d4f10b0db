/** Whether a worker that died may be started again (DESIGN §3). */
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";

/** A second death at the same height within this time is the same input again. Units: ms. */
const SAME_INPUT_MS = 60_000;

interface Death {
  readonly height: number;
  readonly at: number;
}

export class Supervision {
  readonly #report: { readonly logger: Logger; readonly metrics: Metrics };
  readonly #deaths = new Map<string, Death>();

  constructor(report: { readonly logger: Logger; readonly metrics: Metrics }) {
    this.#report = report;
  }

  /** Counts a death; false when the worker died at this height before. */
  mayRestart(thread: string, height: number, error: Error): boolean {
    const { logger, metrics } = this.#report;
    const last = this.#deaths.get(thread);
    const now = performance.now();
    this.#deaths.set(thread, { height, at: now });
    if (last !== undefined && last.height === height && now - last.at < SAME_INPUT_MS) return false;
    metrics.count("worker_restarts");
    logger.error("A worker died and is restarted from its journal and the log", { thread, height, error });
    return true;
  }
}
