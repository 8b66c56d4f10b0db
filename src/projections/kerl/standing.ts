/** How a message of a stream that was executed stands now: what an append answers, whoever asks again. */
import { present } from "../../base/errors.ts";
import type { Aid, Said } from "../../base/brands.ts";
import { isReceiptEscrow } from "../../keri/kerl.ts";
import type { EscrowReason, ParsedBody } from "../../keri/messages.ts";
import { replySigner } from "../../keri/replies.ts";
import type { KerlSource } from "./source.ts";

export type Standing = "accepted" | `escrowed:${EscrowReason}` | "known" | "receipt" | "forked" | "dropped";

type Asked = Pick<KerlSource, "event" | "eventAt" | "escrowsOf" | "forks">;

/**
 * `changed`: whether it changed anything when it was executed. Where it did not, and neither is in the log nor waits: a rival once more, or one
 * of too many to be kept. Cost: three look-ups; for a rival, the identifier's forks.
 */
export function standingOf(source: Asked, body: ParsedBody, changed: boolean): Standing {
  const aid = body.type === "rpy" ? replySigner(body) : body.aid;
  const isReceipt = body.type === "rct";
  const reason = reasonOf(source, aid, body.said, isReceipt);
  if (body.type === "rpy") return reason ?? (changed ? "accepted" : "known");
  const isAccepted = source.event(body.said) !== undefined;
  if (isReceipt && isAccepted) return changed ? "receipt" : "known";
  if (isAccepted) return changed ? "accepted" : "known";
  // A receipt may wait with its event.
  const waiting = reason ?? (isReceipt ? reasonOf(source, aid, body.said, false) : undefined);
  if (waiting !== undefined) return waiting;
  if (isReceipt) return changed ? "dropped" : "known";
  const isRival = source.forks(aid).some(({ said }) => said === body.said);
  return isRival || (!changed && source.eventAt(aid, body.sn) !== undefined) ? "forked" : "dropped";
}

function reasonOf(source: Asked, aid: Aid, said: Said, isReceipt: boolean): `escrowed:${EscrowReason}` | undefined {
  const waiting = source
    .escrowsOf(aid)
    .filter((escrow) => escrow.said === said && isReceiptEscrow(escrow) === isReceipt);
  return waiting.length === 0 ? undefined : `escrowed:${present(waiting[0], "it is not empty").reason}`;
}
