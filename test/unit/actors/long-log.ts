/** A log that a committee could have made: every block on the one before, finalised by q real signatures. */
import { type Digest, epoch, height, logTime, memberIndex, view } from "../../../src/base/brands.ts";
import { encode } from "../../../src/base/codec.ts";
import { verify } from "../../../src/crypto/ed25519.ts";
import { present } from "../../../src/base/errors.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import {
  type Certificate,
  type FinalityProof,
  type LogEvent,
  bodyShape,
  headerShape,
} from "../../../src/events/facts/block.ts";
import { bundleShape } from "../../../src/events/facts/bundle.ts";
import { blockHash, bodyHash, bundleDigest, voteBytes } from "../../../src/events/facts/hashing.ts";
import type { LogBatch } from "../../../src/events/store/log-batch.ts";
import { bundleSigningBytes, encodeBundleBody } from "../../../src/actors/consensus/bundles.ts";
import { DEFAULT_TIMINGS } from "../../../src/machines/consensus/types.ts";
import { cluster, genesis, keys, signers } from "./world.ts";

export interface LongLogOptions {
  readonly blocks: number;
  /** Blocks that become final together, with one proof for the last of them. */
  readonly together?: number;
  /** Bytes of client batches in each block. */
  readonly bytes?: number;
}

const QUORUM = [0, 1, 2];

function finalization(at: number, hash: Digest): Certificate {
  const message = voteBytes(cluster, "finalize", epoch(0), view(at), hash);
  const signatures = QUORUM.map((member) => present(signers[member], "a member")(message));
  return {
    kind: "finalization",
    epoch: epoch(0),
    view: view(at),
    blockHash: hash,
    signers: Uint8Array.of(0b111),
    signatures,
  };
}

/** A bundle of member 0 with one batch of this many bytes. */
export function bundleOf(bytes: number, fill: number): Uint8Array {
  const committee = { cluster, epoch: epoch(0), self: memberIndex(0), keys, verify, timings: DEFAULT_TIMINGS };
  const body = encodeBundleBody(committee, [new Uint8Array(bytes).fill(fill + 1)]);
  return encode(bundleShape, { body, signature: present(signers[0], "a member")(bundleSigningBytes(committee, body)) });
}

/** What a member would have committed, in one batch. */
export function longLog({ blocks, together = 1, bytes = 0 }: LongLogOptions): LogBatch {
  let tree = MerkleFrontier.empty.appended(genesis.hash);
  let parent = genesis.hash;
  const events: LogEvent[] = [];
  const bundles: { digest: Digest; bytes: Uint8Array }[] = [];
  const bundleHeights: { digest: Digest; height: ReturnType<typeof height> }[] = [];
  for (let at = 1; at <= blocks; at++) {
    const named: Digest[] = [];
    for (let left = bytes; left > 0; left -= 1_000_000) {
      const bundle = bundleOf(Math.min(left, 1_000_000), at * 100 + named.length);
      const digest = bundleDigest(bundle);
      named.push(digest);
      bundles.push({ digest, bytes: bundle });
      bundleHeights.push({ digest, height: height(at) });
    }
    const body = encode(bodyShape, { kind: "executions", bundles: named });
    const header = encode(headerShape, {
      height: height(at),
      epoch: epoch(0),
      view: view(at),
      parentView: view(at - 1),
      parent,
      bodyHash: bodyHash(body),
      logRoot: tree.root(),
      lastReconfigure: height(0),
      lastCheckpoint: height(0),
      time: logTime(1_600_000_000_000 + at),
      executed: { height: height(0), root: sha256Digest(new Uint8Array()) },
    });
    const hash = blockHash(header);
    const proven = at % together === 0 || at === blocks;
    const proof: FinalityProof = proven
      ? { kind: "finalization", certificate: finalization(at, hash), headers: [] }
      : { kind: "none" };
    events.push({ height: height(at), hash, block: { header, body }, proof });
    tree = tree.appended(hash);
    parent = hash;
  }
  return { bundles, append: { expected: height(1), events }, bundleHeights };
}
