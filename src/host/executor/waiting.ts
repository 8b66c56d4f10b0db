/** Callers that wait: for a command to be settled, or for a height to be reached. Both are bounded. */
import type { Height } from "../../base/brands.ts";

/** Commands whose clients wait here at once. */
export const COMMANDS_WAITING_MAX = 200_000;
const HEIGHTS_WAITING_MAX = 10_000;

/** Callbacks by key, each called once. */
export class Waiters<T> {
  readonly #waiting = new Map<string, ((value: T) => void)[]>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  /** Returns the function that gives up. */
  add(key: string, done: (value: T) => void): () => void {
    const list = this.#waiting.get(key);
    if (list === undefined) this.#waiting.set(key, [done]);
    else list.push(done);
    this.#count += 1;
    return () => {
      const now = this.#waiting.get(key);
      const at = now?.indexOf(done) ?? -1;
      if (now === undefined || at < 0) return;
      now.splice(at, 1);
      this.#count -= 1;
      if (now.length === 0) this.#waiting.delete(key);
    };
  }

  settle(key: string, value: T): void {
    const list = this.#waiting.get(key);
    if (list === undefined) return;
    this.#waiting.delete(key);
    this.#count -= list.length;
    for (const done of list) done(value);
  }

  keys(): readonly string[] {
    return [...this.#waiting.keys()];
  }
}

export class HeightWaiters {
  readonly #waiting = new Set<{ readonly height: Height; readonly done: (reached: boolean) => void }>();

  /** Whether the height was reached in time. A full queue answers false at once. */
  wait(height: Height, ms: number): Promise<boolean> {
    if (ms <= 0 || this.#waiting.size >= HEIGHTS_WAITING_MAX) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = setTimeout(() => entry.done(false), ms);
      const entry = {
        height,
        done: (reached: boolean): void => {
          clearTimeout(timer);
          this.#waiting.delete(entry);
          resolve(reached);
        },
      };
      this.#waiting.add(entry);
    });
  }

  reached(height: Height): void {
    for (const entry of [...this.#waiting]) if (entry.height <= height) entry.done(true);
  }

  stop(): void {
    for (const entry of [...this.#waiting]) entry.done(false);
  }
}
