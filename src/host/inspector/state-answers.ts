/** Questions about the state at a height, answered from a projection's tables, whoever folded them: graph, check, difference. */
import { height as heightOf } from "../../base/brands.ts";
import { ok } from "../../base/result.ts";
import { EXPLAIN_BOUNDS } from "../../projections/rebac/explain.ts";
import { PastGraph } from "../../projections/rebac/past-graph.ts";
import type { SqlDatabase } from "../../projections/rebac/sql-database.ts";
import { parseNode } from "../cli/graph-text.ts";
import type { DifferencePage, GraphPicture } from "./contract.ts";
import { differencePage, differencesIn, runOut } from "./queries-difference.ts";
import { GraphPictures, readFocus } from "./queries-graph.ts";
import { no } from "./refusals.ts";
import { type Answer, GRAPH_POINTS_MAX } from "./source.ts";

/** Tables of a projection, and a height that they hold. */
export interface StateAt {
  readonly db: SqlDatabase;
  readonly height: number;
}

/** A state with the node whose it is, and its root where that is known. */
export interface NamedState extends StateAt {
  readonly node: string;
  readonly root: string | null;
}

const readers = new WeakMap<SqlDatabase, { readonly pictures: GraphPictures; readonly past: PastGraph }>();

function readersOf(db: SqlDatabase): { readonly pictures: GraphPictures; readonly past: PastGraph } {
  const known = readers.get(db);
  if (known !== undefined) return known;
  const made = { pictures: new GraphPictures(db), past: new PastGraph(db) };
  readers.set(db, made);
  return made;
}

export function answerGraph({ db, height }: StateAt, focus: string | null, limit: number): Answer<GraphPicture> {
  const read = focus === null ? null : readFocus(focus);
  if (read === undefined)
    return no("INVALID_QUESTION", "A focus is NAMESPACE:NAME#RELATION, or less of it; %3A, %23 stand for : and #.");
  return ok(readersOf(db).pictures.picture(height, read, Math.min(limit, GRAPH_POINTS_MAX)));
}

/** The Explanation as it is. */
export function answerCheck({ db, height }: StateAt, subject: string, object: string): Answer<unknown> {
  const [from, to] = [parseNode(subject), parseNode(object)];
  for (const parsed of [from, to]) if (!parsed.ok) return no("INVALID_QUESTION", parsed.refusal.message);
  if (!from.ok || !to.ok) return no("INVALID_QUESTION", "A subject and an object are asked for.");
  const check = { subject: from.value, object: to.value };
  return ok({ height, ...readersOf(db).past.explainAt(heightOf(height), check, EXPLAIN_BOUNDS) });
}

/** Yields between its steps. */
export function* answeringDifference(
  left: NamedState,
  right: NamedState,
): Generator<undefined, Answer<DifferencePage>> {
  const named = ({ node, height, root }: NamedState): DifferencePage["left"] => ({ node, height, root });
  return ok(differencePage(named(left), named(right), yield* differencesIn(left, right)));
}

/** In one go, for a thread that nobody else needs. */
export function answerDifference(left: NamedState, right: NamedState): Answer<DifferencePage> {
  return runOut(answeringDifference(left, right));
}
