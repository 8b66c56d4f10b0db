/** Virtual time: tasks by (time, order of entering), nothing else decides what runs next. */

export interface Task {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

const before = (a: Task, b: Task): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** A binary heap. Units: ms since the simulation began. */
export class Scheduler {
  readonly #tasks: Task[] = [];
  #order = 0;
  #now = 0;

  get now(): number {
    return this.#now;
  }

  at(time: number, run: () => void): Task {
    const task: Task = { at: Math.max(time, this.#now), order: ++this.#order, run };
    const tasks = this.#tasks;
    let child = tasks.length;
    tasks.push(task);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = tasks[parent];
      if (above === undefined || !before(task, above)) break;
      tasks[child] = above;
      child = parent;
    }
    tasks[child] = task;
    return task;
  }

  cancel(task: Task): void {
    task.run = undefined;
  }

  /** Runs the next task. Returns false when none is due by `end`; then it is that time. */
  step(end: number): boolean {
    for (let first = this.#tasks[0]; first !== undefined && first.at <= end; first = this.#tasks[0]) {
      this.#pop();
      const { run } = first;
      if (run === undefined) continue;
      this.#now = first.at;
      run();
      return true;
    }
    this.#now = Math.max(this.#now, end);
    return false;
  }

  #pop(): void {
    const tasks = this.#tasks;
    const last = tasks.pop();
    if (last === undefined || tasks.length === 0) return;
    let parent = 0;
    for (;;) {
      let least = 2 * parent + 1;
      const left = tasks[least];
      if (left === undefined) break;
      const right = tasks[least + 1];
      let child = left;
      if (right !== undefined && before(right, left)) {
        least += 1;
        child = right;
      }
      if (!before(child, last)) break;
      tasks[parent] = child;
      parent = least;
    }
    tasks[parent] = last;
  }
}
