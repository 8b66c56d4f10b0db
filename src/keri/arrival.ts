/** What a message does by itself when it comes: the facts of it, before anything that waits is looked at again. */
import type { Aid, Said } from "../base/brands.ts";
import { present } from "../base/errors.ts";
import { type Result, ok } from "../base/result.ts";
import { NO_ATTACHMENTS, joinAttachments } from "./attachment-groups.ts";
import { encodeAttachments } from "./cesr/encode-attachments.ts";
import { escrowFact, keptAttachments } from "./escrow.ts";
import { type EventOutcome, judgeEvent, provisionalState } from "./judge-event.ts";
import type { KerlFact } from "./kerl-facts.ts";
import {
  FORKS_PER_AID_MAX,
  FORKS_PER_PLACE_MAX,
  type Judging,
  type KerlEscrow,
  type KerlJudgement,
  type KerlReader,
  type KerlRefusal,
  type KerlResult,
  SIGNERS_PER_EVENT_MAX,
  escrowName,
} from "./kerl.ts";
import type {
  Attachments,
  IndexedSignature,
  KeyEvent,
  ReceiptMessage,
  ReplyMessage,
  TransferableSignatures,
} from "./messages.ts";
import { checkReceipts } from "./receipts.ts";
import { judgeReply, replySigner } from "./replies.ts";
import { badSignature, broken } from "./rule-names.ts";
import { nonTransferableKey, signaturesMax, validWitnesses } from "./signature-checks.ts";
import { storedBody, storedEvent } from "./stored-body.ts";
import { bySigner } from "./transferable-receipts.ts";

/** Receipts that came before their event wait under its name. */
const pendingReceipts = (reader: KerlReader, { aid, said }: KeyEvent): KerlEscrow | undefined =>
  reader.escrow(escrowName({ said, reason: "unverified-receipt", waitsFor: aid }));

const eventEscrow = (reader: KerlReader, said: Said, aid: Aid): KerlEscrow | undefined =>
  reader.escrow(escrowName({ said, reason: "out-of-order", waitsFor: aid }));

export interface EventArrival {
  readonly event: KeyEvent;
  /** Exact bytes of what came with it, and the same decoded; null bytes where it was put together of several messages. */
  readonly attached: Uint8Array | null;
  readonly attachments: Attachments;
  /** Signatures that wait for this event count too. */
  readonly cumulative: boolean;
}

export function arriveEvent(reader: KerlReader, arrival: EventArrival, now: Judging): KerlResult {
  const { event, attachments } = arrival;
  const known = reader.event(event.said);
  if (known !== undefined) {
    const { added, signers } = checkReceipts(reader, known, attachments, true, now.checks.arriving);
    return ok(signers.length === 0 ? nothingNew : received(known, added, signers, event.version.major));
  }
  const pending = pendingReceipts(reader, event);
  const earlier = arrival.cumulative ? eventEscrow(reader, event.said, event.aid) : undefined;
  let gathered = attachments;
  if (earlier !== undefined) gathered = joinAttachments(keptAttachments(earlier), gathered);
  if (pending !== undefined) gathered = joinAttachments(gathered, keptAttachments(pending));
  const outcome = judgeEvent(reader, event, gathered, now.checks.arriving);
  if (!outcome.ok) return outcome;
  switch (outcome.value.kind) {
    case "accepted":
      return accepted(reader, arrival, gathered, outcome.value, pending, now);
    case "escrowed": {
      const { reason, waitsFor, keep } = outcome.value;
      const { aid, sn, said } = event;
      const waiting = { aid, sn, said, reason, waitsFor, body: event, attachments: keep };
      return judged(`escrowed:${reason}`, escrowFact(reader, waiting, now, !arrival.cumulative));
    }
    case "duplicitous":
      return ok({ verdict: "duplicitous", facts: forkFacts(reader, event, outcome.value.proof) });
    default:
      return outcome.value satisfies never;
  }
}

const nothingNew: KerlJudgement = { verdict: "known", facts: [] };

/** Groups are written by the tables of the event's version: they are kept, and handed on, behind its body. */
const received = (
  { aid, sn, said }: { readonly aid: Aid; readonly sn: number; readonly said: Said },
  added: Attachments,
  signers: readonly string[],
  genus: 1 | 2,
): KerlJudgement => ({
  verdict: "receipt",
  facts: [{ kind: "keriReceiptAdded", aid, sn, said, attached: encodeAttachments(added, genus), signers }],
});

function judged(
  verdict: KerlJudgement["verdict"],
  fact: Result<KerlFact | null, KerlRefusal>,
  before: readonly KerlFact[] = [],
): KerlResult {
  if (!fact.ok) return fact;
  return ok({ verdict, facts: fact.value === null ? before : [...before, fact.value] });
}

