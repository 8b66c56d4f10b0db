/** A projection database's state as segments, and an empty database filled from them (consensus.md, "Checkpoint", "Catch-up"). */
import type { Digest, Height } from "../../base/brands.ts";
import { unreachable } from "../../base/errors.ts";
import { type Result, refuse } from "../../base/result.ts";
import { CertificateTables } from "../certificates/tables.ts";
import { KerlTables } from "../kerl/tables.ts";
import { LedgerTables } from "../ledger/tables.ts";
import type { SqlDatabase } from "../rebac/sql-database.ts";
import { RebacTables } from "../rebac/tables.ts";
import {
  ROW_KINDS,
  type RowSegment,
  type Segment,
  type SegmentMember,
  type StateSegment,
  encodeSegment,
  segmentsOf,
} from "./segment.ts";

interface Tables {
  readonly ledger: LedgerTables;
  readonly rebac: RebacTables;
  readonly kerl: KerlTables;
  readonly certificates: CertificateTables;
}

const tablesOf = (db: SqlDatabase): Tables => ({
  ledger: new LedgerTables(db),
  rebac: new RebacTables(db),
  kerl: new KerlTables(db),
  certificates: new CertificateTables(db),
});

/**
 * The segments of the state that the tables hold, in order. Reads as it goes: give it a connection within a read transaction, which
 * sees one state however long it takes. The tables hold a block at least.
 */
export function dumpSegments(db: SqlDatabase, members: readonly SegmentMember[]): Generator<Uint8Array> {
  return segmentsIn(tablesOf(db), members);
}

/** Dumps from one connection again and again: its statements are prepared once. */
export class Dumping {
  readonly #tables: Tables;

  constructor(db: SqlDatabase) {
    this.#tables = tablesOf(db);
  }

  /** As `dumpSegments`, of the state that the tables hold now. */
  segments(members: readonly SegmentMember[]): Generator<Uint8Array> {
    const { ledger, rebac, kerl, certificates } = this.#tables;
    for (const tables of [ledger, rebac, kerl, certificates]) tables.reload();
    return segmentsIn(this.#tables, members);
  }
}

function* segmentsIn(tables: Tables, members: readonly SegmentMember[]): Generator<Uint8Array> {
  const { ledger, rebac, kerl, certificates } = tables;
  const { block, before } = ledger.position();
  yield encodeSegment({ kind: "state", block, frontier: before.state, members, rolling: rebac.rollingRoot });
  yield* segmentsOf("blocks", ledger.blockEntries());
  yield* segmentsOf("outcomes", ledger.outcomeEntries());
  yield* segmentsOf("nodes", rebac.nodeEntries());
  yield* segmentsOf("edges", rebac.edgeEntries());
  yield* segmentsOf("keyEvents", kerl.rows("events"));
  yield* segmentsOf("keyEventSeals", kerl.rows("seals"));
  yield* segmentsOf("keriReceipts", kerl.rows("receipts"));
  yield* segmentsOf("keyEventForks", kerl.rows("forks"));
  yield* segmentsOf("keriReplies", kerl.rows("replies"));
  yield* segmentsOf("keyEventEscrows", kerl.rows("escrows"));
  yield* segmentsOf("certificates", certificates.rows());
}

const unreadable = (what: string) =>
  refuse(
    "CHECKPOINT_UNREADABLE",
    `The checkpoint's segments are not a state: ${what}. Run the version that made them.`,
  );

/**
 * Fills empty tables from a checkpoint's segments, whose digests were judged before. Refuses: CHECKPOINT_UNREADABLE, with the
 * database to be thrown away.
 */
export function loadSegments(db: SqlDatabase, segments: Iterable<Segment>): Result<{ height: Height; root: Digest }> {
  const { ledger, rebac, kerl, certificates } = tablesOf(db);
  let state: StateSegment | undefined;
  let stage = 0;
  let due = 0;
  for (const segment of segments) {
    if ((segment.kind === "state") !== (state === undefined))
      return unreadable("its first segment is the state, and no other");
    if (segment.kind === "state") {
      state = segment;
      continue;
    }
    const at = ROW_KINDS.indexOf(segment.kind);
    if (at > stage) due = 0;
    if (at < stage || segment.first !== due) return unreadable(`its ${segment.kind} do not follow each other`);
    stage = at;
    due += segment.rows.length;
    const defect = restoreRows({ ledger, rebac, kerl, certificates }, segment);
    if (defect !== undefined) return unreadable(defect);
  }
  if (state === undefined) return unreadable("it has none");
  const loaded = ledger.restorePosition(state.block, state.frontier);
  if (!loaded.ok) return unreadable(loaded.refusal.message);
  rebac.restorePosition(loaded.value.height, state.rolling);
  kerl.restorePosition(loaded.value.height);
  certificates.restorePosition(loaded.value.height);
  return loaded;
}

/** Returns what is wrong with the rows. */
function restoreRows({ ledger, rebac, kerl, certificates }: Tables, segment: RowSegment): string | undefined {
  switch (segment.kind) {
    case "identifiers":
      return "it is of a version that kept no key events";
    case "blocks":
      return ledger.restoreBlocks(segment.rows);
    case "outcomes":
      return ledger.restoreOutcomes(segment.rows);
    case "nodes":
      return rebac.restoreNodes(segment.rows);
    case "edges":
      return rebac.restoreEdges(segment.rows);
    case "keyEvents":
      return kerl.restore("events", segment.rows);
    case "keyEventSeals":
      return kerl.restore("seals", segment.rows);
    case "keriReceipts":
      return kerl.restore("receipts", segment.rows);
    case "keyEventForks":
      return kerl.restore("forks", segment.rows);
    case "keriReplies":
      return kerl.restore("replies", segment.rows);
    case "keyEventEscrows":
      return kerl.restore("escrows", segment.rows);
    case "certificates":
      return certificates.restore(segment.rows);
    default:
      return unreachable(segment);
  }
}
