/** Rows of the sequence diagram: one for each thing that happened and passes the filter, and which of them are in sight. */
import type { Entry, Summary } from "../../../../src/host/inspector/contract.ts";
import type { Message, Messages } from "./sequence-messages.ts";

export interface Filter {
  /** Types of messages to leave out, as `typeOf` names them. */
  readonly hiddenTypes: ReadonlySet<string>;
  /** Nodes to leave out: with them everything that they sent or received. */
  readonly hiddenNodes: ReadonlySet<string>;
  /** Views entered, blocks finalised, lives begun and ended. */
  readonly notes: boolean;
}

export type NoteKind = "view" | "final" | "booted" | "ended" | "evidence" | "fault";

/** A row stands for the entries from `first` to `last` of the timeline: more than one where a node told all others the same. */
export type Row = { readonly first: number; readonly last: number; readonly node: string } & (
  | { readonly kind: "sent" | "delivered" | "dropped"; readonly messages: readonly number[]; readonly label: string }
  | { readonly kind: "note"; readonly note: NoteKind; readonly label: string }
);

/** A stretch of a lifeline, in rows: `to` null while it lasts. */
export interface Life {
  readonly node: string;
  /** As the source counts its lives. */
  readonly life: number;
  readonly from: number;
  readonly to: number | null;
}

/** A long flight must not make every look at the diagram long: beyond this a message is drawn near its ends only. Units: rows. */
const FLIGHT_ROWS_MAX = 400;
const VOTES = ["vote", "certificate", "kind"] as const;

/** What a message is called: its kind of vote or certificate where it has one, else its type. */
export function typeOf(summary: Summary): string {
  for (const field of VOTES) {
    const value = summary[field];
    if (typeof value === "string") return value;
  }
  return summary.type;
}

const scalar = (summary: Summary, field: string): string | null => {
  const value = summary[field];
  return typeof value === "string" || typeof value === "number" ? String(value) : null;
};

/** `notarize v12 e0`: type, view (or height) and epoch, as far as the message says them. */
export function labelOf(summary: Summary): string {
  const view = scalar(summary, "view");
  const height = scalar(summary, "height");
  const epoch = scalar(summary, "epoch");
  return [
    typeOf(summary),
    view === null ? (height === null ? "" : `h${height}`) : `v${view}`,
    epoch === null ? "" : `e${epoch}`,
  ]
    .filter((part) => part !== "")
    .join(" ");
}

/** Rows of a timeline that grows; a changed filter means a new one. */
export class Rows {
  readonly #filter: Filter;
  readonly #messages: Messages;
  readonly #rows: Row[] = [];
  readonly #lives: { -readonly [Key in keyof Life]: Life[Key] }[] = [];
  readonly #views = new Map<string, number>();
  /** Row of each message's ends, by message id. */
  readonly #ends: { first: number; last: number }[] = [];
  #spanMax = 0;

  constructor(filter: Filter, messages: Messages) {
    this.#filter = filter;
    this.#messages = messages;
  }

  get all(): readonly Row[] {
    return this.#rows;
  }

  get lives(): readonly Life[] {
    return this.#lives;
  }

