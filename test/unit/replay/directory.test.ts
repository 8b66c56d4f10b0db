/** Directories that somebody else made: only plain files are read of them. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { Fault } from "../../../src/base/errors.ts";
import { openDirectory } from "../../../src/host/inspector/directory-source.ts";
import { DirectorySource, openFiles } from "../../../tools/replay/directory.ts";
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

describe.each(NAMES)("%s", (name) => {
  it.each(Object.keys(MAKE))("is refused when it is %s", async (kind) => {
    const directory = mkdtempSync(join(base, "node-"));
    if (name !== "log.db") makeSmallLog(join(directory, "log.db"));
    rmSync(join(directory, name), { recursive: true, force: true });
    MAKE[kind]?.(join(directory, name));
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
