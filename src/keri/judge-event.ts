/**
 * What becomes of a key event, given what is in force and everything that came for it so far.
 *
 * The order of judgement is keripy's, so that verdicts agree: place in the log, rules of the type, signatures, witnesses, delegation,
 * superseding. Source: ToIP KERI specification, "Key event message validation" and the sections that each rule names.
 */
import type { Aid, Said } from "../base/brands.ts";
import { type No, type Result, ok } from "../base/result.ts";
import {
  type EventRef,
  type KerlReader,
  type KerlRefusal,
  SIGNERS_PER_EVENT_MAX,
  controllerName,
  nonTransferableName,
} from "./kerl.ts";
import type { CheckBudget } from "./check-budget.ts";
import { followed, incepted, isInception, isRotation } from "./key-state-rules.ts";
import type { KeyState } from "./key-state.ts";
import type { Attachments, EscrowReason, IndexedSignature, KeyEvent } from "./messages.ts";
import { badSignature, broken } from "./rule-names.ts";
import {
  type WitnessSupport,
  indicesOf,
  isFullySigned,
  signaturesMax,
  validIndexed,
  validWitnesses,
} from "./signature-checks.ts";
import { type Place, anchorOf, mayReplace, placeOf } from "./superseding.ts";
import { validTransferables } from "./transferable-receipts.ts";

export type EventOutcome =
  | {
      readonly kind: "accepted";
      readonly superseded: readonly Said[];
      readonly anchor: EventRef | null;
      /** All that holds. */
      readonly proof: Attachments;
      /** Witnesses that it names, or leaves as they were. */
      readonly witnesses: readonly string[];
      readonly signers: readonly string[];
    }
  /** `keep`: what is worth keeping of what came for it. */
  | { readonly kind: "escrowed"; readonly reason: EscrowReason; readonly waitsFor: Aid; readonly keep: Attachments }
  /** A rival with enough valid signatures. */
  | { readonly kind: "duplicitous"; readonly proof: Attachments };

/** An event that is not in the log (`reader.event` knows it not). Refuses: KERI_RULE, KERI_BAD_SIGNATURE. */
export function judgeEvent(
  reader: KerlReader,
  event: KeyEvent,
  attachments: Attachments,
  budget: CheckBudget,
): Result<EventOutcome, KerlRefusal> {
  if (attachments.controllerSignatures.length === 0)
    return badSignature("The event is not signed; attach signatures of its keys.");
  const place = placeOf(reader, event);
  if (place.kind === "early") return judgeEarly(reader, event, attachments);
  if (place.kind !== "rival" && !isPriorOf(place.base, event)) return broken("prior-digest");
  const state = stateAfter(event, place.base);
  if (!state.ok) return state;
  const signed = controllersOf(event, state.value, attachments, budget);
  if (!signed.ok) return signed;
  const prior = isRotation(event) ? place.base : null;
  const full = isFullySigned(state.value, prior, signed.value);
  if (place.kind === "rival") return full ? ok(duplicitous(attachments, signed.value)) : broken("first-seen");
  const keep = { ...attachments, controllerSignatures: signed.value };
  if (!full) return ok(escrowed("partially-signed", event.aid, keep));
  return judgeSupport(reader, { event, place, state: state.value, signed: keep }, budget);
}

const isPriorOf = (base: KeyState | null, event: KeyEvent): boolean =>
  base === null || isInception(event) || event.prior === base.latest.said;

function judgeEarly(reader: KerlReader, event: KeyEvent, keep: Attachments): Result<EventOutcome, KerlRefusal> {
  const state = reader.keyState(event.aid);
  if (state?.nextDigests.length === 0) return broken("abandoned");
  return ok(escrowed("out-of-order", event.aid, keep));
}

function stateAfter(event: KeyEvent, base: KeyState | null): Result<KeyState, KerlRefusal> {
  if (isInception(event)) return incepted(event);
  return base === null ? broken("prior-digest") : followed(base, event);
}

/** The state that an event which waits would leave; undefined where events before it are missing, or it breaks a rule. */
export function provisionalState(reader: KerlReader, event: KeyEvent): KeyState | undefined {
  const place = placeOf(reader, event);
  if (place.kind === "early") return undefined;
  const state = stateAfter(event, place.base);
  return state.ok ? state.value : undefined;
}

function controllersOf(
  event: KeyEvent,
  state: KeyState,
  { controllerSignatures }: Attachments,
  budget: CheckBudget,
): Result<readonly IndexedSignature[], KerlRefusal> {
  if (controllerSignatures.length > signaturesMax(state.keys.length)) return broken("signatures-attached");
  const valid = validIndexed(event.bytes, state.keys, controllerSignatures, budget);
  return valid.length > 0 ? ok(valid) : noneHolds();
}

