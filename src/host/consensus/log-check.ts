/** The check of the log at start: from the last verified mark before service, everything older in the background (DESIGN §4). */
import type { Digest } from "../../base/brands.ts";
import { type Height, height as heightOf } from "../../base/brands.ts";
import { ZERO_DIGEST } from "../../base/bytes.ts";
import { decode, encode, bytes, hex, integer, list, record } from "../../base/codec.ts";
import { type FrontierState, MerkleFrontier } from "../../crypto/merkle.ts";
import type { LogEvent } from "../../events/facts/block.ts";
import { LogDamage } from "../../events/store/damage.ts";
import type { LogDatabase } from "../../events/store/log-database.ts";
import type { Mark } from "../../events/store/log-batch.ts";
import type { PageLimits } from "../../events/store/event-table.ts";
import { type Verified, verifyRange } from "../../events/store/log-verify.ts";

/** Name of the mark in the log database. */
const MARK = "verified";
/** Stands from the first damaged record found until the log is healed. */
const DAMAGED_MARK = "damaged";

/** Authenticates bytes under the keystore: only this node's unsealed enclave can have made the answer. */
export type Authenticate = (bytes: Uint8Array) => Promise<Uint8Array>;

interface VerifiedMark {
  readonly next: number;
  readonly parent: Digest;
  readonly frontier: FrontierState;
}

const markShape = record<VerifiedMark>("mark", {
  next: integer(),
  parent: hex<Digest>(32),
  frontier: record<FrontierState>("frontier", { size: integer(), subtrees: list(hex<Digest>(32), 64) }),
});
const sealedMarkShape = record<{ readonly mark: Uint8Array; readonly tag: Uint8Array }>("sealed mark", {
  mark: bytes(1, 4096),
  tag: bytes(32),
});

/** Nothing is verified yet. */
export const START: Verified<MerkleFrontier> = { next: heightOf(0), tree: MerkleFrontier.empty, parent: ZERO_DIGEST };

/** Where the last check ended, if this node's enclave vouches for it; else the beginning. */
async function lastMark(log: LogDatabase, authenticate: Authenticate): Promise<Verified<MerkleFrontier>> {
  const stored = log.mark(MARK);
  const sealed = stored && decode(sealedMarkShape, stored, 8192);
  if (sealed === undefined || !sealed.ok) return START;
  const tag = await authenticate(sealed.value.mark);
  const mark = decode(markShape, sealed.value.mark, 4096);
  if (Buffer.compare(tag, sealed.value.tag) !== 0 || !mark.ok) return START;
  const { next, parent, frontier } = mark.value;
  return { next: heightOf(next), tree: MerkleFrontier.from(frontier), parent };
}

/** Remembers that everything up to the head holds. */
export async function writeMark(
  log: LogDatabase,
  verified: Verified<MerkleFrontier>,
  authenticate: Authenticate,
): Promise<void> {
  log.commit({ marks: [await sealedMark(verified, authenticate), { name: DAMAGED_MARK, value: null }] });
}

/** What `writeMark` writes, for a commit of the caller's own. */
export async function sealedMark(verified: Verified<MerkleFrontier>, authenticate: Authenticate): Promise<Mark> {
  const mark = encode(markShape, { next: verified.next, parent: verified.parent, frontier: verified.tree.state });
  const tag = await authenticate(mark);
  return { name: MARK, value: encode(sealedMarkShape, { mark, tag }) };
}

/** The log is damaged: until all of it was read again and holds, every start heals before it serves. */
export function markDamaged(log: LogDatabase): void {
  log.commit({
    marks: [
      { name: MARK, value: null },
      { name: DAMAGED_MARK, value: Uint8Array.of(1) },
    ],
  });
}

export const isMarkedDamaged = (log: LogDatabase): boolean => log.mark(DAMAGED_MARK) !== undefined;

function verify(log: LogDatabase, from: Verified<MerkleFrontier>, to: Height): Verified<MerkleFrontier> {
  const slices = verifyRange(log, { from: from.next, to, tree: from.tree, parent: from.parent });
  for (;;) {
    const slice = slices.next();
    if (slice.done !== true) continue;
    if (slice.value.kind === "damaged") throw new LogDamage(log.path, heightOf(slice.value.height), slice.value.reason);
    return slice.value;
  }
}

/** What holds up to the head: below the mark by its word, to be read again in the background. Throws: LogDamage. */
export async function checkAtStart(log: LogDatabase, authenticate: Authenticate): Promise<Verified<MerkleFrontier>> {
  const mark = await lastMark(log, authenticate);
  const head = log.head()?.height ?? heightOf(0);
  if (mark.next > head + 1)
    throw new LogDamage(log.path, heightOf(head + 1), "events that this node had verified are missing");
  const verified = mark.next > head ? mark : verify(log, mark, head);
  await writeMark(log, verified, authenticate);
  return verified;
}

/** Before the first slice: the node, and those that start beside it, come to serve meanwhile. Units: ms. */
const BEGIN_MS = 3_000;
/** Slices of the background check are this far apart, so that it takes a small part of the worker. Units: ms. */
const PAUSE_MS = 20;
/** Of one slice; the signatures of an event's proof take some 300 µs. */
const SLICE: PageLimits = { limit: 16, bytesMax: 1024 * 1024 };

export interface BackgroundCheck {
  /** Heights below this are read. */
  readonly until: Height;
  /** Why a finality proof does not hold: the check at start leaves them out, since it keeps clients waiting. */
  readonly proofDefect: (event: LogEvent) => string | undefined;
  /** Runs a piece of work; what it throws (LogDamage, a Fault of the disk) stops the check and is dealt with there. */
  readonly guarded: (work: () => void) => void;
}

/** Reads everything again, proofs too, a slice at a time. Returns a function that stops it. */
export function checkInBackground(log: LogDatabase, { until, proofDefect, guarded }: BackgroundCheck): () => void {
  if (until === 0) return () => {};
  const slices = verifyRange(
    log,
    { from: START.next, to: heightOf(until - 1), tree: START.tree, parent: START.parent, proofDefect },
    SLICE,
  );
  let timer: NodeJS.Timeout;
  const later = (ms: number): void => {
    timer = setTimeout(() => guarded(step), ms);
    timer.unref();
  };
  const step = (): void => {
    const slice = slices.next();
    if (slice.done !== true) later(PAUSE_MS);
    else if (slice.value.kind === "damaged")
      throw new LogDamage(log.path, heightOf(slice.value.height), slice.value.reason);
  };
  later(BEGIN_MS);
  return () => clearTimeout(timer);
}
