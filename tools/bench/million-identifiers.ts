/**
 * A projection database of many identifiers, each incepted with one key, and the live logs loaded from it as a node does when it
 * starts. What the rows hold beside key states is of the right size and means nothing: nobody reads it here.
 */
import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import type { Aid, Said } from "../../src/base/brands.ts";
import { publicKeyOf } from "../../src/crypto/ed25519.ts";
import { openSqlite } from "../../src/events/store/sqlite.ts";
import { encodeMatter } from "../../src/keri/cesr/matter.ts";
import { keyText } from "../../src/keri/key-text.ts";
import type { LiveKerl } from "../../src/projections/kerl/live-kerl.ts";
import { loadLiveKerl } from "../../src/projections/kerl/load-live-kerl.ts";
import { EVENT_TYPES, encodeState } from "../../src/projections/kerl/state-codec.ts";
import { KerlTables } from "../../src/projections/kerl/tables.ts";
import { OPEN } from "../../src/projections/rebac/table-schema.ts";

/** Keys are dear to make; each serves many identifiers. */
const KEYS = 1_024;
const ROWS_AT_ONCE = 10_000;
/** An inception with one key, and one signature. Units: bytes. */
const EVENT_BYTES = 299;
const ATTACHED_BYTES = 92;

export interface Loaded {
  readonly live: LiveKerl;
  readonly aids: readonly Aid[];
  readonly databaseBytes: number;
  readonly loadSeconds: number;
  /** Memory outside the JavaScript heap, and what the heap grew by. Units: bytes. */
  readonly tableBytes: number;
  readonly heapBytes: number;
}

export function loadIdentifiers(file: string, count: number): Loaded {
  const db = openSqlite(file, { store: "PROJECTION", synchronous: "normal" });
  const aids = write(db, count);
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const start = performance.now();
  const live = loadLiveKerl(db, 1);
  const loadSeconds = (performance.now() - start) / 1000;
  if (live.size !== count) throw new Error(`${live.size} of ${count} identifiers were loaded`);
  globalThis.gc?.();
  const heapBytes = process.memoryUsage().heapUsed - before;
  return { live, aids, databaseBytes: statSync(file).size, loadSeconds, tableBytes: live.bytes, heapBytes };
}

function write(db: ReturnType<typeof openSqlite>, count: number): readonly Aid[] {
  const tables = new KerlTables(db);
  const keys = Array.from({ length: KEYS }, () => publicKeyOf(randomBytes(32)));
  const aids: Aid[] = [];
  const [event, attached] = [randomBytes(EVENT_BYTES), randomBytes(ATTACHED_BYTES)];
  const row = () => {
    const aid = encodeMatter("E", randomBytes(32)) as Aid; // a digest of nothing
    aids.push(aid);
    const key = keys[aids.length % KEYS] ?? new Uint8Array(32);
    const latest = { sn: 0, said: aid as string as Said, type: "icp" } as const;
    const state = encodeState({
      ...{ aid, sn: 0, said: latest.said, latest, keyTexts: [keyText(key)], threshold: 1, nextThreshold: 1 },
      keys: [{ algorithm: "ed25519", bytes: key }],
      nextDigests: [encodeMatter("E", randomBytes(32))],
      ...{ witnesses: [], witnessThreshold: 0, traits: [], delegator: null },
    });
    return {
      ...{ id: aids.length, aid, sn: 0, said: aid, type: EVENT_TYPES.indexOf("icp") },
      ...{ from_height: 1, from_index: 0, to_height: OPEN, to_index: 0, anchor_sn: null, anchor_said: null },
      ...{ signers: "key:0", seals: 0, state, event, attached },
    };
  };
  while (aids.length < count) {
    const rows = Array.from({ length: Math.min(ROWS_AT_ONCE, count - aids.length) }, row);
    db.transaction(() => {
      const wrong = tables.restore("events", rows);
      if (wrong !== undefined) throw new Error(wrong);
    })();
  }
  db.transaction(() => tables.restorePosition(1))();
  return aids;
}
