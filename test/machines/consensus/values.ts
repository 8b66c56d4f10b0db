/** Values that scenarios and whole committees share. */
import { createHash } from "node:crypto";
import { type Digest, height, logTime, view } from "../../../src/base/brands.ts";
import type { FinalBlock } from "../../../src/machines/consensus/types.ts";

export { epoch, height, logTime, memberIndex, view } from "../../../src/base/brands.ts";
export { ZERO_DIGEST as ZERO } from "../../../src/base/bytes.ts";

export const GENESIS: FinalBlock = {
  hash: digest("genesis"),
  height: height(0),
  view: view(0),
  time: logTime(0),
  executedHeight: height(0),
  checkpoint: height(0),
};
export const GENESIS_ROOT = digest("root of genesis");

export function digest(text: string): Digest {
  return createHash("sha256").update(text).digest("hex") as Digest;
}

/** Roots depend on the chain, as the executor's do. */
export const rootAfter = (before: Digest, block: Digest): Digest => digest(`${before}/${block}`);
