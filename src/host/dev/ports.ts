/** Free ports for a cluster on this machine. */
import { createServer } from "node:net";
import { Fault } from "../../base/errors.ts";

/** Below the range from which systems take ports for outgoing connections (32768 on Linux), so that none is taken by chance. */
const FIRST = 21_000;
const LAST = 31_000;
const TRIES = 200;

/** A base with `count` free ports from it on, on loopback. Throws: Fault NO_PORTS. */
export async function findPorts(count: number, random: () => number): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const base = FIRST + Math.floor(random() * (LAST - FIRST - count));
    const free = await Promise.all(Array.from({ length: count }, (_, i) => isFree(base + i)));
    if (free.every(Boolean)) return base;
  }
  throw new Fault("NO_PORTS", `No ${count} ports in a row are free between ${FIRST} and ${LAST}; stop what uses them.`);
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
