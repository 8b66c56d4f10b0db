/**
 * Checkpoints on a seeded disk: what the host's CheckpointStore does with directories and files (one contract suite runs against both),
 * and what a power cut may leave of segments that were not synced.
 */
import type { Digest, Height } from "../../src/base/brands.ts";
import { Fault } from "../../src/base/errors.ts";
import { segmentDigest } from "../../src/events/facts/checkpoint.ts";
import type { CheckpointStore } from "../../src/host/checkpoints/checkpoint-store.ts";
import type { Random } from "./random.ts";

type Stage = Parameters<CheckpointStore["keep"]>[0];

/** What a node asks of its checkpoints' store, whichever it is. */
export type Checkpointing = Pick<CheckpointStore, keyof CheckpointStore>;

interface File {
  readonly bytes: Uint8Array;
  readonly isSynced: boolean;
}

interface Whole {
  readonly digests: readonly Digest[];
  readonly files: Map<Digest, File>;
}

/** As many as the host keeps beside the one that the log begins with. */
const KEPT = 2;

export class MemoryCheckpoints implements Checkpointing {
  readonly #isFull: () => boolean;
  readonly #whole = new Map<Height, Whole>();
  readonly #unfinished: { readonly [S in Stage]: Map<Height, Map<Digest, File>> } = {
    written: new Map(),
    fetched: new Map(),
  };

  /** `isFull` says whether the disk takes nothing more. */
  constructor(isFull: () => boolean = () => false) {
    this.#isFull = isFull;
  }

  heights(): readonly Height[] {
    return [...this.#whole.keys()].sort((a, b) => a - b);
  }

  segmentsOf(height: Height): readonly Digest[] | undefined {
    return this.#whole.get(height)?.digests;
  }

  segment(digest: Digest): Uint8Array | undefined {
    const of = this.heights().findLast((height) => this.segmentsOf(height)?.includes(digest) === true);
    return of === undefined ? undefined : sound(this.#whole.get(of)?.files, digest);
  }

  refresh(): void {}

  *read(height: Height): Generator<Uint8Array> {
    const whole = this.#whole.get(height);
    if (whole === undefined) throw damaged(`the checkpoint of height ${height} is not there`);
    for (const digest of whole.digests) {
      const segment = sound(whole.files, digest);
      if (segment === undefined) throw damaged(`segment ${digest} of height ${height} is not what was written`);
      yield segment;
    }
  }

  fetched(height: Height, digest: Digest): Uint8Array | undefined {
    return sound(this.#unfinished.fetched.get(height), digest);
  }

  keep(stage: Stage, height: Height, digest: Digest, segment: Uint8Array): void {
    this.#expectRoom();
    const files = this.#unfinished[stage].get(height) ?? new Map<Digest, File>();
    this.#unfinished[stage].set(height, files);
    files.set(digest, { bytes: new Uint8Array(segment), isSynced: stage === "fetched" });
  }

  complete(stage: Stage, height: Height, segments: readonly Digest[]): void {
    this.#expectRoom();
    const files = this.#unfinished[stage].get(height) ?? new Map<Digest, File>();
    this.#unfinished[stage].delete(height);
    this.#whole.set(height, { digests: [...segments], files });
  }

  prune(begins: Height | null): void {
    for (const height of this.heights().slice(0, -KEPT)) if (height !== begins) this.#whole.delete(height);
  }

  discardUnfinished(stage: Stage, isKept: (height: Height) => boolean = () => false): void {
    for (const height of this.#unfinished[stage].keys()) if (!isKept(height)) this.#unfinished[stage].delete(height);
  }

  /** Power goes: of each segment that was not synced all, nothing or a part is there afterwards. Returns how many suffered. */
  losePower(random: Random): number {
    let suffered = 0;
    const all = [...this.#whole.values()].map(({ files }) => files);
    for (const stage of [this.#unfinished.written, this.#unfinished.fetched]) all.push(...stage.values());
    for (const files of all)
      for (const [digest, { bytes, isSynced }] of [...files]) {
        if (isSynced) continue;
        const kept = random.chance(0.4) ? bytes.length : random.below(bytes.length + 1);
        if (kept < bytes.length) suffered += 1;
        if (kept === 0) files.delete(digest);
        else files.set(digest, { bytes: bytes.subarray(0, kept), isSynced: true });
      }
    return suffered;
  }

  /** Flips a bit of a segment of a whole checkpoint, but of the one that the log begins with. Returns whether there was one. */
  flipBit(random: Random, begins: Height | null): boolean {
    const height = this.heights().findLast((one) => one !== begins);
    const files = height === undefined ? undefined : this.#whole.get(height)?.files;
    if (files === undefined || files.size === 0) return false;
    const [digest, file] = random.pick([...files]);
    const bytes = new Uint8Array(file.bytes);
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    files.set(digest, { ...file, bytes });
    return true;
  }

  #expectRoom(): void {
    if (this.#isFull()) throw new Fault("CHECKPOINT_WRITE_FAILED", "No room is left for a checkpoint.");
  }
}

function sound(files: ReadonlyMap<Digest, File> | undefined, digest: Digest): Uint8Array | undefined {
  const bytes = files?.get(digest)?.bytes;
  return bytes !== undefined && segmentDigest(bytes) === digest ? new Uint8Array(bytes) : undefined;
}

const damaged = (reason: string): Fault => new Fault("CHECKPOINT_DAMAGED", reason);
