/** Final blocks of recordings and copied logs as the timeline shows them: from their bytes, and from the facts that they left. */
import { decode } from "../../base/codec.ts";
import {
  BODY_BYTES_MAX,
  type Block,
  type FinalityProof,
  HEADER_BYTES_MAX,
  bodyShape,
  headerShape,
} from "../../events/facts/block.ts";
import type { Fact } from "../../events/facts/fact.ts";
import type { BlockRow } from "./contract.ts";

/** How many commands a block settled, and how many of them were refused; a batch that was refused as a whole counts once. */
export function countsOf(facts: Iterable<Pick<Fact, "data">>): { readonly commands: number; readonly refused: number } {
  let [commands, refused] = [0, 0];
  for (const { data } of facts) {
    const isRefused = data.kind === "commandRefused" || data.kind === "batchRefused";
    if (isRefused) refused += 1;
    if (isRefused || data.kind === "commandExecuted") commands += 1;
  }
  return { commands, refused };
}

export interface RowParts {
  readonly hash: string;
  readonly block: Block;
  readonly proof: FinalityProof;
  /** Names of members, by index. */
  readonly names: readonly string[];
}

/** A block before it is executed: without commands and root. Undefined when its bytes are no block. */
export function finalRow({ hash, block, proof, names }: RowParts): BlockRow | undefined {
  const header = decode(headerShape, block.header, HEADER_BYTES_MAX);
  const body = decode(bodyShape, block.body, BODY_BYTES_MAX);
  if (!header.ok || !body.ok) return undefined;
  const { height, epoch, view, parentView, parent, time } = header.value;
  const signers = proof.kind === "finalization" ? proof.certificate.signers : undefined;
  return {
    height,
    epoch,
    view,
    parentView,
    hash,
    parent,
    time,
    leader: body.value.kind === "genesis" ? null : (names[view % names.length] ?? null),
    body: body.value.kind,
    commands: 0,
    refused: 0,
    root: null,
    signers: names.filter((_, i) => (((signers?.[i >> 3] ?? 0) >> (i & 7)) & 1) === 1),
  };
}