function accepted(
  reader: KerlReader,
  { event, attached, attachments }: EventArrival,
  gathered: Attachments,
  { proof, witnesses, superseded, anchor, signers }: Extract<EventOutcome, { readonly kind: "accepted" }>,
  pending: KerlEscrow | undefined,
  now: Judging,
): KerlResult {
  const { aid, sn, said } = event;
  const asItCame = attached !== null && gathered === attachments && holdsWhole(proof, attachments);
  const sealSources =
    anchor !== null && proof.sealSources.length === 0 ? [{ aid: null, ...anchor }] : proof.sealSources;
  const fact: KerlFact = {
    kind: "keyEventAccepted",
    aid,
    sn,
    said,
    event: event.bytes,
    attached: asItCame
      ? attached
      : encodeAttachments({ ...indexedReceipts(proof, witnesses), sealSources, firstSeen: [] }, event.version.major),
    superseded,
    anchor,
    signers,
  };
  if (pending === undefined) return ok({ verdict: "accepted", facts: [fact] });
  // Their signers are unknown still: they wait for those now, no longer for the event.
  const held = new Set(proof.transferableSignatures.map((group) => group.aid));
  const unknown = keptAttachments(pending).transferableSignatures.filter((group) => !held.has(group.aid));
  const body = storedBody(pending.event);
  const moved = body.type === "rct" ? receiptsOfUnknown(reader, body, unknown, now) : [];
  return ok({ verdict: "accepted", facts: [fact, ...moved] });
}

/**
 * Couples of witnesses as the indexed signatures that say the same: keripy counts no others that come with an event
 * (Kevery.processEvent sees couples once it has accepted it).
 */
function indexedReceipts(proof: Attachments, witnesses: readonly string[]): Attachments {
  const known = new Set(proof.witnessSignatures.map(({ index }) => index));
  const moved: IndexedSignature[] = [];
  const receiptCouples = proof.receiptCouples.filter(({ receiptor, sig }) => {
    const index = witnesses.indexOf(receiptor);
    const key = nonTransferableKey(receiptor);
    if (index < 0 || key === undefined) return true;
    if (!known.has(index)) moved.push({ index, ondex: index, algorithm: key.algorithm, sig });
    return false;
  });
  return { ...proof, witnessSignatures: [...proof.witnessSignatures, ...moved], receiptCouples };
}

/** Whether nothing that was attached failed: then it is kept byte for byte. */
function holdsWhole(proof: Attachments, given: Attachments): boolean {
  return (
    proof.controllerSignatures.length === given.controllerSignatures.length &&
    proof.witnessSignatures.length === given.witnessSignatures.length &&
    proof.receiptCouples.length === given.receiptCouples.length &&
    proof.sealSources.length === given.sealSources.length &&
    countOf(proof.transferableSignatures) === countOf(given.transferableSignatures)
  );
}

const countOf = (groups: readonly TransferableSignatures[]): number =>
  groups.reduce((sum, { signatures }) => sum + signatures.length, 0);

function forkFacts(
  reader: KerlReader,
  { aid, sn, said, bytes, version }: KeyEvent,
  proof: Attachments,
): readonly KerlFact[] {
  const kept = reader.forks(aid);
  if (kept.length >= FORKS_PER_AID_MAX || kept.some((fork) => fork.said === said)) return [];
  if (kept.filter((fork) => fork.sn === sn).length >= FORKS_PER_PLACE_MAX) return [];
  return [{ kind: "keyEventForked", aid, sn, said, event: bytes, attached: encodeAttachments(proof, version.major) }];
}

/** Receipts by identifiers that are not known yet wait for each of them. What finds no room is left out. */
function receiptsOfUnknown(
  reader: KerlReader,
  body: ReceiptMessage,
  unknown: readonly TransferableSignatures[],
  now: Judging,
): readonly KerlFact[] {
  const facts: KerlFact[] = [];
  for (const [signer, groups] of bySigner(unknown)) {
    const { aid, sn, said } = body;
    const attachments = { ...NO_ATTACHMENTS, transferableSignatures: groups };
    const waiting = { aid, sn, said, reason: "unverified-receipt", waitsFor: signer, body, attachments } as const;
    const fact = escrowFact(reader, waiting, now, true);
    if (fact.ok && fact.value !== null) facts.push(fact.value);
  }
  return facts;
}

