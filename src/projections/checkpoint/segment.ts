/**
 * The state after a block, as segments: canonical bytes, the same on every replica, of which peers fetch one after the other
 * (consensus.md, "Checkpoint"). Rows come in the order of their keys, table after table, as many to a segment as are sure to fit.
 */
import type { Aid, Digest, Height } from "../../base/brands.ts";
import {
  type Shape,
  bytes,
  decode,
  encode,
  integer,
  list,
  nullable,
  record,
  text,
  union,
  variant,
} from "../../base/codec.ts";
import type { Result } from "../../base/result.ts";
import type { FrontierState } from "../../crypto/merkle.ts";
import { type Block, blockShape } from "../../events/facts/block.ts";
import { SEGMENT_BYTES_MAX, frontierShape } from "../../events/facts/checkpoint.ts";
import { aidShape, digestShape } from "../../events/facts/command.ts";
import { type OutcomeFact, factDataShape } from "../../events/facts/fact.ts";
import { NAME_BYTES_MAX } from "../../events/facts/graph.ts";
import type { KnownCertificate } from "../certificates/live-certificates.ts";
import { knownCertificateShape } from "../certificates/tables.ts";
import { type KerlRow, kerlRowBytes, kerlRowShapes } from "../kerl/rows.ts";

/** A member of the epoch that the checkpoint's block belongs to. */
export interface SegmentMember {
  readonly aid: Aid;
  /** Public key that signs consensus messages of the epoch. */
  readonly key: Uint8Array;
}

/** Where the state stands: a log can begin with this block, and a graph's tables go on from these roots. */
export interface StateSegment {
  readonly kind: "state";
  /** The block of the checkpoint's height; its header says the epoch and the time. */
  readonly block: Block;
  /** Merkle frontier over the blocks before it: its root is the header's logRoot. */
  readonly frontier: FrontierState;
  readonly members: readonly SegmentMember[];
  /** The graph's rolling root. */
  readonly rolling: Digest;
}

/** Of checkpoints that older versions made, with too little for the tables of today: known, refused, never written. */
export interface IdentifierEntry {
  readonly aid: Aid;
  readonly icp: Uint8Array;
}
export interface BlockEntry {
  readonly height: Height;
  readonly hash: Digest;
  readonly root: Digest;
  readonly time: number;
}
/** Of the duplicate window. */
export interface OutcomeEntry {
  readonly height: Height;
  readonly index: number;
  readonly outcome: OutcomeFact;
}
/** A command's place in the log. */
interface Place {
  readonly height: number;
  readonly index: number;
}
/** One life of a node of the graph, or of an edge between two; `to` is null while it lasts. Ids count up from 1 without gaps. */
interface LifeEntry {
  readonly kind: number;
  readonly from: Place;
  readonly to: Place | null;
}
export interface NodeEntry extends LifeEntry {
  readonly namespace: string;
  readonly name: string;
  readonly relationNamespace: string;
  readonly relationName: string;
}
export interface EdgeEntry extends LifeEntry {
  readonly parent: number;
  readonly child: number;
}

interface Rows {
  readonly identifiers: IdentifierEntry;
  readonly blocks: BlockEntry;
  readonly outcomes: OutcomeEntry;
  readonly nodes: NodeEntry;
  readonly edges: EdgeEntry;
  readonly keyEvents: KerlRow<"events">;
  readonly keyEventSeals: KerlRow<"seals">;
  readonly keriReceipts: KerlRow<"receipts">;
  readonly keyEventForks: KerlRow<"forks">;
  readonly keriReplies: KerlRow<"replies">;
  readonly keyEventEscrows: KerlRow<"escrows">;
  readonly certificates: KnownCertificate;
}
export type RowKind = keyof Rows;
/** Rows of a table; `first` counts them from 0 over all of its segments, so that none can be left out or come twice. */
export type RowSegment = {
  readonly [K in RowKind]: { readonly kind: K; readonly first: number; readonly rows: readonly Rows[K][] };
}[RowKind];
export type Segment = StateSegment | RowSegment;

/** The order in which a checkpoint's segments come, after the one of the state. */
export const ROW_KINDS = [
  "identifiers",
  "blocks",
  "outcomes",
  "nodes",
  "edges",
  "keyEvents",
  "keyEventSeals",
  "keriReceipts",
  "keyEventForks",
  "keriReplies",
  "keyEventEscrows",
  "certificates",
] as const satisfies readonly RowKind[];

/** More rows than fit a segment: the smallest takes more than ten bytes. */
const ROWS_MAX = SEGMENT_BYTES_MAX / 10;
const name = text(NAME_BYTES_MAX);
const place = record<Place>("place", { height: integer(), index: integer() });
const life = { kind: integer(0, 255), from: place, to: nullable(place) };

