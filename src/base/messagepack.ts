/**
 * The MessagePack that our wire format uses, and nothing else of it: unsigned integers up to 2^53−1, text, bytes, booleans, nil
 * and arrays, each in its shortest encoding (ADR 0004). One pass reads and judges, one pass writes.
 */
import { fromUtf8 } from "./bytes.ts";

/** Why bytes are not what they should be; `path` says where, from the outermost value inwards. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
  readonly #what: string;
  #path = "";

  constructor(what: string) {
    super(what);
    this.#what = what;
  }

  /** The same error, seen from the value around it. */
  within(step: string): this {
    this.#path = step + this.#path;
    this.message = `$${this.#path}: ${this.#what}`;
    return this;
  }
}

/** 12: deeper than any of our types; a stranger's tower of lists ends here. */
const DEPTH_MAX = 12;
/** Text up to this long is taken apart here; calling into native code costs more. */
const SHORT_TEXT = 48;

/** Reads one value after the other. Throws: ShapeError for everything that is not our encoding, or not what was asked for. */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #buffer: Buffer;
  #at = 0;
  #depth = 0;

  constructor(input: Uint8Array) {
    // A plain view: a Buffer's slices would alias it.
    this.#bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    this.#buffer = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  #head(): number {
    const head = this.#bytes[this.#at];
    if (head === undefined) throw new ShapeError("truncated");
    this.#at += 1;
    return head;
  }

  /** An unsigned integer of so many bytes that needs them. */
  #uint(length: 1 | 2 | 4, smallest: number): number {
    const { length: end } = this.#bytes;
    if (this.#at + length > end) throw new ShapeError("truncated");
    let value = 0;
    for (let i = 0; i < length; i++) value = value * 256 + (this.#bytes[this.#at + i] as number);
    this.#at += length;
    if (value < smallest) throw new ShapeError("not the shortest encoding");
    return value;
  }

  /** The bytes of a value whose length was read, if they are there. */
  #skip(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw new ShapeError("truncated");
    this.#at = start + length;
    return start;
  }

  /** An unsigned integer up to 2^53−1; undefined when it is another value. */
  integer(): number | undefined {
    const head = this.#head();
    if (head <= 0x7f) return head;
    switch (head) {
      case 0xcc:
        return this.#uint(1, 0x80);
      case 0xcd:
        return this.#uint(2, 0x100);
      case 0xce:
        return this.#uint(4, 0x10000);
      case 0xd3: {
        const high = this.#uint(4, 1);
        const value = high * 0x1_0000_0000 + this.#uint(4, 0);
        if (value > Number.MAX_SAFE_INTEGER) throw new ShapeError("an integer beyond 2^53−1");
        return value;
      }
      default:
        return undefined;
    }
  }

  boolean(): boolean | undefined {
    const head = this.#head();
    return head === 0xc3 ? true : head === 0xc2 ? false : undefined;
  }

  /** Whether the next value is nil, which is then read. */
  nil(): boolean {
    if (this.#bytes[this.#at] !== 0xc0) return false;
    this.#at += 1;
    return true;
  }

  /** Length of the array that starts here, whose items are to be read before `close`; −1 when it is another value. */
  open(): number {
    const head = this.#head();
    const items =
      head >= 0x90 && head <= 0x9f
        ? head & 0x0f
        : head === 0xdc
          ? this.#uint(2, 16)
          : head === 0xdd
            ? this.#uint(4, 0x10000)
            : -1;
    if (items > this.#bytes.length - this.#at) throw new ShapeError("truncated list");
    if (this.#depth >= DEPTH_MAX) throw new ShapeError(`nested deeper than ${DEPTH_MAX}`);
    this.#depth += 1;
    return items;
  }

  close(): void {
    this.#depth -= 1;
  }

  /** A copy of the bytes that start here if their length is within bounds; undefined when it is not, or another value. */
  bytes(min: number, max: number): Uint8Array | undefined {
    const length = this.#bytesLength();
    if (length < min || length > max) return undefined;
    const start = this.#skip(length);
    return this.#bytes.slice(start, start + length);
  }

  /** As `bytes` of exactly that length, in lower-case hex. */
  hex(length: number): string | undefined {
    if (this.#bytesLength() !== length) return undefined;
    const start = this.#skip(length);
    return this.#buffer.toString("hex", start, start + length);
  }

  #bytesLength(): number {
    const head = this.#head();
    if (head === 0xc4) return this.#uint(1, 0);
    if (head === 0xc5) return this.#uint(2, 0x100);
    return head === 0xc6 ? this.#uint(4, 0x10000) : -1;
  }

  /** The text that starts here if it has at most `max` bytes; undefined when it has more, or is another value. */
  text(max: number): string | undefined {
    const head = this.#head();
    const length =
      head >= 0xa0 && head <= 0xbf
        ? head & 0x1f
        : head === 0xd9
          ? this.#uint(1, 32)
          : head === 0xda
            ? this.#uint(2, 0x100)
            : head === 0xdb
              ? this.#uint(4, 0x10000)
              : -1;
    if (length < 0 || length > max) return undefined;
    const start = this.#skip(length);
    const end = start + length;
    for (let i = start; i < end; i++) if ((this.#bytes[i] as number) >= 0x80) return this.#wideText(start, end);
    return this.#buffer.toString("latin1", start, end);
  }

  #wideText(start: number, end: number): string {
    const decoded = fromUtf8(this.#bytes.subarray(start, end));
    if (decoded === undefined) throw new ShapeError("text that is not UTF-8");
    return decoded;
  }
}

/** Where values are written before their bytes are copied out. A large value's room is given back afterwards. */
const SCRATCH_BYTES = 64 * 1024;
const SCRATCH_KEPT_BYTES = 1024 * 1024;

/** Writes one value after the other, each in its shortest encoding. */
export class WireWriter {
  #buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #at = 0;

  /** Where the next value begins. */
  get at(): number {
    return this.#at;
  }

  /** A copy of what was written from `start` on, in a buffer of its own. */
  copyFrom(start: number): Uint8Array {
    return new Uint8Array(this.#buffer.subarray(start, this.#at));
  }

  /** What was written from `start` on; it stands there until something else is written. */
  viewFrom(start: number): Uint8Array {
    return this.#buffer.subarray(start, this.#at);
  }

  /** Takes back what was written from `start` on. */
  backTo(start: number): void {
    this.#at = start;
    if (start === 0 && this.#buffer.length > SCRATCH_KEPT_BYTES) this.#buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  }

  /** Bytes as they are, without a head. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Makes room for so many more bytes. */
  #reserve(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
    larger.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = larger;
  }

  nil(): void {
    this.#reserve(1);
    this.#buffer[this.#at++] = 0xc0;
  }

  boolean(value: boolean): void {
    this.#reserve(1);
    this.#buffer[this.#at++] = value ? 0xc3 : 0xc2;
  }

  /** Throws: ShapeError for what is no integer in [0, 2^53−1]. */
  integer(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new ShapeError(`${value} is no integer of ours`);
    this.#reserve(9);
    const buffer = this.#buffer;
    if (value < 0x80) buffer[this.#at++] = value;
    else if (value < 0x100) {
      buffer[this.#at++] = 0xcc;
      buffer[this.#at++] = value;
    } else if (value < 0x10000) {
      buffer[this.#at++] = 0xcd;
      this.#at = buffer.writeUInt16BE(value, this.#at);
    } else if (value <= 0xffffffff) {
      buffer[this.#at++] = 0xce;
      this.#at = buffer.writeUInt32BE(value, this.#at);
    } else {
      buffer[this.#at++] = 0xd3; // int64: what msgpackr, which wrote the first of these bytes, made of a bigint
      this.#at = buffer.writeUInt32BE(Math.floor(value / 0x1_0000_0000), this.#at);
      this.#at = buffer.writeUInt32BE(value % 0x1_0000_0000, this.#at);
    }
  }

  /** The head of an array; its items are to follow. */
  array(length: number): void {
    this.#reserve(5);
    if (length < 16) this.#buffer[this.#at++] = 0x90 | length;
    else this.#length(length, 0xdc, 0xdd);
  }

  bytes(value: Uint8Array): void {
    this.#bytesHead(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  /** As `bytes`, of text in hex. */
  hex(value: string): void {
    const length = value.length >> 1;
    this.#bytesHead(length);
    if (this.#buffer.write(value, this.#at, length, "hex") !== length) throw new ShapeError("hex: expected hex digits");
    this.#at += length;
  }

  #bytesHead(length: number): void {
    this.#reserve(5 + length);
    if (length >= 0x100) return this.#length(length, 0xc5, 0xc6);
    this.#buffer[this.#at++] = 0xc4;
    this.#buffer[this.#at++] = length;
  }

  #length(length: number, short: number, long: number): void {
    const fits = length < 0x10000;
    this.#buffer[this.#at++] = fits ? short : long;
    this.#at = fits ? this.#buffer.writeUInt16BE(length, this.#at) : this.#buffer.writeUInt32BE(length, this.#at);
  }

  /** Throws: ShapeError for lone surrogates, which UTF-8 cannot carry. */
  text(value: string): void {
    if (value.length <= SHORT_TEXT && this.#shortText(value)) return;
    if (!value.isWellFormed()) throw new ShapeError("text: expected well-formed Unicode (no lone surrogates)");
    const length = Buffer.byteLength(value);
    this.#reserve(5 + length);
    this.#textHead(length);
    this.#at += this.#buffer.write(value, this.#at, length, "utf8");
  }

  #textHead(length: number): void {
    if (length < 32) this.#buffer[this.#at++] = 0xa0 | length;
    else if (length < 0x100) {
      this.#buffer[this.#at++] = 0xd9;
      this.#buffer[this.#at++] = length;
    } else this.#length(length, 0xda, 0xdb);
  }

  /** Writes text of ASCII characters; returns false, with nothing written, when it has others. */
  #shortText(value: string): boolean {
    const { length } = value;
    this.#reserve(2 + length);
    const before = this.#at;
    this.#textHead(length);
    for (let i = 0; i < length; i++) {
      const character = value.charCodeAt(i);
      if (character >= 0x80) {
        this.#at = before;
        return false;
      }
      this.#buffer[this.#at++] = character;
    }
    return true;
  }
}
