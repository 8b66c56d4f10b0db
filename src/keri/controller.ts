/**
 * Who holds an identifier's keys: its own events, the seeds in force and those that the next rotation exposes. The seeds after a rotation
 * are made and kept with the signed rotation (`pending`) before anybody sees it; once it is known to be in force, the seeds take their
 * new places in one step. So whenever the holder dies, what it kept and what others hold say together how to go on. Pure.
 * Source: ToIP KERI specification, "Pre-rotation"; the order of steps is that of src/actors/enclave/rotation.ts.
 */
import type { Aid, Said } from "../base/brands.ts";
import { concatBytes, utf8 } from "../base/bytes.ts";
import { assert, present } from "../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";
import { publicKeyOf, signer } from "../crypto/ed25519.ts";
import type { KeySignature } from "../crypto/key-set.ts";
import { type Threshold, isThresholdMet, thresholdSize } from "../crypto/threshold.ts";
import { NO_ATTACHMENTS } from "./attachment-groups.ts";
import { encodeAttachments } from "./cesr/encode-attachments.ts";
import { ampleWitnesses, delegatedIncept, delegatedRotate, incept, interact, rotate } from "./compose.ts";
import { LISTED_MAX, isNonTransferable, readAid, readEventSeals, readTraits } from "./event-fields.ts";
import { parseKeyEvent } from "./event.ts";
import type { EventFields } from "./event-json.ts";
import { followed, incepted, isInception, isRotation } from "./key-state-rules.ts";
import type { KeyState } from "./key-state.ts";
import { keyText } from "./key-text.ts";
import { ROTATIONS_READ_MAX } from "./later-key-state.ts";
import type { KeriMessage, KeyEvent, SealSource, Trait } from "./messages.ts";
import { nextKeyDigest } from "./said.ts";
import { parseStream } from "./stream.ts";

/** An event that was signed, and whose place in the log is not known yet. */
export interface PendingEvent {
  readonly sn: number;
  readonly said: Said;
  /** The event with its signatures, as it is submitted, again and again, until the log has it. */
  readonly stream: Uint8Array;
  /** Seeds that the rotation after this one exposes; null for an event that leaves the keys as they are. */
  readonly next: readonly Uint8Array[] | null;
}

export interface Controller {
  readonly aid: Aid;
  /** Own events in force, with their signatures, oldest first: a CESR stream. */
  readonly kel: Uint8Array;
  /** Ed25519 seeds, 32 bytes each, in the order of the keys. */
  readonly current: readonly Uint8Array[];
  readonly next: readonly Uint8Array[];
  readonly pending: PendingEvent | null;
}

export type ControllerRefusal = Refusal<"KEL_INVALID" | "KEL_PENDING" | "KERI_RULE">;

/** Indices of one character: nobody holds more keys in one hand. */
export const CONTROLLER_KEYS_MAX = 64;
/** Leaves room, in an event of 64 KiB, for as many keys and witnesses as there may be. */
const SEALS_BYTES_MAX = 48 * 1024;
/** Bytes of rotations that a certificate brings along. */
const SHOWN_BYTES_MAX = 12 * 1024;

const invalid = (what: string) => refuse("KEL_INVALID", `The identifier's own events do not hold: ${what}`);
const rule = (what: string) => refuse("KERI_RULE", what, "client");

const texts = (seeds: readonly Uint8Array[]): readonly string[] => seeds.map((seed) => keyText(publicKeyOf(seed)));
const digests = (seeds: readonly Uint8Array[]): readonly string[] => texts(seeds).map(nextKeyDigest);

export interface InceptionOptions {
  readonly current: readonly Uint8Array[];
  /** None: an identifier that never rotates. */
  readonly next: readonly Uint8Array[];
  /** Needed for several keys. */
  readonly threshold?: Threshold;
  /** As `threshold` unless given. */
  readonly nextThreshold?: Threshold;
  readonly witnesses?: readonly string[];
  readonly witnessThreshold?: number;
  readonly traits?: readonly Trait[];
  /** Makes a delegated identifier, in force once the delegator anchors its inception. */
  readonly delegator?: Aid;
}

