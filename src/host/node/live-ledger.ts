/** The ledger in memory, as the projection last had it: what the log goes on from. */
import { randomBytes } from "node:crypto";
import { type Digest, type Height, height as heightOf } from "../../base/brands.ts";
import { loadLiveKerl } from "../../projections/kerl/load-live-kerl.ts";
import { Ledger, type LedgerPorts, emptyLedger } from "../../projections/ledger/ledger.ts";
import { LedgerTables } from "../../projections/ledger/tables.ts";
import { LiveGraph } from "../../projections/rebac/live-graph.ts";
import { loadLiveGraph } from "../../projections/rebac/load-live-graph.ts";
import { MovableDatabase } from "../projector/movable-database.ts";

export interface LiveLedger {
  readonly ledger: Ledger;
  /** What the key event rules ask of the past; to be closed with the ledger. */
  readonly past: MovableDatabase;
  /** Of the newest executed heights, oldest first. */
  readonly roots: readonly { readonly height: Height; readonly root: Digest }[];
}

/** `projected`: height of the projection at `path`; −1 when it is empty. `rootsMax`: how many roots are told at most. */
export function openLiveLedger(
  {
    path,
    cluster,
    projected,
    rootsMax,
  }: {
    readonly path: string;
    readonly cluster: Digest;
    readonly projected: number;
    readonly rootsMax: number;
  },
  ports: LedgerPorts,
): LiveLedger {
  const past = new MovableDatabase(path);
  const seed = randomBytes(4).readUInt32LE();
  if (projected < 0) {
    const state = emptyLedger(cluster, new LiveGraph(), loadLiveKerl(past, seed));
    return { ledger: new Ledger(state, ports), past, roots: [] };
  }
  const tables = new LedgerTables(past);
  const ledger = new Ledger({ cluster, graph: loadLiveGraph(past), ...tables.load(seed) }, ports);
  const roots = [];
  for (let at = Math.max(0, ledger.height - rootsMax + 1); at <= ledger.height; at++) {
    const root = tables.blockAt(heightOf(at))?.root;
    if (root !== undefined) roots.push({ height: heightOf(at), root });
  }
  return { ledger, past, roots };
}
