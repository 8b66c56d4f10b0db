/** Where the frames of a sound write-ahead log lie. Source: https://sqlite.org/fileformat2.html#walformat. */

export const WAL_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;

export interface Frame {
  readonly start: number;
  readonly end: number;
  /** The last frame of a transaction says how many pages the database has then; the others say 0. */
  readonly isCommit: boolean;
}

/** The frames of the current round through the file, in order; what an earlier round left behind them is not among them. */
export function framesOf(wal: Buffer): readonly Frame[] {
  const frames: Frame[] = [];
  if (wal.length < WAL_HEADER_BYTES) return frames;
  const bytes = FRAME_HEADER_BYTES + wal.readUInt32BE(8);
  const salts = wal.subarray(16, 24);
  for (let start = WAL_HEADER_BYTES; start + bytes <= wal.length; start += bytes) {
    if (!wal.subarray(start + 8, start + 16).equals(salts)) break;
    frames.push({ start, end: start + bytes, isCommit: wal.readUInt32BE(start + 4) !== 0 });
  }
  return frames;
}