/** A new identifier; it is in force for nobody before its events were handed on. Refuses: KERI_RULE. */
export function inceptController(options: InceptionOptions): Result<Controller, ControllerRefusal> {
  const { current, next, witnesses = [], traits = [], delegator } = options;
  const threshold = thresholdOver(current.length, options.threshold);
  const nextThreshold = thresholdOver(
    next.length,
    options.nextThreshold ?? sameOver(threshold, current.length, next.length),
  );
  const toad = options.witnessThreshold ?? ampleWitnesses(witnesses.length);
  const fault =
    keysFault(current.length, threshold) ??
    nextFault(next.length, nextThreshold) ??
    witnessesFault(witnesses, toad) ??
    sentenceOf(readTraits(traits)) ??
    delegatorFault(delegator);
  if (fault !== undefined) return rule(fault);
  const input = {
    keys: texts(current),
    threshold: present(threshold, "judged"),
    nextDigests: digests(next),
    nextThreshold: present(nextThreshold, "judged"),
    witnesses,
    witnessThreshold: toad,
    traits,
  };
  const { aid, event } = delegator === undefined ? incept(input) : delegatedIncept({ ...input, delegator });
  return ok({ aid, kel: signedStream(event, current), current, next, pending: null });
}

/** One key and one to follow, of 32 uniform bytes each. */
export function newController(random: (length: number) => Uint8Array): Controller {
  const made = inceptController({ current: [random(32)], next: [random(32)] });
  assert(made.ok, "one key and one to follow are lawful");
  return made.value;
}

/** The holder of an identifier that has one key and has not rotated. Refuses: KEL_INVALID. */
export function controllerOfInception(
  aid: Aid,
  icp: Uint8Array,
  current: Uint8Array,
  next: Uint8Array,
): Result<Controller, ControllerRefusal> {
  return openController({ aid, kel: signedStream(icp, [current]), current: [current], next: [next], pending: null });
}

/** Exact bytes of the inception. */
export function inceptionOf({ kel }: Pick<Controller, "kel">): Uint8Array {
  const events = eventsOf(kel);
  assert(events.ok, "own events were judged");
  return present(events.value[0], "they begin with an inception").message.body;
}

export interface RotationOptions {
  /** Fresh seeds to commit to, after those that stay in reserve; neither: the identifier is abandoned. */
  readonly after: readonly Uint8Array[];
  /** Places, in the list of next keys, of those that come into force, in order; all unless given. The others stay next keys. */
  readonly exposed?: readonly number[];
  /** Over the keys that come into force; what was committed to, unless given (weights over other keys must be). */
  readonly threshold?: Threshold;
  /** Over the next keys; as the threshold where the numbers agree, and as before where keys stay in reserve, unless given. */
  readonly nextThreshold?: Threshold;
  readonly witnessesRemoved?: readonly string[];
  readonly witnessesAdded?: readonly string[];
  readonly witnessThreshold?: number;
  readonly seals?: readonly EventFields[];
}

/**
 * The rotation to the next keys, or some of them, pending: to be kept before anybody sees it.
 * Refuses: KEL_PENDING (another event is), KERI_RULE. Source: "Partial, reserve, and custodial rotations".
 */
export function prepareRotation(
  controller: Controller,
  { after, seals = [], ...options }: RotationOptions,
): Result<Controller, ControllerRefusal> {
  if (controller.pending !== null) return pendingAlready(controller.pending);
  const state = keyStateOf(controller);
  if (state.nextDigests.length === 0)
    return rule("The identifier was abandoned, or never rotates: it has no next keys.");
  const { witnessesRemoved: removed = [], witnessesAdded: added = [] } = options;
  const witnesses = [...state.witnesses.filter((one) => !removed.includes(one)), ...added];
  const changed = removed.length + added.length > 0;
  const toad = options.witnessThreshold ?? (changed ? ampleWitnesses(witnesses.length) : state.witnessThreshold);
  const count = controller.next.length;
  const exposed = options.exposed ?? controller.next.map((_, place) => place);
  const keys = exposed.flatMap((place) => controller.next[place] ?? []);
  const next = [...controller.next.filter((_, place) => !exposed.includes(place)), ...after];
  const threshold = options.threshold ?? committedOver(state.nextThreshold, count, keys.length);
  const like = keys.length === count ? threshold : state.nextThreshold;
  const nextThreshold = thresholdOver(next.length, options.nextThreshold ?? sameOver(like, count, next.length));
  const fault =
    exposedFault(exposed, state) ??
    keysFault(keys.length, threshold) ??
    nextFault(next.length, nextThreshold) ??
    witnessesFault(witnesses, toad) ??
    removedFault(removed, added, state) ??
    sealsFault(seals);
  if (fault !== undefined) return rule(fault);
  const { said, event } = (state.delegator === null ? rotate : delegatedRotate)({
    aid: state.aid,
    sn: state.latest.sn + 1,
    prior: state.latest.said,
    keys: texts(keys),
    threshold: present(threshold, "judged"),
    nextDigests: digests(next),
    nextThreshold: present(nextThreshold, "judged"),
    witnessThreshold: toad,
    witnessesRemoved: removed,
    witnessesAdded: added,
    seals,
  });
  const stream = signedStream(event, keys, exposed);
  return judged({ ...controller, pending: { sn: state.latest.sn + 1, said, stream, next } });
}

