/** A recording on its way to a file. */
import { closeSync, openSync, writeFileSync } from "node:fs";
import { Fault } from "../../src/base/errors.ts";
import { type RecordEntry, lineOf } from "./record.ts";

export class RecordFile {
  readonly #path: string;
  readonly #file: number;
  #entries = 0;
  #failure: unknown;

  /** Throws: Fault RECORD_WRITE_FAILED. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#file = openSync(path, "w");
    } catch (error) {
      throw this.#fault(error);
    }
  }

  /** Never throws: the simulation would take it for a failure of the member whose step is recorded. `close` says it. */
  readonly add = (entry: RecordEntry): void => {
    if (this.#failure !== undefined) return;
    try {
      writeFileSync(this.#file, `${lineOf(entry, ++this.#entries)}\n`);
    } catch (error) {
      this.#failure = error;
    }
  };

  /** Throws: Fault RECORD_WRITE_FAILED when the file lacks something. */
  close(): void {
    closeSync(this.#file);
    if (this.#failure !== undefined) throw this.#fault(this.#failure);
  }

  #fault(cause: unknown): Fault {
    const reason = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
    const message = `${this.#path} cannot be written${reason}; name a file in a directory of your own, on a disk with room.`;
    return new Fault("RECORD_WRITE_FAILED", message, { cause });
  }
}
