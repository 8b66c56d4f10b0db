/** The anchors of an issuer as a stream: those of now, then others when they change. Who is slow sees the newest only. */
import { equalBytes } from "../../base/bytes.ts";

export class Anchors {
  #now: readonly Uint8Array[] | undefined;
  #version = 0;
  #closed = false;
  readonly #waiting = new Set<() => void>();

  set(anchors: readonly Uint8Array[]): void {
    if (this.#now !== undefined && isSame(this.#now, anchors)) return;
    this.#now = anchors;
    this.#version += 1;
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  async *stream(): AsyncGenerator<readonly Uint8Array[]> {
    let seen = 0;
    while (!this.#closed) {
      if (this.#now !== undefined && this.#version !== seen) {
        seen = this.#version;
        yield this.#now;
      } else await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

const isSame = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
  a.length === b.length && a.every((anchor, i) => equalBytes(anchor, b[i] ?? new Uint8Array(0)));
