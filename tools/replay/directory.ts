/**
 * A node's data directory, a copy of one, or a bare log.db, as a source. A running node is read beside its writer, which readers do not
 * hold up. A directory that nobody has open is not touched either: SQLite would put files beside a database in WAL mode, so that its
 * files are copied first, where others hold temporary files.
 */
import Database from "better-sqlite3";
import { constants, copyFileSync, existsSync, lstatSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Digest, Height } from "../../src/base/brands.ts";
import { height as heightOf } from "../../src/base/brands.ts";
import { Fault } from "../../src/base/errors.ts";
import { type RawLog, openRawLog } from "../../src/events/store/raw-log.ts";
import { lostCommits } from "../../src/events/store/wal-damage.ts";
import { ReplayFailure } from "./failure.ts";
import { temporaryDirectory } from "./temporary.ts";
import type { LogSource, SourceBundle, SourceEvent, SourceGap } from "./source.ts";

/** Files of a directory as they can be read without writing to it. */
export interface DirectoryFiles {
  readonly log: string;
  /** Where the log lies that was asked for; `log` may be a copy of it. */
  readonly name: string;
  /** Undefined where the directory has none, or nobody asked for it. */
  readonly projection: string | undefined;
  /** Whether a node has it open now: what is read may grow meanwhile. */
  readonly isLive: boolean;
  /** An error that names these files as one that names those of the directory, where these are copies. */
  readonly told: (error: unknown) => unknown;
  readonly release: () => void;
}

/**
 * A path that is a link is followed; in the directory only plain files are read, and the projection only if it is wanted.
 * Throws: Fault SOURCE_*, TEMPORARY_FAILED; ReplayFailure LOG_CORRUPT where the write-ahead log lost commits.
 */
export function openFiles(path: string, wanted: "log" | "projection too" = "log"): DirectoryFiles {
  const log = existsSync(path) && statSync(path).isFile() ? realpathSync(path) : join(path, "log.db");
  demandPlain(log);
  if (!existsSync(log))
    throw new Fault(
      "SOURCE_MISSING",
      `${log} does not exist; name a node's data directory, a copy of it, or a log.db.`,
    );
  const beside = join(dirname(log), "projection.db");
  const isWanted = wanted === "projection too";
  if (isWanted) demandPlain(beside);
  const projection = isWanted && existsSync(beside) ? beside : undefined;
  if (isOpenElsewhere(log))
    return { log, name: log, projection, isLive: true, told: (error) => error, release: () => {} };
  return copied(log, projection);
}

/** What SQLite puts beside a database, and the writer's lock (src/events/store/sqlite.ts). */
const BESIDE = ["", "-wal", "-shm", "-journal", ".lock"] as const;

/** A pipe would never end, a device fill the disk, and SQLite keeps a link's write-ahead log elsewhere. Throws: Fault SOURCE_NOT_A_FILE. */
function demandPlain(database: string): void {
  for (const suffix of BESIDE) {
    const path = `${database}${suffix}`;
    if (isAbsent(path) || lstatSync(path).isFile()) continue;
    throw new Fault(
      "SOURCE_NOT_A_FILE",
      `${path} is no plain file (a pipe, a device, a directory or a link), which no node writes; copy the plain files to a directory of their own, or name the log.db itself.`,
    );
  }
}

/** Links that lead nowhere are there, too. */
function isAbsent(path: string): boolean {
  try {
    lstatSync(path);
    return false;
  } catch {
    return true;
  }
}

function copied(log: string, projection: string | undefined): DirectoryFiles {
  const { path: directory, remove: release } = temporaryDirectory("sky-replay-");
  const told = (error: unknown): unknown => ofOriginal(error, directory, dirname(log));
  try {
    const files = { log: copyDatabase(log, directory), projection: projection && copyDatabase(projection, directory) };
    const lost = lostCommits(files.log);
    if (lost !== undefined) throw new ReplayFailure("LOG_CORRUPT", null, { part: "file" }, lost);
    return { ...files, name: log, isLive: false, told, release };
  } catch (error) {
    release();
    if (error instanceof ReplayFailure || !(error instanceof Error)) throw error;
    throw notCopied(log, directory, error);
  }
}

function notCopied(log: string, directory: string, error: NodeJS.ErrnoException): Fault {
  const isForbidden = error.code === "EACCES" || error.code === "EPERM";
  const advice = isForbidden ? "read it as a user who may" : "free space there, or name another place by TMPDIR";
  const message = `${log} cannot be copied to ${directory} (${error.message}); ${advice}.`;
  return new Fault("SOURCE_COPY_FAILED", message, { cause: error });
}

