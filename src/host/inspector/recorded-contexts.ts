/** Contexts of a recording's machines after any entry: what each step changed, laid over the context that the life began with. */
import type { Context } from "../../machines/consensus/types.ts";
import type { RecordingIndex } from "./recording-index.ts";

export class RecordedContexts {
  readonly #index: RecordingIndex;
  /** The last one that was put together, to go on from. */
  #last: { readonly node: string; readonly life: number; readonly at: number; readonly context: Context } | undefined;

  constructor(index: RecordingIndex) {
    this.#index = index;
  }

  /** After the entry n of this life; undefined when there is none, or the machine had not started yet. */
  after(node: string, life: number, n: number): Context | undefined {
    const rows = this.#index.rowsOf(node);
    const at = this.#index.after(node, life, n - 1);
    if (this.#lifeAt(rows, at) !== life) return undefined;
    const last = this.#last;
    const goesOn = last !== undefined && last.node === node && last.life === life && last.at <= at;
    let context = goesOn ? last.context : undefined;
    for (let i = goesOn ? last.at + 1 : this.#firstOf(rows, at, life); i <= at; i++)
      context = this.#stepped(rows[i] ?? 0, context);
    if (context !== undefined) this.#last = { node, life, at, context };
    return context;
  }

  #lifeAt(rows: readonly number[], at: number): number | undefined {
    const row = rows[at];
    return row === undefined ? undefined : this.#index.standingOf(row).life;
  }

  #firstOf(rows: readonly number[], at: number, life: number): number {
    let first = at;
    while (first > 0 && this.#lifeAt(rows, first - 1) === life) first -= 1;
    return first;
  }

  #stepped(row: number, before: Context | undefined): Context | undefined {
    const line = this.#index.lineOf(row);
    if (line.kind === "booted") return line["context"] as Context;
    if (line.kind !== "stepped" || before === undefined) return before;
    return { ...before, ...(line["changed"] as Partial<Context>) };
  }
}
