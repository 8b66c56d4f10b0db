import type { KeyObject } from "node:crypto";

/** Imported public keys by their bytes as text; the least recently used one goes first. Bounds: `max` keys, about 1 KB each. */
export class KeyObjectCache {
  readonly #max: number;
  readonly #keys = new Map<string, KeyObject>();

  constructor(max: number) {
    this.#max = max;
  }

  /** The key of that name, made now unless it is known. Throws: whatever `make` throws; then nothing is remembered. */
  get(name: string, make: () => KeyObject): KeyObject {
    const known = this.#keys.get(name);
    if (known !== undefined) {
      this.#keys.delete(name);
      this.#keys.set(name, known);
      return known;
    }
    const made = make();
    if (this.#keys.size >= this.#max) {
      for (const oldest of this.#keys.keys()) {
        this.#keys.delete(oldest);
        break;
      }
    }
    this.#keys.set(name, made);
    return made;
  }
}
