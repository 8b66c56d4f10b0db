/** Chains of real blocks for tests of stores: encoded headers and bodies, Sky's own digests, Merkle roots. */
import { type Digest, epoch, height, logTime, view } from "../../src/base/brands.ts";
import { ZERO_DIGEST, utf8 } from "../../src/base/bytes.ts";
import { encode } from "../../src/base/codec.ts";
import { MerkleFrontier } from "../../src/crypto/merkle.ts";
import { type Body, type Header, type LogEvent, bodyShape, headerShape } from "../../src/events/facts/block.ts";
import { blockHash, bodyHash, bundleDigest } from "../../src/events/facts/hashing.ts";
import type { LogHashing } from "../../src/events/store/damage.ts";

export const hashing: LogHashing = { header: blockHash, body: bodyHash, bundle: bundleDigest };

export const bundleOf = (text: string) => {
  const bytes = utf8(text);
  return { digest: hashing.bundle(bytes), bytes };
};

/** Makes successive blocks; `bundles` names what a block orders. */
export class Chain {
  #tree = MerkleFrontier.empty;
  #parent: Digest = ZERO_DIGEST;
  #salt: string;

  /** Chains with different salts have different blocks from genesis on. */
  constructor(salt = "") {
    this.#salt = salt;
  }

  next(bundles: readonly Digest[] = []): LogEvent {
    const at = this.#tree.size;
    const content: Body =
      at === 0 ? { kind: "genesis", document: utf8(`founding ${this.#salt}`) } : { kind: "executions", bundles };
    const body = encode(bodyShape, content);
    const fields: Header = {
      height: height(at),
      epoch: epoch(0),
      view: view(at),
      parentView: view(Math.max(0, at - 1)),
      parent: this.#parent,
      bodyHash: hashing.body(body),
      logRoot: this.#tree.root(),
      lastReconfigure: height(0),
      lastCheckpoint: height(0),
      time: logTime(at === 0 ? 0 : 1_700_000_000_000 + at),
      executed: { height: height(0), root: ZERO_DIGEST },
    };
    const header = encode(headerShape, fields);
    const hash = hashing.header(header);
    this.#tree = this.#tree.appended(hash);
    this.#parent = hash;
    return { height: height(at), hash, block: { header, body }, proof: proofAt(at, hash) };
  }

  take(count: number): LogEvent[] {
    return Array.from({ length: count }, () => this.next());
  }
}

function proofAt(at: number, hash: Digest): LogEvent["proof"] {
  if (at === 0) return { kind: "genesis", signatures: utf8("signatures") };
  if (at % 3 === 0) return { kind: "none" };
  const certificate = {
    kind: "finalization" as const,
    epoch: epoch(0),
    view: view(at),
    blockHash: hash,
    signers: Uint8Array.of(0b0111),
    signatures: [1, 2, 3].map((fill) => new Uint8Array(64).fill(fill)),
  };
  return { kind: "finalization", certificate, headers: [] };
}
