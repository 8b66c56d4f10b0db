/**
 * The key state that rotations lead to which the log has not brought yet: whoever shows them proves by the next keys that the identifier
 * had committed to. For telling who is at the other end of a connection; what is in force, the log alone says.
 */
import { decodeBody } from "./bodies.ts";
import { CheckBudget } from "./check-budget.ts";
import { readSn } from "./event-fields.ts";
import { parseKeyEvent } from "./event.ts";
import { followed, isRotation } from "./key-state-rules.ts";
import type { KeyState } from "./key-state.ts";
import type { KeriMessage } from "./messages.ts";
import { isFullySigned, signaturesMax, validIndexed } from "./signature-checks.ts";
import { parseStream } from "./stream.ts";

/** Ten years of monthly rotations; each costs a quarter of a millisecond. */
export const ROTATIONS_READ_MAX = 128;
/** Keys of one rotation, and what its signatures may cost: a stranger's certificate has one wrong rotation judged, and no more. */
const KEYS_MAX = 16;
const CHECKS_MAX = 128;
const BOUNDS = { bodyBytesMax: 4_096, attachedBytesMax: 4_096 };

/**
 * `stream` comes from a stranger: rotations of `known.aid`, oldest first; those up to `known.sn` are skipped. Events between them that set
 * no keys may be left out: each rotation stands by what the one before it committed to. Undefined unless they lead to `sn`; never for
 * delegated or witnessed identifiers, whose rotations others have to approve.
 */
export function keyStateAfter(known: KeyState, stream: Uint8Array, sn: number): KeyState | undefined {
  let state = known;
  for (const message of messagesOf(stream)) {
    const next = after(state, message);
    if (next === undefined) return undefined;
    state = next;
    if (state.sn >= sn) break;
  }
  return state.sn === sn && state !== known ? state : undefined;
}

function after(state: KeyState, { body, bodyKind, version, attachments }: KeriMessage): KeyState | undefined {
  const decoded = decodeBody(body, bodyKind);
  if (!decoded.ok) return undefined;
  const { i, s, k } = decoded.value;
  const sn = readSn(s);
  if (i !== state.aid || !sn.ok) return undefined;
  // Old ones are not read: whoever shows them need not be who made them, and reading keys is what costs.
  if (sn.value <= state.sn) return state;
  if (state.delegator !== null || state.witnesses.length > 0) return undefined;
  if (!Array.isArray(k) || k.length > KEYS_MAX) return undefined;
  const event = parseKeyEvent(body, bodyKind, version);
  if (!event.ok || !isRotation(event.value)) return undefined;
  const next = followed(state, event.value);
  if (!next.ok || next.value.witnesses.length > 0) return undefined;
  const { controllerSignatures } = attachments;
  if (controllerSignatures.length > signaturesMax(next.value.keys.length)) return undefined;
  const signatures = validIndexed(body, next.value.keys, controllerSignatures, new CheckBudget(CHECKS_MAX));
  return isFullySigned(next.value, state, signatures) ? next.value : undefined;
}

function messagesOf(stream: Uint8Array): readonly KeriMessage[] {
  const { messages, refusal } = parseStream(stream, BOUNDS);
  return refusal !== null || messages.length > ROTATIONS_READ_MAX ? [] : messages;
}
