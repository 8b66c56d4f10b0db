/**
 * What a node that is not serving yet knows of others' keys: those that its projection last had. Nothing is believed of the tables but
 * what proves itself: every event is judged anew from the founding document on, so whoever can write the file can at most hide the newest.
 */
import type { Aid, Height } from "../../base/brands.ts";
import { openSqlite } from "../../events/store/sqlite.ts";
import { applyKerlFact } from "../../keri/kerl-fold.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { judgeMessage } from "../../keri/rules.ts";
import { parseStream } from "../../keri/stream.ts";
import { factOfInception } from "../../projections/kerl/genesis.ts";
import { KerlHistory } from "../../projections/kerl/history.ts";
import type { KerlLayer } from "../../projections/kerl/layer.ts";
import { LiveKerl } from "../../projections/kerl/live-kerl.ts";
import type { Founding } from "../founding/document.ts";
import { fileExists } from "../founding/files.ts";

const NEWEST = Number.MAX_SAFE_INTEGER as Height;

/** Of everybody whom the founding document names; as that says when there is no projection, or one that cannot be read. */
export function storedKeyStates({ document, identifiers }: Founding, path: string): Map<Aid, KeyState> {
  const known = new Map(identifiers);
  if (!fileExists(path)) return known;
  try {
    const db = openSqlite(path, { store: "PROJECTION", synchronous: "normal" });
    try {
      const history = new KerlHistory(db);
      const layer = new LiveKerl().layer();
      for (const { aid, icp } of [...document.founders, ...document.operators, ...document.admins, ...document.clients])
        if (layer.keyState(aid) === undefined) applyKerlFact(layer, factOfInception({ aid, icp }), 0);
      for (const aid of known.keys()) replay(layer, history, aid);
      for (const aid of known.keys()) {
        const state = layer.keyState(aid);
        if (state !== undefined) known.set(aid, state);
      }
    } finally {
      db.close();
    }
  } catch {
    // Whatever is wrong with it, the projector finds and heals when the node serves.
  }
  return known;
}

/** What does not follow from what came before changes nothing. */
function replay(layer: KerlLayer, history: KerlHistory, aid: Aid): void {
  for (let after: number | null = 0; after !== null; ) {
    const { stream, next } = history.export(aid, NEWEST, after);
    for (const message of parseStream(stream).messages) {
      const judged = judgeMessage(layer, message, { height: 0 });
      if (judged.ok) for (const fact of judged.value.facts) applyKerlFact(layer, fact, 0);
    }
    after = next;
  }
}
