/**
 * Where files are cut and flipped: a seeded part of the points in `npm test`, every one of them with SKY_EXHAUSTIVE=1 (some 15
 * minutes of a processor), a share of them with a number between 0 and 1.
 */
import { mulberry32 } from "../../machines/consensus/event-queue.ts";
import { FRAME_HEADER_BYTES, type Frame } from "./wal-format.ts";

const SHARE = Number(process.env["SKY_EXHAUSTIVE"] ?? 0);
export const isExhaustive = SHARE > 0;
/** What every test may take (vitest.config.ts), or all points. Units: ms. */
export const PATIENCE_MS = isExhaustive ? 3_000_000 : 600_000;

/** How many points were tried, for whoever reads the exhaustive run. */
export function report(what: string, points: number): void {
  if (isExhaustive) console.log(`crash points: ${points} ${what}`);
}

const SECTOR_BYTES = 512;

/** Seeded choices. */
export class Chance {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = mulberry32(seed);
  }

  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  /** So many of the choices, or the share of them that an exhaustive run asks for. */
  some<T>(choices: readonly T[], count: number): readonly T[] {
    const wanted = Math.min(choices.length, Math.max(count, Math.ceil(SHARE * choices.length)));
    const left = [...choices];
    if (wanted === left.length) return left;
    return Array.from({ length: wanted }, () => left.splice(this.below(left.length), 1)).flat();
  }

  /** A copy with one bit of a byte flipped. */
  flipped(bytes: Uint8Array, at: number): Buffer {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(at) ^ (1 << this.below(8)), at);
    return copy;
  }

  /** A copy in which some of the sectors from a place on hold what the other file has there (zeros beyond its end), at least one. */
  torn(bytes: Uint8Array, from: number, other: Uint8Array): Buffer {
    const copy = Buffer.from(bytes);
    const sectors = Array.from(
      { length: Math.ceil(bytes.length / SECTOR_BYTES) - Math.floor(from / SECTOR_BYTES) },
      (_, i) => Math.floor(from / SECTOR_BYTES) + i,
    );
    const chosen = sectors.filter(() => this.below(2) === 0);
    if (chosen.length === 0) chosen.push(sectors[this.below(sectors.length)] ?? 0);
    for (const sector of chosen) {
      const start = Math.max(from, sector * SECTOR_BYTES);
      const end = Math.min(bytes.length, (sector + 1) * SECTOR_BYTES);
      copy.fill(0, start, end);
      copy.set(other.subarray(start, Math.max(start, Math.min(end, other.length))), start);
    }
    return copy;
  }
}

/** Each byte of the frame's header, and of its page the first and last byte of every sector. */
export function placesWithin(frame: Frame): readonly number[] {
  const header = Array.from({ length: FRAME_HEADER_BYTES }, (_, i) => frame.start + i);
  const page = frame.start + FRAME_HEADER_BYTES;
  const sectors = (frame.end - page) / SECTOR_BYTES;
  return [
    ...header,
    ...Array.from({ length: sectors }, (_, i) => [page + i * SECTOR_BYTES, page + (i + 1) * SECTOR_BYTES - 1]).flat(),
  ];
}
