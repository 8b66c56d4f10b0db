/** What the rules of src/keri say of a stream, message by message, and which streams keripy can be asked about. */
import { concatBytes } from "../../../src/base/bytes.ts";
import { encodeAttachments } from "../../../src/keri/cesr/encode-attachments.ts";
import { receipt } from "../../../src/keri/compose.ts";
import { applyKerlFact } from "../../../src/keri/kerl-fold.ts";
import { MemoryKerl } from "../../../src/keri/kerl-overlay.ts";
import type { KeriMessage, KeyEvent, ParsedBody } from "../../../src/keri/messages.ts";
import { judgeMessage } from "../../../src/keri/rules.ts";
import { bodyOf } from "../../../src/keri/stored-body.ts";
import { parseStream } from "../../../src/keri/stream.ts";
import { NONE } from "../../unit/keri/differential/lives.ts";
import type { Judged } from "./keripy.ts";

const MOMENT = { height: 0, bounds: { perAid: 4096, bytesPerAid: 2 ** 24, all: 4096, bytesAll: 2 ** 26 } };

/** The one message that these bytes are; undefined where they are none, or more. */
function messageIn(bytes: Uint8Array): KeriMessage | undefined {
  const { messages, refusal } = parseStream(bytes);
  return refusal === null && messages.length === 1 ? messages[0] : undefined;
}

function bodyIn(bytes: Uint8Array): ParsedBody | undefined {
  const message = messageIn(bytes);
  const body = message && bodyOf(message);
  return body?.ok === true ? body.value : undefined;
}

const isEvent = (body: ParsedBody | undefined): body is KeyEvent =>
  body !== undefined && body.type !== "rct" && body.type !== "rpy";

export interface Ours extends Judged {
  /** SAIDs of events in the order in which they came into force. */
  readonly accepted: readonly string[];
  /** The same events with what they were accepted with, as the log keeps and exports them. */
  readonly exported: readonly Uint8Array[];
}

export function judge(messages: readonly Uint8Array[]): Ours {
  const kerl = new MemoryKerl();
  const verdicts: string[] = [];
  const accepted: string[] = [];
  const exported: Uint8Array[] = [];
  for (const bytes of messages) {
    const message = messageIn(bytes);
    const judged = message && judgeMessage(kerl, message, MOMENT);
    if (judged?.ok !== true) {
      verdicts.push(`rejected:${judged === undefined ? "KERI_MALFORMED" : judged.refusal.code}`);
      continue;
    }
    verdicts.push(judged.value.verdict);
    for (const fact of judged.value.facts) {
      applyKerlFact(kerl, fact, MOMENT.height);
      if (fact.kind !== "keyEventAccepted") continue;
      accepted.push(fact.said);
      exported.push(concatBytes(fact.event, fact.attached));
    }
  }
  const inForce = Object.fromEntries(kerl.aids().map((aid) => [aid, kerl.log(aid).map(({ said }) => said)]));
  return { verdicts, accepted, exported, inForce };
}

/**
 * Receipt couples of witnesses as messages of their own: keripy looks at those attached to an event only after it has accepted it,
 * which it does not without them.
 */
export const couplesApart = (messages: readonly Uint8Array[]): readonly Uint8Array[] =>
  messages.flatMap((bytes) => {
    const message = messageIn(bytes);
    const body = bodyIn(bytes);
    if (message === undefined || !isEvent(body) || message.attachments.receiptCouples.length === 0) return [bytes];
    const { receiptCouples, ...rest } = message.attachments;
    return [
      concatBytes(body.bytes, encodeAttachments({ ...rest, receiptCouples: [] }, 1)),
      concatBytes(receipt(body).event, encodeAttachments({ ...NONE, receiptCouples }, 1)),
    ];
  });

/**
 * Whether keripy 1.3.6 follows the specification where this stream goes. What recovers it judges by the witnesses and next keys of what is
 * in force, not by those before the recovered place (Kever.deriveBacks, Kever.exposeds), and receipts that come before it are dropped; and an
 * anchor counts only while it has as many receipts as the delegator's latest event asks for (Baser.fullyWitnessed).
 */
export function isForKeripy(messages: readonly Uint8Array[]): boolean {
  const events = messages.map(bodyIn).filter(isEvent);
  const delegators = new Set(events.flatMap((event) => (event.type === "dip" ? [event.delegator] : [])));
  const places = new Map<string, KeyEvent>();
  const thresholds = new Map<string, number>();
  for (const event of events) {
    const place = `${event.aid} ${event.sn}`;
    const other = places.get(place) ?? event;
    places.set(place, event);
    if (other.said !== event.said && (event.type === "drt" || ![other, event].every(isWithoutWitnesses))) return false;
    if (event.type === "ixn" || !delegators.has(event.aid)) continue;
    if ((thresholds.get(event.aid) ?? event.witnessThreshold) !== event.witnessThreshold) return false;
    thresholds.set(event.aid, event.witnessThreshold);
  }
  return true;
}

function isWithoutWitnesses(event: KeyEvent): boolean {
  if (event.type === "ixn") return true;
  const named = "witnesses" in event ? event.witnesses : [...event.witnessesAdded, ...event.witnessesRemoved];
  return event.witnessThreshold === 0 && named.length === 0;
}

/** Each event when the rules accepted it, with all that came for it, and its receipts. */
export function inOrderOfAcceptance(
  messages: readonly Uint8Array[],
  accepted: readonly string[],
): readonly Uint8Array[] {
  const named = messages.map((bytes) => ({ bytes, body: bodyIn(bytes) }));
  const of = (said: string, events: boolean) =>
    named.filter(({ body }) => body?.said === said && isEvent(body) === events);
  return accepted.flatMap((said) => [...of(said, true), ...of(said, false)].map(({ bytes }) => bytes));
}
