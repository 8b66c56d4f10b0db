/** Work for lookers in a thread that others need: piece by piece, in order, with a rest after each in proportion to what it took. */

/** Of the thread's time, at most. */
export const SHARE = 1 / 5;

export interface TurnsClock {
  /** Monotonic. Units: ms, with fractions. */
  readonly now: () => number;
  readonly after: (ms: number, run: () => void) => void;
}

const CLOCK: TurnsClock = {
  now: () => performance.now(),
  after: (ms, run) => void setTimeout(run, ms).unref(),
};

export class Turns {
  readonly #clock: TurnsClock;
  readonly #waiting = new Map<number, () => void>();
  #isResting = false;

  constructor(clock: TurnsClock = CLOCK) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Runs at once when nothing waits or rests. `work` must not throw. */
  add(id: number, work: () => void): void {
    this.#waiting.set(id, work);
    if (!this.#isResting) this.#next();
  }

  /** Whether it waited still. */
  drop(id: number): boolean {
    return this.#waiting.delete(id);
  }

  /** What waits still never runs. */
  clear(): void {
    this.#waiting.clear();
  }

  #next(): void {
    this.#isResting = false;
    for (const [id, work] of this.#waiting) {
      this.#waiting.delete(id);
      const began = this.#clock.now();
      work();
      const rest = (this.#clock.now() - began) * (1 / SHARE - 1);
      this.#isResting = true;
      return this.#clock.after(Math.ceil(rest), () => this.#next());
    }
  }
}
