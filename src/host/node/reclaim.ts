/** Gives back what start-up leaves behind: each thread of a node that has just started holds a third more than it needs. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** By then the node serves, and those that start beside it: a collection takes as long as a fifth of a start. Units: ms. */
const SETTLED_MS = 8_000;

/** Collects this thread's garbage once, after start-up; V8 by itself would wait for allocations that an idle node never makes. */
export function reclaimOnce(): void {
  setTimeout(() => {
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    // "last-resort" gives pages back to the system, an ordinary collection only to V8.
    if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
  }, SETTLED_MS).unref();
}