const noneHolds = (): No<KerlRefusal> =>
  badSignature("None of the signatures is that of a key of the event over exactly these bytes.");

const escrowed = (reason: EscrowReason, waitsFor: Aid, keep: Attachments): EventOutcome => ({
  kind: "escrowed",
  reason,
  waitsFor,
  keep,
});

const duplicitous = (attachments: Attachments, controllerSignatures: readonly IndexedSignature[]): EventOutcome => ({
  kind: "duplicitous",
  proof: {
    ...attachments,
    controllerSignatures,
    witnessSignatures: [],
    receiptCouples: [],
    transferableSignatures: [],
    firstSeen: [],
  },
});

/** An event that enough keys signed, and the state that it would leave. */
interface Signed {
  readonly event: KeyEvent;
  readonly place: Extract<Place, { readonly kind: "next" | "superseding" }>;
  readonly state: KeyState;
  readonly signed: Attachments;
}

/** Witnesses, then the delegator, then whether what is in force gives way. Source: "KAWA", "Cooperative Delegation". */
function judgeSupport(
  reader: KerlReader,
  { event, place, state, signed }: Signed,
  budget: CheckBudget,
): Result<EventOutcome, KerlRefusal> {
  const { witnessSignatures, receiptCouples } = signed;
  if (witnessSignatures.length > signaturesMax(state.witnesses.length) || receiptCouples.length > SIGNERS_PER_EVENT_MAX)
    return broken("signatures-attached");
  const support = validWitnesses(event.bytes, state.witnesses, witnessSignatures, receiptCouples, budget);
  const keep = { ...signed, witnessSignatures: support.signatures, receiptCouples: support.couples };
  if (support.witnesses.size < state.witnessThreshold) return ok(escrowed("partially-witnessed", event.aid, keep));
  const anchor = event.type === "dip" || event.type === "drt" ? judgeDelegation(reader, event, state) : ok(null);
  if (!anchor.ok) return anchor;
  if (anchor.value === undefined && state.delegator !== null)
    return ok(escrowed("awaiting-anchor", state.delegator, keep));
  const anchoredBy = anchor.value ?? null;
  if (place.kind === "superseding" && place.rotation !== null) {
    if (anchoredBy === null || !mayReplace(reader, place.rotation, event, anchoredBy))
      return ok(duplicitous(signed, signed.controllerSignatures));
  }
  const { valid, names } = validTransferables(reader, event.bytes, keep.transferableSignatures, budget);
  return ok({
    kind: "accepted",
    superseded: place.kind === "superseding" ? place.superseded.map(({ said }) => said) : [],
    anchor: anchoredBy,
    proof: { ...keep, sealSources: sourcesOf(reader, event, state, keep), transferableSignatures: valid },
    witnesses: state.witnesses,
    signers: [...controllerNames(keep.controllerSignatures), ...supportNames(state, support), ...names]
      .sort()
      .slice(0, SIGNERS_PER_EVENT_MAX),
  });
}

/** The anchor; undefined while there is none. Source: "Cooperative Delegation"; "Configuration traits field": DND. */
function judgeDelegation(
  reader: KerlReader,
  event: KeyEvent,
  state: KeyState,
): Result<EventRef | undefined, KerlRefusal> {
  if (state.delegator === null) return ok(undefined);
  const delegator = reader.keyState(state.delegator);
  if (delegator === undefined) return ok(undefined);
  if (delegator.traits.includes("DND")) return broken("do-not-delegate");
  return ok(anchorOf(reader, state.delegator, event));
}

/** Of the couples that say where the delegator anchors it, those that do: others' readers go by them. What no delegator anchors keeps all. */
function sourcesOf(
  reader: KerlReader,
  event: KeyEvent,
  { delegator }: KeyState,
  { sealSources }: Attachments,
): Attachments["sealSources"] {
  if (delegator === null || (event.type !== "dip" && event.type !== "drt")) return sealSources;
  const anchors = reader.anchors(delegator, event).filter(({ said }) => reader.event(said)?.inForce === true);
  return sealSources.filter((source) => anchors.some(({ sn, said }) => sn === source.sn && said === source.said));
}

export const controllerNames = (signatures: readonly IndexedSignature[]): readonly string[] =>
  [...indicesOf(signatures)].map(controllerName);

/** Names of witnesses and of other non-transferable receiptors, each once. */
export function supportNames(
  state: KeyState,
  { signatures, couples }: Omit<WitnessSupport, "witnesses">,
): readonly string[] {
  const names = new Set<string>();
  for (const { index } of signatures) {
    const witness = state.witnesses[index];
    if (witness !== undefined) names.add(nonTransferableName(witness));
  }
  for (const { receiptor } of couples) names.add(nonTransferableName(receiptor));
  return [...names];
}
