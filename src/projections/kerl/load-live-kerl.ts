/** The live logs of the newest height, from the tables. Verify them first (`KerlTables.verifyRows`) or trust what kept them. */
import type { Aid } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { SqlDatabase } from "../rebac/sql-database.ts";
import { SqlArchive } from "./archive.ts";
import { LiveKerl } from "./live-kerl.ts";
import { decodeState, encodeState } from "./state-codec.ts";

/** The database stays open as long as the logs are asked. Throws: Fault PROJECTION_DAMAGED. */
export function loadLiveKerl(db: SqlDatabase, seed?: number): LiveKerl {
  const archive = new SqlArchive(db);
  const live = new LiveKerl(seed === undefined ? { archive } : { archive, seed });
  /** Identifiers whose last event set no keys. */
  const moved = new Map<Aid, KeyState["latest"]>();
  for (const { aid, state, latest } of archive.inForce()) {
    if (state === null) moved.set(aid, latest);
    else {
      moved.delete(aid);
      live.load(aid, state);
    }
  }
  for (const [aid, latest] of moved) {
    const bytes = present(live.loaded(aid), "an inception comes before what follows it");
    live.load(aid, encodeState({ ...decodeState(aid, bytes), latest }));
  }
  for (const escrow of archive.escrows()) live.loadEscrow(escrow);
  return live;
}
