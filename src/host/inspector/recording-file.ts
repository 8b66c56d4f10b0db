/** A recording of the simulator as a file of lines: read once from end to end without holding it, then line by line where it is asked. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { Fault } from "../../base/errors.ts";

/** One event, with the context that it changed or a page of blocks that it carried: the largest frame, in hex, and room. */
const LINE_BYTES_MAX = 64 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const LINE_END = 0x0a;

export interface Line {
  /** From 1. */
  readonly number: number;
  readonly offset: number;
  readonly bytes: Buffer;
  /** False for a last line without its end: whoever wrote it was stopped. */
  readonly isWhole: boolean;
}

/** Throws: Fault RECORDING_UNREADABLE, RECORDING_DAMAGED. */
export class RecordingFile {
  readonly path: string;
  readonly #file: number;

  constructor(path: string) {
    this.path = path;
    try {
      this.#file = openSync(path, "r");
    } catch (error) {
      throw new Fault("RECORDING_UNREADABLE", `${path} cannot be read: ${reasonOf(error)}.`, { cause: error });
    }
  }

  get bytes(): number {
    return fstatSync(this.#file).size;
  }

  /** Every line in order; a line's bytes are good until the next one is asked for. */
  *lines(): Generator<Line> {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let [number, offset] = [0, 0];
    let parts: Buffer[] = [];
    let length = 0;
    const taken = (end: Buffer, isWhole: boolean): Line => {
      const bytes = parts.length === 0 ? end : Buffer.concat([...parts, end]);
      const line = { number: (number += 1), offset, bytes, isWhole };
      offset += bytes.length + 1;
      parts = [];
      length = 0;
      return line;
    };
    for (let position = 0; ; ) {
      const count = this.#read(chunk, position);
      if (count === 0) break;
      position += count;
      let from = 0;
      for (let end = chunk.indexOf(LINE_END, from); end >= 0 && end < count; end = chunk.indexOf(LINE_END, from)) {
        yield taken(chunk.subarray(from, end), true);
        from = end + 1;
      }
      length += count - from;
      if (length > LINE_BYTES_MAX) throw this.damaged(number + 1, "it is longer than any line of a recording");
      if (from < count) parts.push(Buffer.from(chunk.subarray(from, count)));
    }
    if (parts.length > 0) yield taken(Buffer.alloc(0), false);
  }

  /** A line that `lines` gave, again. */
  lineAt(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const count = this.#read(bytes.subarray(done), offset + done);
      if (count === 0)
        throw new Fault("RECORDING_UNREADABLE", `${this.path} is shorter than it was; open it again when it is whole.`);
      done += count;
    }
    return bytes;
  }

  damaged(line: number, what: string): Fault {
    return new Fault("RECORDING_DAMAGED", `${this.path}, line ${line}: ${what}. Record the seed again.`);
  }

  close(): void {
    closeSync(this.#file);
  }

  #read(into: Buffer, position: number): number {
    try {
      return readSync(this.#file, into, 0, into.length, position);
    } catch (error) {
      throw new Fault("RECORDING_UNREADABLE", `${this.path} cannot be read: ${reasonOf(error)}.`, { cause: error });
    }
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
