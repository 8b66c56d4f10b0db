/**
 * Snapshots are caches: the tables at a height, what is loaded from them into memory, the write-ahead log behind them, a previous projection,
 * checkpoints. Whatever becomes of them, the log gives the same roots again. (The verified mark: test/unit/actors/start.test.ts.)
 */
import { copyFileSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openSqlite } from "../../../src/events/store/sqlite.ts";
import { openProjection } from "../../../src/host/projector/database.ts";
import { projectionFiles } from "../../../src/host/projector/exchange.ts";
import { World } from "./world.ts";

let world: World;
afterEach(async () => world.close());

const BLOCKS = 25;
const edit = (path: string, statement: string): void => {
  const db = openSqlite(path, { store: "PROJECTION", synchronous: "normal" });
  db.exec(statement);
  db.close();
};
const flip = (path: string, at: number): void => {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  writeFileSync(path, bytes);
};
const segmentsIn = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile());

const HARM: readonly (readonly [string, (path: string, directory: string) => void])[] = [
  ["the tables are deleted", (path) => rmSync(path)],
  ["the tables are garbage", (path) => writeFileSync(path, "no database")],
  ["the tables are cut short", (path) => truncateSync(path, 3 * 4096)],
  ["a row is edited", (path) => edit(path, "UPDATE rebac_node SET name = 'eve' WHERE name = 's3'")],
  ["a row is deleted", (path) => edit(path, "DELETE FROM ledger_outcomes WHERE height = 5")],
  ["a byte of the rows is flipped", (path) => flip(path, statSync(path).size - 100)],
  ["the tables are those of an earlier height", (path, directory) => copyFileSync(join(directory, "earlier.db"), path)],
  [
    "the tables are of software from before certificates",
    (path) => edit(path, "DROP TABLE certificates; DROP TABLE certificates_meta; PRAGMA user_version = 0"),
  ],
  ["the tables are of software to come", (path) => edit(path, "PRAGMA user_version = 99")],
  [
    "checkpoints are damaged",
    (_, directory) => segmentsIn(join(directory, "checkpoints")).forEach((path) => flip(path, 0)),
  ],
  [
    "the previous tables are garbage",
    (_, directory) => writeFileSync(projectionFiles(directory).previous, "no database"),
  ],
  ["checkpoints are deleted", (_, directory) => rmSync(join(directory, "checkpoints"), { recursive: true })],
];

test("whatever becomes of a cache, the log gives the same roots again", async () => {
  world = new World({ checkpointEvery: 10 });
  await world.open();
  world.write(15);
  await world.granted(14);
  const earlier = join(world.directory, "earlier.db");
  edit(world.room.path, `VACUUM INTO '${earlier}'`);
  world.write(BLOCKS - 15);
  const before = await world.roots();
  expect(before).toMatchObject({ height: BLOCKS - 1, executed: world.made.root });
  for (const [what, harm] of HARM) {
    expect(segmentsIn(join(world.directory, "checkpoints")).length, what).toBeGreaterThan(3);
    harm(world.room.path, world.directory);
    await world.reopen();
    world.catchUp();
    expect(world.ledger.root, what).toBe(world.made.root);
    expect(await world.roots(), what).toEqual(before);
  }
});

test("tables of the version before say the same after they were brought up to date in place", async () => {
  world = new World();
  await world.open();
  world.write(10);
  const before = await world.roots();
  edit(world.room.path, "CREATE TABLE ledger_identifiers (aid TEXT); PRAGMA user_version = 0");
  const { db, projector, rebuilt } = openProjection(world.room.path);
  expect(rebuilt).toBeNull();
  expect(projector.roots()).toEqual(before);
  expect(db.pragma("user_version", { simple: true })).toBe(1);
  expect(db.prepare("SELECT name FROM sqlite_master WHERE name = 'ledger_identifiers'").all()).toEqual([]);
  db.close();
});
