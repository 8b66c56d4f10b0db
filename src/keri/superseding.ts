/**
 * Where an event stands to the log of its identifier: next, too early, lawfully in the place of others, or a rival of what is in
 * force. Source: ToIP KERI specification, "Superseding Recovery and Reconciliation", rules A, B and C.
 */
import { present } from "../base/errors.ts";
import type { EventRef, KerlEvent, KerlReader } from "./kerl.ts";
import { isInception, isRotation } from "./key-state-rules.ts";
import type { KeyState } from "./key-state.ts";
import type { EventSeal, KeyEvent } from "./messages.ts";
import { storedEvent } from "./stored-body.ts";

export type Place =
  /** The one after the latest, whose state is `base` (null: the first of all). */
  | { readonly kind: "next"; readonly base: KeyState | null }
  /** Events before it are missing. */
  | { readonly kind: "early" }
  /** Rules A0 and B: a rotation over what is in force at its sequence number and after; `rotation` is the delegated one it would supersede. */
  | {
      readonly kind: "superseding";
      readonly base: KeyState;
      readonly superseded: readonly KerlEvent[];
      readonly rotation: KerlEvent | null;
    }
  /** May supersede nothing (rules A1, A2): `base` is the state that it would have followed. */
  | { readonly kind: "rival"; readonly base: KeyState | null };

/** Where an event stands that is not in the log. */
export function placeOf(reader: KerlReader, event: KeyEvent): Place {
  const state = reader.keyState(event.aid);
  if (state === undefined) return isInception(event) ? { kind: "next", base: null } : { kind: "early" };
  if (isInception(event)) return { kind: "rival", base: null };
  const latest = state.latest.sn;
  if (event.sn === latest + 1) return { kind: "next", base: state };
  if (event.sn > latest + 1) return { kind: "early" };
  const base = present(reader.keyStateAt(event.aid, event.sn - 1), "a log has no gaps");
  // An abandoned identifier has no more events, not even others in the place of the last.
  if (!isRotation(event) || state.nextDigests.length === 0) return { kind: "rival", base };
  const overRotation = event.type === "drt" && event.sn === state.sn && state.delegator !== null;
  if (event.sn <= state.sn && !overRotation) return { kind: "rival", base };
  const superseded: KerlEvent[] = [];
  for (let sn = event.sn; sn <= latest; sn++)
    superseded.push(present(reader.eventAt(event.aid, sn), "a log has no gaps"));
  return { kind: "superseding", base, superseded, rotation: overRotation ? (superseded[0] ?? null) : null };
}

/** The latest event in force of the delegator that anchors this one. */
export function anchorOf(reader: KerlReader, delegator: KeyState["aid"], seal: EventSeal): EventRef | undefined {
  return reader.anchors(delegator, seal).findLast(({ said }) => reader.event(said)?.inForce === true);
}

/**
 * Whether a delegated rotation whose anchor is `anchor` may supersede one in force, rules B and C. `anchor` is in force. An older
 * anchor at the same sequence number that is not the same event was itself superseded by it, and lawfully: that is rule B3 where
 * the delegator recovered an interaction, and rule C (the same question one log further up) where it superseded a rotation; both
 * were judged when the delegator's event was.
 */
export function mayReplace(reader: KerlReader, rotation: KerlEvent, event: KeyEvent, anchor: EventRef): boolean {
  const old = present(rotation.anchor, "a delegated rotation in force was anchored");
  if (anchor.sn !== old.sn) return anchor.sn > old.sn; // B1
  if (anchor.said !== old.said) return true; // B3, C
  const { eventSeals } = storedEvent(present(reader.eventBytes(anchor.said), "the anchor is an accepted event"));
  const placeIn = (said: string) => eventSeals.findIndex((seal) => seal.aid === event.aid && seal.said === said);
  return placeIn(event.said) > placeIn(rotation.said); // B2
}
