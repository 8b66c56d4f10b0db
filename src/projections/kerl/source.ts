/** What a layer of a key event receipt log asks of what lies below it: all that the rules ask, and the escrows. */
import type { Aid } from "../../base/brands.ts";
import type { KerlEscrow, KerlReader } from "../../keri/kerl.ts";
import type { EventSeal } from "../../keri/messages.ts";

export interface KerlSource extends KerlReader {
  /** All of them, in no order. */
  escrows(): Iterable<KerlEscrow>;
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

/** For a newcomer: one more than that of every escrow there is, and so the same on a replica that has just started. */
export function nextOrder(source: Pick<KerlSource, "escrows">): number {
  let last = 0;
  for (const { order } of source.escrows()) last = Math.max(last, order);
  return last + 1;
}