/** An interaction that anchors seals, pending. Refuses: KEL_PENDING, KERI_RULE. */
export function prepareInteraction(
  controller: Controller,
  seals: readonly EventFields[],
): Result<Controller, ControllerRefusal> {
  if (controller.pending !== null) return pendingAlready(controller.pending);
  const state = keyStateOf(controller);
  if (state.nextDigests.length === 0) return rule("The identifier was abandoned: it makes no more events.");
  const fault = sealsFault(seals);
  if (fault !== undefined) return rule(fault);
  const { sn, said: prior } = state.latest;
  const { said, event } = interact({ aid: state.aid, sn: sn + 1, prior, seals });
  const stream = signedStream(event, controller.current);
  return judged({ ...controller, pending: { sn: sn + 1, said, stream, next: null } });
}

/** What is pending is in force. */
export function promoted(controller: Controller): Controller {
  const { aid, kel, current, next, pending } = controller;
  if (pending === null) return controller;
  const keys = pending.next === null ? { current, next } : { current: seedsExposed(pending, next), next: pending.next };
  return { aid, kel: concatBytes(kel, pending.stream), ...keys, pending: null };
}

/** Those of the next keys' seeds whose keys a pending rotation names. What it cannot be, `openController` finds. */
function seedsExposed({ stream }: PendingEvent, next: readonly Uint8Array[]): readonly Uint8Array[] {
  const events = eventsOf(stream);
  const event = events.ok ? events.value[0]?.event : undefined;
  if (event === undefined || !isRotation(event)) return next;
  const keys = texts(next);
  return event.keys.flatMap((key) => next[keys.indexOf(key)] ?? []);
}

/** Where a delegator anchored an event. */
export type Anchor = Omit<SealSource, "aid">;

/**
 * The same events (in force, and pending), each of those named with where its delegator anchored it, instead of what was said before: a
 * reader of the stream alone learns of the anchor by this couple. Source: ToIP KERI specification, "Delegated inception", source seal couple.
 */
export function anchoredAt(controller: Controller, anchors: ReadonlyMap<Said, Anchor>): Controller {
  const { pending, kel } = controller;
  return {
    ...controller,
    kel: withCouples(kel, anchors),
    pending: pending && { ...pending, stream: withCouples(pending.stream, anchors) },
  };
}

function withCouples(stream: Uint8Array, anchors: ReadonlyMap<Said, Anchor>): Uint8Array {
  const events = eventsOf(stream);
  assert(events.ok, "own events were judged");
  return concatBytes(
    ...events.value.map(({ event, message: { source, body, attachments } }) => {
      const anchor = anchors.get(event.said);
      if (anchor === undefined || attachments.sealSources.some((one) => one.said === anchor.said)) return source;
      const sealSources: readonly SealSource[] = [{ ...anchor, aid: null }];
      return concatBytes(body, encodeAttachments({ ...attachments, sealSources }, 1));
    }),
  );
}

/** Where the own events, those pending too, anchor another identifier's: by the SAID of the event that is anchored. */
export function anchorsOf({ kel, pending }: Controller, aid: Aid): ReadonlyMap<Said, Anchor> {
  const anchors = new Map<Said, Anchor>();
  for (const { event } of ownEvents({ kel, pending }))
    for (const seal of event.eventSeals)
      if (seal.aid === aid && !anchors.has(seal.said)) anchors.set(seal.said, { sn: event.sn, said: event.said });
  return anchors;
}

/** All own events, the pending one last, with the bytes they travel as. */
export function ownEvents({ kel, pending }: Pick<Controller, "kel" | "pending">): readonly OwnEvent[] {
  const events = eventsOf(pending === null ? kel : concatBytes(kel, pending.stream));
  assert(events.ok, "own events were judged");
  return events.value;
}

/** The key state by the own events in force. Throws: Defect for events that `openController` has not judged. */
export function keyStateOf({ kel }: Pick<Controller, "kel">): KeyState {
  const state = foldedState(kel);
  assert(state.ok, state.ok ? "" : state.refusal.message);
  return state.value;
}

/** The key state once what is pending is in force. */
export const keyStateAfterPending = (controller: Controller): KeyState => keyStateOf(promoted(controller));

