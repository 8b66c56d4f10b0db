import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { openLogDatabase } from "../../../src/events/store/log-database.ts";
import { openLogReader } from "../../../src/events/store/log-reader.ts";
import { SCHEMA_VERSION } from "../../../src/events/store/schema.ts";
import { openSqlite } from "../../../src/events/store/sqlite.ts";
import { height } from "../../../src/base/brands.ts";
import { Chain, hashing } from "../../contract/chain.ts";
import { logPath, openLog } from "./log-fixture.ts";

const CHILD = join(import.meta.dirname, "log-child.ts");

describe("opening a SQLite file", () => {
  test.each([
    ["full", 2],
    ["normal", 1],
  ] as const)(
    "synchronous %s is what SQLite says it runs with, in WAL mode, with foreign keys and an untrusted schema",
    (mode, level) => {
      const connection = openSqlite(logPath(), { store: "LOG", synchronous: mode });
      const found = [
        "journal_mode",
        "synchronous",
        "foreign_keys",
        "trusted_schema",
        "mmap_size",
        "cell_size_check",
      ].map((pragma) => connection.pragma(pragma, { simple: true }));
      connection.close();
      expect(found).toEqual(["wal", level, 1, 0, 0, 1]);
    },
  );

  test("a database that cannot use WAL is refused, since its commits would promise too much", () => {
    expect(() => openSqlite(":memory:", { store: "LOG", synchronous: "full" })).toThrow(
      expect.objectContaining({
        code: "LOG_UNSAFE",
        message: expect.stringContaining("journal_mode = memory where wal is needed"),
      }),
    );
  });

  test("a missing directory is a fault that says what to check, under the store's own name", () => {
    const path = join(dirname(logPath()), "none", "projection.db");
    expect(() => openSqlite(path, { store: "PROJECTION", synchronous: "normal" })).toThrow(
      expect.objectContaining({
        name: "Fault",
        code: "PROJECTION_OPEN_FAILED",
        message: expect.stringContaining(path),
      }),
    );
  });

  test("a file that is no database is corrupt, and stays as it is", () => {
    const path = logPath();
    writeFileSync(path, "This is not a database, and was not made by one. ".repeat(100));
    expect(() => openLogDatabase(path, hashing)).toThrow(expect.objectContaining({ code: "LOG_CORRUPT" }));
  });

  test("a read-only connection cannot write", () => {
    const path = logPath();
    openLog(path);
    const connection = openSqlite(path, { store: "LOG", synchronous: "full", readonly: true });
    expect(() => connection.exec("delete from events")).toThrow(expect.objectContaining({ code: "SQLITE_READONLY" }));
    connection.close();
  });
});

describe("the one writer", () => {
  const locked = (path: string) =>
    expect.objectContaining({
      code: "LOG_LOCKED",
      message: expect.stringContaining(`${path} is in use by another process`),
    });

  test("a second opener in the same process is refused with a sentence that names the file", () => {
    const path = logPath();
    openLog(path);
    expect(() => openLogDatabase(path, hashing)).toThrow(locked(path));
  });

  test("a second process is refused, and let in once the first has closed", () => {
    const path = logPath();
    const log = openLog(path);
    const refused = spawnSync(process.execPath, [CHILD, "open", path], { encoding: "utf8" });
    expect(refused).toMatchObject({
      status: 3,
      stdout: expect.stringContaining(`LOG_LOCKED ${path} is in use by another process`),
    });
    log.close();
    expect(spawnSync(process.execPath, [CHILD, "open", path], { encoding: "utf8" })).toMatchObject({ status: 0 });
  });

  test("a refused opener does not disturb the writer", () => {
    const path = logPath();
    const log = openLog(path);
    const chain = new Chain();
    log.commit({ append: { expected: height(0), events: chain.take(2) } });
    expect(() => openLogDatabase(path, hashing)).toThrow();
    log.commit({ append: { expected: height(2), events: chain.take(1) } });
    expect(() => openLogDatabase(path, hashing)).toThrow(locked(path));
    expect(log.head()?.height).toBe(2);
  });

  test("a reader sees each commit beside the writer", () => {
    const path = logPath();
    const log = openLog(path);
    const reader = openLogReader(path, hashing);
    const events = new Chain().take(3);
    log.commit({ append: { expected: height(0), events } });
    expect(reader.events(height(0), { limit: 10, bytesMax: 1e6 })).toEqual(events);
    reader.close();
  });
});

describe("schema version", () => {
  const edit = (path: string, sql: string): void => {
    const connection = new Database(path);
    connection.exec(sql);
    connection.close();
  };

  test("a file of a newer Sky is refused with both versions named", () => {
    const path = logPath();
    openLog(path).close();
    edit(path, `update schema_version set version = ${SCHEMA_VERSION + 1}`);
    const unknown = expect.objectContaining({
      code: "LOG_SCHEMA_UNKNOWN",
      message: expect.stringContaining(
        `written by a newer Sky (schema ${SCHEMA_VERSION + 1}, this one knows ${SCHEMA_VERSION})`,
      ),
    });
    expect(() => openLogDatabase(path, hashing)).toThrow(unknown);
    expect(() => openLogReader(path, hashing)).toThrow(unknown);
  });

  test("a database of something else is refused and not touched", () => {
    const path = logPath();
    edit(path, "create table recipes (name text)");
    expect(() => openLogDatabase(path, hashing)).toThrow(expect.objectContaining({ code: "LOG_SCHEMA_UNKNOWN" }));
    const connection = new Database(path);
    expect(connection.prepare("select name from sqlite_schema").pluck().all()).toEqual(["recipes"]);
    connection.close();
  });

  test("a refused file can be opened again once it is put right: the lock was given back", () => {
    const path = logPath();
    edit(path, "create table recipes (name text)");
    expect(() => openLogDatabase(path, hashing)).toThrow();
    edit(path, "drop table recipes");
    expect(openLog(path).head()).toBeUndefined();
  });

  test("hot queries are answered from an index", () => {
    const path = logPath();
    openLog(path);
    const connection = new Database(path, { readonly: true });
    const plan = (sql: string) =>
      connection
        .prepare<[], { detail: string }>(`explain query plan ${sql}`)
        .all()
        .map(({ detail }) => detail);
    expect(plan("select * from events where stream = 'log' and position >= 5 order by position")).toEqual([
      expect.stringMatching(/^SEARCH events USING INDEX .*stream=\? AND position>\?/),
    ]);
    expect(plan("select * from events where hash = x'00' and stream = 'log'")).toEqual([
      expect.stringContaining("events_hash (hash=?)"),
    ]);
    expect(plan("delete from journal where (epoch, view) < (1, 2)")).toEqual([
      expect.stringContaining("USING INDEX journal_view"),
    ]);
    expect(plan("select * from bundles where height is null order by id")).toEqual([
      expect.stringContaining("bundles_unordered"),
    ]);
    connection.close();
  });
});
