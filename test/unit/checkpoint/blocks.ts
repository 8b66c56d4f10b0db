/** Blocks as the projector takes them, made of what commands decided: real headers, so that a log can go on from a checkpoint. */
import type { ProjectedBlock } from "../../../src/actors/projector/projector.ts";
import { type Aid, type CommandId, epoch, height, logTime, view } from "../../../src/base/brands.ts";
import { ZERO_DIGEST } from "../../../src/base/bytes.ts";
import { encode, encodeSequence } from "../../../src/base/codec.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import { bodyShape, headerShape } from "../../../src/events/facts/block.ts";
import { type Fact, type FactData, factShape } from "../../../src/events/facts/fact.ts";
import type { GraphWrite } from "../../../src/events/facts/graph.ts";
import { blockHash, bodyHash } from "../../../src/events/facts/hashing.ts";
import { BlockOverlay } from "../../../src/projections/rebac/block-overlay.ts";
import { decide } from "../../../src/projections/rebac/decide.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import { inceptSingle } from "../../../src/keri/compose.ts";

export const STEP_MS = 400;
/** Remembered for so long. Units: ms. */
export const LIVES_MS = 1500;

const { aid, event } = inceptSingle({
  publicKey: new Uint8Array(32).fill(1),
  nextPublicKey: new Uint8Array(32).fill(2),
});
export const author: Aid = aid;
/** Its inception. */
export const icp: Uint8Array = event;

/** One block for each list of commands, after a genesis that incepts one identifier. */
export function projectedBlocks(history: readonly (readonly GraphWrite[])[]): readonly ProjectedBlock[] {
  const live = new LiveGraph();
  let tree = MerkleFrontier.empty;
  let parent = ZERO_DIGEST;
  let root = ZERO_DIGEST;
  return [[], ...history].map((writes, at) => {
    const time = logTime(10_000 + at * STEP_MS);
    const facts: Fact[] = [];
    const say = (index: number, ...data: readonly FactData[]): void => {
      for (const [n, one] of data.entries()) facts.push({ height: height(at), index, n, data: one });
    };
    if (at === 0) say(0, { kind: "identifierIncepted", aid, icp });
    const overlay = new BlockOverlay(live);
    for (const [index, write] of writes.entries()) {
      const decided = decide(overlay, write, { mayChangePolicy: true });
      if (decided.ok) overlay.keepCommand();
      const settled = {
        author,
        principal: null,
        id: (at * 1000 + index).toString(16).padStart(32, "0") as CommandId,
        digest: sha256Digest(Uint8Array.of(at, index)),
        notAfter: logTime(time + LIVES_MS),
      };
      if (decided.ok)
        say(index, { kind: "commandExecuted", ...settled, changed: decided.value.changed }, ...decided.value.facts);
      else
        say(index, {
          kind: "commandRefused",
          ...settled,
          code: decided.refusal.code,
          message: decided.refusal.message,
        });
    }
    overlay.merge();
    const body = encode(bodyShape, { kind: "executions", bundles: [] });
    const header = encode(headerShape, {
      height: height(at),
      epoch: epoch(0),
      view: view(at),
      parentView: view(Math.max(0, at - 1)),
      parent,
      bodyHash: bodyHash(body),
      logRoot: tree.root(),
      lastReconfigure: height(0),
      lastCheckpoint: height(0),
      time,
      executed: { height: height(Math.max(0, at - 1)), root },
    });
    parent = blockHash(header);
    tree = tree.appended(parent);
    const encoded = encodeSequence(factShape, facts);
    root = sha256Digest(encoded);
    return { height: height(at), hash: parent, root, time, facts: encoded, block: { header, body } };
  });
}