/** Judges what was kept: events that follow each other, seeds that are those of its keys. Refuses: KEL_INVALID. */
export function openController(controller: Controller): Result<Controller, ControllerRefusal> {
  for (const [one, what] of [
    [{ ...controller, pending: null }, "in force"],
    [promoted(controller), "pending"],
  ] as const) {
    const state = foldedState(one.kel);
    if (!state.ok) return state;
    const { aid, keyTexts, nextDigests } = state.value;
    if (aid !== controller.aid) return invalid(`they are those of ${aid}`);
    if (keyTexts.join() !== texts(one.current).join()) return invalid(`the keys kept are not those ${what}`);
    if (nextDigests.join() !== digests(one.next).join()) return invalid(`the next keys kept are not those ${what}`);
  }
  const { pending } = controller;
  if (pending === null) return ok(controller);
  const { latest } = keyStateAfterPending(controller);
  return latest.said === pending.said && latest.sn === pending.sn
    ? ok(controller)
    : invalid("what is pending is another");
}

/** Signatures of all these seeds, each with the position of its key. */
export const signaturesOf = (seeds: readonly Uint8Array[], message: Uint8Array): readonly KeySignature[] =>
  seeds.map((seed, index) => ({ index, sig: signer(seed)(message) }));

/** Whose keys stand behind a certificate: those of a pending rotation already, as whoever has not seen it finds it beside them. */
export interface ShownKeys {
  readonly keySn: number;
  readonly seeds: readonly Uint8Array[];
  /** The newest rotations up to that one, oldest first. */
  readonly rotations: readonly Uint8Array[];
}

/** `pendingToo`: only for rotations that need nobody's approval (`isShowable`). */
export function shownKeys(controller: Controller, pendingToo: boolean): ShownKeys {
  const shown = pendingToo ? promoted(controller) : controller;
  return { keySn: keyStateOf(shown).sn, seeds: shown.current, rotations: rotationsOf(shown.kel) };
}

/** Whether strangers take a rotation of this identifier by its own signatures: nobody delegates it, nobody witnesses it. */
export function isShowable(controller: Controller): boolean {
  const { delegator, witnesses } = keyStateAfterPending(controller);
  return delegator === null && witnesses.length === 0;
}

export interface OwnEvent {
  readonly event: KeyEvent;
  readonly message: KeriMessage;
}

/** Messages of a stream of own events. Refuses: KEL_INVALID. */
export function eventsOf(stream: Uint8Array): Result<readonly OwnEvent[], ControllerRefusal> {
  const { messages, refusal } = parseStream(stream);
  if (refusal !== null) return invalid(refusal.message);
  const events: OwnEvent[] = [];
  for (const message of messages) {
    const event = parseKeyEvent(message.body, message.bodyKind, message.version);
    if (!event.ok) return invalid(event.refusal.message);
    events.push({ event: event.value, message });
  }
  return ok(events);
}

function foldedState(kel: Uint8Array): Result<KeyState, ControllerRefusal> {
  const events = eventsOf(kel);
  if (!events.ok) return events;
  let state: KeyState | undefined;
  for (const { event } of events.value) {
    const next = nextState(state, event);
    if (!next.ok) return next;
    state = next.value;
  }
  return state === undefined ? invalid("there is none") : ok(state);
}

function nextState(state: KeyState | undefined, event: KeyEvent): Result<KeyState, ControllerRefusal> {
  if (isInception(event)) {
    if (state !== undefined) return invalid("a second inception stands among them");
    const begun = incepted(event);
    return begun.ok ? begun : invalid(begun.refusal.message);
  }
  if (state === undefined) return invalid("they begin without an inception");
  if (event.aid !== state.aid || event.sn !== state.latest.sn + 1 || event.prior !== state.latest.said)
    return invalid(`event ${event.sn} does not follow event ${state.latest.sn}`);
  const next = followed(state, event);
  return next.ok ? next : invalid(next.refusal.message);
}

/** What was prepared, if it is lawful after the events that are there. */
function judged(controller: Controller): Result<Controller, ControllerRefusal> {
  const state = foldedState(promoted(controller).kel);
  return state.ok ? ok(controller) : rule(state.refusal.message);
}

function rotationsOf(kel: Uint8Array): readonly Uint8Array[] {
  const events = eventsOf(kel);
  assert(events.ok, "own events were judged");
  const kept: Uint8Array[] = [];
  let size = 0;
  for (const { event, message } of events.value.toReversed()) {
    if (!isRotation(event)) continue;
    size += message.source.length;
    if (kept.length === ROTATIONS_READ_MAX || size > SHOWN_BYTES_MAX) break;
    kept.unshift(message.source);
  }
  return kept;
}

