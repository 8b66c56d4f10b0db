/** A projection that was closed in order starts by its seal; whatever happened to its bytes, its rows are read before it serves. */
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { openSqlite } from "../../../src/events/store/sqlite.ts";
import { openProjection } from "../../../src/host/projector/database.ts";
import { Judgement } from "../../../src/host/projector/judgement.ts";
import { present } from "../../../src/base/errors.ts";
import { World } from "./world.ts";

let world: World;
afterEach(async () => world.close());

/** A projection of some blocks, closed as a node closes it. */
async function closed(blocks = 10): Promise<string> {
  world = new World();
  await world.open();
  world.write(blocks);
  await present(world.room.current, "started").stop();
  world.past.close();
  return world.room.path;
}

const edit = (path: string): void => {
  const db = openSqlite(path, { store: "PROJECTION", synchronous: "normal" });
  db.exec("UPDATE rebac_node SET name = 'eve' WHERE name = 's3'");
  db.close();
};
const sealed = (path: string): boolean => existsSync(`${path}.seal`);
const open = (path: string) => {
  const opened = openProjection(path);
  opened.db.close();
  return { isJudged: opened.isJudged, isRebuilt: opened.rebuilt !== null, height: opened.projector.height };
};

/** Another byte in the last page of rows, and whoever did it made a seal for it. */
function damage(path: string): void {
  const at = readFileSync(path).indexOf("s3");
  const file = openSync(path, "r+");
  writeSync(file, "x", at);
  closeSync(file);
  writeFileSync(`${path}.seal`, createHash("sha256").update(readFileSync(path)).digest("hex"));
}

test("a projection that was closed in order starts without its rows being read, once", async () => {
  const path = await closed();
  expect(sealed(path)).toBe(true);
  expect(statSync(`${path}.seal`).mode & 0o777).toBe(0o600);
  expect(open(path)).toEqual({ isJudged: false, isRebuilt: false, height: 9 });
  expect(sealed(path)).toBe(false);
  expect(open(path)).toEqual({ isJudged: true, isRebuilt: false, height: 9 });
});

test.each([
  ["a byte of the file", (path: string) => appendFileSync(path, "x"), false],
  ["a row", edit, true],
  ["the seal", (path: string) => writeFileSync(`${path}.seal`, "no digest"), false],
  ["the write-ahead log", (path: string) => writeFileSync(`${path}-wal`, Buffer.alloc(32)), false],
] as const)("its rows are read when %s is not as it was left", async (_, change, isRebuilt) => {
  const path = await closed();
  change(path);
  expect(open(path)).toMatchObject({ isJudged: true, isRebuilt });
});

test("a file that came in its place is read, whatever was sealed", async () => {
  const path = await closed();
  const copy = `${path}.copy`;
  copyFileSync(path, copy);
  edit(copy);
  copyFileSync(copy, path);
  expect(open(path)).toMatchObject({ isJudged: true, isRebuilt: true });
});

test("rows that somebody else wrote to while the node ran are read at the next start", async () => {
  world = new World();
  await world.open();
  world.write(10);
  await world.granted(9);
  edit(world.room.path);
  await present(world.room.current, "started").stop();
  world.past.close();
  expect(sealed(world.room.path)).toBe(false);
  expect(open(world.room.path)).toMatchObject({ isJudged: true, isRebuilt: true });
});

test("a node that was killed reads its rows", async () => {
  const path = await closed();
  const { db, projector } = openProjection(path);
  expect(projector.height).toBe(9);
  db.close(); // as the process's end would
  expect(open(path)).toMatchObject({ isJudged: true, isRebuilt: false });
});

/** Resolves with what its reading found. */
async function readAfter(path: string): Promise<{ readonly reason: string | null; readonly judgement: Judgement }> {
  const { db, isJudged } = openProjection(path);
  expect(isJudged).toBe(false);
  return new Promise((resolve) => {
    const judgement: Judgement = new Judgement({
      path,
      db,
      isJudged,
      readAfterMs: 0,
      judged: (reason) => resolve({ reason, judgement }),
    });
  });
}

test("rows that a seal spoke for are read after the start, and sealed again", async () => {
  const path = await closed();
  const { reason, judgement } = await readAfter(path);
  expect(reason).toBeNull();
  judgement.close();
  expect(sealed(path)).toBe(true);
});

test("damage that was sealed is found after the start, not sealed again, and gone after the next one", async () => {
  const path = await closed();
  damage(path);
  const { reason, judgement } = await readAfter(path);
  expect(reason).toMatch(/damaged|rebuild them/);
  judgement.close();
  expect(sealed(path)).toBe(false);
  expect(open(path)).toMatchObject({ isJudged: true, isRebuilt: true, height: -1 });
});
