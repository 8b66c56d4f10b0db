/**
 * What waits: bounded per identifier and altogether, joined with what came before for the same, never moved in the order.
 * Source: ToIP KERI specification, "Escrow"; bounds: docs/adr/0020.
 */
import { equalBytes } from "../base/bytes.ts";
import { type Result, ok } from "../base/result.ts";
import { decodeAttachments, joinAttachments } from "./attachment-groups.ts";
import { encodeAttachments } from "./cesr/encode-attachments.ts";
import type { KerlFact } from "./kerl-facts.ts";
import {
  type Judging,
  type KerlEscrow,
  type KerlReader,
  type KerlRefusal,
  escrowName,
  isReceiptEscrow,
} from "./kerl.ts";
import type { Attachments, ParsedBody } from "./messages.ts";
import { hasShare, withinShare } from "./escrow-share.ts";
import { storedBody } from "./stored-body.ts";

/** What is to wait, before it is known whether there is room. */
export interface Waiting extends Pick<KerlEscrow, "aid" | "sn" | "said" | "reason" | "waitsFor"> {
  readonly body: ParsedBody;
  readonly attachments: Attachments;
}

export const keptAttachments = (escrow: Pick<KerlEscrow, "event" | "attached">): Attachments =>
  decodeAttachments(escrow.attached, storedBody(escrow.event).version.major);

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
  const others = reader
    .escrowsOf(place.aid)
    .filter((other) => isReceiptEscrow(other) === isReceiptEscrow(place) && escrowName(other) !== escrowName(place));
  const bytes = others.reduce((sum, other) => sum + other.event.length + other.attached.length, 0);
  if (
    (earlier === undefined && (reader.escrowCount() >= bounds.all || others.length >= bounds.perAid)) ||
    bytes + body.bytes.length + attached.length > bounds.bytesPerAid ||
    (earlier === undefined && !hasShare(reader, { ...place, event: body.bytes, attached }, others, bounds))
  )
    return full();
  return ok({ kind: "keyEventEscrowed", ...place, event: body.bytes, attached });
}

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