const rowShapes: { readonly [K in RowKind]: Shape<Rows[K]> } = {
  identifiers: record("identifier", { aid: aidShape, icp: bytes(1, 65_536) }),
  blocks: record("block", { height: integer<Height>(), hash: digestShape, root: digestShape, time: integer() }),
  outcomes: record("outcome", {
    height: integer<Height>(),
    index: integer(),
    outcome: factDataShape as Shape<OutcomeFact>, // whoever loads it judges its kind
  }),
  nodes: record("node", { ...life, namespace: name, name, relationNamespace: name, relationName: name }),
  edges: record("edge", { ...life, parent: integer(1), child: integer(1) }),
  keyEvents: kerlRowShapes.events,
  keyEventSeals: kerlRowShapes.seals,
  keriReceipts: kerlRowShapes.receipts,
  keyEventForks: kerlRowShapes.forks,
  keriReplies: kerlRowShapes.replies,
  keyEventEscrows: kerlRowShapes.escrows,
  certificates: knownCertificateShape,
};

const rowsOf = <K extends RowKind>(kind: K) =>
  variant(
    kind,
    record<{ readonly first: number; readonly rows: readonly Rows[K][] }>(kind, {
      first: integer(),
      rows: list(rowShapes[kind], ROWS_MAX, 1),
    }),
  );

/** Tags are positions and never change: members compare the digests of these bytes. */
const segmentShape: Shape<Segment> = union<Segment>(
  variant(
    "state",
    record("state", {
      block: blockShape,
      frontier: frontierShape,
      members: list(record<SegmentMember>("member", { aid: aidShape, key: bytes(32) }), 256, 1),
      rolling: digestShape,
    }),
  ),
  rowsOf("identifiers"),
  rowsOf("blocks"),
  rowsOf("outcomes"),
  rowsOf("nodes"),
  rowsOf("edges"),
  rowsOf("keyEvents"),
  rowsOf("keyEventSeals"),
  rowsOf("keriReceipts"),
  rowsOf("keyEventForks"),
  rowsOf("keriReplies"),
  rowsOf("keyEventEscrows"),
  rowsOf("certificates"),
);

export const encodeSegment = (segment: Segment): Uint8Array => encode(segmentShape, segment);

/** Refuses: MALFORMED, TOO_LARGE. */
export const decodeSegment = (segment: Uint8Array): Result<Segment> => decode(segmentShape, segment, SEGMENT_BYTES_MAX);

/** An integer at its longest. */
const INTEGER = 9;
/** A record's own byte, and a place within one. */
const RECORD = 3;
const PLACE = RECORD + 2 * INTEGER;
const LIFE = RECORD + INTEGER + 2 * PLACE;
const DIGEST = 34;
const AID = 46;
const textBytes = (value: string): number => 5 + Buffer.byteLength(value);

/** At most so many bytes does a row take: where segments end follows from it, so it never changes. */
const rowBytes: { readonly [K in RowKind]: (row: Rows[K]) => number } = {
  identifiers: ({ icp }) => RECORD + AID + 5 + icp.length,
  blocks: () => RECORD + 2 * INTEGER + 2 * DIGEST,
  outcomes: ({ outcome }) => {
    const told =
      outcome.kind === "commandExecuted"
        ? 5 + outcome.changed.length
        : textBytes(outcome.code) + textBytes(outcome.message);
    return 3 * RECORD + 3 * INTEGER + 2 * AID + 2 * DIGEST + told;
  },
  nodes: (row) =>
    LIFE +
    textBytes(row.namespace) +
    textBytes(row.name) +
    textBytes(row.relationNamespace) +
    textBytes(row.relationName),
  edges: () => LIFE + 2 * INTEGER,
  keyEvents: (row) => kerlRowBytes("events", row),
  keyEventSeals: (row) => kerlRowBytes("seals", row),
  keriReceipts: (row) => kerlRowBytes("receipts", row),
  keyEventForks: (row) => kerlRowBytes("forks", row),
  keriReplies: (row) => kerlRowBytes("replies", row),
  keyEventEscrows: (row) => kerlRowBytes("escrows", row),
  certificates: ({ record: { serial } }) => 3 * RECORD + 6 * INTEGER + 2 * DIGEST + AID + textBytes(serial),
};

/** Union, record, `first` and the list's length. */
const SEGMENT_OVERHEAD = 32;

/** A table's rows as segments' bytes; one yield for each segment. */
export function* segmentsOf<K extends RowKind>(kind: K, rows: Iterable<Rows[K]>): Generator<Uint8Array> {
  let first = 0;
  let page: Rows[K][] = [];
  let size = SEGMENT_OVERHEAD;
  const sizeOf: (row: Rows[K]) => number = rowBytes[kind];
  const take = (): Uint8Array => {
    const segment = encodeSegment({ kind, first, rows: page } as unknown as RowSegment);
    first += page.length;
    page = [];
    size = SEGMENT_OVERHEAD;
    return segment;
  };
  for (const row of rows) {
    const bytesOfRow = sizeOf(row);
    if (size + bytesOfRow > SEGMENT_BYTES_MAX) yield take();
    page.push(row);
    size += bytesOfRow;
  }
  if (page.length > 0) yield take();
}
