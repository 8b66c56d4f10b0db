/**
 * A map from short texts to bytes outside the JavaScript heap: a million entries cost the collector nothing. Entries are replaced
 * and never removed, as identifiers are.
 */
import { assert, present } from "../../base/errors.ts";

/** Records are placed on multiples of it, so that 32 bits address 128 GiB. Units: bytes. */
const GRAIN = 32;
const PAGE_GRAINS = (4 * 1024 * 1024) / GRAIN;
/** Length of the key, grains of the record, length of the value. */
const HEAD = 1 + 2 + 4;
const SLOTS_MIN = 1024;
/** More than half a full table makes long runs of taken slots. */
const FILL_MAX = 0.5;

export class ByteTable {
  readonly #pages: Buffer[] = [];
  /** Grains given away of all pages. */
  #used = 0;
  /** Records that were outgrown, by their grains. */
  readonly #free = new Map<number, number[]>();
  readonly #seed: number;
  /** Place of a record in grains, plus one; 0: nothing. */
  #slots = new Uint32Array(SLOTS_MIN);
  #hashes = new Uint32Array(SLOTS_MIN);
  #size = 0;

  /** The seed keeps strangers, who choose keys, from making them collide; it is no part of any state. */
  constructor(seed = 0) {
    this.#seed = seed >>> 0;
  }

  get size(): number {
    return this.#size;
  }

  /** Memory taken. Units: bytes. */
  get bytes(): number {
    return this.#pages.reduce((sum, page) => sum + page.length, 0) + 8 * this.#slots.length;
  }

  /** The bytes of a key, to be read at once: `set` may move them. */
  get(key: string): Uint8Array | undefined {
    const slot = this.#find(key, this.#hash(key));
    const ref = this.#slots[slot] ?? 0;
    return ref === 0 ? undefined : this.#valueAt(ref - 1);
  }

  /** Throws: Defect for keys that are not of at most 255 characters of one byte. */
  set(key: string, value: Uint8Array): void {
    const hash = this.#hash(key);
    const slot = this.#find(key, hash);
    const ref = this.#slots[slot] ?? 0;
    if (ref !== 0) {
      this.#slots[slot] = this.#replaced(ref - 1, key, value) + 1;
      return;
    }
    this.#slots[slot] = this.#written(key, value) + 1;
    this.#hashes[slot] = hash;
    this.#size += 1;
    if (this.#size > this.#slots.length * FILL_MAX) this.#grow();
  }

  #hash(key: string): number {
    let hash = this.#seed ^ 0x811c9dc5;
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return (hash ^ (hash >>> 13)) >>> 0;
  }

  /** The slot of the key, or the empty one where it belongs. */
  #find(key: string, hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const ref = this.#slots[slot] ?? 0;
      if (ref === 0 || (this.#hashes[slot] === hash && this.#isKey(ref - 1, key))) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const { length } = this.#slots;
    const slots = new Uint32Array(2 * length);
    const hashes = new Uint32Array(2 * length);
    const mask = slots.length - 1;
    for (let i = 0; i < length; i++) {
      const ref = this.#slots[i] ?? 0;
      if (ref === 0) continue;
      const hash = this.#hashes[i] ?? 0;
      let slot = hash & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = ref;
      hashes[slot] = hash;
    }
    this.#slots = slots;
    this.#hashes = hashes;
  }

  #pageOf(place: number): Buffer {
    return present(this.#pages[Math.floor(place / PAGE_GRAINS)], "a record lies on a page");
  }

  #isKey(place: number, key: string): boolean {
    const page = this.#pageOf(place);
    const at = (place % PAGE_GRAINS) * GRAIN;
    if (page[at] !== key.length) return false;
    for (let i = 0; i < key.length; i++) if (page[at + HEAD + i] !== key.charCodeAt(i)) return false;
    return true;
  }

  #valueAt(place: number): Uint8Array {
    const page = this.#pageOf(place);
    const at = (place % PAGE_GRAINS) * GRAIN;
    const from = at + HEAD + (page[at] ?? 0);
    return page.subarray(from, from + page.readUInt32LE(at + 3));
  }

  /** Returns where the value stands now. */
  #replaced(place: number, key: string, value: Uint8Array): number {
    const grains = this.#pageOf(place).readUInt16LE((place % PAGE_GRAINS) * GRAIN + 1);
    if (grainsOf(key, value) <= grains) {
      this.#write(place, grains, key, value);
      return place;
    }
    const outgrown = this.#free.get(grains);
    if (outgrown === undefined) this.#free.set(grains, [place]);
    else outgrown.push(place);
    return this.#written(key, value);
  }

  #written(key: string, value: Uint8Array): number {
    const grains = grainsOf(key, value);
    assert(grains < 0x1_0000 && grains <= PAGE_GRAINS, "a record fits a page");
    const place = this.#free.get(grains)?.pop() ?? this.#taken(grains);
    this.#write(place, grains, key, value);
    return place;
  }

  #taken(grains: number): number {
    const left = this.#pages.length * PAGE_GRAINS - this.#used;
    if (left < grains) {
      this.#used += left;
      this.#pages.push(Buffer.alloc(PAGE_GRAINS * GRAIN));
    }
    const place = this.#used;
    this.#used += grains;
    return place;
  }

  #write(place: number, grains: number, key: string, value: Uint8Array): void {
    const page = this.#pageOf(place);
    const at = (place % PAGE_GRAINS) * GRAIN;
    assert(key.length < 256, "a key is short");
    page[at] = key.length;
    page.writeUInt16LE(grains, at + 1);
    page.writeUInt32LE(value.length, at + 3);
    const written = page.write(key, at + HEAD, "latin1");
    assert(written === key.length, "a key has one byte for each character");
    page.set(value, at + HEAD + key.length);
  }
}

const grainsOf = (key: string, value: Uint8Array): number => Math.ceil((HEAD + key.length + value.length) / GRAIN);
