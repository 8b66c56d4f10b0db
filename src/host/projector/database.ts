/** Opens the projection database; one that does not hold what was written to it is thrown away and rebuilt from the log. */
import { rmSync } from "node:fs";
import { Fault } from "../../base/errors.ts";
import { Projector } from "../../actors/projector/projector.ts";
import { type Sqlite, openSqlite } from "../../events/store/sqlite.ts";

export interface OpenedProjection {
  readonly db: Sqlite;
  readonly projector: Projector;
  /** Why it starts from nothing; null when it goes on. */
  readonly rebuilt: string | null;
}

export function openProjection(path: string): OpenedProjection {
  try {
    return { ...open(path, true), rebuilt: null };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    discardProjection(path);
    return { ...open(path, false), rebuilt: error.message };
  }
}

/** Removes the database with what SQLite keeps beside it. */
export function discardProjection(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
}

function open(path: string, verify: boolean): { readonly db: Sqlite; readonly projector: Projector } {
  const db = openSqlite(path, { store: "PROJECTION", synchronous: "normal" });
  try {
    if (verify) expectSoundIndexes(db);
    const projector = new Projector(db);
    const judged = verify ? projector.verify() : undefined;
    if (judged?.ok === false) throw new Fault(judged.refusal.code, judged.refusal.message);
    return { db, projector };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** The sums over the rows say nothing of the indexes through which questions find them. Costs a quarter of reading all rows. */
function expectSoundIndexes(db: Sqlite): void {
  const found: unknown = db.pragma("integrity_check(1)", { simple: true });
  if (found !== "ok") throw new Fault("PROJECTION_DAMAGED", `SQLite finds its tables damaged: ${String(found)}`);
}
