/** How Sky opens a SQLite file: every pragma that a promise rests on is set, read back and asserted. */
import Database from "better-sqlite3";
import { Fault } from "../../base/errors.ts";

export type Sqlite = Database.Database;

/** Whose file it is: the first word of its faults' codes. */
export type StoreName = "LOG" | "PROJECTION" | "WITNESS";

export interface SqliteOptions {
  readonly store: StoreName;
  /** full: a commit that returned survives a power cut. normal: it survives a crash of the process; for what can be rebuilt. */
  readonly synchronous: "full" | "normal";
  /** Opens an existing file for queries only; its writer keeps working beside it. */
  readonly readonly?: boolean;
  /** Takes a file whose journal is none of ours, such as a copy by VACUUM INTO: for readers alone. */
  readonly anyJournal?: boolean;
}

const SYNCHRONOUS = { full: 2, normal: 1 } as const;
/** Rows carry blobs of kilobytes: larger pages mean shorter overflow chains, smaller ones less to sync for a lone vote. */
const PAGE_BYTES = 4096;
/** 16 MB of write-ahead log between checkpoints: one commit in thousands then waits about 10 ms; at 4 MB one in a hundred waits 3. */
const CHECKPOINT_PAGES = 4000;
/** The write-ahead log is cut back to this after a checkpoint, so that one burst does not keep disk for ever. */
const WAL_BYTES_KEPT = 64 * 1024 * 1024;
/** How long a statement waits for another connection's lock (a reader's, while a checkpoint restarts the log). */
const BUSY_MS = 2_000;

/**
 * Opens a SQLite file in WAL mode with foreign keys, checked page cells and an untrusted schema. Memory mapping stays off:
 * a disk error would end the process by a signal, where a read turns it into a Fault.
 * Throws: Fault `<store>_OPEN_FAILED`, `_CORRUPT`, `_LOCKED`, and `_UNSAFE` when the platform does not grant a pragma.
 */
export function openSqlite(path: string, options: SqliteOptions): Sqlite {
  const readonly = options.readonly ?? false;
  const connection = guarded(
    options.store,
    path,
    "open",
    () => new Database(path, { readonly, fileMustExist: readonly, timeout: BUSY_MS }),
  );
  try {
    guarded(options.store, path, "open", () => applyPragmas(connection, options.synchronous, readonly));
    assertPragmas(connection, path, options);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function applyPragmas(connection: Sqlite, synchronous: "full" | "normal", readonly: boolean): void {
  connection.pragma("trusted_schema = OFF");
  connection.pragma("cell_size_check = ON");
  connection.pragma("foreign_keys = ON");
  connection.pragma("mmap_size = 0");
  connection.pragma("temp_store = MEMORY");
  connection.pragma(`synchronous = ${SYNCHRONOUS[synchronous]}`);
  connection.pragma("fullfsync = ON"); // macOS syncs to the platter only when asked so; elsewhere this does nothing
  if (readonly) return;
  connection.pragma(`page_size = ${PAGE_BYTES}`);
  connection.pragma("journal_mode = WAL");
  connection.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  connection.pragma(`journal_size_limit = ${WAL_BYTES_KEPT}`);
}

/** Throws: Fault `<store>_UNSAFE`: the file would not keep what its users promise. */
function assertPragmas(connection: Sqlite, path: string, options: SqliteOptions): void {
  const wanted = {
    ...(options.anyJournal !== true && { journal_mode: "wal" }),
    synchronous: SYNCHRONOUS[options.synchronous],
    foreign_keys: 1,
    trusted_schema: 0,
  };
  for (const [pragma, value] of Object.entries(wanted)) {
    const found: unknown = guarded(options.store, path, "open", () => connection.pragma(pragma, { simple: true }));
    if (found !== value) {
      throw new Fault(
        `${options.store}_UNSAFE`,
        `${path}: SQLite runs with ${pragma} = ${String(found)} where ${value} is needed; put the file on a local disk that supports WAL.`,
      );
    }
  }
}

type Doing = "open" | "read" | "write";

/** Runs an action of SQLite and turns its errors into Faults with stable codes. */
export function guarded<T>(store: StoreName, path: string, doing: Doing, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw faultOf(store, path, doing, error);
  }
}

/** The Fault that an error of SQLite means; anything else (a Defect, a Fault) is itself. */
function faultOf(store: StoreName, path: string, doing: Doing, error: unknown): unknown {
  const code = sqliteCode(error) ?? codeOfShape(error, doing);
  if (code === undefined) return error;
  const [kind, advice] = meaningOf(code, doing);
  const detail = error instanceof Error ? error.message : String(error);
  return new Fault(`${store}_${kind}`, `${path}: ${detail} (${code}); ${advice}`, { cause: error });
}

function meaningOf(code: string, doing: Doing): readonly [kind: string, advice: string] {
  // The index of the write-ahead log is the first file that a full disk has no room for.
  if (code === "SQLITE_FULL" || code === "SQLITE_IOERR_SHMSIZE")
    return ["FULL", "free disk space, then start the node again."];
  if (code === "SQLITE_NOTADB" || code.startsWith("SQLITE_CORRUPT")) {
    return ["CORRUPT", "the file is damaged; restore it from a backup or let the node fetch it from its peers."];
  }
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED"))
    return ["LOCKED", "stop the other process that uses it."];
  if (doing === "open") return ["OPEN_FAILED", "check that its directory exists and that this user may write there."];
  if (doing === "read") return ["READ_FAILED", "check the disk before starting the node again."];
  return ["WRITE_FAILED", "nothing of this commit is promised; check the disk before starting the node again."];
}

/** What an error that SQLite does not blame on the file still says of it, since our statements and what reads their rows stand fast. */
function codeOfShape(error: unknown, doing: Doing): string | undefined {
  const isStatement = error instanceof Database.SqliteError && error.code === "SQLITE_ERROR";
  if (doing === "open" && isStatement) return "SQLITE_CORRUPT: its tables are not ours";
  if (doing === "open" && error instanceof TypeError) return "no such directory";
  if (doing === "read" && (error instanceof TypeError || error instanceof RangeError))
    return "SQLITE_CORRUPT: a row is not of its table's shape";
  return undefined;
}

/** SQLite's extended result code, undefined for other errors and for those that only our own code can cause. */
function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof Database.SqliteError)) return undefined;
  const own =
    error.code === "SQLITE_ERROR" || error.code === "SQLITE_MISUSE" || error.code.startsWith("SQLITE_CONSTRAINT");
  return own ? undefined : error.code;
}

/**
 * Takes the one writer's lock of a database file: an exclusive lock on `<path>.lock`, which the operating system drops
 * when the process ends however it ends (also when this process opens and closes that file by other means: copy a live
 * directory only from another process). Readers of the database itself are not kept out.
 * Throws: Fault `<store>_LOCKED` when another process or connection holds it.
 */
export function lockForWriting(store: StoreName, path: string): { release(): void } {
  const lock = guarded(store, path, "open", () => new Database(`${path}.lock`, { timeout: 0 }));
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!sqliteCode(error)?.startsWith("SQLITE_BUSY")) throw faultOf(store, path, "open", error);
    throw new Fault(
      `${store}_LOCKED`,
      `${path} is in use by another process; stop that process, or give this node a directory of its own.`,
      {
        cause: error,
      },
    );
  }
  return { release: () => void lock.close() };
}

/** Bytes as a plain Uint8Array with a buffer of its own. better-sqlite3 makes one buffer for each blob: then nothing is copied. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length
    ? new Uint8Array(buffer)
    : new Uint8Array(bytes);
}
