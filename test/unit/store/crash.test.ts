import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Height, epoch } from "../../../src/base/brands.ts";
import { fromUtf8 } from "../../../src/base/bytes.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import type { LogDatabase } from "../../../src/events/store/log-database.ts";
import { fromGenesis } from "../../../src/events/store/log-verify.ts";
import { logPath, openLog, verdictOf } from "./log-fixture.ts";

const CHILD = join(import.meta.dirname, "log-child.ts");

/** Every table agrees on one last round, and the log verifies up to it; gives that round (−1: nothing was committed). */
function wholeRounds(log: LogDatabase): number {
  const last = log.head()?.height ?? -1;
  const views = log.journal(epoch(0)).map((record) => Number(record.view));
  expect(log.executedHead()?.height ?? -1).toBe(last);
  expect(views).toEqual(Array.from({ length: Math.min(last + 1, 6) }, (_, i) => Math.max(0, last - 5) + i));
  const mark = log.mark("round");
  expect(mark === undefined ? -1 : Number(fromUtf8(mark))).toBe(last);
  expect(log.bundlesUnordered()).toEqual([]);
  if (last >= 0)
    expect(verdictOf(log, fromGenesis(last as Height, MerkleFrontier.empty))).toMatchObject({
      kind: "sound",
      next: last + 1,
    });
  return last;
}

/** However late this process hears of a round, the child is no further ahead: its write-ahead log keeps what the tests tear. */
const AHEAD_MAX = 12;

/** Runs the child until it has reported `rounds` commits, kills it, and gives the last round it reported. */
async function killedAfter(rounds: number, path: string, bundleBytes: number): Promise<number> {
  const child = spawn(process.execPath, [CHILD, "commit", path, String(bundleBytes), String(rounds + AHEAD_MAX)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let reported = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    reported += text;
    if (reported.split("\n").length > rounds) child.kill("SIGKILL");
  });
  await new Promise((resolve) => child.on("close", resolve));
  expect(child.signalCode).toBe("SIGKILL");
  return Number(reported.split("\n").at(-2));
}

describe("a crash", () => {
  test.each([
    [1, 100],
    [20, 100],
    [60, 300_000], // crosses checkpoints of the write-ahead log
    [137, 20_000],
  ])(
    "kill -9 after %i commits with bundles of %i bytes loses nothing that was reported and leaves nothing half",
    async (rounds, bytes) => {
      const path = logPath();
      const reported = await killedAfter(rounds, path, bytes);
      const log = openLog(path);
      expect(wholeRounds(log)).toBeGreaterThanOrEqual(reported);
    },
  );

  test("a write-ahead log torn at any byte opens to a prefix of the committed transactions", async () => {
    const path = logPath();
    const reported = await killedAfter(25, path, 2_000);
    const wal = readFileSync(`${path}-wal`);
    let fewest = Number.POSITIVE_INFINITY;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: wal.length }), (kept) => {
        const torn = logPath();
        copyFileSync(path, torn);
        writeFileSync(`${torn}-wal`, wal.subarray(0, kept));
        const log = openLog(torn);
        const last = wholeRounds(log);
        fewest = Math.min(fewest, last);
        if (kept === wal.length) expect(last).toBeGreaterThanOrEqual(reported);
        log.close();
      }),
      { numRuns: 60, examples: [[0], [31], [wal.length - 1], [wal.length]] },
    );
    expect(fewest).toBe(-1); // the tears did reach back to before the first commit
  });

  test("a byte flipped within the write-ahead log ends the log before that transaction", async () => {
    const path = logPath();
    const reported = await killedAfter(25, path, 2_000);
    const wal = readFileSync(`${path}-wal`);
    fc.assert(
      fc.property(fc.integer({ min: 32, max: wal.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const torn = logPath();
        copyFileSync(path, torn);
        const flipped = Uint8Array.from(wal);
        flipped[at] = (flipped[at] as number) ^ mask;
        writeFileSync(`${torn}-wal`, flipped);
        const log = openLog(torn);
        expect(wholeRounds(log)).toBeLessThanOrEqual(reported + 1);
        log.close();
      }),
      { numRuns: 40 },
    );
  });
});

describe("a disk that fails", () => {
  test("a write beyond the file-size limit is a fault after which no write is taken, and every commit before it is there", () => {
    const path = logPath();
    // ulimit -f counts KiB: the write-ahead log reaches it within some rounds, and a small commit would still fit.
    const script = `ulimit -f 1000; exec "${process.execPath}" "${CHILD}" commit "${path}" 40000`;
    const child = spawnSync("bash", ["-c", script], { encoding: "utf8" });
    const lines = child.stdout.trim().split("\n");
    expect(child.status).toBe(3);
    expect(lines.at(-2)).toMatch(/^LOG_(FULL|WRITE_FAILED) /);
    expect(lines.at(-1)).toBe(`LOG_WRITE_FAILED ${path} takes no more writes since one failed; restart the node.`);
    const reported = Number(lines.at(-3));
    expect(reported).toBeGreaterThan(3);
    const log = openLog(path);
    expect(wholeRounds(log)).toBe(reported);
    expect(log.mark("small")).toBeUndefined();
  });

  test("a truncated database file is a fault on read, not wrong data", () => {
    const path = logPath();
    const log = openLog(path);
    log.commit({ marks: [{ name: "a", value: new Uint8Array(100_000).fill(7) }] });
    log.close();
    truncateSync(path, 8192);
    expect(() => {
      const again = openLog(path);
      again.mark("a");
    }).toThrow(expect.objectContaining({ code: expect.stringMatching(/^LOG_(CORRUPT|READ_FAILED)$/) }));
  });
});
