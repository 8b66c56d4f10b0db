/**
 * Which revoked keys a node that is not serving yet knows of: those that its projection last had. Whoever can write that file can hide them
 * or have keys refused here until the node serves; it lets nobody in.
 */
import { openSqlite } from "../../events/store/sqlite.ts";
import type { RevokedKey } from "../../projections/certificates/live-certificates.ts";
import { storedRevocations } from "../../projections/certificates/tables.ts";
import { fileExists } from "../founding/files.ts";

/** None when there is no projection, or one that cannot be read. */
export function storedRevokedKeys(path: string): readonly RevokedKey[] {
  if (!fileExists(path)) return [];
  try {
    const db = openSqlite(path, { store: "PROJECTION", synchronous: "normal" });
    try {
      return storedRevocations(db);
    } finally {
      db.close();
    }
  } catch {
    // Whatever is wrong with it, the projector finds and heals when the node serves.
    return [];
  }
}
