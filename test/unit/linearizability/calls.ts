/** Histories written by hand: who, what, from when to when, and what came of it. */
import type { CallOutcome, HistoryEntry } from "../../../tools/linearizability/history.ts";

export type Span = readonly [startMs: number, endMs: number | null];

interface Where {
  readonly session?: string;
  readonly node?: string;
  readonly edge?: string;
}

const EDGE = "alice→report";

const entryOf = (
  { session = "s", node = "n0" }: Where,
  [startMs, endMs]: Span,
  call: HistoryEntry["call"],
  outcome: CallOutcome,
): HistoryEntry => ({ session, node, call, startMs, endMs, outcome });

const block = (height: number): string => `block ${height}`;

/** A settled write: its place in the log, and whether it changed the edge. */
export const write = (
  change: "grant" | "revoke",
  id: string,
  span: Span,
  [height, index]: readonly [number, number],
  { changed = true, ...where }: Where & { readonly changed?: boolean } = {},
): HistoryEntry =>
  entryOf(
    where,
    span,
    { kind: "write", id, change, edge: where.edge ?? EDGE },
    { kind: "written", receipt: { height, index, blockHash: block(height) }, changed },
  );

/** A write that nobody answered. */
export const lost = (change: "grant" | "revoke", id: string, span: Span, where: Where = {}): HistoryEntry =>
  entryOf(where, span, { kind: "write", id, change, edge: where.edge ?? EDGE }, { kind: "unknown" });

/** A write that was refused. */
export const refused = (change: "grant" | "revoke", id: string, span: Span, where: Where = {}): HistoryEntry =>
  entryOf(where, span, { kind: "write", id, change, edge: where.edge ?? EDGE }, { kind: "refused", code: "RESERVED" });

/** A check that demanded a height; null for a plain one. */
export const check = (
  result: boolean,
  span: Span,
  height: number,
  { atLeast = null, ...where }: Where & { readonly atLeast?: number | null } = {},
): HistoryEntry =>
  entryOf(where, span, { kind: "check", edge: where.edge ?? EDGE, atLeast }, { kind: "checked", result, height });