/** The event with a signature of every seed; `exposed`: where each stood among the prior next keys, for a rotation that leaves some out. */
function signedStream(event: Uint8Array, seeds: readonly Uint8Array[], exposed?: readonly number[]): Uint8Array {
  const controllerSignatures = signaturesOf(seeds, event).map(({ index, sig }) => ({
    index,
    ondex: exposed?.[index] ?? index,
    algorithm: "ed25519" as const,
    sig,
  }));
  return concatBytes(event, encodeAttachments({ ...NO_ATTACHMENTS, controllerSignatures }, 1));
}

const pendingAlready = ({ sn }: PendingEvent) =>
  refuse("KEL_PENDING", `Event ${sn} of this identifier is signed and still to be submitted; submit it first.`);

/** 1 for one key, 0 for none; several keys are somebody's decision. */
const thresholdOver = (count: number, given: Threshold | undefined): Threshold | undefined =>
  given ?? (count <= 1 ? count : undefined);

/** The same threshold, where it is over as many keys. */
const sameOver = (threshold: Threshold | undefined, keys: number, count: number): Threshold | undefined =>
  keys === count ? threshold : undefined;

/** What was committed to over so many next keys, as the threshold over some of them: a number holds for any, weights only for all. */
const committedOver = (threshold: Threshold, keys: number, count: number): Threshold | undefined =>
  typeof threshold === "number" ? threshold : (sameOver(threshold, keys, count) ?? thresholdOver(count, undefined));

const everyOf = (count: number): ReadonlySet<number> => new Set(Array.from({ length: count }, (_, i) => i));

function exposedFault(exposed: readonly number[], { nextDigests, nextThreshold }: KeyState): string | undefined {
  if (new Set(exposed).size !== exposed.length || exposed.some((place) => !(place in nextDigests)))
    return `Of ${nextDigests.length} next keys those to expose are named once each, from 0 on.`;
  return isThresholdMet(nextThreshold, exposed)
    ? undefined
    : "The next keys to expose do not meet the threshold that was committed to; expose more of them.";
}

function keysFault(count: number, threshold: Threshold | undefined): string | undefined {
  if (count < 1 || count > CONTROLLER_KEYS_MAX) return `An identifier here has 1 to ${CONTROLLER_KEYS_MAX} keys.`;
  if (threshold === undefined) return "Several keys need a threshold: how many of them, or which weights, must sign.";
  if (threshold === 0 || thresholdSize(threshold) > count || !isThresholdMet(threshold, everyOf(count)))
    return `The threshold cannot be met by ${count} keys.`;
  return undefined;
}

function nextFault(count: number, threshold: Threshold | undefined): string | undefined {
  if (count === 0) return threshold === 0 ? undefined : "Without next keys there is no threshold over them.";
  const fault = keysFault(count, threshold);
  return fault === undefined ? undefined : `Of the next keys: ${fault}`;
}

const sentenceOf = (read: Result<unknown>): string | undefined => (read.ok ? undefined : read.refusal.message);

function sealsFault(seals: readonly EventFields[]): string | undefined {
  if (utf8(JSON.stringify(seals)).length > SEALS_BYTES_MAX)
    return `The seals have more than ${SEALS_BYTES_MAX} bytes; anchor them by several events.`;
  return sentenceOf(readEventSeals(seals));
}

function delegatorFault(delegator: Aid | undefined): string | undefined {
  const fault = delegator === undefined ? undefined : sentenceOf(readAid("di", delegator));
  return fault === undefined ? undefined : `The delegator is no identifier: ${fault}`;
}

function removedFault(
  removed: readonly string[],
  added: readonly string[],
  { witnesses }: KeyState,
): string | undefined {
  if (!removed.every((one) => witnesses.includes(one))) return "A witness to remove is none.";
  if (new Set(removed).size !== removed.length) return "A witness to remove stands twice.";
  return removed.some((one) => added.includes(one)) ? "A witness is to be removed and to be added." : undefined;
}

function witnessesFault(witnesses: readonly string[], threshold: number): string | undefined {
  if (witnesses.length > LISTED_MAX) return `An identifier has at most ${LISTED_MAX} witnesses.`;
  if (new Set(witnesses).size !== witnesses.length) return "A witness stands twice.";
  const wrong = witnesses.find((one) => !isNonTransferable(one));
  if (wrong !== undefined) return `${wrong} is no witness: they are non-transferable identifiers (code B).`;
  if (witnesses.length === 0) return threshold === 0 ? undefined : "Without witnesses none can be asked for receipts.";
  return threshold >= 1 && threshold <= witnesses.length
    ? undefined
    : `The threshold of witnesses is between 1 and ${witnesses.length}.`;
}
