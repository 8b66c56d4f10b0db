/** The newest of what happened, numbered, bounded by count and by estimated bytes. */
import { present } from "../../base/errors.ts";

export class Ring<T> {
  readonly #max: number;
  readonly #bytesMax: number;
  /** A circle: item n lies at n mod max. */
  readonly #items: ({ readonly item: T; readonly bytes: number } | undefined)[] = [];
  #first = 0;
  #next = 0;
  #bytes = 0;

  /** Units: `bytesMax` bytes, as `push` is told them. */
  constructor(max: number, bytesMax: number) {
    this.#max = max;
    this.#bytesMax = bytesMax;
  }

  /** Number of the oldest that is held. */
  get first(): number {
    return this.#first;
  }

  /** Number that the next one gets. */
  get next(): number {
    return this.#next;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The oldest go until it fits; the newest is held whatever its size. */
  push(item: T, bytes: number): void {
    while (this.#first < this.#next && (this.#next - this.#first >= this.#max || this.#bytes + bytes > this.#bytesMax))
      this.#drop();
    this.#items[this.#next % this.#max] = { item, bytes };
    this.#next += 1;
    this.#bytes += bytes;
  }

  at(n: number): T | undefined {
    return n >= this.#first && n < this.#next ? this.#items[n % this.#max]?.item : undefined;
  }

  #drop(): void {
    const place = this.#first % this.#max;
    this.#bytes -= present(this.#items[place], "what is held has a place").bytes;
    this.#items[place] = undefined;
    this.#first += 1;
  }
}
