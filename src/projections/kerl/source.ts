/** What a layer of a key event receipt log asks of what lies below it: all that the rules ask, and the escrows. */
import type { Aid } from "../../base/brands.ts";
import type { KerlEscrow, KerlReader } from "../../keri/kerl.ts";
import type { EventSeal } from "../../keri/messages.ts";

export interface KerlSource extends KerlReader {
  /** All of them, in no order. */
  escrows(): Iterable<KerlEscrow>;
  /** The last of the orders that were given in this block, or before it to any that wait still. */
  newestOrder(): number;
}

/** What is asked of the store of the past; what happened since stands above it. Absence is no answer: later layers know better. */
export type KerlArchive = Pick<
  KerlSource,
  "keyStateAt" | "eventAt" | "event" | "eventBytes" | "anchors" | "signers" | "forks" | "reply"
>;

const NONE: ReadonlySet<string> = new Set();

/** For whoever keeps everything in memory. */
export const EMPTY_ARCHIVE: KerlArchive = {
  keyStateAt: () => undefined,
  eventAt: () => undefined,
  event: () => undefined,
  eventBytes: () => undefined,
  anchors: () => [],
  signers: () => NONE,
  forks: () => [],
  reply: () => undefined,
};

export const sealKey = (delegator: Aid, { aid, sn, said }: EventSeal): string => `${delegator} ${aid} ${sn} ${said}`;
export const placeKey = (aid: Aid, sn: number): string => `${aid} ${sn}`;

/** Newcomers of one block: fewer than its bytes. */
const NEWCOMERS_MAX = 2 ** 20;

/**
 * For a newcomer of this height: after `newest`, and after all of earlier heights whatever these were. So it is the same on a replica
 * that has just started, which knows of no others than those that wait still.
 */
export const nextOrder = (newest: number, height: number): number => Math.max(newest + 1, height * NEWCOMERS_MAX);
