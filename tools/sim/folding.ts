/**
 * The projector of a simulated node: folds executed blocks into the tables, and writes their state as segments at every height that C
 * divides. What the node's own worker does (src/host/projector, src/host/checkpoints), in virtual time.
 */
import type { Height } from "../../src/base/brands.ts";
import { height as heightOf } from "../../src/base/brands.ts";
import { present } from "../../src/base/errors.ts";
import { type ProjectedBlock, Projector } from "../../src/actors/projector/projector.ts";
import { segmentDigest, segmentsRoot } from "../../src/events/facts/checkpoint.ts";
import type { WrittenCheckpoint } from "../../src/host/checkpoints/checkpoint-writer.ts";
import { Dumping } from "../../src/projections/checkpoint/checkpoint.ts";
import type { SegmentMember } from "../../src/projections/checkpoint/segment.ts";
import type { SqlDatabase } from "../../src/projections/rebac/sql-database.ts";
import type { Checkpointing } from "./checkpoint-store.ts";
import type { Random } from "./random.ts";

/** Between a block's execution and its transaction on average. Units: ms. */
const APPLIED_AFTER_MS = 20;
/** What a segment takes to write on average. Units: ms. */
const SEGMENT_MS = 5;

export interface WritesCheckpoints {
  /** C. */
  readonly every: number;
  readonly store: Checkpointing;
  readonly members: readonly SegmentMember[];
  /** The checkpoint that the log begins with. */
  readonly begins: () => Height | null;
  readonly written: (checkpoint: WrittenCheckpoint) => void;
}

export interface FoldingOptions {
  readonly db: SqlDatabase;
  readonly random: Random;
  readonly later: (ms: number, run: () => void) => void;
  /** The tables hold more blocks. */
  readonly projected: (projector: Projector) => void;
  readonly checkpoints: WritesCheckpoints | undefined;
}

export class Folding {
  readonly projector: Projector;
  readonly #options: FoldingOptions;
  readonly #waiting: ProjectedBlock[] = [];
  #dumping: Dumping | undefined;
  #isWriting = false;

  constructor(options: FoldingOptions) {
    this.#options = options;
    this.projector = new Projector(options.db);
    options.checkpoints?.store.discardUnfinished("written");
  }

  /** Blocks that the tables lack. */
  get waiting(): number {
    return this.#waiting.length;
  }

  add(block: ProjectedBlock): void {
    if (block.height <= this.projector.height) return; // executed again
    this.#waiting.push(block);
    if (this.#waiting.length === 1) this.#soon();
  }

  #soon(): void {
    this.#options.later(this.#options.random.exponential(APPLIED_AFTER_MS), () => this.#work());
  }

  /** Blocks up to the next checkpoint at most; while the one before is still written, the block that makes it due waits. */
  #work(): void {
    const { checkpoints, projected } = this.#options;
    const { projector } = this;
    const due =
      checkpoints === undefined
        ? Number.POSITIVE_INFINITY
        : (Math.floor(Math.max(0, projector.height) / checkpoints.every) + 1) * checkpoints.every;
    const after = this.#waiting.findIndex(({ height }) => height > due);
    const blocks = this.#waiting.slice(0, after < 0 ? this.#waiting.length : after);
    if (blocks.length === 0 || (this.#isWriting && blocks.at(-1)?.height === due)) return;
    projector.apply(blocks);
    this.#waiting.splice(0, blocks.length);
    projected(projector);
    if (checkpoints !== undefined && projector.height === due) this.#write(checkpoints);
    if (this.#waiting.length > 0) this.#soon();
  }

  /** Its state is the one of now; its segments reach the disk one after the other. */
  #write({ store, members, begins, written }: WritesCheckpoints): void {
    const { db, later, random } = this.#options;
    const height = heightOf(this.projector.height);
    const { root } = present(this.projector.ledger.blockAt(height), "just applied");
    this.#dumping ??= new Dumping(db); // statements prepared for each of hundreds of dumps were hundreds of megabytes
    const segments = [...this.#dumping.segments(members)];
    const digests = segments.map(segmentDigest);
    this.#isWriting = true;
    const step = (at: number): void => {
      const [segment, digest] = [segments[at], digests[at]];
      if (segment !== undefined && digest !== undefined) {
        store.keep("written", height, digest, segment);
        return later(random.exponential(SEGMENT_MS), () => step(at + 1));
      }
      store.complete("written", height, digests);
      store.prune(begins());
      this.#isWriting = false;
      written({ height, root, segments: segmentsRoot(digests) });
      this.#work();
    };
    later(random.exponential(SEGMENT_MS), () => step(0));
  }

  /** The newest whole checkpoint whose root is known: what a start says again. */
  newest(): WrittenCheckpoint | undefined {
    const { checkpoints } = this.#options;
    const height = checkpoints?.store.heights().at(-1);
    const segments = height === undefined ? undefined : checkpoints?.store.segmentsOf(height);
    const root = height === undefined ? undefined : this.projector.ledger.blockAt(height)?.root;
    if (height === undefined || segments === undefined || root === undefined) return undefined;
    return { height, root, segments: segmentsRoot(segments) };
  }
}
