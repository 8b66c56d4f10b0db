/** What one state has and another has not: graph and key states at two heights of one log, or of two that parted. */
import { height as heightOf, type Aid, type Height } from "../../base/brands.ts";
import { unreachable } from "../../base/errors.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { KerlHistory } from "../../projections/kerl/history.ts";
import { createKerlTables } from "../../projections/kerl/schema.ts";
import { compareNames } from "../../projections/rebac/names.ts";
import type { SqlDatabase } from "../../projections/rebac/sql-database.ts";
import { numberOf, textOf } from "../../projections/rebac/table-rows.ts";
import { EDGE_KINDS, NODE_KINDS, createTables } from "../../projections/rebac/table-schema.ts";
import { formatNode } from "../cli/graph-text.ts";
import type { Difference, DifferencePage } from "./contract.ts";
import { nodeOfRow } from "./queries-graph.ts";

/** Differences shown. */
export const DIFFERENCES_MAX = 500;
/** Units: rows, of each side. */
export interface DifferenceBounds {
  /** Compared, some 300 bytes each. */
  readonly compared: number;
  /** Looked at: most of them did not change. */
  readonly read: number;
}

/** Beyond them the page says that there is more. */
const BOUNDS: DifferenceBounds = { compared: 100_000, read: 5_000_000 };
/** Rows that one statement looks at, and texts compared before the thread may do something else: a millisecond or some. */
const STEP_ROWS = 1_000;

/** Kinds in the order in which they are shown: what most questions are about first. */
const ORDER: readonly Difference["kind"][] = [
  "keyState",
  "assertion",
  "edge",
  "subject",
  "object",
  "relation",
  "namespace",
];

/** Rows whose life the heights after @low and up to @high changed; and all that live at @height. */
const CHANGED = "((from_height > @low AND from_height <= @high) OR (to_height > @low AND to_height <= @high))";
const WHOLE = "from_height <= @height AND to_height > @height";
/** One step: by id, since heights have no index, and rows that are taken meanwhile come after. */
const STEP = (columns: string, table: string, which: string): string =>
  `SELECT ${columns} FROM ${table} WHERE id > @after AND id <= @to AND (${which})`;
const LAST = (table: string): string => `SELECT coalesce(max(id), 0) AS last FROM ${table}`;

type Range = { readonly low: number; readonly high: number } | undefined;
type Texts = Map<string, { readonly kind: Difference["kind"]; readonly text: string }>;

/** A state that can be compared: the tables of a projection at a height. */
export interface ComparedState {
  readonly db: SqlDatabase;
  readonly height: number;
}

export interface Differences {
  readonly differences: readonly Difference[];
  readonly truncated: boolean;
}

/** Nothing is told between steps. */
type Stepped<T> = Generator<undefined, T>;

/**
 * Differences of two states, sorted: what only the left one has, what only the right one has, and key states that differ. Heights of one
 * set of tables are compared by what changed between them; two sets are compared whole. Yields between steps; blocks may be applied to the
 * tables meanwhile. Bounds: DIFFERENCES_MAX shown, BOUNDS.
 */
export function* differencesIn(left: ComparedState, right: ComparedState, bounds = BOUNDS): Stepped<Differences> {
  const [low, high] = left.height < right.height ? [left.height, right.height] : [right.height, left.height];
  const range = left.db === right.db ? { low, high } : undefined;
  const [ofLeft, ofRight] = [new StateTexts(left, bounds), new StateTexts(right, bounds)];
  const graph = { left: yield* ofLeft.graph(range), right: yield* ofRight.graph(range) };
  const found = new Found();
  let compared = 0;
  for (const [side, other] of [
    ["left", "right"],
    ["right", "left"],
  ] as const)
    for (const [key, { kind, text }] of graph[side]) {
      if (!graph[other].has(key)) found.add({ kind, side, text } as Difference);
      if (++compared % STEP_ROWS === 0) yield;
    }
  const aids = new Set([...(yield* ofLeft.aids(range)), ...(yield* ofRight.aids(range))]);
  for (const aid of aids) {
    const difference = keyDifference(aid, ofLeft.keyState(aid), ofRight.keyState(aid));
    if (difference !== undefined) found.add(difference);
    yield;
  }
  const { first, more } = found.end();
  return { differences: first, truncated: more || ofLeft.truncated || ofRight.truncated };
}

/** The same in one go, for a thread that nobody else needs. */
export function differencesOf(left: ComparedState, right: ComparedState, bounds = BOUNDS): Differences {
  return runOut(differencesIn(left, right, bounds));
}

export function runOut<T>(work: Stepped<T>): T {
  let step = work.next();
  while (step.done !== true) step = work.next();
  return step.value;
}

/** The first differences in order; the rest is let go as it comes. */
class Found {
  #kept: Difference[] = [];
  #more = false;

  add(difference: Difference): void {
    this.#kept.push(difference);
    if (this.#kept.length >= 2 * DIFFERENCES_MAX) this.#cut();
  }

  end(): { readonly first: readonly Difference[]; readonly more: boolean } {
    this.#cut();
    return { first: this.#kept, more: this.#more };
  }

  #cut(): void {
    this.#kept.sort(
      (a, b) =>
        ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || compareNames(a.text, b.text) || compareNames(a.side, b.side),
    );
    this.#more ||= this.#kept.length > DIFFERENCES_MAX;
    this.#kept.length = Math.min(this.#kept.length, DIFFERENCES_MAX);
  }
}

