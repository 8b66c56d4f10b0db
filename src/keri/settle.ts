/**
 * Judges anew what waits, once something changed that it may have waited for. In the order it came; what is accepted may end further
 * waits. Source: ToIP KERI specification, "Escrow".
 */
import type { Aid, Said } from "../base/brands.ts";
import { arriveEvent, arriveReceipt, arriveReply } from "./arrival.ts";
import { UNBOUNDED } from "./check-budget.ts";
import { dropFact, keptAttachments } from "./escrow.ts";
import { applyKerlFact } from "./kerl-fold.ts";
import type { KerlFact } from "./kerl-facts.ts";
import {
  ESCROW_BOUNDS,
  type Judging,
  type KerlEscrow,
  type KerlMoment,
  type KerlResult,
  type KerlStore,
  REPROCESSED_MAX,
  escrowName,
} from "./kerl.ts";
import { storedBody } from "./stored-body.ts";

/** Receipts and replies of strangers that wait for one identifier, looked at after one of its events. */
const WAITING_SCANNED_MAX = 256;

interface Changed {
  readonly aid: Aid;
  readonly sn: number;
  readonly said: Said;
}

/**
 * Judges what may have waited for this event, or for receipts of it, and applies each fact at once.
 * Bounds: `most` escrows are judged (Default: REPROCESSED_MAX), until the budget for it is spent; the rest waits on. What is too dear
 * all by itself is dropped, so that it keeps nothing behind it from its turn. Returns: the facts, in order.
 */
export function settle(store: KerlStore, changed: Changed, now: Judging, most = REPROCESSED_MAX): readonly KerlFact[] {
  const facts: KerlFact[] = [];
  const queue: Changed[] = [changed];
  const { settling } = now.checks;
  const again: Judging = { ...now, checks: { arriving: settling, settling } };
  let judged = 0;
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const { waitsFor, reason, said } of candidates(store, next)) {
      const escrow = store.escrow(escrowName({ said, reason, waitsFor }));
      if (escrow === undefined) continue;
      if (judged >= most) return facts;
      judged += 1;
      const first = settling.isUntouched;
      const found = rejudge(store, escrow, again);
      if (settling.isSpent && !first) return facts;
      for (const fact of settling.isSpent ? [dropFact(escrow, "LIMIT_EXCEEDED")] : found) {
        applyKerlFact(store, fact, now.height);
        facts.push(fact);
        if (fact.kind === "keyEventAccepted") queue.push(fact);
      }
    }
  }
  return facts;
}

/** Judges everything that waits until nothing changes any more, in the order it came. For logs in memory. */
export function settleAll(
  store: KerlStore,
  escrows: () => readonly KerlEscrow[],
  now: KerlMoment,
): readonly KerlFact[] {
  const facts: KerlFact[] = [];
  const judging: Judging = { bounds: ESCROW_BOUNDS, checks: UNBOUNDED, ...now };
  for (let changed = true; changed; ) {
    changed = false;
    for (const { said, reason, waitsFor } of escrows()) {
      const escrow = store.escrow(escrowName({ said, reason, waitsFor }));
      if (escrow === undefined) continue;
      for (const fact of rejudge(store, escrow, judging)) {
        applyKerlFact(store, fact, now.height);
        facts.push(fact);
        changed ||= fact.kind === "keyEventAccepted";
      }
    }
  }
  return facts;
}

/** Its own that wait, receipts and replies by it, and delegated events that it anchors; in the order they came. */
function candidates(store: KerlStore, { aid, said }: Changed): readonly KerlEscrow[] {
  const found = new Map<string, KerlEscrow>();
  const add = (escrow: KerlEscrow | undefined) => {
    if (escrow !== undefined) found.set(escrowName(escrow), escrow);
  };
  store.escrowsOf(aid).forEach(add);
  store
    .waitingFor(aid)
    .filter((escrow) => escrow.reason !== "awaiting-anchor")
    .slice(0, WAITING_SCANNED_MAX)
    .forEach(add);
  const bytes = store.eventBytes(said);
  const body = bytes === undefined ? undefined : storedBody(bytes);
  if (body !== undefined && body.type !== "rct" && body.type !== "rpy") {
    for (const seal of body.eventSeals) {
      const name = escrowName({ said: seal.said, reason: "awaiting-anchor", waitsFor: aid });
      add(store.escrow(name));
    }
  }
  return [...found.values()].sort((a, b) => a.order - b.order);
}

function rejudge(store: KerlStore, escrow: KerlEscrow, now: Judging): readonly KerlFact[] {
  const judgement = judgeAgain(store, escrow, now);
  if (!judgement.ok)
    return judgement.refusal.code === "KERI_ESCROW_FULL" ? [] : [dropFact(escrow, judgement.refusal.code)];
  const { verdict, facts } = judgement.value;
  const name = escrowName(escrow);
  const waitsOn =
    verdict.startsWith("escrowed:") &&
    (facts.length === 0 || facts.some((fact) => fact.kind === "keyEventEscrowed" && escrowName(fact) === name));
  if (waitsOn || verdict === "accepted" || verdict === "replied") return facts;
  return [...facts, dropFact(escrow, verdict === "duplicitous" ? "KERI_DUPLICITOUS" : "KERI_SETTLED")];
}

function judgeAgain(store: KerlStore, escrow: KerlEscrow, now: Judging): KerlResult {
  const body = storedBody(escrow.event);
  now.checks.arriving.readBody(body);
  const attachments = keptAttachments(escrow);
  switch (body.type) {
    case "rct":
      return arriveReceipt(store, body, attachments, now, false);
    case "rpy":
      return arriveReply(store, body, attachments, now);
    default:
      return arriveEvent(store, { event: body, attached: null, attachments, cumulative: true }, now);
  }
}
