/**
 * The key state that rotations lead to which the log has not brought yet: whoever shows them proves by the next keys that the identifier
 * had committed to. For telling who is at the other end of a connection; what is in force, the log alone says.
 */
import { parseKeyEvent } from "./event.ts";
import { followed, isRotation } from "./key-state-rules.ts";
import type { KeyState } from "./key-state.ts";
import type { KeriMessage } from "./messages.ts";
import { isFullySigned, signaturesMax, validIndexed } from "./signature-checks.ts";
import { StreamParser } from "./stream.ts";

/** Ten years of monthly rotations; each costs a quarter of a millisecond. */
export const ROTATIONS_READ_MAX = 128;
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
  const event = parseKeyEvent(body, bodyKind, version);
  if (!event.ok || !isRotation(event.value) || event.value.aid !== state.aid) return undefined;
  if (event.value.sn <= state.sn) return state;
  if (state.delegator !== null) return undefined;
  const next = followed(state, event.value);
  if (!next.ok || next.value.witnesses.length > 0) return undefined;
  const { controllerSignatures } = attachments;
  if (controllerSignatures.length > signaturesMax(next.value.keys.length)) return undefined;
  return isFullySigned(next.value, state, validIndexed(body, next.value.keys, controllerSignatures))
    ? next.value
    : undefined;
}

function messagesOf(stream: Uint8Array): readonly KeriMessage[] {
  const parser = new StreamParser(BOUNDS);
  const begun = parser.push(stream);
  const ended = parser.end();
  const messages = [...begun.messages, ...ended.messages];
  return begun.refusal !== null || ended.refusal !== null || messages.length > ROTATIONS_READ_MAX ? [] : messages;
}