/** The page: which states were compared, and how they differ. */
export const differencePage = (
  left: DifferencePage["left"],
  right: DifferencePage["right"],
  found: Differences,
): DifferencePage => ({ left, right, ...found });

class StateTexts {
  readonly #state: ComparedState;
  readonly #names = new Map<number, string>();
  #left: { compared: number; read: number };
  truncated = false;

  constructor(state: ComparedState, bounds: DifferenceBounds) {
    this.#state = state;
    this.#left = { ...bounds };
    createTables(state.db);
    createKerlTables(state.db);
  }

  /** Everything the graph has at the height; with a range, of what changed within it. */
  *graph(range: Range): Stepped<Texts> {
    const { height } = this.#state;
    const texts: Texts = new Map();
    const add = (kind: Difference["kind"], text: string): void => void texts.set(`${kind} ${text}`, { kind, text });
    yield* this.#each("*", "rebac_node", range, (row) => {
      if (!isAlive(row, height)) return;
      const kind = kindOfNode(numberOf(row, "kind"));
      add(kind, kind === "namespace" ? textOf(row, "namespace") : formatNode(nodeOfRow(row)));
    });
    yield* this.#each("*", "rebac_edge", range, (row) => {
      if (!isAlive(row, height)) return;
      const pair = `${this.#name(numberOf(row, "parent"))} ${this.#name(numberOf(row, "child"))}`;
      const map = MAP_NOUNS[numberOf(row, "kind")];
      if (map === undefined) add("assertion", pair);
      else add("edge", `${map} ${pair}`);
    });
    return texts;
  }

  /** Rows of a table at the height, or that changed within a range, as far as the bounds go. */
  *#each(columns: string, table: string, range: Range, take: (row: unknown) => void): Stepped<void> {
    const { db, height } = this.#state;
    const last = numberOf(db.prepare(LAST(table)).get(), "last");
    const step = db.prepare(STEP(columns, table, range === undefined ? WHOLE : CHANGED));
    for (let after = 0; after < last; after += STEP_ROWS) {
      if (this.#left.compared <= 0 || this.#left.read <= 0) {
        this.truncated = true;
        return;
      }
      const rows = step.all({ ...(range ?? { height }), after, to: Math.min(last, after + STEP_ROWS) });
      this.#left = { compared: this.#left.compared - rows.length, read: this.#left.read - STEP_ROWS };
      for (const row of rows) take(row);
      yield;
    }
  }

  #name(id: number): string {
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    const row = this.#state.db.prepare("SELECT * FROM rebac_node WHERE id = ?").get(id);
    const name = row === undefined ? "?" : formatNode(nodeOfRow(row));
    this.#names.set(id, name);
    return name;
  }

  /** Identifiers with an event at the height; with a range, those whose events changed within it. */
  *aids(range: Range): Stepped<ReadonlySet<Aid>> {
    const aids = new Set<Aid>();
    yield* this.#each("DISTINCT aid", "kerl_events", range, (row) => aids.add(textOf(row, "aid") as Aid));
    return aids;
  }

  keyState(aid: Aid): KeyState | undefined {
    this.#history ??= new KerlHistory(this.#state.db);
    return this.#history.keyState(aid, heightOf(this.#state.height) satisfies Height);
  }

  #history: KerlHistory | undefined;
}

/** What a map is of, as the command line says it. */
const MAP_NOUNS: Readonly<Record<number, string>> = {
  [EDGE_KINDS.subjectMap]: "subject",
  [EDGE_KINDS.objectMap]: "object",
  [EDGE_KINDS.relationMap]: "relation",
};

const isAlive = (row: unknown, height: number): boolean =>
  numberOf(row, "from_height") <= height && numberOf(row, "to_height") > height;

function kindOfNode(kind: number): Difference["kind"] {
  const known = kind as (typeof NODE_KINDS)[keyof typeof NODE_KINDS];
  switch (known) {
    case NODE_KINDS.namespace:
      return "namespace";
    case NODE_KINDS.relation:
      return "relation";
    case NODE_KINDS.subject:
      return "subject";
    case NODE_KINDS.object:
      return "object";
    default:
      return unreachable(known);
  }
}

function keyDifference(aid: Aid, left: KeyState | undefined, right: KeyState | undefined): Difference | undefined {
  if (left === undefined || right === undefined) {
    const only = left ?? right;
    if (only === undefined) return undefined;
    return { kind: "keyState", side: left === undefined ? "right" : "left", text: `${aid} ${keyText(only)}` };
  }
  if (left.latest.said === right.latest.said && left.latest.sn === right.latest.sn) return undefined;
  return { kind: "keyState", side: "both", text: `${aid} ${keyText(left)} → ${keyText(right)}` };
}

const keyText = ({ latest, sn }: KeyState): string =>
  `at event ${latest.sn} (${latest.type} ${latest.said}), keys of event ${sn}`;
