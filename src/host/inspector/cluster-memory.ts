/** The newest entries of several nodes, each node's numbered life by life over all its processes, and readers that wait for more. */
import type { Entry, Gap } from "./contract.ts";
import { type Positions, cursorOf, readCursor } from "./cursor.ts";
import { Ring } from "./ring.ts";
import { ENTRIES_PAGE_MAX, type EntryPage } from "./source.ts";

/** Held of each node: some minutes of a busy one, hours of a quiet one. */
const ENTRIES_MAX = 20_000;
const BYTES_MAX = 16 * 1024 * 1024;

type Held = { readonly kind: "entry"; readonly entry: Entry } | { readonly kind: "gap"; readonly gap: Gap };

/** Beyond every entry of a life that is over; what cursors can hold. */
const LIFE_OVER = 999_999_999_999_999;

/** Life and last number of what is held in one place. */
const lastOf = (held: Held): { readonly life: number; readonly n: number } =>
  held.kind === "entry" ? held.entry : { life: held.gap.life, n: (held.gap.to ?? LIFE_OVER + 1) - 1 };

interface NodeMemory {
  readonly held: Ring<Held>;
  /** The last entry that was added, if any was. */
  last: { readonly life: number; readonly n: number } | undefined;
}

export class ClusterMemory {
  readonly #nodes = new Map<string, NodeMemory>();
  readonly #waiting = new Set<() => void>();

  constructor(names: readonly string[]) {
    for (const name of names) this.#nodes.set(name, { held: new Ring(ENTRIES_MAX, BYTES_MAX), last: undefined });
  }

  /** What an entry of ours that follows the last one of a node is called. */
  next(node: string): { readonly life: number; readonly n: number } {
    const { life, n } = this.#nodes.get(node)?.last ?? { life: 0, n: -1 };
    return n < LIFE_OVER ? { life, n: n + 1 } : { life: life + 1, n: 0 };
  }

  /** Entries that were added before are left out: a stream that begins again may repeat them. */
  add(entries: readonly Entry[], bytes: number): void {
    for (const entry of entries) this.#push({ kind: "entry", entry }, bytes / entries.length, entry.node);
    this.#wake();
  }

  addGap(gap: Gap): void {
    this.#push({ kind: "gap", gap }, 100, gap.node);
    this.#wake();
  }

  #push(held: Held, bytes: number, node: string): void {
    const memory = this.#nodes.get(node);
    const at = lastOf(held);
    if (memory === undefined || (memory.last !== undefined && !isBeyond(at, memory.last))) return;
    memory.held.push(held, bytes);
    memory.last = at;
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Entries after a cursor, oldest first over all nodes, then those that come, until the signal aborts. */
  async *read(after: string | null, signal: AbortSignal): AsyncGenerator<EntryPage> {
    let positions: Positions = (after === null ? undefined : readCursor(after)) ?? new Map();
    const next = new Map<string, number>();
    for (const [node, { held }] of this.#nodes) {
      const position = positions.get(node);
      const at = firstAfter(held, position);
      next.set(node, position !== undefined && at === held.first ? at - 1 : at); // it may miss what was let go
    }
    while (!signal.aborted) {
      for (const [node, { held }] of this.#nodes) {
        if ((next.get(node) ?? 0) >= held.first) continue;
        // What it had not read yet was let go.
        const gap = gapBefore(node, held, positions.get(node));
        next.set(node, held.first);
        if (gap === undefined) continue;
        positions = new Map(positions).set(node, lastOf({ kind: "gap", gap }));
        yield { kind: "gap", gap, cursor: cursorOf(positions) };
      }
      const page = this.#page(next, positions);
      if (page === undefined) await this.#more(signal);
      else {
        positions = page.positions;
        yield page.page;
      }
    }
  }

  /** Up to a page of what comes next: of several nodes' next ones, the earliest. */
  #page(
    next: Map<string, number>,
    before: Positions,
  ): { readonly page: EntryPage; readonly positions: Positions } | undefined {
    const entries: Entry[] = [];
    const positions = new Map(before);
    while (entries.length < ENTRIES_PAGE_MAX) {
      let first: { readonly node: string; readonly held: Held } | undefined;
      for (const [node, { held }] of this.#nodes) {
        const one = held.at(next.get(node) ?? 0);
        if (one === undefined) continue;
        if (
          one.kind === "gap" ||
          first === undefined ||
          (first.held.kind === "entry" && one.entry.at < first.held.entry.at)
        )
          first = { node, held: one };
        if (one.kind === "gap") break;
      }
      if (first === undefined || (first.held.kind === "gap" && entries.length > 0)) break;
      const { node, held } = first;
      next.set(node, (next.get(node) ?? 0) + 1);
      const { life, n } = lastOf(held);
      positions.set(node, { life, n });
      if (held.kind === "gap") return { page: { kind: "gap", gap: held.gap, cursor: cursorOf(positions) }, positions };
      entries.push(held.entry);
    }
    if (entries.length === 0) return undefined;
    return { page: { kind: "entries", entries, cursor: cursorOf(positions) }, positions };
  }

  #more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener("abort", done, { once: true });
    });
  }
}

type Position = { readonly life: number; readonly n: number };

const isBeyond = (a: Position, b: Position): boolean => a.life > b.life || (a.life === b.life && a.n > b.n);

/** Number in the ring of the first that is held after a position. */
function firstAfter(held: Ring<Held>, position: Position | undefined): number {
  if (position === undefined) return held.first;
  let [from, to] = [held.first, held.next];
  while (from < to) {
    const middle = (from + to) >> 1;
    const one = held.at(middle);
    if (one !== undefined && isBeyond(lastOf(one), position)) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** What a reader misses who has read up to a position and now reads from the oldest that is held; undefined: nothing. */
function gapBefore(node: string, held: Ring<Held>, position: Position | undefined): Gap | undefined {
  const oldest = held.at(held.first);
  if (oldest?.kind !== "entry" || position === undefined) return undefined;
  const { life, n } = oldest.entry;
  const from = position.life === life ? position.n + 1 : 0;
  return from < n ? { node, life, from, to: n, reason: "sky dev holds the newest entries only" } : undefined;
}
