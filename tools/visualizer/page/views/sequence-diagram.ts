/** The sequence diagram of the part of the history around the cursor: built once, extended while entries come, rebuilt when they change. */
import type { History } from "../model/history.ts";
import type { Entry } from "../../../../src/host/inspector/contract.ts";
import { Messages } from "./sequence-messages.ts";
import { type Filter, Rows, typeOf } from "./sequence-rows.ts";

/** A diagram covers the chunk of the cursor and one on each side: scrubbing within it builds nothing. Units: entries. */
export const CHUNK = 6_000;

export interface Diagram {
  readonly messages: Messages;
  readonly rows: Rows;
  /** Positions of the history that it covers: from, and before to. */
  readonly from: number;
  readonly to: number;
  /** Types of its messages with their counts, most first. */
  readonly types: readonly (readonly [string, number])[];
}

type Held = Pick<History, "at" | "length">;

export class Diagrams {
  readonly #history: Held;
  #filter: Filter;
  #built: { -readonly [Key in keyof Diagram]: Diagram[Key] } | null = null;
  #counts = new Map<string, number>();
  #first: Entry | undefined;
  #last: Entry | undefined;
  #added = 0;

  constructor(history: Held, filter: Filter) {
    this.#history = history;
    this.#filter = filter;
  }

  /** Entries added to diagrams so far: what a test of the cost counts. */
  get added(): number {
    return this.#added;
  }

  /** The diagram around a position. A filter is compared by identity. */
  around(position: number, filter: Filter): Diagram {
    const chunk = Math.max(0, Math.floor(position / CHUNK));
    const from = Math.max(0, chunk - 1) * CHUNK;
    const to = Math.min(this.#history.length, (chunk + 2) * CHUNK);
    const isKept =
      this.#built?.from === from &&
      this.#filter === filter &&
      this.#built.to <= to &&
      this.#history.at(from) === this.#first &&
      this.#history.at(this.#built.to - 1) === this.#last;
    const built = isKept && this.#built !== null ? this.#built : this.#begin(from, filter);
    for (let at = built.to; at < to; at++) this.#add(built, at);
    if (built.to === to && isKept) return built;
    built.to = to;
    this.#first = this.#history.at(from);
    this.#last = this.#history.at(to - 1);
    // A new object, so that whoever remembers by identity sees that it has grown.
    this.#built = { ...built, types: [...this.#counts].toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)) };
    return this.#built;
  }

  #begin(from: number, filter: Filter): { -readonly [Key in keyof Diagram]: Diagram[Key] } {
    const messages = new Messages();
    this.#filter = filter;
    this.#counts = new Map();
    return { messages, rows: new Rows(filter, messages), from, to: from, types: [] };
  }

  #add({ messages, rows }: Diagram, position: number): void {
    const entry = this.#history.at(position);
    if (entry === undefined) return;
    this.#added += 1;
    messages.add(entry, position);
    rows.add(entry, position);
    if (entry.kind !== "sent" && entry.kind !== "delivered" && entry.kind !== "dropped") return;
    const type = typeOf(entry.message);
    if (entry.kind === "sent" || messages.at(position)?.sent === null)
      this.#counts.set(type, (this.#counts.get(type) ?? 0) + 1);
  }
}
