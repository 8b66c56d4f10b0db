/** How a stored block is judged each time it is read: the same checks at append, on every read and when a log is verified. */
import type { Digest, Height } from "../../base/brands.ts";
import { digestOf } from "../../base/bytes.ts";
import { decode } from "../../base/codec.ts";
import { Fault } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { type Block, HEADER_BYTES_MAX, type Header, headerShape } from "../facts/block.ts";

/** The digests that make blocks and bundles tamper-evident; given by the caller, since this room knows no cryptography. */
export interface LogHashing {
  /** Block hash of a header's bytes. */
  readonly header: (bytes: Uint8Array) => Digest;
  /** `bodyHash` of a body's bytes. */
  readonly body: (bytes: Uint8Array) => Digest;
  /** Digest by which blocks name a stored bundle. */
  readonly bundle: (bytes: Uint8Array) => Digest;
}

/** A stored record is not what was written. Service stops; peers can heal it. */
export class LogDamage extends Fault {
  /** Undefined where the record belongs to no block yet. */
  readonly height: Height | undefined;
  readonly reason: string;
  constructor(path: string, height: Height | undefined, reason: string) {
    const where = height === undefined ? "a record that no block holds yet" : `height ${height}`;
    super(
      "LOG_DAMAGED",
      `${path}: ${where} is damaged: ${reason}. Let the node fetch it from its peers, or restore a backup.`,
    );
    this.height = height;
    this.reason = reason;
  }
}

/** The header of a block whose bytes are those that `hash` and the header stand for. Refuses: DAMAGED, with what differs. */
export function judgeBlock(hashing: LogHashing, hash: Digest, block: Block): Result<Header> {
  if (hashing.header(block.header) !== hash)
    return refuse("DAMAGED", "the header does not hash to the block's hash", "none");
  const header = decode(headerShape, block.header, HEADER_BYTES_MAX);
  if (!header.ok) return refuse("DAMAGED", `the header cannot be read (${header.refusal.message})`, "none");
  if (hashing.body(block.body) !== header.value.bodyHash) {
    return refuse("DAMAGED", "the body does not hash to the header's bodyHash", "none");
  }
  return ok(header.value);
}

/** A stored hash as text; undefined when its length is wrong. */
export const storedDigest = (bytes: Uint8Array): Digest | undefined =>
  bytes.length === 32 ? digestOf(bytes) : undefined;
