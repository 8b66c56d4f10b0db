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
/** Rows that may have to be compared: beyond it the page says that there is more. Some 300 bytes each. */
const ROWS_MAX = 200_000;

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
const NODES = (which: string): string => `SELECT * FROM rebac_node WHERE ${which} LIMIT @limit`;
const EDGES = (which: string): string => `SELECT * FROM rebac_edge WHERE ${which} LIMIT @limit`;

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

/**
 * Differences of two states, sorted: what only the left one has, what only the right one has, and key states that differ. Heights of one
 * set of tables cost what changed between them; two sets are compared whole. Bounds: DIFFERENCES_MAX shown, ROWS_MAX compared.
 */
export function differencesOf(left: ComparedState, right: ComparedState): Differences {
  const [low, high] = left.height < right.height ? [left.height, right.height] : [right.height, left.height];
  const range = left.db === right.db ? { low, high } : undefined;
  const [ofLeft, ofRight] = [new StateTexts(left), new StateTexts(right)];
  const graph = { left: ofLeft.graph(range), right: ofRight.graph(range) };
  const found: Difference[] = [];
  for (const [side, other] of [
    ["left", "right"],
    ["right", "left"],
  ] as const)
    for (const [key, { kind, text }] of graph[side])
      if (!graph[other].has(key)) found.push({ kind, side, text } as Difference);
  const aids = new Set([...ofLeft.aids(range), ...ofRight.aids(range)]);
  for (const aid of aids) {
    const difference = keyDifference(aid, ofLeft.keyState(aid), ofRight.keyState(aid));
    if (difference !== undefined) found.push(difference);
  }
  found.sort(
    (a, b) =>
      ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || compareNames(a.text, b.text) || compareNames(a.side, b.side),
  );
  const truncated = found.length > DIFFERENCES_MAX || ofLeft.truncated || ofRight.truncated;
  return { differences: found.slice(0, DIFFERENCES_MAX), truncated };
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
  truncated = false;

  constructor(state: ComparedState) {
    this.#state = state;
    createTables(state.db);
    createKerlTables(state.db);
  }

  /** Everything the graph has at the height; with a range, of what changed within it. */
  graph(range: { readonly low: number; readonly high: number } | undefined): Texts {
    const { db, height } = this.#state;
    const which = range === undefined ? WHOLE : CHANGED;
    const parameters = { ...(range ?? { height }), limit: ROWS_MAX };
    const texts: Texts = new Map();
    const add = (kind: Difference["kind"], text: string): void => void texts.set(`${kind} ${text}`, { kind, text });
    const each = (sql: string, take: (row: unknown) => void): void => {
      let rows = 0;
      for (const row of db.prepare(sql).all(parameters)) {
        rows += 1;
        if (isAlive(row, height)) take(row);
      }
      this.truncated ||= rows >= ROWS_MAX;
    };
    each(NODES(which), (row) => {
      const kind = kindOfNode(numberOf(row, "kind"));
      add(kind, kind === "namespace" ? textOf(row, "namespace") : formatNode(nodeOfRow(row)));
    });
    each(EDGES(which), (row) => {
      const pair = `${this.#name(numberOf(row, "parent"))} ${this.#name(numberOf(row, "child"))}`;
      const map = MAP_NOUNS[numberOf(row, "kind")];
      if (map === undefined) add("assertion", pair);
      else add("edge", `${map} ${pair}`);
    });
    return texts;
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
  aids(range: { readonly low: number; readonly high: number } | undefined): readonly Aid[] {
    const { db, height } = this.#state;
    const rows = db
      .prepare(`SELECT DISTINCT aid FROM kerl_events WHERE ${range === undefined ? WHOLE : CHANGED} LIMIT @limit`)
      .all({ ...(range ?? { height }), limit: ROWS_MAX });
    this.truncated ||= rows.length >= ROWS_MAX;
    return rows.map((row) => textOf(row, "aid") as Aid);
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
