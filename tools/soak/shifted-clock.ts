/**
 * Preloaded into a node's process and each of its threads (NODE_OPTIONS=--import …): the calendar clock is off by what a file
 * says, from one moment to the next, as when somebody sets a machine's clock. Timers and performance.now go on, as they do then.
 * What native code asks the system itself (OpenSSL's look at a certificate's dates) is not shifted.
 */
import { readFileSync } from "node:fs";

/** How long an offset is believed before the file is read again. Units: ms. */
const LOOK_MS = 20;

const file = process.env["SOAK_CLOCK"];
if (file !== undefined) {
  const real = Date.now;
  let offsetMs = 0;
  let lookedAt = Number.NEGATIVE_INFINITY;
  const now = (): number => {
    const at = performance.now();
    if (at - lookedAt > LOOK_MS) {
      lookedAt = at;
      offsetMs = readOffset(file, offsetMs);
    }
    return real() + offsetMs;
  };
  globalThis.Date = new Proxy(Date, {
    construct: (date, given, target) =>
      Reflect.construct(date, given.length === 0 ? [now()] : given, target === globalThis.Date ? date : target),
    apply: (date) => Reflect.construct(date, [now()], date).toString(),
    get: (date, property) => (property === "now" ? now : Reflect.get(date, property, date)),
  });
}

/** The offset before when the file is not there or is being written. Units: ms. */
function readOffset(path: string, before: number): number {
  try {
    const text = readFileSync(path, "utf8");
    const offset = Number(text);
    return text === "" || !Number.isFinite(offset) ? before : offset;
  } catch {
    return before;
  }
}
