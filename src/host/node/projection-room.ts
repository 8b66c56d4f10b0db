/** The projector of a serving node: started, started anew when it dies, and its file exchanged for another one while it serves. */
import { join } from "node:path";
import type { Digest, Height } from "../../base/brands.ts";
import { Fault, present } from "../../base/errors.ts";
import type { SegmentMember } from "../../projections/checkpoint/segment.ts";
import type { WrittenCheckpoint } from "../checkpoints/checkpoint-writer.ts";
import { logPath } from "../consensus/set-aside.ts";
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { discardProjection } from "../projector/database.ts";
import { projectionFiles } from "../projector/exchange.ts";
import type { MovableDatabase } from "../projector/movable-database.ts";
import { type ProjectorHost, startProjector } from "../projector/projector-host.ts";
import { Rebuild, type RebuildOptions } from "../projector/rebuild.ts";

export interface ProjectionRoomOptions {
  readonly directory: string;
  readonly cluster: Digest;
  readonly checkpointEvery: number;
  readonly members: readonly SegmentMember[];
  /** The checkpoint that the log begins with. */
  readonly begins: () => Height | null;
  /** The host thread's own connection, once it is open. */
  readonly past: () => MovableDatabase | undefined;
  readonly onProjected: (height: Height) => void;
  readonly onCheckpoint: (written: WrittenCheckpoint) => void;
  readonly onDeath: (error: Error) => void;
  /** The rows are others than those that the node began with. */
  readonly onOther: () => void;
  /** The rows that the node began with do not hold: a start from the disk rebuilds them from the log. */
  readonly onDamaged: () => void;
  readonly onFatal: (code: string, error: unknown) => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** How a projection is rebuilt, other than by default. */
  readonly rebuild?: Pick<RebuildOptions, "share" | "reserveBytes">;
}

export class ProjectionRoom {
  readonly path: string;
  readonly rebuild: Rebuild;
  readonly #options: ProjectionRoomOptions;
  #projector: ProjectorHost | undefined;
  #projected = -1;

  constructor(options: ProjectionRoomOptions) {
    const { directory, cluster, past, onOther, onFatal, logger, metrics } = options;
    const files = projectionFiles(directory);
    this.#options = options;
    this.path = files.serving;
    this.rebuild = new Rebuild({
      files,
      log: logPath(directory),
      cluster,
      checkpoints: join(directory, "checkpoints"),
      projector: () => present(this.#projector, "asked for while the node serves"),
      projected: () => this.#projected,
      past: () => present(past(), "asked for while the node serves"),
      onOther,
      onFatal: (error) => onFatal("PROJECTION_EXCHANGE_FAILED", error),
      now: () => Date.now(),
      logger,
      metrics,
      ...options.rebuild,
    });
  }

  /** The one that runs: its worker may be restarted. */
  get current(): ProjectorHost | undefined {
    return this.#projector;
  }

  /** Last height that it holds. */
  projected = (): number => this.#projected;

  async start(): Promise<ProjectorHost> {
    const { directory, checkpointEvery, members, begins, onCheckpoint, onDeath, logger, metrics } = this.#options;
    const projector = await startProjector({
      path: this.path,
      checkpoints: { directory: join(directory, "checkpoints"), every: checkpointEvery, members, begins: begins() },
      onCheckpoint: (written) => {
        metrics.set("checkpoint_height", written.height);
        onCheckpoint(written);
      },
      onProjected: (height) => this.#moved(height),
      onDamaged: (reason) => {
        logger.error("The projection is damaged; service starts anew and rebuilds it from the log", { reason });
        this.#options.onDamaged();
      },
      onDeath,
    });
    this.#projector = projector;
    this.#projected = projector.opened.height;
    metrics.set("projected_height", Math.max(0, projector.opened.height));
    if (projector.opened.rebuilt !== null)
      logger.warn("The projection was damaged and is rebuilt from the log", { reason: projector.opened.rebuilt });
    return projector;
  }

  /**
   * The projection is ahead of the log, which a backup may have brought back, or below the checkpoint that the log begins with: it is
   * derived, so it goes, and comes back from the log or from that checkpoint.
   */
  async startOver(): Promise<ProjectorHost> {
    await this.#projector?.stop();
    discardProjection(this.path);
    return this.start();
  }

  /** After its worker died: with the blocks that it had not applied. Throws: Fault PROJECTION_LOST. */
  async restart(): Promise<void> {
    const before = this.#projector;
    await this.rebuild.interrupt();
    const projector = await this.start();
    const waiting = before?.backlog() ?? []; // also of blocks that were executed meanwhile
    const [first] = waiting;
    if (projector.opened.rebuilt !== null || (first !== undefined && first.height > projector.opened.height + 1))
      throw new Fault("PROJECTION_LOST", "The projection lost blocks that are applied; the next start rebuilds it.");
    for (const block of waiting) projector.project(block);
  }

  async stop(): Promise<void> {
    await this.rebuild.stop();
    await this.#projector?.stop();
  }

  #moved(height: Height): void {
    this.#projected = height;
    this.#options.metrics.set("projected_height", height);
    this.rebuild.projected(height);
    this.#options.onProjected(height);
  }
}
