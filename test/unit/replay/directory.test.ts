/** Directories that somebody else made: only plain files are read of them. */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, describe, expect, it, vi } from "vitest";
import { Fault } from "../../../src/base/errors.ts";
import { openDirectory } from "../../../src/host/inspector/directory-source.ts";
import { DirectorySource, openFiles } from "../../../tools/replay/directory.ts";
import { Projections } from "../../../tools/replay/projections.ts";
import { makeSmallLog } from "./small-log.ts";

const base = mkdtempSync(join(tmpdir(), "sky-directory-test-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const MAKE: Readonly<Record<string, (path: string) => void>> = {
  "a pipe": (path) => void execFileSync("mkfifo", [path]),
  "a directory": (path) => mkdirSync(path),
  "a link to a device": (path) => symlinkSync("/dev/zero", path),
  "a link to a file that never ends": (path) => symlinkSync("/proc/kmsg", path),
  "a link to nowhere": (path) => symlinkSync("/nowhere/at/all", path),
};
const NAMES = [
  "log.db",
  "log.db-wal",
  "log.db-shm",
  "log.db-journal",
  "log.db.lock",
  "projection.db",
  "projection.db-wal",
];

function codeOf(open: () => unknown): string {
  try {
    open();
    return "opened";
  } catch (error) {
    return error instanceof Fault ? error.code : String(error);
  }
}

const messageOf = (open: () => unknown): string => {
  try {
    open();
    return "opened";
  } catch (error) {
    return String(error);
  }
};

describe.each(NAMES)("%s", (name) => {
  it.each(Object.keys(MAKE))("is refused when it is %s", async (kind) => {
    const directory = mkdtempSync(join(base, "node-"));
    if (name !== "log.db") makeSmallLog(join(directory, "log.db"));
    rmSync(join(directory, name), { recursive: true, force: true });
    MAKE[kind]?.(join(directory, name));
    expect(codeOf(() => openFiles(directory, "projection too"))).toBe("SOURCE_NOT_A_FILE");
    if (name.startsWith("projection")) return expect(codeOf(() => openFiles(directory).release())).toBe("opened");
    expect(codeOf(() => openFiles(directory))).toBe("SOURCE_NOT_A_FILE");
    const isMissing = name === "log.db" && kind === "a link to nowhere";
    await expect(openDirectory(directory)).rejects.toMatchObject({ code: isMissing ? "NO_LOG" : "SOURCE_NOT_A_FILE" });
  });
});

it("a view under the name of a table, whose rows never end, is found out before it is read", () => {
  const directory = mkdtempSync(join(base, "node-"));
  makeSmallLog(join(directory, "log.db"));
  const file = new Database(join(directory, "log.db"));
  file.exec(`ALTER TABLE events RENAME TO hidden;
    CREATE VIEW events AS WITH RECURSIVE endless(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM endless)
      SELECT 'log' AS stream, n AS position, x'00' AS hash, n AS time, x'00' AS header, x'00' AS proof, x'00' AS body FROM endless`);
  file.close();
  expect(() => DirectorySource.open(directory)).toThrow(expect.objectContaining({ code: "LOG_CORRUPT" }));
});

it("a copy without the write-ahead log that holds the tables is told from one of another version", async () => {
  const directory = mkdtempSync(join(base, "node-"));
  const path = join(directory, "log.db");
  writeFileSync(path, "");
  expect(() => DirectorySource.open(path)).toThrow(expect.objectContaining({ code: "LOG_EMPTY" }));
  const file = new Database(path);
  file.pragma("journal_mode = WAL");
  file.close();
  expect(() => DirectorySource.open(path)).toThrow(/log\.db holds nothing: .*log\.db-wal/);
});

it("a copy that SQLite made, which has no write-ahead log, is read like any other", async () => {
  const directory = mkdtempSync(join(base, "node-"));
  makeSmallLog(join(directory, "log.db"));
  const file = new Database(join(directory, "log.db"));
  file.exec(`VACUUM INTO '${join(directory, "backup.db")}'`);
  file.close();
  const source = DirectorySource.open(join(directory, "backup.db"));
  expect(await source.lastHeight()).toBe(7);
  await source.close();
});

it("what was appended to the file is found out, though SQLite reads none of it", () => {
  const directory = mkdtempSync(join(base, "node-"));
  const path = join(directory, "log.db");
  makeSmallLog(path);
  appendFileSync(path, Buffer.alloc(1, 7));
  expect(() => DirectorySource.open(path)).toThrow("file: 1 bytes follow the last page of the database");
});

it("messages name the file that was asked about, never a copy of it", () => {
  const directory = mkdtempSync(join(base, "node-"));
  const path = join(directory, "log.db");
  for (const damage of [
    (): void => writeFileSync(path, "no database".repeat(1000)),
    (): void => truncateSync(path, 9000),
  ]) {
    rmSync(path, { force: true });
    makeSmallLog(path);
    damage();
    const found = messageOf(() => void DirectorySource.open(path).close());
    expect(found).toContain(path);
    expect(found).not.toContain("sky-replay-");
  }
});

it("a place for temporary files that is not there is a fault of the environment that says so", () => {
  const directory = mkdtempSync(join(base, "node-"));
  makeSmallLog(join(directory, "log.db"));
  vi.stubEnv("TMPDIR", join(base, "nowhere"));
  try {
    expect(codeOf(() => DirectorySource.open(directory))).toBe("TEMPORARY_FAILED");
    expect(codeOf(() => new Projections(undefined))).toBe("TEMPORARY_FAILED");
  } finally {
    vi.unstubAllEnvs();
  }
});

it("a link that is named itself is followed, with what lies beside the file", async () => {
  const directory = mkdtempSync(join(base, "node-"));
  makeSmallLog(join(directory, "log.db"));
  for (const [to, link] of [
    [join(directory, "log.db"), join(base, "linked.db")],
    [directory, join(base, "linked")],
  ] as const) {
    symlinkSync(to, link);
    const source = DirectorySource.open(link);
    expect(await source.lastHeight()).toBe(7);
    await source.close();
  }
});
