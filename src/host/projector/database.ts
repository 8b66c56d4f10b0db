/** Opens the projection database; one that does not hold what was written to it is thrown away and rebuilt from the log. */
import { rmSync } from "node:fs";
import { Fault } from "../../base/errors.ts";
import type { Height } from "../../base/brands.ts";
import { Projector } from "../../actors/projector/projector.ts";
import { type Sqlite, openSqlite } from "../../events/store/sqlite.ts";
import { loadSegments } from "../../projections/checkpoint/checkpoint.ts";
import { type Segment, decodeSegment } from "../../projections/checkpoint/segment.ts";
import type { CheckpointStore } from "../checkpoints/checkpoint-store.ts";
import { upgradeTables } from "./schema-version.ts";
import { takeSeal } from "./seal.ts";

export interface OpenedProjection {
  readonly db: Sqlite;
  readonly projector: Projector;
  /** Why it starts from nothing; null when it goes on. */
  readonly rebuilt: string | null;
  /** Whether its rows were read and judged; false for one that its seal speaks for. */
  readonly isJudged: boolean;
}

/** The checkpoint that the log begins with: a projection below it cannot be rebuilt from the log. */
export interface ProjectionFloor {
  readonly store: Pick<CheckpointStore, "read">;
  readonly begins: Height;
}

/** Throws: Fault CHECKPOINT_DAMAGED, CHECKPOINT_UNREADABLE when it must be filled from a checkpoint that does not hold. */
export function openProjection(path: string, floor: ProjectionFloor | null = null): OpenedProjection {
  let rebuilt: string | null = null;
  let opened: ReturnType<typeof open>;
  let isJudged = !takeSeal(path);
  try {
    opened = open(path, isJudged);
  } catch (error) {
    if (!(error instanceof Error) || isOfTheDisk(error)) throw error;
    discardProjection(path);
    opened = open(path, false);
    rebuilt = error.message;
    isJudged = true; // nothing is in it
  }
  if (floor === null || opened.projector.height >= floor.begins) return { ...opened, rebuilt, isJudged };
  opened.db.close();
  discardProjection(path);
  fill(path, floor);
  return { ...open(path, false), rebuilt, isJudged: true };
}

/** Opens one that must hold as it is. Throws: Fault PROJECTION_DAMAGED and those of the file; nothing is thrown away. */
export const openSound = (path: string): ReturnType<typeof open> => open(path, true);

/** Opens one whose rows were judged a moment ago. */
export const openJudged = (path: string): ReturnType<typeof open> => open(path, false);

/** Reads all rows of a file that another connection writes to, as they are now. Returns what does not hold; null when everything does. */
export function judgeServing(path: string): string | null {
  const db = openSqlite(path, { store: "PROJECTION", synchronous: "normal", readonly: true });
  try {
    db.exec("BEGIN"); // the snapshot is taken with the first read
    expectSound(db);
    return null;
  } catch (error) {
    if (!(error instanceof Error) || isOfTheDisk(error)) throw error;
    return error.message;
  } finally {
    db.close();
  }
}

/** All of a checkpoint's rows in one transaction: a start that is cut short begins again. */
function fill(path: string, { store, begins }: ProjectionFloor): void {
  const db = openSqlite(path, { store: "PROJECTION", synchronous: "normal" });
  try {
    db.transaction(() => {
      const loaded = loadSegments(db, segmentsIn(store.read(begins)));
      if (!loaded.ok) throw new Fault(loaded.refusal.code, loaded.refusal.message);
    })();
  } finally {
    db.close();
  }
}

function* segmentsIn(bytes: Iterable<Uint8Array>): Generator<Segment> {
  for (const one of bytes) {
    const segment = decodeSegment(one);
    if (!segment.ok) throw new Fault("CHECKPOINT_UNREADABLE", segment.refusal.message);
    yield segment.value;
  }
}

/** Rebuilding would not help, or fill a disk that is full once more. */
const isOfTheDisk = (error: Error): boolean =>
  "code" in error &&
  typeof error.code === "string" &&
  /_(FULL|LOCKED|OPEN_FAILED|UNSAFE|WRITE_FAILED)$/.test(error.code);

/** Removes the database with what SQLite keeps beside it. */
export function discardProjection(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
}

function open(path: string, verify: boolean): { readonly db: Sqlite; readonly projector: Projector } {
  const db = openSqlite(path, { store: "PROJECTION", synchronous: "normal" });
  try {
    upgradeTables(db, path);
    return { db, projector: verify ? expectSound(db) : new Projector(db) };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Throws: Fault PROJECTION_DAMAGED when an index or a row is not what was written. */
function expectSound(db: Sqlite): Projector {
  expectSoundIndexes(db);
  const projector = new Projector(db);
  const judged = projector.verify();
  if (!judged.ok) throw new Fault(judged.refusal.code, judged.refusal.message);
  return projector;
}

/**
 * The sums over the rows say nothing of the indexes through which questions find them. Costs a quarter of reading all rows.
 * Throws: Fault PROJECTION_DAMAGED.
 */
export function expectSoundIndexes(db: Sqlite): void {
  const found: unknown = db.pragma("integrity_check(1)", { simple: true });
  if (found !== "ok") throw new Fault("PROJECTION_DAMAGED", `SQLite finds its tables damaged: ${String(found)}`);
}
