import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Projector } from "../../../src/actors/projector/projector.ts";
import { type Height, height } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import { openSqlite } from "../../../src/events/store/sqlite.ts";
import { segmentDigest, segmentsRoot } from "../../../src/events/facts/checkpoint.ts";
import { CheckpointStore } from "../../../src/host/checkpoints/checkpoint-store.ts";
import { CheckpointWriter, type WrittenCheckpoint } from "../../../src/host/checkpoints/checkpoint-writer.ts";
import { openProjection } from "../../../src/host/projector/database.ts";
import { author, projectedBlocks } from "./blocks.ts";

let directory: string;
let store: CheckpointStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sky-store-"));
  store = new CheckpointStore(join(directory, "checkpoints"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const bytes = (...values: readonly number[]) => Uint8Array.of(...values);
const segments = [bytes(1, 2, 3), bytes(4), bytes(5, 6)];
const digests = segments.map(segmentDigest);
const first = present(digests[0], "three");

function keep(at: Height, stage: "written" | "fetched" = "written"): void {
  for (const [i, segment] of segments.entries()) store.keep(stage, at, present(digests[i], "three"), segment);
}

test("a checkpoint is there when it is whole, and not before", () => {
  keep(height(20));
  expect([store.heights(), store.segmentsOf(height(20)), store.segment(first)]).toEqual([[], undefined, undefined]);
  store.complete("written", height(20), digests);
  expect([store.heights(), store.segmentsOf(height(20))]).toEqual([[20], digests]);
  expect(store.segment(first)).toEqual(segments[0]);
  expect([...store.read(height(20))]).toEqual(segments);
});

test("a file that is not what its name says is not given to a peer, and nothing is loaded from it", () => {
  keep(height(20));
  store.complete("written", height(20), digests);
  writeFileSync(join(directory, "checkpoints", "20", first), bytes(1, 2));
  expect(store.segment(first)).toBeUndefined();
  expect(() => [...store.read(height(20))]).toThrow(/CHECKPOINT_DAMAGED|not what was written/);
  expect(() => [...store.read(height(40))]).toThrow(/is not there/);
});

const entries = (): readonly string[] => readdirSync(join(directory, "checkpoints")).sort();

test("fetched segments survive a restart, half-written ones do not", async () => {
  keep(height(20), "fetched");
  keep(height(40), "written");
  const again = new CheckpointStore(join(directory, "checkpoints"));
  again.discardUnfinished("written");
  expect(again.fetched(height(20), first)).toEqual(segments[0]);
  await expect.poll(entries).toEqual(["20.fetched"]);
});

test("of what was fetched only the heights that are asked for stay, and nothing of the rest is seen any more", async () => {
  for (const at of [20, 40, 60]) keep(height(at), "fetched");
  keep(height(80));
  store.complete("written", height(80), digests);
  store.discardUnfinished("fetched", (at) => at > 40);
  expect([20, 40, 60].map((at) => store.fetched(height(at), first) !== undefined)).toEqual([false, false, true]);
  expect(store.heights()).toEqual([80]);
  keep(height(20), "fetched"); // anew, while the old files may still be there
  await expect.poll(entries).toEqual(["20.fetched", "60.fetched", "80"]);
  expect(store.fetched(height(20), first)).toEqual(segments[0]);
});

test("what a process that ended left on its way out goes with the next", async () => {
  mkdirSync(join(directory, "checkpoints", "5a.fetched.discarded", "rest"), { recursive: true });
  store.discardUnfinished("written");
  expect(entries()).toEqual(["5a.fetched.discarded"]);
  store.discardUnfinished("fetched");
  await expect.poll(entries).toEqual([]);
});

test("the newest two stay, and the one that the log begins with", () => {
  for (const at of [20, 40, 60, 80]) {
    keep(height(at));
    store.complete("written", height(at), digests);
  }
  store.prune(height(20));
  expect(store.heights()).toEqual([20, 60, 80]);
  store.prune(null);
  expect(store.heights()).toEqual([60, 80]);
  expect(store.segment(first)).toEqual(segments[0]);
});

test("what is written while the projector goes on is the state it stood at, and fills an empty projection", async () => {
  const path = join(directory, "projection.db");
  const db = openSqlite(path, { store: "PROJECTION", synchronous: "normal" });
  const projector = new Projector(db);
  const none = { namespace: "", name: "" };
  const blocks = projectedBlocks(
    Array.from({ length: 6 }, (_, i) => [
      {
        changes: [{ kind: "addSubject" as const, subject: { namespace: "", name: `s${i}`, relation: none } }],
        preconditions: [],
      },
    ]),
  );
  projector.apply(blocks.slice(0, 4));
  const root = present(blocks[3], "applied").root;
  const rows = projector.rebac.rowsRoot;
  const writer = new CheckpointWriter(path, store, [{ aid: author, key: new Uint8Array(32) }]);
  const written = await new Promise<WrittenCheckpoint>((done) => {
    writer.start(height(3), root, done);
    projector.apply(blocks.slice(4));
  });
  db.close();
  expect(writer.isBusy).toBe(false);
  expect(written).toEqual({ height: 3, root, segments: segmentsRoot(present(store.segmentsOf(height(3)), "whole")) });
  const filled = openProjection(join(directory, "other.db"), { store, begins: height(3) });
  expect([filled.projector.height, filled.projector.rebac.rowsRoot]).toEqual([3, rows]);
  filled.projector.apply(blocks.slice(4));
  expect(filled.projector.verify().ok).toBe(true);
  filled.db.close();
  // A projection that is above the checkpoint stays; one that is damaged comes back from it, not from a log that is not there.
  writeFileSync(join(directory, "other.db"), bytes(1, 2, 3));
  rmSync(join(directory, "other.db-wal"), { force: true });
  const again = openProjection(join(directory, "other.db"), { store, begins: height(3) });
  expect([again.projector.height, again.rebuilt !== null]).toEqual([3, true]);
  again.db.close();
});
