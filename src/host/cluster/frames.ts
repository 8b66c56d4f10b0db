/** Frames on a peer stream: a 4-byte big-endian length, then that many bytes (ADR 0002). */
import { FRAME_BYTES_MAX } from "../../events/facts/peer-message.ts";

const LENGTH_BYTES = 4;
const NOTHING = Buffer.alloc(0);
/** Room for a frame that comes in pieces begins with this much and doubles. */
const ROOM_BYTES = 4096;

/** The frame's bytes with their length before them. */
export function framed(frame: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(LENGTH_BYTES + frame.length);
  out.writeUInt32BE(frame.length, 0);
  out.set(frame, LENGTH_BYTES);
  return out;
}

/**
 * Cuts a byte stream into frames: what arrives is pushed, then frames are taken until there is none.
 * Bounds: a length over `max` is refused before anything of its frame is kept. A frame in work takes at most twice the bytes that came of
 * it, in however small pieces they came.
 */
export class FrameReader {
  readonly #max: number;
  /** What came last, as far as it has not been read. */
  #chunk: Buffer = NOTHING;
  /** What came of the piece in work before that: its first `held` bytes. */
  #room: Buffer = NOTHING;
  #held = 0;
  /** Bytes of the frame in work; −1 while its length is read. */
  #expected = -1;
  /** The stream is not ours to read any more: a frame is empty or over the bound. */
  isRefused = false;

  constructor(max = FRAME_BYTES_MAX) {
    this.#max = max;
  }

  /** Units: bytes of a frame that has not come whole. */
  get held(): number {
    return this.#held;
  }

  push(chunk: Buffer): void {
    this.#chunk = this.#chunk.length === 0 ? chunk : Buffer.concat([this.#chunk, chunk]);
  }

  /** The next whole frame; undefined while it has not come. */
  next(): Uint8Array | undefined {
    while (!this.isRefused) {
      const isFrame = this.#expected >= 0;
      const piece = this.#take(isFrame ? this.#expected : LENGTH_BYTES);
      if (piece === undefined) return undefined;
      if (isFrame) {
        this.#expected = -1;
        return new Uint8Array(piece.buffer, piece.byteOffset, piece.length);
      }
      this.#expected = piece.readUInt32BE(0);
      this.isRefused = this.#expected === 0 || this.#expected > this.#max;
    }
    return undefined;
  }

  #take(length: number): Buffer | undefined {
    const missing = length - this.#held;
    const part = this.#chunk.subarray(0, missing);
    this.#chunk = this.#chunk.length > missing ? this.#chunk.subarray(missing) : NOTHING;
    if (part.length === length) return part; // came in one piece: nothing is copied
    this.#reserve(this.#held + part.length, length);
    this.#room.set(part, this.#held);
    this.#held += part.length;
    if (this.#held < length) return undefined;
    const whole = this.#room.subarray(0, length);
    this.#room = NOTHING;
    this.#held = 0;
    return whole;
  }

  #reserve(bytes: number, atMost: number): void {
    if (bytes <= this.#room.length) return;
    const room = Buffer.allocUnsafe(Math.min(atMost, Math.max(ROOM_BYTES, 2 * bytes)));
    this.#room.copy(room, 0, 0, this.#held);
    this.#room = room;
  }
}
