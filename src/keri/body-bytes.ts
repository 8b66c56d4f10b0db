/** Bytes read and written one after the other, for the binary serialisations of bodies. Numbers are big-endian. */
import { fromUtf8 } from "../base/bytes.ts";

/** What binary bodies may hold: what JSON bodies do, without fractions and negative numbers. */
export type BodyValue =
  | string
  | number
  | boolean
  | null
  | readonly BodyValue[]
  | { readonly [name: string]: BodyValue };

/** Reads within its bytes; once something is missing or wrong it has `failed`, and everything read from then on means nothing. */
export class BodyReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get failed(): boolean {
    return this.#failed;
  }

  get done(): boolean {
    return !this.#failed && this.#at === this.#bytes.length;
  }

  fail(): null {
    this.#failed = true;
    return null;
  }

  /** A number of `length` bytes, at most eight. Fails for what is no safe integer. */
  number(length: number): number {
    let value = 0;
    for (const byte of this.#take(length)) value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) this.fail();
    return value;
  }

  text(length: number): string {
    const text = fromUtf8(this.#take(length));
    if (text === undefined) this.fail();
    return text ?? "";
  }

  /** Every item takes a byte at least, so that a count costs no more than the bytes that are there. */
  list(count: number, item: () => BodyValue): readonly BodyValue[] {
    const items: BodyValue[] = [];
    if (count > this.#bytes.length - this.#at) this.fail();
    for (let i = 0; i < count && !this.#failed; i++) items.push(item());
    return items;
  }

  /** Fails for names that are no text. A repeated name is lost here, and shows when the fields are written again. */
  map(count: number, item: () => BodyValue): { readonly [name: string]: BodyValue } {
    const fields: Record<string, BodyValue> = Object.create(null) as Record<string, BodyValue>;
    if (count > this.#bytes.length - this.#at) this.fail();
    for (let i = 0; i < count && !this.#failed; i++) {
      const name = item();
      if (typeof name === "string") fields[name] = item();
      else this.fail();
    }
    return fields;
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (this.#failed || end > this.#bytes.length) {
      this.fail();
      return new Uint8Array(0);
    }
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

export class BodyWriter {
  readonly #bytes: number[] = [];

  /** A number as `length` bytes. The caller has checked that it fits. */
  number(value: number, length: number): this {
    for (let i = length - 1; i >= 0; i--) this.#bytes.push(Math.floor(value / 256 ** i) % 256);
    return this;
  }

  text(encoded: Uint8Array): this {
    for (const byte of encoded) this.#bytes.push(byte);
    return this;
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}
