/**
 * Checkpoints on disk: a directory for each height, a file for each segment, named by its digest, and the list of digests in order. A
 * directory gets its name when it is whole; what is being written or fetched lies beside it.
 */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rm, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Digest, Height } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { concatBytes, digestBytes, digestOf } from "../../base/bytes.ts";
import { Fault } from "../../base/errors.ts";
import { SEGMENTS_MAX, SEGMENT_BYTES_MAX, segmentDigest } from "../../events/facts/checkpoint.ts";
import { syncDirectory } from "../founding/files.ts";

const DIGEST_BYTES = 32;
const MANIFEST = "manifest";
const DISCARDED = ".discarded";
/** Whole ones that are kept beside the one that the log begins with: peers may be fetching the older of them. */
const KEPT = 2;

type Stage = "written" | "fetched";

export class CheckpointStore {
  readonly #directory: string;
  /** Where each segment of a whole checkpoint lies; read anew when there is another. */
  #index: ReadonlyMap<Digest, string> | undefined;

  /** `directory` may not exist yet. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Heights of the whole ones, ascending. */
  heights(): readonly Height[] {
    if (!existsSync(this.#directory)) return [];
    return readdirSync(this.#directory)
      .filter((name) => /^[1-9][0-9]*$/.test(name))
      .map((name) => heightOf(Number(name)))
      .sort((a, b) => a - b);
  }

  /** Digests of a whole one's segments, in order. */
  segmentsOf(height: Height): readonly Digest[] | undefined {
    const path = join(this.#path(height), MANIFEST);
    if (!existsSync(path)) return undefined;
    const bytes = readFileSync(path);
    const count = bytes.length / DIGEST_BYTES;
    if (!Number.isInteger(count) || count < 1 || count > SEGMENTS_MAX) return undefined;
    return Array.from({ length: count }, (_, i) => digestOf(bytes.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES)));
  }

  /** A segment of any whole one; undefined, too, when the file is not what its name says. */
  segment(digest: Digest): Uint8Array | undefined {
    this.#index ??= this.#readIndex();
    const path = this.#index.get(digest);
    return path === undefined ? undefined : readSound(path, digest);
  }

  /** Another checkpoint is whole: it may have been written by another thread. */
  refresh(): void {
    this.#index = undefined;
  }

  /** The segments of a whole one, in order. Throws: Fault CHECKPOINT_DAMAGED when one is missing or not what its name says. */
  *read(height: Height): Generator<Uint8Array> {
    const segments = this.segmentsOf(height) ?? damaged(`the checkpoint of height ${height} is not there`);
    for (const digest of segments)
      yield readSound(join(this.#path(height), digest), digest) ??
        damaged(`segment ${digest} of the checkpoint of height ${height} is not what was written`);
  }

  /** A segment that is being fetched, if it came before. */
  fetched(height: Height, digest: Digest): Uint8Array | undefined {
    return readSound(join(this.#path(height, "fetched"), digest), digest);
  }

  /** Keeps a segment of a checkpoint that is not whole yet; `synced`: a log may come to rest on it. */
  keep(stage: Stage, height: Height, digest: Digest, segment: Uint8Array): void {
    const directory = this.#path(height, stage);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, digest), segment, { flush: stage === "fetched" });
  }

  /** Its segments are all kept: from now on it is whole; a fetched one also after a power cut, since a log comes to rest on it. */
  complete(stage: Stage, height: Height, segments: readonly Digest[]): void {
    const from = this.#path(height, stage);
    writeFileSync(join(from, MANIFEST), concatBytes(...segments.map(digestBytes)), { flush: true });
    const to = this.#path(height);
    if (stage === "fetched") syncDirectory(from);
    rmSync(to, { recursive: true, force: true });
    renameSync(from, to);
    if (stage === "fetched")
      for (const directory of [this.#directory, dirname(this.#directory)]) syncDirectory(directory);
    this.refresh();
  }

  /** Removes what nobody will ask for: all but the newest, the one that the log begins with, and what is being fetched. */
  prune(begins: Height | null): void {
    const whole = this.heights();
    for (const height of whole.slice(0, -KEPT))
      if (height !== begins) rmSync(this.#path(height), { recursive: true, force: true });
    this.refresh();
  }

  /**
   * Removes what is half written or half fetched, but for the heights that are kept. It is out of the way at once; its files go in the
   * background, since there may be thousands; what is left of them when the process ends goes the next time.
   */
  discardUnfinished(stage: Stage, isKept: (height: Height) => boolean = () => false): void {
    if (!existsSync(this.#directory)) return;
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      if (name.endsWith(`.${stage}${DISCARDED}`)) remove(path);
      const [, height, of] = /^([1-9][0-9]*)\.([a-z]+)$/.exec(name) ?? [];
      if (of !== stage || isKept(heightOf(Number(height)))) continue;
      const discarded = join(this.#directory, `${randomUUID()}.${stage}${DISCARDED}`);
      renameSync(path, discarded);
      remove(discarded);
    }
  }

  #path(height: Height, stage?: Stage): string {
    return join(this.#directory, stage === undefined ? String(height) : `${height}.${stage}`);
  }

  #readIndex(): ReadonlyMap<Digest, string> {
    const index = new Map<Digest, string>();
    for (const height of this.heights())
      for (const digest of this.segmentsOf(height) ?? []) index.set(digest, join(this.#path(height), digest));
    return index;
  }
}

/** One that cannot be removed now is tried again the next time: nobody reads it. */
function remove(path: string): void {
  rm(path, { recursive: true, force: true }, () => {});
}

function readSound(path: string, digest: Digest): Uint8Array | undefined {
  if (!existsSync(path)) return undefined;
  const segment = new Uint8Array(readFileSync(path));
  return segment.length <= SEGMENT_BYTES_MAX && segmentDigest(segment) === digest ? segment : undefined;
}

function damaged(reason: string): never {
  throw new Fault(
    "CHECKPOINT_DAMAGED",
    `${reason}; move log.db, projection.db and checkpoints away, and the node fetches everything from its peers.`,
  );
}
