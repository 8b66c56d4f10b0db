/**
 * Checkpoints' segments: the whole state as members signed it, made again from the tables that a replay builds. Whoever begins with a checkpoint
 * takes the state from there, so that a forged one would be believed without a log.
 */
import type { Digest, Height } from "../../src/base/brands.ts";
import { height as heightOf } from "../../src/base/brands.ts";
import { decode } from "../../src/base/codec.ts";
import { assert } from "../../src/base/errors.ts";
import { BODY_BYTES_MAX, type Body, bodyShape } from "../../src/events/facts/block.ts";
import { segmentDigest, segmentsRoot } from "../../src/events/facts/checkpoint.ts";
import { FOUNDING_BYTES_MAX, foundingDocumentShape } from "../../src/events/facts/founding.ts";
import { Dumping } from "../../src/projections/checkpoint/checkpoint.ts";
import type { SegmentMember } from "../../src/projections/checkpoint/segment.ts";
import type { SqlDatabase } from "../../src/projections/rebac/sql-database.ts";
import { ReplayFailure } from "./failure.ts";
import type { ReplayedBlock } from "./replayed.ts";
import type { LogSource } from "./source.ts";

/** Heights whose state a block of the log says to be a checkpoint's; those before the first thing that cannot be read. */
export async function checkpointedHeights(source: LogSource): Promise<ReadonlySet<Height>> {
  const heights = new Set<Height>();
  try {
    const last = await source.lastHeight();
    if (last === undefined) return heights;
    for await (const event of source.events(heightOf(0), last)) {
      const body = decode(bodyShape, event.body, BODY_BYTES_MAX);
      if (body.ok && body.value.kind === "checkpoint") heights.add(body.value.checkpoint.statement.height);
    }
  } catch (error) {
    if (!(error instanceof ReplayFailure)) throw error; // the replay says it in its turn
  }
  return heights;
}

/** Bounds: a digest for each checkpoint. */
export class Checkpoints {
  readonly #heights: ReadonlySet<Height>;
  readonly #segments = new Map<Height, Digest>();
  readonly #db: SqlDatabase;
  #dumping: Dumping | undefined;
  #members: readonly SegmentMember[] = [];
  #compared = 0;

  /** `db`: the tables that the replay fills. */
  constructor(db: SqlDatabase, heights: ReadonlySet<Height>) {
    this.#db = db;
    this.#heights = heights;
  }

  /** How many had the segments that follow from the log. */
  get compared(): number {
    return this.#compared;
  }

  isDue(height: Height): boolean {
    return this.#heights.has(height);
  }

  /** The tables hold the state after this block, and nothing later. */
  note(height: Height): void {
    this.#dumping ??= new Dumping(this.#db);
    const digests: Digest[] = [];
    for (const segment of this.#dumping.segments(this.#members)) digests.push(segmentDigest(segment));
    this.#segments.set(height, segmentsRoot(digests));
  }

  /** Takes members from genesis, and judges what checkpoint blocks say. Throws: ReplayFailure CHECKPOINT_INVALID. */
  take({ height, body }: ReplayedBlock): void {
    if (body.kind === "genesis") this.#members = membersOf(body);
    if (body.kind !== "checkpoint") return;
    const { statement } = body.checkpoint;
    const found = this.#segments.get(statement.height);
    if (found === undefined) return;
    this.#compared += 1;
    if (found === statement.segments) return;
    const reason = `its statement says segments ${statement.segments} of the state at height ${statement.height}, whose segments are ${found}`;
    throw new ReplayFailure("CHECKPOINT_INVALID", height, { part: "body" }, reason);
  }
}

function membersOf({ document }: Extract<Body, { kind: "genesis" }>): readonly SegmentMember[] {
  const founding = decode(foundingDocumentShape, document, FOUNDING_BYTES_MAX);
  assert(founding.ok, "genesis was judged before");
  return founding.value.founders.map(({ aid, epochKey }) => ({ aid, key: epochKey }));
}
