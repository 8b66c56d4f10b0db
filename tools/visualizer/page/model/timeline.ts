/** What the slider shows of the whole history: marks by column, the times when nodes were down, and heights. Positions, not times. */
import type { Mark, MarkKind } from "./marks.ts";
import type { Store } from "./store.ts";

export interface Column {
  /** 0..1 along the slider. */
  readonly share: number;
  readonly kind: MarkKind;
  readonly position: number;
  /** The first of them. */
  readonly text: string;
  readonly count: number;
}

export interface Absence {
  readonly node: string;
  /** 0..1 along the slider. */
  readonly from: number;
  readonly to: number;
}

export interface HeightTick {
  readonly share: number;
  readonly height: number;
}

export interface Timeline {
  readonly columns: readonly Column[];
  readonly absences: readonly Absence[];
  readonly heights: readonly HeightTick[];
}

/** Marks closer than this share of the slider are drawn as one: about two pixels of a wide screen. */
const COLUMNS = 600;
/** Heights written under the slider at most. */
const HEIGHTS_MAX = 8;

function columnsOf(marks: readonly Placed[], last: number): readonly Column[] {
  const columns = new Map<string, Column>();
  for (const { mark, position } of marks) {
    const name = `${mark.kind} ${Math.floor((position / last) * COLUMNS)}`;
    const known = columns.get(name);
    if (known === undefined)
      columns.set(name, { share: position / last, kind: mark.kind, position, text: mark.text, count: 1 });
    else columns.set(name, { ...known, count: known.count + 1 });
  }
  return [...columns.values()];
}

interface Placed {
  readonly mark: Mark;
  readonly position: number;
}

function absencesOf(marks: readonly Placed[], last: number): readonly Absence[] {
  const absences: Absence[] = [];
  const gone = new Map<string, number>();
  for (const { mark, position } of marks.toSorted((a, b) => a.position - b.position)) {
    const { node } = mark.entry;
    const since = gone.get(node);
    if (mark.kind === "ended" && since === undefined) gone.set(node, position / last);
    if (mark.kind !== "booted" || since === undefined) continue;
    absences.push({ node, from: since, to: position / last });
    gone.delete(node);
  }
  for (const [node, from] of gone) absences.push({ node, from, to: 1 });
  return absences;
}

function heightsOf(store: Store, last: number): readonly HeightTick[] {
  const rows = store.consensus.all().filter(({ block }) => block !== null);
  const step = Math.max(1, Math.ceil(rows.length / HEIGHTS_MAX));
  const ticks: HeightTick[] = [];
  for (let index = 0; index < rows.length; index += step) {
    const row = rows[index];
    if (row?.finalEntry === null || row?.block === null || row === undefined) continue;
    const { position } = store.history.positionOf(row.finalEntry);
    if (position >= 0) ticks.push({ share: position / last, height: row.block.height });
  }
  return ticks;
}

export function timelineOf(store: Store): Timeline {
  const last = Math.max(1, store.history.length - 1);
  const marks = store.marks
    .all()
    .map((mark) => ({ mark, position: store.history.positionOf(mark.entry).position }))
    .filter(({ position }) => position >= 0);
  return { columns: columnsOf(marks, last), absences: absencesOf(marks, last), heights: heightsOf(store, last) };
}
