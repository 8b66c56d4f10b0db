/**
 * Whether the rows of the file that serves are those that were written. One that its seal spoke for is read after the start, in a thread
 * of its own; one that does not hold, or that somebody else wrote to, is not sealed (docs/adr/0027).
 */
import { Worker } from "node:worker_threads";
import type { Sqlite } from "../../events/store/sqlite.ts";
import { ENTRIES } from "../entries.ts";
import { closeSealed } from "./seal.ts";

/** By then the node serves, and those that start beside it. Units: ms. */
const READ_AFTER_MS = 10_000;

export interface JudgementOptions {
  readonly path: string;
  readonly db: Sqlite;
  /** False for one that was opened by its seal. */
  readonly isJudged: boolean;
  /** All rows were read after the start. Told why they do not hold; null when they do. */
  readonly judged: (defect: string | null) => void;
  readonly readAfterMs?: number;
}

export class Judgement {
  readonly #path: string;
  readonly #judged: (defect: string | null) => void;
  readonly #readAfterMs: number;
  #db: Sqlite;
  /** Changes when another connection commits. */
  #version: unknown;
  /** All rows were read since the file was opened. */
  #isJudged: boolean;
  /** Nothing speaks against them. */
  #isSound = true;
  #timer: NodeJS.Timeout | undefined;
  #reader: Worker | undefined;

  constructor({ path, db, isJudged, judged, readAfterMs = READ_AFTER_MS }: JudgementOptions) {
    this.#path = path;
    this.#judged = judged;
    this.#readAfterMs = readAfterMs;
    this.#db = db;
    this.#version = versionOf(db);
    this.#isJudged = isJudged;
    this.#readLater();
  }

  /** Before the file is closed to be exchanged. */
  release(): void {
    this.#endReading();
    this.#isSound &&= this.#isUntouched();
  }

  /** The file that stands there now; `isOther`: its rows were judged where they were written. */
  reopened(db: Sqlite, isOther: boolean): void {
    this.#db = db;
    this.#version = versionOf(db);
    this.#isJudged ||= isOther;
    this.#isSound ||= isOther;
    this.#readLater();
  }

  /** Closes the file for good; a reading that is still owed is owed by the next start. */
  close(): void {
    this.#endReading();
    if (this.#isSound && this.#isUntouched()) closeSealed(this.#db, this.#path);
    else this.#db.close();
  }

  #isUntouched(): boolean {
    return versionOf(this.#db) === this.#version;
  }

  #readLater(): void {
    if (this.#isJudged) return;
    this.#timer = setTimeout(() => this.#read(), this.#readAfterMs);
    this.#timer.unref();
  }

  #read(): void {
    const reader = new Worker(ENTRIES.projectionReader, { name: "reader", workerData: this.#path });
    this.#reader = reader;
    const judged = (defect: string | null): void => {
      if (this.#reader !== reader) return;
      this.#reader = undefined;
      this.#isJudged = true;
      this.#isSound &&= defect === null;
      this.#judged(defect);
    };
    reader.once("message", judged);
    reader.once("error", (error) => judged(error instanceof Error ? error.message : String(error)));
  }

  #endReading(): void {
    clearTimeout(this.#timer);
    void this.#reader?.terminate();
    this.#reader = undefined;
  }
}

const versionOf = (db: Sqlite): unknown => db.pragma("data_version", { simple: true });
