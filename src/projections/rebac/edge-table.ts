/**
 * One set of directed edges over integer ids, kept as records in a typed array: each edge hangs in the list of what leaves
 * its origin, in the list of what arrives at its target, and in a hash chain that finds it by both ends. Adding, finding and
 * removing cost the same whatever the degree of its ends; walks touch one record per edge and allocate nothing.
 *
 * The state bits say who sees an edge (or a node): readers see what the last whole block left, the writer sees the block in
 * work as well. 0 is settled; ADDED is hidden from readers; REMOVED is hidden from the writer; both bits: came and went within
 * the block in work, seen by nobody.
 */
export const SETTLED = 0;
export const ADDED = 1;
export const REMOVED = 2;
/** Id without a record. */
export const VACANT = 4;

/** Bits that hide from readers, from the writer. */
export const HIDDEN_FROM_READERS = ADDED | VACANT;
export const HIDDEN_FROM_WRITER = REMOVED | VACANT;

/** Fields of a record of 2^RECORD_SHIFT integers: 32 bytes, so that one cache line holds all of an edge. */
export const RECORD_SHIFT = 3;
export const FROM = 0;
export const TO = 1;
export const NEXT_OUT = 2;
const PREVIOUS_OUT = 3;
export const NEXT_IN = 4;
const PREVIOUS_IN = 5;
const NEXT_HASH = 6;
export const STATE = 7;

const EDGES_AT_START = 1024;

/** A longer copy; what is new is zero. */
export function grown<T extends Int32Array | Uint8Array>(array: T, length: number, make: (length: number) => T): T {
  const copy = make(length);
  copy.set(array);
  return copy;
}
export const int32s = (length: number): Int32Array<ArrayBuffer> => new Int32Array(length);

export class EdgeTable {
  /** Records by edge id; id 0 is no edge. Read by walks; written only here. */
  records = int32s(EDGES_AT_START << RECORD_SHIFT);
  /** First edge that leaves, by id of its origin. */
  outHead = int32s(EDGES_AT_START);
  /** First edge that arrives, by id of its target. */
  inHead = int32s(EDGES_AT_START);
  /** How many edges leave, as the writer sees it. */
  outDegree = int32s(EDGES_AT_START);
  /** How many edges arrive, as the writer sees it. */
  inDegree = int32s(EDGES_AT_START);
  #buckets = int32s(EDGES_AT_START);
  #end = 1;
  /** First vacant record; the next one stands in its NEXT_OUT. */
  #vacant = 0;
  /** Edges the writer sees. */
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    const parts = [this.records, this.outHead, this.inHead, this.outDegree, this.inDegree, this.#buckets];
    return parts.reduce((sum, part) => sum + part.byteLength, 0);
  }

  /** Makes room for origins below `froms` and targets below `tos`. */
  reserve(froms: number, tos: number): void {
    if (froms > this.outHead.length) {
      const length = Math.max(froms, 2 * this.outHead.length);
      this.outHead = grown(this.outHead, length, int32s);
      this.outDegree = grown(this.outDegree, length, int32s);
    }
    if (tos > this.inHead.length) {
      const length = Math.max(tos, 2 * this.inHead.length);
      this.inHead = grown(this.inHead, length, int32s);
      this.inDegree = grown(this.inDegree, length, int32s);
    }
  }

  /** The edge between two ids, whoever sees it; 0 when there is none. */
  find(from: number, to: number): number {
    const records = this.records;
    let edge = this.#buckets[this.#bucketOf(from, to)] ?? 0;
    while (edge !== 0) {
      const at = edge << RECORD_SHIFT;
      if (records[at + FROM] === from && records[at + TO] === to) return edge;
      edge = records[at + NEXT_HASH] ?? 0;
    }
    return 0;
  }

  /** Whether an edge is there for those whom `hidden` bits hide. */
  has(from: number, to: number, hidden: number): boolean {
    const edge = this.find(from, to);
    return edge !== 0 && (this.stateOf(edge) & hidden) === 0;
  }

  stateOf(edge: number): number {
    return this.records[(edge << RECORD_SHIFT) + STATE] ?? VACANT;
  }

  fromOf(edge: number): number {
    return this.records[(edge << RECORD_SHIFT) + FROM] ?? 0;
  }

  toOf(edge: number): number {
    return this.records[(edge << RECORD_SHIFT) + TO] ?? 0;
  }

