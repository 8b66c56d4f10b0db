/** The key state that an event makes of the one before it. Source: ToIP KERI specification, "Key state" and the event types. */
import { type Result, ok } from "../base/result.ts";
import { thresholdSize } from "../crypto/threshold.ts";
import type { KerlRefusal } from "./kerl.ts";
import { type KeyState, initialKeyState } from "./key-state.ts";
import type { InceptionEvent, InteractionEvent, KeyEvent, RotationEvent, Trait } from "./messages.ts";
import { broken } from "./rule-names.ts";

export const isInception = (event: KeyEvent): event is InceptionEvent => event.type === "icp" || event.type === "dip";
export const isRotation = (event: KeyEvent): event is RotationEvent => event.type === "rot" || event.type === "drt";

/** Source: "Configuration traits field", column "Inception Only". NB is what keripy wrote for NRB before version 2. */
const INCEPTION_ONLY: readonly Trait[] = ["EO", "DND", "NRB", "NB"];

/** The state after an inception. Refuses: KERI_RULE. */
export function incepted(event: InceptionEvent): Result<KeyState, KerlRefusal> {
  if (!isThresholdWithin(event.witnessThreshold, event.witnesses)) return broken("backer-threshold");
  if (thresholdSize(event.threshold) > event.keys.length) return broken("key-threshold");
  return ok(initialKeyState(event));
}

/** The state after an event that follows one that left `base`. The caller has seen to prior digest and sequence number. Refuses: KERI_RULE. */
export function followed(base: KeyState, event: RotationEvent | InteractionEvent): Result<KeyState, KerlRefusal> {
  if (base.nextDigests.length === 0) return broken("abandoned");
  return isRotation(event) ? rotated(base, event) : interacted(base, event);
}

function interacted(base: KeyState, event: InteractionEvent): Result<KeyState, KerlRefusal> {
  if (base.traits.includes("EO")) return broken("establishment-only");
  return ok({ ...base, latest: { sn: event.sn, said: event.said, type: "ixn" } });
}

function rotated(base: KeyState, event: RotationEvent): Result<KeyState, KerlRefusal> {
  if ((base.delegator !== null) !== (event.type === "drt")) return broken("delegated-rotation");
  if (event.traits.some((trait) => INCEPTION_ONLY.includes(trait))) return broken("trait-inception-only");
  if (event.traits.includes("RB") && forbidsRegistrars(base.traits)) return broken("no-registrar-backers");
  if (thresholdSize(event.threshold) > event.keys.length) return broken("key-threshold");
  const witnesses = witnessesAfter(base.witnesses, event);
  if (!witnesses.ok) return witnesses;
  if (!isThresholdWithin(event.witnessThreshold, witnesses.value)) return broken("backer-threshold");
  return ok({
    ...base,
    sn: event.sn,
    said: event.said,
    keys: event.verificationKeys,
    keyTexts: event.keys,
    threshold: event.threshold,
    nextDigests: event.nextDigests,
    nextThreshold: event.nextThreshold,
    witnesses: witnesses.value,
    witnessThreshold: event.witnessThreshold,
    traits: event.traits.length === 0 ? base.traits : [...new Set([...base.traits, ...event.traits])],
    latest: { sn: event.sn, said: event.said, type: event.type },
  });
}

/** Of NRB and RB in one list the latter holds. Source: "Configuration traits field". */
const forbidsRegistrars = (traits: readonly Trait[]): boolean =>
  Math.max(traits.lastIndexOf("NRB"), traits.lastIndexOf("NB")) > traits.lastIndexOf("RB");

/** (b − br) ++ ba. Source: "Backer remove list", "Backer add list": order matters, since receipts are indexed. */
function witnessesAfter(
  before: readonly string[],
  { witnessesRemoved, witnessesAdded }: RotationEvent,
): Result<readonly string[], KerlRefusal> {
  if (witnessesRemoved.length === 0 && witnessesAdded.length === 0) return ok(before);
  const present = new Set(before);
  const removed = new Set(witnessesRemoved);
  if (removed.size !== witnessesRemoved.length || witnessesRemoved.some((one) => !present.has(one)))
    return broken("backers-removed");
  const added = new Set(witnessesAdded);
  if (added.size !== witnessesAdded.length || witnessesAdded.some((one) => present.has(one) || removed.has(one)))
    return broken("backers-added");
  return ok([...before.filter((one) => !removed.has(one)), ...witnessesAdded]);
}

/** Source: "Backer threshold field". */
const isThresholdWithin = (threshold: number, witnesses: readonly string[]): boolean =>
  witnesses.length === 0 ? threshold === 0 : threshold >= 1 && threshold <= witnesses.length;
