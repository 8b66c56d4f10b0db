/** The clock that the soak gives to nodes: it must really be off, in every thread, or its jumps would test nothing. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { root } from "../cluster.ts";

const directory = mkdtempSync(path.join(tmpdir(), "sky-clock-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const HOUR_MS = 3_600_000;
const look = "[Date.now(), new Date().getTime(), Date.parse(new Date().toISOString()), Date.parse(Date())]";
const WORKER = `import { parentPort } from "node:worker_threads"; parentPort.postMessage(${look});`;
const MAIN = `
  import { writeFileSync } from "node:fs";
  import { Worker } from "node:worker_threads";
  const fixed = new Date(5).getTime();
  const before = performance.now();
  writeFileSync(process.env.SOAK_CLOCK, "-${HOUR_MS}");
  await new Promise((done) => setTimeout(done, 50));
  const worker = new Worker(new URL("./worker.mjs", import.meta.url));
  worker.on("message", (thread) => {
    const main = ${look};
    console.log(JSON.stringify({ main, thread, fixed, isDate: new Date() instanceof Date, ran: performance.now() - before }));
  });
`;

describe("a node's clock in the soak", () => {
  it("jumps while the process runs, in its main thread and in its workers; timers and given times stay as they are", async () => {
    const clock = path.join(directory, "offset");
    writeFileSync(clock, "0");
    writeFileSync(path.join(directory, "worker.mjs"), WORKER);
    writeFileSync(path.join(directory, "main.mjs"), MAIN);
    const began = Date.now();
    const { stdout } = await promisify(execFile)(process.execPath, [path.join(directory, "main.mjs")], {
      env: {
        ...process.env,
        NODE_OPTIONS: `--import=${path.join(root, "tools/soak/shifted-clock.ts")}`,
        SOAK_CLOCK: clock,
      },
    });
    const seen = JSON.parse(stdout) as {
      main: number[];
      thread: number[];
      fixed: number;
      isDate: boolean;
      ran: number;
    };
    const ended = Date.now();
    expect([...seen.main, ...seen.thread]).toHaveLength(8);
    for (const ms of [...seen.main, ...seen.thread]) {
      expect(ms + HOUR_MS).toBeGreaterThan(began - 1_000); // as text a time has whole seconds
      expect(ms + HOUR_MS).toBeLessThanOrEqual(ended);
    }
    expect(seen).toMatchObject({ fixed: 5, isDate: true });
    expect(seen.ran).toBeGreaterThan(0); // what timers go by was not set back
  });
});
