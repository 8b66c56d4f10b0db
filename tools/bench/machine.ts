/** What else this machine does: figures of a busy one say little about Sky. */
import { readFileSync } from "node:fs";
import { sleep } from "./load.ts";

/** Processor time since the machine started, of all processors. Units: ticks. */
interface Ticks {
  readonly busy: number;
  readonly all: number;
}

function ticks(): Ticks {
  const fields = (/^cpu +(.*)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1] ?? "").split(" ").map(Number);
  const [, , , idle = 0, waiting = 0] = fields;
  const all = fields.slice(0, 8).reduce((sum, value) => sum + value, 0); // guests are counted in user already
  return { busy: all - idle - waiting, all };
}

/** Watches how busy the machine is; the function that it returns tells for the time since. Units: share of all processors, 0 to 1. */
export function watchMachine(): () => number {
  const before = ticks();
  return () => {
    const now = ticks();
    return (now.busy - before.busy) / Math.max(1, now.all - before.all);
  };
}

const CALM = 0.15;
const LOOK_MS = 500;

/** Waits until the machine does little for half a second, at most `patienceMs`. */
export async function calm(patienceMs: number): Promise<void> {
  for (const end = performance.now() + patienceMs; performance.now() < end; ) {
    const busy = watchMachine();
    await sleep(LOOK_MS);
    if (busy() < CALM) return;
  }
}
