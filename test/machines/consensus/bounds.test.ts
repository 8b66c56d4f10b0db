import { expect, it } from "vitest";
import { BUNDLES_PER_BLOCK_MAX } from "../../../src/events/facts/block.ts";
import { PROPOSED_BUNDLES_MAX } from "../../../src/machines/consensus/propose.ts";

it("a leader proposes as many bundles as a block's codec takes, and no more", () => {
  expect(PROPOSED_BUNDLES_MAX).toBe(BUNDLES_PER_BLOCK_MAX);
});
