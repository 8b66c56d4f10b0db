/** The inspector's questions about the state at a height, as the projector worker answers them: no thread that serves clients reads for them. */
import { type Digest, type Height, height as heightOf } from "../../base/brands.ts";
import type { SqlDatabase } from "../../projections/rebac/sql-database.ts";
import { no } from "./refusals.ts";
import type { Answer } from "./source.ts";
import { type NamedState, answerCheck, answerGraph, answeringDifference } from "./state-answers.ts";

/** `height` null: the newest that is projected. */
export type StateQuestion =
  | { readonly kind: "graph"; readonly height: number | null; readonly focus: string | null; readonly limit: number }
  | { readonly kind: "check"; readonly height: number | null; readonly subject: string; readonly object: string }
  | {
      readonly kind: "difference";
      readonly node: string;
      readonly height: number | null;
      readonly otherHeight: number | null;
    };

/** What the tables hold. */
export interface Projected {
  readonly db: SqlDatabase;
  readonly height: number;
  readonly rootAt: (height: Height) => Digest | undefined;
}

/** The highest height that an answer needs. */
export const heightAsked = (question: StateQuestion): number =>
  Math.max(question.height ?? 0, question.kind === "difference" ? (question.otherHeight ?? 0) : 0);

/** Yields between the steps of a long answer (slices.ts); blocks may be applied meanwhile. */
export function* answeringState(state: Projected, question: StateQuestion): Generator<undefined, Answer<unknown>> {
  const { db, height: newest } = state;
  if (newest < 0) return no("NOT_READY", "Nothing is projected here yet; ask again in a moment.");
  if (heightAsked(question) > newest)
    return no("NOT_FOUND", `Height ${heightAsked(question)} is not known here; the newest is ${newest}.`);
  const at = { db, height: question.height ?? newest };
  switch (question.kind) {
    case "graph":
      return answerGraph(at, question.focus, question.limit);
    case "check":
      return answerCheck(at, question.subject, question.object);
    case "difference": {
      const named = (height: number): NamedState => ({
        db,
        height,
        node: question.node,
        root: state.rootAt(heightOf(height)) ?? null,
      });
      return yield* answeringDifference(named(at.height), named(question.otherHeight ?? newest));
    }
  }
}
