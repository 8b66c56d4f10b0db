/**
 * Which version a projection's tables are of: SQLite's user_version. An older file is brought up to date in place where a step can, and
 * built anew from the log otherwise; nothing in it is truth.
 */
import { Fault } from "../../base/errors.ts";
import type { Sqlite } from "../../events/store/sqlite.ts";

/** STEPS[v] leads from version v to the next: what rows say stays, and so do the sums over them. */
const STEPS: readonly string[] = [
  // Files that say nothing are of version 0: identifiers had a table of their own before they had key event logs.
  "DROP TABLE IF EXISTS ledger_identifiers",
];
const VERSION = STEPS.length;

/** Before its tables are used. Throws: Fault PROJECTION_SCHEMA_UNKNOWN for one that newer software wrote. */
export function upgradeTables(db: Sqlite, path: string): void {
  const found = Number(db.pragma("user_version", { simple: true }));
  if (found === VERSION) return;
  if (found > VERSION)
    throw new Fault(
      "PROJECTION_SCHEMA_UNKNOWN",
      `${path} has tables of version ${found}, and this software knows ${VERSION}`,
    );
  db.transaction(() => {
    for (const step of STEPS.slice(found)) db.exec(step);
    db.pragma(`user_version = ${VERSION}`);
  })();
}
