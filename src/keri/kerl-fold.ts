/** How a fact changes what is kept: the only way that anything does, in memory and in the projection alike. */
import { assert, present } from "../base/errors.ts";
import { type KerlFact } from "./kerl-facts.ts";
import { type KerlStore, escrowName } from "./kerl.ts";
import { followed, incepted, isInception } from "./key-state-rules.ts";
import { replySubject } from "./replies.ts";
import { storedBody, storedEvent } from "./stored-body.ts";

type Accepted = Extract<KerlFact, { readonly kind: "keyEventAccepted" }>;

/** Folds a fact that the rules made of this very state, at this height of the log. Throws: Defect when they did not. */
export function applyKerlFact(store: KerlStore, fact: KerlFact, height: number): void {
  switch (fact.kind) {
    case "keyEventAccepted":
      return accept(store, fact);
    case "keyEventEscrowed": {
      const { kind: _, ...escrow } = fact;
      return store.putEscrow({ ...escrow, height });
    }
    case "keyEventDropped":
      return store.removeEscrow(escrowName(fact));
    case "keriReceiptAdded":
      return store.addSigners(fact.said, fact.signers, fact.attached);
    case "keyEventForked":
      return store.putFork(fact.aid, { sn: fact.sn, said: fact.said }, fact.event, fact.attached);
    case "keriReplyAccepted":
      return reply(store, fact);
    default:
      return fact satisfies never;
  }
}

function accept(store: KerlStore, fact: Accepted): void {
  const { aid, sn, said, anchor } = fact;
  const event = storedEvent(fact.event);
  const state = isInception(event)
    ? incepted(event)
    : followed(present(store.keyStateAt(aid, sn - 1), "the event before is in force"), event);
  assert(state.ok, "an accepted event keeps the rules");
  for (const old of fact.superseded) store.supersede(aid, present(store.event(old), "it was in force").sn, old);
  store.putEvent({
    aid,
    sn,
    said,
    type: event.type,
    inForce: true,
    anchor,
    bytes: fact.event,
    attached: fact.attached,
    eventSeals: event.eventSeals,
    state: state.value,
  });
  store.addSigners(said, fact.signers, null);
  store.removeEscrow(escrowName({ said, reason: "out-of-order", waitsFor: aid }));
  store.removeEscrow(escrowName({ said, reason: "unverified-receipt", waitsFor: aid }));
}

function reply(store: KerlStore, fact: Extract<KerlFact, { readonly kind: "keriReplyAccepted" }>): void {
  const body = storedBody(fact.reply);
  assert(body.type === "rpy", "what was accepted is a reply");
  const { said, aid: signer, signedAt } = fact;
  store.putReply(replySubject(body), { said, signer, signedAt, date: body.date }, fact.reply, fact.attached);
  store.removeEscrow(escrowName({ said, reason: "out-of-order", waitsFor: signer }));
}
