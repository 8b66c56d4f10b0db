/**
 * The entries of all nodes in one order: by time, then node, life and n. A clock that was set back cannot reorder one node's
 * entries: each counts as at least as late as the one before it. Entries that arrive late are put where they belong.
 * Bounds: ENTRIES_MAX; whoever adds beyond it forgets the oldest.
 */
import type { Entry, EntryKey } from "../../../../src/host/inspector/contract.ts";

/** About 100 MB of page memory, and hours of a busy cluster. */
export const ENTRIES_MAX = 200_000;

interface Placed {
  readonly entry: Entry;
  /** Its place in time. Units: ms. */
  readonly time: number;
}

const lifeOf = ({ node, life }: EntryKey): string => `${node}:${life}`;

function inOrder(left: Placed, right: Placed): number {
  if (left.time !== right.time) return left.time - right.time;
  const { entry: a } = left;
  const { entry: b } = right;
  if (a.node !== b.node) return a.node < b.node ? -1 : 1;
  return a.life - b.life || a.n - b.n;
}

/** Number of items for which `isBefore` holds; they stand first. */
export function partition<T>(items: readonly T[], isBefore: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item !== undefined && isBefore(item)) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class History {
  #all: Placed[] = [];
  readonly #lives = new Map<string, Placed[]>();
  readonly #latest = new Map<string, number>();

  get length(): number {
    return this.#all.length;
  }

  at(position: number): Entry | undefined {
    return this.#all[position]?.entry;
  }

  /** Its place in time: `at`, unless its node's clock was set back. Units: ms. */
  timeAt(position: number): number | undefined {
    return this.#all[position]?.time;
  }

  slice(from: number, to: number): readonly Entry[] {
    return this.#all.slice(Math.max(0, from), Math.max(0, to)).map(({ entry }) => entry);
  }

  /** Adds what is new of a batch; returns the lowest position that changed and the entries that were new. */
  add(batch: readonly Entry[]): { readonly from: number; readonly added: readonly Entry[] } {
    const fresh = batch.flatMap((entry) => this.#place(entry) ?? []).sort(inOrder);
    const [first] = fresh;
    if (first === undefined) return { from: this.#all.length, added: [] };
    const from = partition(this.#all, (placed) => inOrder(placed, first) < 0);
    const tail = this.#all.splice(from);
    let next = 0;
    for (const placed of fresh) {
      for (let one = tail[next]; one !== undefined && inOrder(one, placed) < 0; one = tail[next]) {
        this.#all.push(one);
        next += 1;
      }
      this.#all.push(placed);
    }
    for (const one of tail.slice(next)) this.#all.push(one);
    return { from, added: fresh.map(({ entry }) => entry) };
  }

  /** Its place in time, or null when it is known already: a stream that was resumed may repeat. */
  #place(entry: Entry): Placed | null {
    const life = this.#lives.get(lifeOf(entry)) ?? [];
    const last = life.at(-1);
    if (last !== undefined && entry.n <= last.entry.n) return null;
    const time = Math.max(entry.at, this.#latest.get(entry.node) ?? -Infinity);
    const placed = { entry, time };
    life.push(placed);
    this.#lives.set(lifeOf(entry), life);
    this.#latest.set(entry.node, time);
    return placed;
  }

  /** Position of an entry, or of the nearest later one of its life when it is not held; -1 when there is neither. */
  positionOf(key: EntryKey): { readonly position: number; readonly isExact: boolean } {
    const life = this.#lives.get(lifeOf(key)) ?? [];
    const placed = life[partition(life, ({ entry }) => entry.n < key.n)];
    if (placed === undefined) return { position: -1, isExact: false };
    const position = partition(this.#all, (one) => inOrder(one, placed) < 0);
    return { position, isExact: placed.entry.n === key.n };
  }

  /** The last position not later than a time; -1 when all are later. */
  positionAtTime(time: number): number {
    return partition(this.#all, (placed) => placed.time <= time) - 1;
  }

  /** Names of a node's lives that are held, oldest first, each with its first and last entry. */
  lives(): readonly { readonly node: string; readonly life: number; readonly first: Entry; readonly last: Entry }[] {
    return [...this.#lives.values()].flatMap((placed) => {
      const first = placed[0]?.entry;
      const last = placed.at(-1)?.entry;
      return first === undefined || last === undefined ? [] : [{ node: first.node, life: first.life, first, last }];
    });
  }

  /** Drops the oldest entries. */
  forget(count: number): void {
    const gone = this.#all.splice(0, count);
    const counts = new Map<string, number>();
    for (const { entry } of gone) counts.set(lifeOf(entry), (counts.get(lifeOf(entry)) ?? 0) + 1);
    for (const [name, lost] of counts) {
      const life = this.#lives.get(name)?.slice(lost) ?? [];
      if (life.length === 0) this.#lives.delete(name);
      else this.#lives.set(name, life);
    }
  }
}
