/** What of a log holds at a start: from genesis, or from where a checkpoint was adopted, as the node's own mark says (src/host/consensus/log-check.ts). */
import { hash } from "node:crypto";
import type { Digest } from "../../src/base/brands.ts";
import { height as heightOf } from "../../src/base/brands.ts";
import { ZERO_DIGEST, concatBytes, equalBytes } from "../../src/base/bytes.ts";
import { decode, encode, hex, integer, record } from "../../src/base/codec.ts";
import { type FrontierState, MerkleFrontier } from "../../src/crypto/merkle.ts";
import { frontierShape } from "../../src/events/facts/checkpoint.ts";
import { LogDamage } from "../../src/events/store/damage.ts";
import type { Mark } from "../../src/events/store/log-batch.ts";
import { type Verified, verifyRange } from "../../src/events/store/log-verify.ts";
import type { Log } from "../../src/events/store/log.ts";

/** Nothing of the log is read yet. */
export const START: Verified<MerkleFrontier> = { next: heightOf(0), tree: MerkleFrontier.empty, parent: ZERO_DIGEST };

const MARK = "verified";
const TAG_BYTES = 32;
const MARK_BYTES_MAX = 4096;

const markShape = record<{ readonly next: number; readonly parent: Digest; readonly frontier: FrontierState }>("mark", {
  next: integer(),
  parent: hex<Digest>(32),
  frontier: frontierShape,
});

/** In place of the enclave's seal: what a disk spoils is seen. */
const tagOf = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");

export function verifiedMark({ next, parent, tree }: Verified<MerkleFrontier>): Mark {
  const bytes = encode(markShape, { next, parent, frontier: tree.state });
  return { name: MARK, value: concatBytes(tagOf(bytes), bytes) };
}

function lastMark(log: Log): Verified<MerkleFrontier> {
  const stored = log.mark(MARK);
  const bytes = stored?.subarray(TAG_BYTES);
  if (stored === undefined || bytes === undefined || !equalBytes(tagOf(bytes), stored.subarray(0, TAG_BYTES)))
    return START;
  const mark = decode(markShape, bytes, MARK_BYTES_MAX);
  if (!mark.ok) return START;
  const { next, parent, frontier } = mark.value;
  return { next: heightOf(next), tree: MerkleFrontier.from(frontier), parent };
}

/** Checks the log from the mark on; without one all of it. Throws: LogDamage. */
export function verified(log: Log): MerkleFrontier {
  const { next, tree, parent } = lastMark(log);
  const to = log.head()?.height ?? heightOf(0);
  if (next > to + 1) throw new LogDamage(log.path, heightOf(to + 1), "events that this node had verified are missing");
  const slices = verifyRange(log, { from: next, to, tree, parent });
  for (;;) {
    const slice = slices.next();
    if (slice.done !== true) continue;
    if (slice.value.kind === "damaged") throw new LogDamage(log.path, slice.value.height, slice.value.reason);
    return slice.value.tree;
  }
}
