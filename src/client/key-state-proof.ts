/**
 * What a proof of key events says about keys: the events that it brings, from the inception to the one that the log accepted last, each with
 * its digest, its place, what the one before it had committed to, and its signatures.
 */
import type { Aid } from "../base/brands.ts";
import { equalBytes } from "../base/bytes.ts";
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";
import type { ProvenKeyEvents } from "../events/facts/verify-proof.ts";
import { CheckBudget } from "../keri/check-budget.ts";
import { followed, incepted, isInception, isRotation } from "../keri/key-state-rules.ts";
import type { KeyState } from "../keri/key-state.ts";
import type { KeriMessage, KeyEvent } from "../keri/messages.ts";
import { isFullySigned, signaturesMax, validIndexed } from "../keri/signature-checks.ts";
import { bodyOf } from "../keri/stored-body.ts";
import { parseStream } from "../keri/stream.ts";

export interface ProvenKeyState {
  /** After the last event. */
  readonly state: KeyState;
  /** How many events lead there. */
  readonly events: number;
  /**
   * Whether each event is signed as KERI's rules ask its own keys to; false for an inception without any signature, as founding documents
   * bring them: that document's signatures, and its being the digest of which the identifier is made, stand for it.
   */
  readonly isInceptionSigned: boolean;
}

type KeyEventsRefusal = Refusal<"PROOF_KEY_EVENTS">;

const wrong = (why: string) => refuse("PROOF_KEY_EVENTS", `The key events do not lead to a key state: ${why}.`, "peer");

/** What one event's signatures may cost. Units: signature checks. */
const CHECKS_PER_EVENT = 512;

/** Folds the events of a proof that was judged (verifyProof). Bounds: the proof's. Refuses: PROOF_KEY_EVENTS. */
export function keyStateOfProof({ aid, kel, event }: ProvenKeyEvents): Result<ProvenKeyState, KeyEventsRefusal> {
  const { messages, refusal } = parseStream(kel);
  if (refusal !== null) return wrong(`they are no CESR stream (${refusal.message})`);
  const last = messages.at(-1);
  if (last === undefined || !equalBytes(last.body, event))
    return wrong("the last one is not the one that the log accepted");
  let state: KeyState | undefined;
  let isInceptionSigned = true;
  for (const message of messages) {
    const next = after(aid, state, message);
    if (!next.ok) return next;
    if (!next.value.isSigned) isInceptionSigned = false;
    state = next.value.state;
  }
  return state === undefined ? wrong("there is none") : ok({ state, events: messages.length, isInceptionSigned });
}

function after(
  aid: Aid,
  before: KeyState | undefined,
  message: KeriMessage,
): Result<{ readonly state: KeyState; readonly isSigned: boolean }, KeyEventsRefusal> {
  const body = bodyOf(message);
  if (!body.ok) return wrong(body.refusal.message);
  const event = body.value;
  if (event.type === "rct" || event.type === "rpy") return wrong(`a ${event.type} is no key event`);
  if (event.aid !== aid) return wrong(`one is of ${event.aid}`);
  const state = stateAfter(before, event);
  if (!state.ok) return state;
  const { controllerSignatures } = message.attachments;
  const signatures =
    controllerSignatures.length > signaturesMax(state.value.keys.length)
      ? []
      : validIndexed(message.body, state.value.keys, controllerSignatures, new CheckBudget(CHECKS_PER_EVENT));
  const isSigned = isFullySigned(state.value, isRotation(event) && before !== undefined ? before : null, signatures);
  if (!isSigned && (before !== undefined || controllerSignatures.length > 0))
    return wrong(`event ${event.sn} is not signed by enough of its keys`);
  return ok({ state: state.value, isSigned });
}

function stateAfter(before: KeyState | undefined, event: KeyEvent): Result<KeyState, KeyEventsRefusal> {
  if (before === undefined) {
    if (!isInception(event) || event.sn !== 0) return wrong("the first one is no inception");
    const state = incepted(event);
    return state.ok ? state : wrong(state.refusal.message);
  }
  if (isInception(event)) return wrong("there are two inceptions");
  if (event.sn !== before.latest.sn + 1 || event.prior !== before.latest.said)
    return wrong(`event ${event.sn} does not follow event ${before.latest.sn}`);
  const state = followed(before, event);
  return state.ok ? state : wrong(state.refusal.message);
}
