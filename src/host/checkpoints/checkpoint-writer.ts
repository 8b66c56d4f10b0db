/** Writes the projection's state as segments while the projector goes on: a segment at a time, from a snapshot of its own. */
import type { Digest, Height } from "../../base/brands.ts";
import { segmentDigest, segmentsRoot } from "../../events/facts/checkpoint.ts";
import { type Sqlite, openSqlite } from "../../events/store/sqlite.ts";
import { dumpSegments } from "../../projections/checkpoint/checkpoint.ts";
import type { SegmentMember } from "../../projections/checkpoint/segment.ts";
import type { CheckpointStore } from "./checkpoint-store.ts";

export interface WrittenCheckpoint {
  readonly height: Height;
  /** Executed root there. */
  readonly root: Digest;
  /** Merkle root of the segments' digests. */
  readonly segments: Digest;
}

export class CheckpointWriter {
  readonly #path: string;
  readonly #store: CheckpointStore;
  readonly #members: readonly SegmentMember[];
  #reader: Sqlite | undefined;

  constructor(projection: string, store: CheckpointStore, members: readonly SegmentMember[]) {
    this.#path = projection;
    this.#store = store;
    this.#members = members;
    store.discardUnfinished("written");
  }

  get isBusy(): boolean {
    return this.#reader !== undefined;
  }

  /** The projection stands at this height now: what is applied from here on is not in the checkpoint. One at a time. */
  start(height: Height, root: Digest, done: (written: WrittenCheckpoint) => void): void {
    const reader = openSqlite(this.#path, { store: "PROJECTION", synchronous: "normal" });
    this.#reader = reader;
    reader.exec("BEGIN"); // the snapshot is taken with the first read
    const segments = dumpSegments(reader, this.#members);
    const digests: Digest[] = [];
    const step = (): void => {
      if (this.#reader !== reader) return;
      const next = segments.next();
      if (next.done === true) {
        this.stop();
        this.#store.complete("written", height, digests);
        return done({ height, root, segments: segmentsRoot(digests) });
      }
      const digest = segmentDigest(next.value);
      digests.push(digest);
      this.#store.keep("written", height, digest, next.value);
      setImmediate(step);
    };
    step();
  }

  stop(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }
}