  /** `messages` must have been given this entry before. */
  add(entry: Entry, position: number): void {
    const own = this.#lives.filter(({ node }) => node === entry.node);
    const begins = entry.kind === "booted" && !own.some(({ life }) => life === entry.life);
    // Whoever is heard of before its beginning has begun before all that is held.
    if (begins || own.length === 0)
      this.#lives.push({ node: entry.node, life: entry.life, from: begins ? this.#rows.length : 0, to: null });
    if (this.#filter.hiddenNodes.has(entry.node)) return;
    const message = this.#messages.at(position);
    if (message !== undefined) this.#addMessage(entry, position, message);
    else if (this.#filter.notes && (entry.kind !== "booted" || begins)) this.#addNote(entry, position);
    if (entry.kind === "ended") {
      const life = this.#lives.findLast(({ node }) => node === entry.node);
      if (life !== undefined) life.to = Math.max(0, this.#rows.length - 1);
    }
  }

  #addMessage(entry: Entry, position: number, message: Message): void {
    const { hiddenTypes, hiddenNodes } = this.#filter;
    if (entry.kind !== "sent" && entry.kind !== "delivered" && entry.kind !== "dropped") return;
    if (hiddenTypes.has(typeOf(message.summary)) || hiddenNodes.has(message.from) || hiddenNodes.has(message.to))
      return;
    const label = labelOf(message.summary);
    const last = this.#rows.at(-1);
    if (entry.kind === "dropped" && last?.kind === "sent" && last.messages.includes(message.id)) {
      // Lost as it was sent: its cross stands in the same row.
      this.#rows[this.#rows.length - 1] = { ...last, last: position };
      return;
    }
    if (
      last?.kind === "sent" &&
      entry.kind === "sent" &&
      last.node === entry.node &&
      last.label === label &&
      last.last === position - 1 &&
      !last.messages.some((id) => this.#messages.all[id]?.to === message.to)
    )
      this.#rows[this.#rows.length - 1] = { ...last, last: position, messages: [...last.messages, message.id] };
    else
      this.#rows.push({
        kind: entry.kind,
        first: position,
        last: position,
        node: entry.node,
        messages: [message.id],
        label,
      });
    this.#touch(message.id, this.#rows.length - 1);
  }

  #addNote(entry: Entry, position: number): void {
    const note = this.#noteOf(entry);
    if (note === null) return;
    const [kind, label] = note;
    this.#rows.push({ kind: "note", note: kind, label, first: position, last: position, node: entry.node });
  }

  #noteOf(entry: Entry): readonly [NoteKind, string] | null {
    switch (entry.kind) {
      case "booted":
        return [
          "booted",
          this.#lives.some(({ node, to }) => node === entry.node && to !== null) ? "came back" : "starts",
        ];
      case "ended":
        return ["ended", entry.reason];
      case "stepped": {
        if (entry.view === undefined || this.#views.get(entry.node) === entry.view) return null;
        this.#views.set(entry.node, entry.view);
        return ["view", `view ${entry.view}`];
      }
      case "finalised":
        return ["final", `block ${entry.block.height} final`];
      case "evidence":
        return ["evidence", `${entry.evidence} by ${entry.member}, view ${entry.view}`];
      case "fault":
        return ["fault", entry.fault.type];
      case "executed":
      case "sent":
      case "delivered":
      case "dropped":
        return null;
    }
  }

  #touch(id: number, row: number): void {
    const ends = this.#ends[id];
    if (ends === undefined) this.#ends[id] = { first: row, last: row };
    else {
      ends.last = row;
      this.#spanMax = Math.min(FLIGHT_ROWS_MAX, Math.max(this.#spanMax, row - ends.first));
    }
  }

  /** Rows of a message's ends: where it was sent and where it arrived; the same row while one of them is not in sight. */
  endsOf(id: number): { readonly first: number; readonly last: number } | undefined {
    return this.#ends[id];
  }

  /** The last row that does not lie after this position of the timeline; −1 when all do. */
  rowAt(position: number): number {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#rows[middle]?.first ?? 0) <= position) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Messages that begin, end or pass between two rows. Work: the rows of sight and of the longest message. */
  messagesBetween(from: number, to: number): readonly number[] {
    const found = new Set<number>();
    for (let at = Math.max(0, from - this.#spanMax); at <= Math.min(to, this.#rows.length - 1); at++) {
      const row = this.#rows[at];
      if (row === undefined || row.kind === "note") continue;
      for (const id of row.messages) if ((this.#ends[id]?.last ?? -1) >= from) found.add(id);
    }
    return [...found];
  }
}

/** Rows in sight of a scrolled box, with some beyond its edges so that a small scroll shows no gap. Units: px; `beyond`: rows. */
export function rowsInSight(
  scrollTop: number,
  height: number,
  rowHeight: number,
  count: number,
  beyond = 4,
): { readonly from: number; readonly to: number } {
  const from = Math.max(0, Math.floor(scrollTop / rowHeight) - beyond);
  const to = Math.min(count - 1, Math.ceil((scrollTop + height) / rowHeight) + beyond);
  return { from, to };
}

/** Scroll position that keeps a row in sight: unchanged while it is, else with the row in the middle. */
export function scrollTo(row: number, scrollTop: number, height: number, rowHeight: number, count: number): number {
  const top = row * rowHeight;
  if (top >= scrollTop && top + rowHeight <= scrollTop + height) return scrollTop;
  return Math.max(0, Math.min(top - (height - rowHeight) / 2, count * rowHeight - height));
}