/** Whoever asked knows nothing of the copy, and finds it gone. */
function ofOriginal(error: unknown, copies: string, directory: string): unknown {
  const named = (text: string): string => text.replaceAll(join(copies, "/"), join(directory, "/"));
  if (error instanceof ReplayFailure)
    return new ReplayFailure(error.code, error.height, error.where, named(error.reason));
  if (!(error instanceof Fault) || !error.message.includes(copies)) return error;
  if (error.code.endsWith("_FULL"))
    return new Fault(
      "SOURCE_COPY_FAILED",
      `There is no room for a copy of ${directory} in ${copies}; free space there, or name another place by TMPDIR.`,
      { cause: error },
    );
  return new Fault(error.code, named(error.message), { cause: error });
}

/** A database with what its write-ahead log holds; SQLite makes the index of that log anew. */
function copyDatabase(path: string, directory: string): string {
  const copy = join(directory, basename(path));
  copyFileSync(path, copy, constants.COPYFILE_FICLONE);
  if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`, constants.COPYFILE_FICLONE);
  return copy;
}

/** Whether a node holds the writer's lock of this database. */
function isOpenElsewhere(path: string): boolean {
  const lock = `${path}.lock`;
  if (!existsSync(lock)) return false;
  let connection: Database.Database | undefined;
  try {
    connection = new Database(lock, { readonly: true, timeout: 0 });
    connection.prepare("select count(*) from sqlite_schema").get();
    return false;
  } catch (error) {
    return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");
  } finally {
    connection?.close();
  }
}

/** A log database as a source; damage that SQLite finds is told as a failure of the log. */
export class StoredSource implements LogSource {
  readonly name: string;
  readonly #log: RawLog;

  constructor(name: string, log: RawLog) {
    this.name = name;
    this.#log = log;
  }

  async lastHeight(): Promise<Height | undefined> {
    return corruptionTold(null, () => this.#log.lastHeight());
  }

  async committedHeight(): Promise<Height | undefined> {
    return corruptionTold(null, () => this.#log.committedHeight());
  }

  async *events(from: Height, to: Height): AsyncGenerator<SourceEvent> {
    for (let next = from; next <= to; ) {
      const at = next;
      const page = corruptionTold(at, () => this.#log.events(at, to));
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      next = heightOf(last.height + 1);
    }
  }

  async bundles(digests: readonly Digest[]): Promise<readonly (SourceBundle | undefined)[]> {
    return corruptionTold(null, () => digests.map((digest) => this.#log.bundle(digest)));
  }

  async executedRoot(height: Height): Promise<Digest | null | undefined> {
    return corruptionTold(height, () => this.#log.executedRoot(height));
  }

  async strayRoot(): Promise<number | undefined> {
    return corruptionTold(null, () => this.#log.strayRoot());
  }

  async gap(): Promise<SourceGap | undefined> {
    return corruptionTold(null, () => this.#log.gap());
  }

  async close(): Promise<void> {
    this.#log.close();
  }
}

export class DirectorySource extends StoredSource {
  readonly files: DirectoryFiles;

  private constructor(name: string, log: RawLog, files: DirectoryFiles) {
    super(name, log);
    this.files = files;
  }

  /** Throws: Fault SOURCE_*, LOG_*; ReplayFailure LOG_CORRUPT. */
  static open(path: string, wanted: "log" | "projection too" = "log"): DirectorySource {
    const files = openFiles(path, wanted);
    try {
      const log = corruptionTold(null, () => openRawLog(files.log, files.name));
      if (!files.isLive) demandNoMore(files.log, log);
      return new DirectorySource(path, log, files);
    } catch (error) {
      files.release();
      throw files.told(error);
    }
  }

  override async close(): Promise<void> {
    await super.close();
    this.files.release();
  }
}

/** SQLite reads no further than its last page, and no node makes the file shorter: what follows was appended. Throws: ReplayFailure LOG_CORRUPT. */
function demandNoMore(file: string, log: RawLog): void {
  const more = statSync(file).size - log.endsAt();
  if (more <= 0) return;
  log.close();
  const reason = `${more} bytes follow the last page of the database, which nobody reads`;
  throw new ReplayFailure("LOG_CORRUPT", null, { part: "file" }, reason);
}

/** A file that SQLite finds damaged is a log that does not hold. */
function corruptionTold<T>(height: number | null, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Fault && (error.code === "LOG_CORRUPT" || error.code === "LOG_EMPTY"))
      throw new ReplayFailure(error.code, height, { part: "file" }, error.message.replace(/\.$/, ""));
    throw error;
  }
}
