/**
 * What waits: bounded per identifier and altogether, joined with what came before for the same, never moved in the order.
 * Source: ToIP KERI specification, "Escrow"; bounds: docs/adr/0020.
 */
import { equalBytes } from "../base/bytes.ts";
import { type Result, ok } from "../base/result.ts";
import { joinAttachments } from "./attachment-groups.ts";
import { encodeAttachments } from "./cesr/encode-attachments.ts";
import type { KerlFact } from "./kerl-facts.ts";
import {
  type EscrowBounds,
  type Judging,
  type KerlEscrow,
  type KerlReader,
  type KerlRefusal,
  escrowName,
  escrowSize,
  isReceiptEscrow,
} from "./kerl.ts";
import type { Attachments, ParsedBody } from "./messages.ts";
import { hasShare, isProven, keptAttachments, withinShare } from "./escrow-share.ts";

/** What is to wait, before it is known whether there is room. */
export interface Waiting extends Pick<KerlEscrow, "aid" | "sn" | "said" | "reason" | "waitsFor"> {
  readonly body: ParsedBody;
  readonly attachments: Attachments;
}

export { keptAttachments };

/**
 * The fact that makes it wait, or null when everything of it waits already. `joined`: with what is kept under its name.
 * Refuses: KERI_ESCROW_FULL; what is there already is never pushed out.
 */
export function escrowFact(
  reader: KerlReader,
  waiting: Waiting,
  { bounds }: Judging,
  joined: boolean,
): Result<KerlFact | null, KerlRefusal> {
  const { body, attachments, ...place } = waiting;
  const earlier = reader.escrow(escrowName(place));
  const all = earlier !== undefined && joined ? joinAttachments(keptAttachments(earlier), attachments) : attachments;
  const together = isReceiptEscrow(place) ? withinShare(reader, all) : all;
  const attached = encodeAttachments({ ...together, firstSeen: [] }, body.version.major);
  if (
    earlier !== undefined &&
    earlier.reason === place.reason &&
    earlier.waitsFor === place.waitsFor &&
    equalBytes(earlier.attached, attached)
  )
    return ok(null);
  if (place.reason === "out-of-order" && body.type !== "rpy" && isFarAhead(reader, place, bounds)) return full();
  const newcomer = { ...place, event: body.bytes, attached };
  if (!hasRoom(reader, newcomer, earlier, bounds)) return full();
  return ok({ kind: "keyEventEscrowed", ...newcomer });
}

/** More than could wait between it and the latest: then it need not be the first of those that come early. */
const isFarAhead = (
  reader: KerlReader,
  { aid, sn }: Pick<KerlEscrow, "aid" | "sn">,
  { perAid }: EscrowBounds,
): boolean => sn > (reader.keyState(aid)?.latest.sn ?? -1) + perAid;

function hasRoom(
  reader: KerlReader,
  newcomer: Omit<KerlEscrow, "height" | "order">,
  earlier: KerlEscrow | undefined,
  bounds: EscrowBounds,
): boolean {
  const size = escrowSize(newcomer);
  const before = earlier === undefined ? 0 : escrowSize(earlier);
  // What shrinks takes nothing from anybody.
  const takesPlace = earlier === undefined;
  if (takesPlace && reader.escrowCount() >= bounds.all) return false;
  if (size > before && reader.escrowBytes() + size - before > bounds.bytesAll) return false;
  const name = escrowName(newcomer);
  const others = reader
    .escrowsOf(newcomer.aid)
    .filter((other) => isReceiptEscrow(other) === isReceiptEscrow(newcomer) && escrowName(other) !== name);
  if (!fits(newcomer, others, takesPlace, bounds.perAid, bounds.bytesPerAid)) return false;
  if (!isReceiptEscrow(newcomer) && !isProven(reader, newcomer)) {
    const unproven = others.filter((other) => !isProven(reader, other));
    if (!fits(newcomer, unproven, takesPlace, bounds.perAid / 2, bounds.bytesPerAid / 2)) return false;
  }
  return size <= before || bounds.isShared === false || hasShare(reader, newcomer, earlier, others, bounds);
}

const fits = (
  newcomer: Pick<KerlEscrow, "event" | "attached">,
  others: readonly KerlEscrow[],
  takesPlace: boolean,
  places: number,
  bytes: number,
): boolean =>
  !(takesPlace && others.length >= places) &&
  others.reduce((sum, other) => sum + escrowSize(other), escrowSize(newcomer)) <= bytes;

const full = (): { readonly ok: false; readonly refusal: KerlRefusal } => ({
  ok: false,
  refusal: {
    code: "KERI_ESCROW_FULL",
    message: "There is no more room for messages that wait; send first what they wait for, in order.",
    blame: "peer",
  },
});

/** Ends the wait without acceptance. */
export const dropFact = ({ aid, sn, said, reason, waitsFor }: KerlEscrow, code: string): KerlFact => ({
  kind: "keyEventDropped",
  aid,
  sn,
  said,
  reason,
  waitsFor,
  code,
});
