/** Blocks above the last final one, with the Merkle frontier after each. */
import type { Digest, Height } from "../../base/brands.ts";
import { decode } from "../../base/codec.ts";
import { assert } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { MerkleFrontier } from "../../crypto/merkle.ts";
import {
  BODY_BYTES_MAX,
  type Block,
  type Checkpoint,
  HEADER_BYTES_MAX,
  type Header,
  bodyShape,
  headerShape,
} from "../../events/facts/block.ts";
import { blockHash, bodyHash } from "../../events/facts/hashing.ts";
import type { BlockSummary, FinalBlock } from "../../machines/consensus/types.ts";

/** A block whose header and body fit each other, decoded once. */
export interface OpenedBlock {
  readonly hash: Digest;
  readonly block: Block;
  readonly header: Header;
  readonly bundles: readonly Digest[];
  /** What a checkpoint block proves. */
  readonly checkpoint: Checkpoint | null;
}

/** Opens a stranger's block. Refuses: MALFORMED, TOO_LARGE, BODY_MISMATCH, NOT_GENESIS. */
export function openBlock(block: Block): Result<OpenedBlock> {
  const header = decode(headerShape, block.header, HEADER_BYTES_MAX);
  if (!header.ok) return header;
  if (bodyHash(block.body) !== header.value.bodyHash)
    return refuse("BODY_MISMATCH", "The body is not the one the header names.", "peer");
  const body = decode(bodyShape, block.body, BODY_BYTES_MAX);
  if (!body.ok) return body;
  // Whoever could found the cluster again would name itself its administrator.
  if ((body.value.kind === "genesis") !== (header.value.height === 0))
    return refuse("NOT_GENESIS", "A founding document is the body of height 0 and of no other.", "peer");
  const bundles = body.value.kind === "executions" ? body.value.bundles : [];
  const checkpoint = body.value.kind === "checkpoint" ? body.value.checkpoint : null;
  return ok({ hash: blockHash(block.header), block, header: header.value, bundles, checkpoint });
}

/** Height of the newest checkpoint block up to this one: what its children must name. */
const checkpointOf = ({ header, checkpoint }: Pick<OpenedBlock, "header" | "checkpoint">): Height =>
  checkpoint === null ? header.lastCheckpoint : header.height;

export const summaryOf = ({ hash, header, bundles, checkpoint }: OpenedBlock): BlockSummary => ({
  hash,
  view: header.view,
  parentView: header.parentView,
  parent: header.parent,
  height: header.height,
  time: header.time,
  executedHeight: header.executed.height,
  executedRoot: header.executed.root,
  bundles,
  lastCheckpoint: header.lastCheckpoint,
  checkpoint: checkpointOf({ header, checkpoint }),
});

export const finalOf = ({
  hash,
  header,
  checkpoint,
}: Pick<OpenedBlock, "hash" | "header" | "checkpoint">): FinalBlock => ({
  hash,
  height: header.height,
  view: header.view,
  time: header.time,
  executedHeight: header.executed.height,
  checkpoint: checkpointOf({ header, checkpoint }),
});

export class Blocks {
  readonly #open = new Map<Digest, OpenedBlock>();
  readonly #frontiers = new Map<Digest, MerkleFrontier>();
  #final: Digest;

  constructor(final: Digest, frontier: MerkleFrontier) {
    this.#final = final;
    this.#frontiers.set(final, frontier);
  }

  get(hash: Digest): OpenedBlock | undefined {
    return this.#open.get(hash);
  }

  add(opened: OpenedBlock): void {
    this.#open.set(opened.hash, opened);
  }

  /** Tree over everything up to and including a block; undefined while an ancestor is missing. */
  frontierAfter(hash: Digest): MerkleFrontier | undefined {
    const path: Digest[] = [];
    let at = hash;
    let frontier = this.#frontiers.get(at);
    while (frontier === undefined) {
      const opened = this.#open.get(at);
      if (opened === undefined) return undefined;
      path.push(at);
      at = opened.header.parent;
      frontier = this.#frontiers.get(at);
    }
    for (let i = path.length - 1; i >= 0; i--) {
      const step = path[i];
      assert(step !== undefined, "within the path");
      frontier = frontier.appended(step);
      this.#frontiers.set(step, frontier);
    }
    return frontier;
  }

  /** The block is final: forgets everything at or below its view. */
  finalise(last: OpenedBlock): MerkleFrontier {
    const frontier = this.frontierAfter(last.hash);
    assert(frontier !== undefined, "a final block has its ancestors");
    this.#final = last.hash;
    for (const [hash, opened] of this.#open) if (opened.header.view <= last.header.view) this.#open.delete(hash);
    for (const hash of this.#frontiers.keys())
      if (hash !== this.#final && !this.#open.has(hash)) this.#frontiers.delete(hash);
    return frontier;
  }
}
