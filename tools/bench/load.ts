/** Load: so many callers that each make one call after the other, counted over a window. */

export interface Windows {
  readonly warmUpMs: number;
  readonly windowMs: number;
  /** Windows of which the median counts. */
  readonly repeats: number;
  /** How long to wait before a measurement for a machine that does nothing else. */
  readonly patienceMs: number;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Calls that keep running until stopped; `done` counts what they completed. */
export class Load {
  done = 0;
  readonly #running: Promise<void>[];
  #stopped = false;

  /** `each` makes one call for a caller and says how many operations it completed. */
  constructor(callers: number, each: (caller: number) => Promise<number>) {
    const run = async (caller: number): Promise<void> => {
      while (!this.#stopped) {
        const done = await each(caller);
        this.done += done; // after the await: `+= await` would add to what the counter was before
      }
    };
    this.#running = Array.from({ length: callers }, (_, caller) => run(caller));
    // Whoever stops the load hears of errors; until then they must not end the process.
    for (const one of this.#running) one.catch(() => undefined);
  }

  /** Throws the first error of any caller. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }
}

/** Operations a second in each window, under one load that goes on between them. */
export async function rates(
  windows: Omit<Windows, "patienceMs">,
  callers: number,
  each: (caller: number) => Promise<number>,
): Promise<readonly number[]> {
  const load = new Load(callers, each);
  await sleep(windows.warmUpMs);
  const found: number[] = [];
  for (let i = 0; i < windows.repeats; i++) {
    const [before, start] = [load.done, performance.now()];
    await sleep(windows.windowMs);
    found.push(((load.done - before) / (performance.now() - start)) * 1000);
  }
  await load.stop();
  return found;
}

/** How long each of `count` calls takes, one after the other, after `warmUp` that do not count. Units: ms. */
export async function latencies(
  warmUp: number,
  count: number,
  call: (i: number) => Promise<unknown>,
): Promise<readonly number[]> {
  const found: number[] = [];
  for (let i = 0; i < warmUp + count; i++) {
    const start = performance.now();
    await call(i);
    if (i >= warmUp) found.push(performance.now() - start);
  }
  return found;
}
