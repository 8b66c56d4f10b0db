/**
 * The write-ahead log of a member of a living committee, cut and flipped at every frame and within frames: opened again by the real
 * code of a start, it is the state after some numbered commit, or says that it lost commits; what was said and delivered by then stands.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Commit, type Life, liveAndCut } from "./life.ts";
import { Chance, PATIENCE_MS, isExhaustive, placesWithin, report } from "./points.ts";
import { Bench, type Reopened, expectCommit } from "./reopening.ts";
import { type Frame, WAL_HEADER_BYTES, framesOf } from "./wal-format.ts";

const NOTHING = Buffer.alloc(0);

const bench = new Bench();
afterAll(() => bench.remove());

/** The newest commit whose frames all end by here. */
function commitBy({ commits }: Life, end: number): Commit {
  const held = commits.findLast(({ walEnd }) => walEnd <= end);
  if (held === undefined) throw new Error("the first commit has no frames here");
  return held;
}

const newest = ({ commits }: Life): Commit => commitBy({ commits } as Life, Number.POSITIVE_INFINITY);

/** Named: it says that commits are lost, and does not vote before it knows how far it did. */
function expectNamed({ lost, start }: Reopened): void {
  expect(lost).toMatch(/write-ahead log is damaged/);
  expect(start.context.votesAbove).toBe("unknown");
}

const lives = [
  { name: "that was never moved into the database file", options: { seed: 5, batches: 8 } },
  {
    name: "that began again behind a checkpoint, with stale frames after it",
    options: { seed: 6, batches: 12, checkpointAt: 12 },
  },
];

describe.each(lives)("a write-ahead log $name", { timeout: PATIENCE_MS }, ({ options }) => {
  let life: Life;
  let frames: readonly Frame[];
  const chance = new Chance(options.seed);
  beforeAll(() => {
    life = liveAndCut({ ...options, empty: bench.emptyDigest() });
    frames = framesOf(life.wal);
  });

  const expectPrefix = (wal: Uint8Array, commit: Commit): Reopened => {
    const reopened = bench.reopen(life.db, wal);
    expectCommit(reopened, commit, life);
    return reopened;
  };

  test("holds votes above the last final block, and gives back the newest commit when it is whole", () => {
    expect(expectPrefix(life.wal, newest(life)).lost).toBeUndefined();
    expect(life.commits.length).toBeGreaterThan(5);
    expect(life.sent.length).toBeGreaterThan(newest(life).number);
    expect(life.wal.length > (frames.at(-1)?.end ?? 0)).toBe(options.checkpointAt !== undefined);
  });

  test("cut at any frame's boundary, it is the newest commit whose frames are all there", () => {
    for (const { start } of frames)
      expect(expectPrefix(life.wal.subarray(0, start), commitBy(life, start)).lost).toBeUndefined();
    expectPrefix(NOTHING, commitBy(life, 0));
    report("cuts at frame boundaries", frames.length + 1);
  });

  test("cut within any frame, it is the newest commit before that frame", () => {
    let points = 0;
    for (const frame of frames) {
      for (const at of chance.some(placesWithin(frame).slice(1), 1)) {
        expect(expectPrefix(life.wal.subarray(0, at), commitBy(life, frame.start)).lost).toBeUndefined();
        points += 1;
      }
    }
    report("cuts within frames", points);
  });

  test("with a bit flipped in any frame, it is the newest commit before that frame, and names the loss of any synced later", () => {
    let points = 0;
    for (const frame of frames) {
      const hit = life.commits.find(({ walEnd }) => walEnd >= frame.end);
      const before = commitBy(life, frame.start);
      for (const at of chance.some(placesWithin(frame), 2)) {
        const wal = chance.flipped(life.wal, at);
        // Nothing can tell when the last transaction but one no longer says, or not in one sector, where it ends.
        const isHidden = frame.isCommit && (wal.readUInt32BE(frame.start + 4) === 0 || frame.start % 512 === 504);
        const reopened = expectPrefix(wal, before);
        if (hit !== newest(life) && !(isHidden && hit === life.commits.at(-2))) expectNamed(reopened);
        points += 1;
      }
    }
    report("bits flipped in frames", points);
  });

  test("with a bit flipped in its header, it is what the database file holds, and names the loss", () => {
    for (let at = 0; at < WAL_HEADER_BYTES; at++)
      expectNamed(expectPrefix(chance.flipped(life.wal, at), commitBy(life, 0)));
    report("bits flipped in the header", WAL_HEADER_BYTES);
  });

  test("a loss is named once: the next start finds the file sound, and the name until somebody acts on it", () => {
    const frame = frames[Math.floor(frames.length / 2)];
    if (frame === undefined) throw new Error("there are frames");
    expectNamed(expectPrefix(chance.flipped(life.wal, frame.end - 1), commitBy(life, frame.start)));
    const settled = readFileSync(bench.settled(life.db, chance.flipped(life.wal, frame.end - 1)));
    const again = bench.reopen(settled, NOTHING);
    expectNamed(again);
    expectCommit(again, commitBy(life, frame.start), life);
  });

  test("a commit during which the power went, whatever sectors of it reached the disk, is not there, and nothing else is missing", () => {
    const tears = isExhaustive ? 40 : 4;
    const stale = options.checkpointAt === undefined ? NOTHING : life.wal.map((byte) => ~byte);
    for (const [i, before] of life.commits.slice(0, -1).entries()) {
      const end = life.commits[i + 1]?.walEnd ?? 0;
      const whole = life.wal.subarray(0, end);
      const from = frames.findLast((frame) => frame.isCommit && frame.end < end)?.end ?? WAL_HEADER_BYTES;
      for (let tear = 0; tear < tears; tear++) {
        const wal = chance.torn(whole, from, stale);
        // Sectors that held zeros anyway tear nothing.
        expect(expectPrefix(wal, wal.equals(whole) ? commitBy(life, end) : before).lost).toBeUndefined();
      }
    }
    report("commits torn by sectors", tears * (life.commits.length - 1));
  });

  test("a checkpoint during which the power went, whatever sectors of it reached the disk, changes nothing", () => {
    const moved = readFileSync(bench.settled(life.db, life.wal));
    const tears = isExhaustive ? 500 : 30;
    for (let tear = 0; tear < tears; tear++) {
      const reopened = bench.reopen(chance.torn(moved, 0, life.db), life.wal);
      expectCommit(reopened, newest(life), life);
      expect(reopened.lost).toBeUndefined();
    }
    expectCommit(bench.reopen(moved, NOTHING), newest(life), life);
    report("torn checkpoints", tears);
  });
});
