/** Frames on a peer stream: a 4-byte big-endian length, then that many bytes (ADR 0002). */
import { FRAME_BYTES_MAX } from "../../events/facts/peer-message.ts";

const LENGTH_BYTES = 4;

/** The frame's bytes with their length before them. */
export function framed(frame: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(LENGTH_BYTES + frame.length);
  out.writeUInt32BE(frame.length, 0);
  out.set(frame, LENGTH_BYTES);
  return out;
}

/**
 * Cuts a byte stream into frames.
 * Bounds: a length over `max` is refused before anything of its frame is kept.
 */
export class FrameReader {
  readonly #max: number;
  readonly #take: (frame: Uint8Array) => void;
  #chunks: Buffer[] = [];
  #held = 0;
  /** Bytes of the frame in work; −1 while its length is read. */
  #expected = -1;

  constructor(take: (frame: Uint8Array) => void, max = FRAME_BYTES_MAX) {
    this.#take = take;
    this.#max = max;
  }

  /** Takes what arrived. Returns false when the stream is not ours to read any more: a frame is empty or over the bound. */
  push(chunk: Buffer): boolean {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    for (;;) {
      if (this.#expected < 0) {
        if (this.#held < LENGTH_BYTES) return true;
        this.#expected = this.#cut(LENGTH_BYTES).readUInt32BE(0);
        if (this.#expected === 0 || this.#expected > this.#max) return false;
      }
      if (this.#held < this.#expected) return true;
      const frame = this.#cut(this.#expected);
      this.#expected = -1;
      this.#take(new Uint8Array(frame.buffer, frame.byteOffset, frame.length));
    }
  }

  #cut(length: number): Buffer {
    const first = this.#chunks[0];
    const whole = first !== undefined && first.length >= length ? first : Buffer.concat(this.#chunks);
    if (whole !== first) this.#chunks = [whole];
    const rest = whole.subarray(length);
    if (rest.length === 0) this.#chunks.shift();
    else this.#chunks[0] = rest;
    this.#held -= length;
    return whole.subarray(0, length);
  }
}
