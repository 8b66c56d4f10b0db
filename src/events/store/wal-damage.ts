/**
 * Finds synced commits that a damaged write-ahead log no longer gives back. SQLite recovers up to the first frame whose checksum
 * fails and says nothing: after a power cut that is right, since only the last transaction can be unsynced; after a flipped bit
 * it forgets votes that were sent. What tells them apart: a later transaction begins only when the one before it is synced.
 * Source: https://sqlite.org/fileformat2.html#walformat.
 * Bounds: damage within the last transaction alone looks like a power cut; a log cut short of what was synced, like one that
 * never was longer.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** What a disk writes as a whole or not at all. */
const SECTOR_BYTES = 512;
/** Frames read at once: 1 MB of pages of 4 KB. */
const FRAMES_PER_READ = 256;
/** The header's first word; its last bit says that checksums are over big-endian words. */
const MAGIC = 0x377f0682;

interface Sum {
  a: number;
  b: number;
}

/** SQLite's running checksum over pairs of words. */
function add(sum: Sum, bytes: DataView, from: number, to: number, littleEndian: boolean): void {
  let { a, b } = sum;
  for (let at = from; at < to; at += 8) {
    a = (a + bytes.getUint32(at, littleEndian) + b) >>> 0;
    b = (b + bytes.getUint32(at + 4, littleEndian) + a) >>> 0;
  }
  sum.a = a;
  sum.b = b;
}

const sumAt = (bytes: DataView, at: number): Sum => ({ a: bytes.getUint32(at), b: bytes.getUint32(at + 4) });

const holds = (sum: Sum, bytes: DataView, at: number): boolean =>
  bytes.getUint32(at) === sum.a && bytes.getUint32(at + 4) === sum.b;

/** Judges frames in the order of the file. */
class Frames {
  readonly #littleEndian: boolean;
  readonly #salts: readonly [number, number];
  /** The checksum stored in the frame before. */
  #stored: Sum;
  /** First frame that SQLite will not take, from 0. */
  broken: number | undefined;
  /** A commit at or after it. */
  #committed = false;
  #read = 0;

  constructor(header: DataView, littleEndian: boolean) {
    this.#littleEndian = littleEndian;
    this.#salts = [header.getUint32(16), header.getUint32(20)];
    this.#stored = sumAt(header, 24);
  }

  /** Returns whether this frame proves that a commit at or after the broken one was synced. */
  isProof(frame: DataView, at: number): boolean {
    const salts = [frame.getUint32(8) === this.#salts[0], frame.getUint32(12) === this.#salts[1]];
    const isSummed = this.#follows(frame);
    if (this.broken === undefined && (salts.includes(false) || frame.getUint32(0) === 0 || !isSummed))
      this.broken = this.#read;
    this.#stored = sumAt(frame, 16);
    this.#read += 1;
    // Frames of earlier rounds through the file have other salts, both of them; a damaged one of this round keeps one.
    if (this.broken === undefined || !salts.includes(true)) return false;
    if (this.#committed) return true;
    // Where a sector ends between the two, a power cut can leave the size of an earlier round beside the salts of this one.
    const isOneWrite = at % SECTOR_BYTES <= SECTOR_BYTES - 16;
    this.#committed = frame.getUint32(4) !== 0 && (isOneWrite || isSummed);
    return false;
  }

  /** Whether its checksum goes on from the one stored in the frame before. */
  #follows(frame: DataView): boolean {
    const sum = { ...this.#stored };
    add(sum, frame, 0, 8, this.#littleEndian);
    add(sum, frame, FRAME_HEADER_BYTES, frame.byteLength, this.#littleEndian);
    return holds(sum, frame, 16);
  }
}

/**
 * Why the write-ahead log of a database is known to have lost synced commits; undefined when nothing speaks for it. To be asked
 * before SQLite opens the file, while nobody writes to it. Reads all of the file, about 1 ms a megabyte.
 * Throws: errors of the file system.
 */
export function lostCommits(path: string): string | undefined {
  const file = openIfThere(`${path}-wal`);
  if (file === undefined) return undefined;
  try {
    return judge(file);
  } finally {
    closeSync(file);
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function judge(file: number): string | undefined {
  const { size } = fstatSync(file);
  if (size <= HEADER_BYTES) return undefined;
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  readSync(file, header, 0, HEADER_BYTES, 0);
  const magic = header.getUint32(0);
  const sum: Sum = { a: 0, b: 0 };
  const littleEndian = magic % 2 === 0;
  add(sum, header, 0, 24, littleEndian);
  // The header is synced before the first frame is written.
  if ((magic & ~1) >>> 0 !== MAGIC || !holds(sum, header, 24)) return "the header of the write-ahead log is damaged";

  const frameBytes = FRAME_HEADER_BYTES + header.getUint32(8);
  const frames = new Frames(header, littleEndian);
  const buffer = new ArrayBuffer(FRAMES_PER_READ * frameBytes);
  for (let at = HEADER_BYTES; ; ) {
    const read = readSync(file, new Uint8Array(buffer), 0, buffer.byteLength, at);
    const whole = Math.floor(read / frameBytes);
    for (let i = 0; i < whole; i++) {
      if (frames.isProof(new DataView(buffer, i * frameBytes, frameBytes), at + i * frameBytes))
        return `frame ${frames.broken ?? 0} of the write-ahead log is damaged, and later commits with it`;
    }
    if (whole < FRAMES_PER_READ) return undefined;
    at += whole * frameBytes;
  }
}
