import { createHmac } from "node:crypto";
import { assert } from "../base/errors.ts";

/** Key of this thread's digests of secrets; absent until the host injects one. */
let digestKey: Uint8Array | undefined;

/**
 * Lets secrets print as a digest under this key, so that logs can tell one from another. The host draws it at start and keeps it
 * in memory only: without the key a digest of a guessable secret confirms no guess.
 */
export function useSecretDigestKey(key: Uint8Array): void {
  assert(key.length === 32, "the digest key has 32 bytes");
  digestKey = Uint8Array.from(key);
}

/** What a secret may hold and still be wiped (bytes) or told apart in logs (bytes, text). */
type Holdable = Uint8Array | string | object;

/**
 * Holds a value that must not be seen by accident: printed, serialised, inspected or put into a message it shows a keyed digest.
 * `erase` zero-fills bytes (text and KeyObjects cannot be wiped, they are only let go).
 */
export class Secret<T extends Holdable> {
  #value: T | undefined;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself; the one place to look for who uses it. Throws: Defect after `erase`. */
  reveal(): T {
    assert(this.#value !== undefined, "an erased secret cannot be revealed");
    return this.#value;
  }

  get erased(): boolean {
    return this.#value === undefined;
  }

  /** Zero-fills bytes and forgets the value. Again: nothing. */
  erase(): void {
    if (this.#value instanceof Uint8Array) this.#value.fill(0);
    this.#value = undefined;
  }

  [Symbol.dispose](): void {
    this.erase();
  }

  toString(): string {
    const value = this.#value;
    if (value === undefined) return "Secret(erased)";
    if (digestKey === undefined || !(value instanceof Uint8Array || typeof value === "string"))
      return "Secret(redacted)";
    return `Secret(${createHmac("sha256", digestKey).update(value).digest("hex").slice(0, 16)})`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.toPrimitive](): string {
    return this.toString();
  }

  /** What console.log and util.inspect show. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}
