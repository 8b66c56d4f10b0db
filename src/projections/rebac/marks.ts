/** Scratch of walks over integer ids: who has been visited, and the queue of whom to visit. Nothing is cleared between walks. */
import { grown, int32s } from "./edge-table.ts";

const GENERATIONS_MAX = 0x7fffffff;

export class Marks {
  /** Generation in which an id was visited. */
  marks = int32s(1024);
  /** Ids in the order they were met. */
  queue = int32s(1024);
  #generation = 0;

  reserve(ids: number): void {
    if (ids <= this.marks.length) return;
    const length = Math.max(ids, 2 * this.marks.length);
    this.marks = grown(this.marks, length, int32s);
    this.queue = int32s(length);
  }

  /** Starts a walk: returns the generation that marks its visits. */
  begin(): number {
    if (this.#generation === GENERATIONS_MAX) {
      this.marks.fill(0);
      this.#generation = 0;
    }
    this.#generation += 1;
    return this.#generation;
  }
}
