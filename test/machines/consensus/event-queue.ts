/** What happens next: seeded chance, and a queue of tasks by virtual time. */

export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Task {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A binary heap: earliest first, at one instant in the order of entering. */
export class EventQueue {
  readonly #tasks: Task[] = [];
  #order = 0;

  get size(): number {
    return this.#tasks.length;
  }

  push(at: number, run: () => void): void {
    this.#tasks.push({ at, order: ++this.#order, run });
    let child = this.#tasks.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!before(this.#tasks[child], this.#tasks[parent])) break;
      this.#swap(child, parent);
      child = parent;
    }
  }

  /** The next task, unless it is due after `end`. */
  pop(end: number): Task | undefined {
    const first = this.#tasks[0];
    if (first === undefined || first.at > end) return undefined;
    const last = this.#tasks.pop();
    if (last !== undefined && last !== first) {
      this.#tasks[0] = last;
      this.#sink();
    }
    return first;
  }

  #sink(): void {
    for (let parent = 0; ; ) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2])
        if (before(this.#tasks[child], this.#tasks[least])) least = child;
      if (least === parent) return;
      this.#swap(parent, least);
      parent = least;
    }
  }

  #swap(a: number, b: number): void {
    const [x, y] = [this.#tasks[a], this.#tasks[b]];
    if (x === undefined || y === undefined) return;
    this.#tasks[a] = y;
    this.#tasks[b] = x;
  }
}

const before = (a: Task | undefined, b: Task | undefined): boolean =>
  a !== undefined && b !== undefined && (a.at < b.at || (a.at === b.at && a.order < b.order));
