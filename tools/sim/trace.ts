/** The fingerprint of a run: a running SHA-256 over everything that happened, in order. */
import { type Hash, createHash } from "node:crypto";

const CHUNK_BYTES = 64 * 1024;

export class Trace {
  readonly #hash: Hash = createHash("sha256");
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  #used = 0;
  #events = 0;

  /** Events so far. */
  get events(): number {
    return this.#events;
  }

  /** Begins an event: its kind is one letter, `who` a replica or −1, then whatever `number`, `text` and `bytes` add. */
  event(kind: string, now: number, who: number): void {
    this.#events += 1;
    this.#room(10);
    this.#chunk[this.#used++] = kind.charCodeAt(0);
    this.#chunk[this.#used++] = who & 0xff;
    this.#used = this.#chunk.writeDoubleLE(now, this.#used);
  }

  number(value: number): void {
    this.#room(8);
    this.#used = this.#chunk.writeDoubleLE(value, this.#used);
  }

  text(value: string): void {
    if (value.length * 3 + 2 > CHUNK_BYTES) return this.bytes(Buffer.from(value));
    this.#room(value.length * 3 + 2);
    const length = this.#chunk.write(value, this.#used + 2);
    this.#chunk.writeUInt16LE(length, this.#used);
    this.#used += length + 2;
  }

  bytes(value: Uint8Array): void {
    this.number(value.length);
    if (value.length <= CHUNK_BYTES) {
      this.#room(value.length);
      this.#chunk.set(value, this.#used);
      this.#used += value.length;
      return;
    }
    this.#flush();
    this.#hash.update(value);
  }

  /** Ends the trace: SHA-256 in hex. */
  end(): string {
    this.#flush();
    return this.#hash.digest("hex");
  }

  #room(bytes: number): void {
    if (this.#used + bytes > CHUNK_BYTES) this.#flush();
  }

  #flush(): void {
    this.#hash.update(this.#chunk.subarray(0, this.#used));
    this.#used = 0;
  }
}