export function arriveReceipt(
  reader: KerlReader,
  receipt: ReceiptMessage,
  attachments: Attachments,
  now: Judging,
  cumulative: boolean,
): KerlResult {
  const { aid, said } = receipt;
  const given = { ...attachments, controllerSignatures: [], sealSources: [], firstSeen: [] };
  if (given.witnessSignatures.length + given.receiptCouples.length + given.transferableSignatures.length === 0)
    return broken("receipt-empty");
  const event = reader.event(said);
  if (event === undefined)
    return cumulative ? arriveEarly(reader, receipt, given, now) : keptReceipt(reader, receipt, given, now);
  // The SAID says which event it is; a sequence number that says otherwise changes nothing about the signature.
  if (event.aid !== aid) return broken("receipt-identifier");
  const { added, signers, anyHolds, unknown } = checkReceipts(reader, event, given, false, now.checks.arriving);
  const waiting = receiptsOfUnknown(reader, receipt, unknown, now);
  if (signers.length > 0) {
    const { version } = storedEvent(present(reader.eventBytes(said), "an accepted event has its bytes"));
    const judgement = received(event, added, signers, version.major);
    return ok({ ...judgement, facts: [...judgement.facts, ...waiting] });
  }
  if (unknown.length > 0) return ok({ verdict: "escrowed:unverified-receipt", facts: waiting });
  return anyHolds ? ok(nothingNew) : badSignature("None of the receipt's signatures holds over the event's bytes.");
}

const keptReceipt = (
  reader: KerlReader,
  receipt: ReceiptMessage,
  attachments: Attachments,
  now: Judging,
): KerlResult => {
  const { aid, sn, said } = receipt;
  const waiting = { aid, sn, said, reason: "unverified-receipt", waitsFor: aid, body: receipt, attachments } as const;
  return judged("escrowed:unverified-receipt", escrowFact(reader, waiting, now, true));
};

/**
 * Where the event itself waits, its bytes are there: what its witnesses signed is kept with it, out of the way of whatever others send;
 * what does not hold over them need not wait. Refuses: KERI_BAD_SIGNATURE, KERI_RULE receipt-identifier.
 */
function arriveEarly(reader: KerlReader, receipt: ReceiptMessage, given: Attachments, now: Judging): KerlResult {
  const escrow = eventEscrow(reader, receipt.said, receipt.aid);
  const event = escrow === undefined ? undefined : storedEvent(escrow.event);
  const state = event === undefined ? undefined : provisionalState(reader, event);
  if (event === undefined || state === undefined) return keptReceipt(reader, receipt, given, now);
  if (event.aid !== receipt.aid) return broken("receipt-identifier");
  const { signatures, couples } = validWitnesses(
    event.bytes,
    state.witnesses,
    given.witnessSignatures.slice(0, signaturesMax(state.witnesses.length)),
    given.receiptCouples.slice(0, SIGNERS_PER_EVENT_MAX),
    now.checks.arriving,
  );
  const witnesses = new Set(state.witnesses);
  const ours = couples.filter(({ receiptor }) => witnesses.has(receiptor));
  const others = couples.filter(({ receiptor }) => !witnesses.has(receiptor));
  const theirs = { ...given, witnessSignatures: [], receiptCouples: others };
  const isTheirs = others.length + given.transferableSignatures.length > 0;
  if (signatures.length + ours.length === 0)
    return isTheirs
      ? keptReceipt(reader, receipt, theirs, now)
      : badSignature("None of the receipt's signatures holds over the event's bytes.");
  const attachments = { ...NO_ATTACHMENTS, witnessSignatures: signatures, receiptCouples: ours };
  const arrived = arriveEvent(reader, { event, attached: null, attachments, cumulative: true }, now);
  if (!arrived.ok) return arrived;
  const rest = isTheirs ? keptReceipt(reader, receipt, theirs, now) : ok(nothingNew);
  return ok({
    verdict: "escrowed:unverified-receipt",
    facts: [...arrived.value.facts, ...(rest.ok ? rest.value.facts : [])],
  });
}

export function arriveReply(
  reader: KerlReader,
  reply: ReplyMessage,
  attachments: Attachments,
  now: Judging,
): KerlResult {
  const signer = replySigner(reply);
  const { said, bytes, version } = reply;
  const earlier = eventEscrow(reader, said, signer);
  const gathered = earlier === undefined ? attachments : joinAttachments(keptAttachments(earlier), attachments);
  const outcome = judgeReply(reader, reply, gathered, now.checks.arriving);
  if (!outcome.ok) return outcome;
  switch (outcome.value.kind) {
    case "known":
      return ok(nothingNew);
    case "escrowed": {
      const { reason, keep } = outcome.value;
      const waiting = { aid: signer, sn: 0, said, reason, waitsFor: signer, body: reply, attachments: keep };
      return judged(`escrowed:${reason}`, escrowFact(reader, waiting, now, false));
    }
    case "accepted": {
      const { signedAt, proof } = outcome.value;
      const attached = encodeAttachments(proof, version.major);
      return ok({
        verdict: "replied",
        facts: [{ kind: "keriReplyAccepted", aid: signer, said, signedAt, reply: bytes, attached }],
      });
    }
    default:
      return outcome.value satisfies never;
  }
}
