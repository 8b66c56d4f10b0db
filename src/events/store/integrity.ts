/**
 * A checksum over what a log database keeps that no hash of the chain covers: journal, marks, which candidates there are, and
 * where the log ends. A member's own votes are its own word; no peer can say them again, so that damage to them must show.
 */
import { hash } from "node:crypto";
import { height as asHeight } from "../../base/brands.ts";
import { digestBytes, digestOf } from "../../base/bytes.ts";
import type { Head } from "./event-table.ts";

/** Under which mark it stands; written with every commit that changes what it covers. */
export const INTEGRITY_MARK = "integrity";

const SUM_BYTES = 32;
const HEAD_BYTES = 8 + 32;
const CHECK_BYTES = 8;
const NO_HEAD = (1n << 64n) - 1n;

const sha256 = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");

/** A row of the tables it covers: what tells it apart as text, and its bytes. */
export interface CoveredRow {
  readonly table: "journal" | "marks" | "candidates";
  readonly fields: readonly (string | number)[];
  readonly bytes: Uint8Array;
}

/** Order does not matter and a row that goes is taken out again: an exclusive or of one digest for each row. */
export class Integrity {
  readonly #sum: Uint8Array;
  #head: Head | null;
  #changed = false;

  private constructor(sum: Uint8Array, head: Head | null) {
    this.#sum = sum;
    this.#head = head;
  }

  static empty(): Integrity {
    return new Integrity(new Uint8Array(SUM_BYTES), null);
  }

  /** As it was written; undefined when the mark itself is not what was written. */
  static decode(value: Uint8Array): Integrity | undefined {
    if (value.length !== SUM_BYTES + HEAD_BYTES + CHECK_BYTES) return undefined;
    const body = value.subarray(0, SUM_BYTES + HEAD_BYTES);
    if (Buffer.compare(sha256(body).subarray(0, CHECK_BYTES), value.subarray(body.length)) !== 0) return undefined;
    const at = Buffer.from(body).readBigUInt64BE(SUM_BYTES);
    const head = at === NO_HEAD ? null : { height: asHeight(Number(at)), hash: digestOf(body.slice(SUM_BYTES + 8)) };
    return new Integrity(body.slice(0, SUM_BYTES), head);
  }

  encode(): Uint8Array {
    const body = Buffer.alloc(SUM_BYTES + HEAD_BYTES);
    body.set(this.#sum);
    body.writeBigUInt64BE(this.#head === null ? NO_HEAD : BigInt(this.#head.height), SUM_BYTES);
    if (this.#head !== null) body.set(digestBytes(this.#head.hash), SUM_BYTES + 8);
    return new Uint8Array(Buffer.concat([body, sha256(body).subarray(0, CHECK_BYTES)]));
  }

  copy(): Integrity {
    return new Integrity(this.#sum.slice(), this.#head);
  }

  /** The log's last event as it was committed. */
  get head(): Head | null {
    return this.#head;
  }

  /** Whether it was since it was made. */
  get changed(): boolean {
    return this.#changed;
  }

  /** A row comes, or goes. */
  toggle({ table, fields, bytes }: CoveredRow): void {
    this.#changed = true;
    const digest = sha256(Buffer.concat([Buffer.from(`${JSON.stringify([table, ...fields])}\0`), bytes]));
    for (let i = 0; i < SUM_BYTES; i++) this.#sum[i] = (this.#sum[i] ?? 0) ^ (digest[i] ?? 0);
  }

  endsAt({ height, hash }: Head): void {
    this.#changed = true;
    this.#head = { height, hash };
  }

  hasSumOf(other: Integrity): boolean {
    return Buffer.compare(this.#sum, other.#sum) === 0;
  }
}