  /** Adds an edge that `find` did not find. */
  insert(from: number, to: number, state: number): number {
    const edge = this.#takeRecord();
    const records = this.records;
    const at = edge << RECORD_SHIFT;
    records[at + FROM] = from;
    records[at + TO] = to;
    records[at + STATE] = state;
    const nextOut = this.outHead[from] ?? 0;
    records[at + NEXT_OUT] = nextOut;
    records[at + PREVIOUS_OUT] = 0;
    if (nextOut !== 0) records[(nextOut << RECORD_SHIFT) + PREVIOUS_OUT] = edge;
    this.outHead[from] = edge;
    const nextIn = this.inHead[to] ?? 0;
    records[at + NEXT_IN] = nextIn;
    records[at + PREVIOUS_IN] = 0;
    if (nextIn !== 0) records[(nextIn << RECORD_SHIFT) + PREVIOUS_IN] = edge;
    this.inHead[to] = edge;
    const bucket = this.#bucketOf(from, to);
    records[at + NEXT_HASH] = this.#buckets[bucket] ?? 0;
    this.#buckets[bucket] = edge;
    if ((state & REMOVED) === 0) this.#count(from, to, 1);
    return edge;
  }

  /** Changes who sees an edge. */
  setState(edge: number, state: number): void {
    const at = edge << RECORD_SHIFT;
    const before = this.records[at + STATE] ?? VACANT;
    this.records[at + STATE] = state;
    const change = (before & REMOVED) === (state & REMOVED) ? 0 : (state & REMOVED) === 0 ? 1 : -1;
    if (change !== 0) this.#count(this.fromOf(edge), this.toOf(edge), change);
  }

  /** Takes an edge out of every list; its id may come again. */
  delete(edge: number): void {
    const records = this.records;
    const at = edge << RECORD_SHIFT;
    const from = records[at + FROM] ?? 0;
    const to = records[at + TO] ?? 0;
    if (((records[at + STATE] ?? VACANT) & REMOVED) === 0) this.#count(from, to, -1);
    this.#unlink(
      records[at + PREVIOUS_OUT] ?? 0,
      records[at + NEXT_OUT] ?? 0,
      NEXT_OUT,
      PREVIOUS_OUT,
      this.outHead,
      from,
    );
    this.#unlink(records[at + PREVIOUS_IN] ?? 0, records[at + NEXT_IN] ?? 0, NEXT_IN, PREVIOUS_IN, this.inHead, to);
    const bucket = this.#bucketOf(from, to);
    const following = records[at + NEXT_HASH] ?? 0;
    let edgeBefore = this.#buckets[bucket] ?? 0;
    if (edgeBefore === edge) this.#buckets[bucket] = following;
    else {
      for (;;) {
        const next = records[(edgeBefore << RECORD_SHIFT) + NEXT_HASH] ?? 0;
        if (next === edge || next === 0) break;
        edgeBefore = next;
      }
      records[(edgeBefore << RECORD_SHIFT) + NEXT_HASH] = following;
    }
    records[at + STATE] = VACANT;
    records[at + NEXT_OUT] = this.#vacant;
    this.#vacant = edge;
  }

  #count(from: number, to: number, change: number): void {
    this.#size += change;
    this.outDegree[from] = (this.outDegree[from] ?? 0) + change;
    this.inDegree[to] = (this.inDegree[to] ?? 0) + change;
  }

  #unlink(before: number, after: number, next: number, previous: number, heads: Int32Array, head: number): void {
    if (before === 0) heads[head] = after;
    else this.records[(before << RECORD_SHIFT) + next] = after;
    if (after !== 0) this.records[(after << RECORD_SHIFT) + previous] = before;
  }

  #takeRecord(): number {
    const vacant = this.#vacant;
    if (vacant !== 0) {
      this.#vacant = this.records[(vacant << RECORD_SHIFT) + NEXT_OUT] ?? 0;
      return vacant;
    }
    const edge = this.#end;
    this.#end += 1;
    if (this.#end << RECORD_SHIFT > this.records.length) {
      this.records = grown(this.records, 2 * this.records.length, int32s);
      this.#rehash(2 * this.#buckets.length);
    }
    return edge;
  }

  #rehash(length: number): void {
    this.#buckets = int32s(length);
    const records = this.records;
    for (let edge = 1; edge < this.#end - 1; edge++) {
      const at = edge << RECORD_SHIFT;
      if (((records[at + STATE] ?? VACANT) & VACANT) !== 0) continue;
      const bucket = this.#bucketOf(records[at + FROM] ?? 0, records[at + TO] ?? 0);
      records[at + NEXT_HASH] = this.#buckets[bucket] ?? 0;
      this.#buckets[bucket] = edge;
    }
  }

  #bucketOf(from: number, to: number): number {
    let mixed = Math.imul(from, 0x9e3779b1) ^ Math.imul(to, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
    mixed ^= mixed >>> 13;
    return mixed & (this.#buckets.length - 1);
  }
}
