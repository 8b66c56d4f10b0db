/** Random honest lives of identifiers, composed as a controller would: every message is one that must be accepted. */
import type { Aid, Said } from "../../../../src/base/brands.ts";
import { concatBytes } from "../../../../src/base/bytes.ts";
import { publicKeyOf, signer } from "../../../../src/crypto/ed25519.ts";
import { type Threshold, isThresholdMet } from "../../../../src/crypto/threshold.ts";
import { encodeAttachments } from "../../../../src/keri/cesr/encode-attachments.ts";
import { encodeMatter } from "../../../../src/keri/cesr/matter.ts";
import {
  type Composed,
  delegatedIncept,
  delegatedRotate,
  incept,
  interact,
  receipt,
  rotate,
} from "../../../../src/keri/compose.ts";
import { keyText } from "../../../../src/keri/key-text.ts";
import type { Attachments, IndexedSignature, Trait } from "../../../../src/keri/messages.ts";
import { nextKeyDigest } from "../../../../src/keri/said.ts";
import { parseThreshold } from "../../../../src/keri/threshold.ts";
import type { Random } from "./random.ts";

export interface Key {
  readonly text: string;
  readonly witnessText: string;
  readonly sign: (message: Uint8Array) => Uint8Array;
}

/** Keys are dear to make; lives of many runs share them. */
const made: Key[] = [];
function keyOf(place: number): Key {
  const known = made[place];
  if (known !== undefined) return known;
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(4, place + 1);
  const publicKey = publicKeyOf(seed);
  const key = { text: keyText(publicKey), witnessText: encodeMatter("B", publicKey), sign: signer(seed) };
  made[place] = key;
  return key;
}

export const NONE: Attachments = {
  controllerSignatures: [],
  witnessSignatures: [],
  receiptCouples: [],
  transferableSignatures: [],
  sealSources: [],
  firstSeen: [],
};

/** A signature by a key at its places. */
export const signed = (key: Key, message: Uint8Array, index: number, ondex: number | null): IndexedSignature => ({
  index,
  ondex,
  algorithm: "ed25519",
  sig: key.sign(message),
});

export const messageOf = (event: Uint8Array, attachments: Partial<Attachments>): Uint8Array =>
  concatBytes(event, encodeAttachments({ ...NONE, ...attachments }, 1));

/** An event with the signatures of all of these keys and witnesses, at their places in the prior next list. */
export const complete = (
  event: Uint8Array,
  keys: readonly Key[],
  next: readonly Key[],
  witnesses: readonly Key[],
): Uint8Array =>
  messageOf(event, {
    controllerSignatures: keys.map((key, i) => signed(key, event, i, next.includes(key) ? next.indexOf(key) : null)),
    witnessSignatures: witnesses.map((witness, i) => signed(witness, event, i, i)),
  });

/** One identifier as its controller knows it. */
export interface Life {
  readonly aid: Aid;
  readonly delegator: Life | null;
  readonly traits: readonly Trait[];
  keys: readonly Key[];
  threshold: Threshold;
  next: readonly Key[];
  nextThreshold: Threshold;
  witnesses: readonly Key[];
  witnessThreshold: number;
  /** SAIDs in force, by sequence number; sequence number of the last establishment event; what went before it. */
  log: Said[];
  established: number;
  before: Before | null;
}

type Before = Pick<Life, "keys" | "threshold" | "next" | "nextThreshold" | "witnesses" | "witnessThreshold">;

/** Whether it can make events that count: neither it nor who delegates it is abandoned. */
const canAct = ({ next, delegator }: Life): boolean => next.length > 0 && (delegator === null || canAct(delegator));

export class World {
  readonly messages: Uint8Array[] = [];
  readonly lives: Life[] = [];
  /** Rotations of delegates that were anchored as well as those that are in force, but before them: they may supersede nothing. */
  readonly rivals: Uint8Array[] = [];
  readonly random: Random;
  #keys = 0;

  constructor(random: Random) {
    this.random = random;
    this.incept(null);
    for (let steps = random.between(6, 14); steps > 0; steps--) this.#step();
  }

  freshKeys(least: number, most: number): readonly Key[] {
    return Array.from({ length: this.random.between(least, most) }, () => keyOf(this.#keys++));
  }

  /** What must be in force in the end. */
  inForce(): Record<string, readonly string[]> {
    return Object.fromEntries(this.lives.map(({ aid, log }) => [aid, log]));
  }

  #step(): void {
    const { random } = this;
    const life = random.pick(this.lives);
    const choice = random.below(12);
    if (choice < 2 && this.lives.length < 4) this.incept(random.once(3) || !canAct(life) ? null : life);
    else if (!canAct(life)) return;
    else if (choice < 6) this.interact(life, []);
    else if (choice < 10 || life.delegator === null) this.rotate(life);
    else this.recoverRotation(life);
  }

  /** A number of keys, or weights that some of them can meet. */
  thresholdFor(count: number): Threshold {
    const { random } = this;
    if (count === 0) return 0;
    if (random.once(2)) return random.between(1, count);
    const clause = (keys: number): readonly string[] => {
      const weight = `1/${random.between(1, keys)}`;
      return Array.from({ length: keys }, () => weight.replace(/^1\/1$/, "1"));
    };
    const first = random.between(1, count);
    const parsed = parseThreshold(first < count ? [clause(first), clause(count - first)] : clause(count));
    return parsed.ok ? parsed.value : count;
  }

  incept(delegator: Life | null): Life | null {
    if (delegator !== null && (delegator.traits.includes("DND") || delegator.next.length === 0)) return null;
    const { random } = this;
    const keys = this.freshKeys(1, 3);
    const next = this.freshKeys(1, 4);
    const witnesses = random.once(2) ? this.freshKeys(1, 3) : [];
    const witnessThreshold = witnesses.length === 0 ? 0 : random.between(1, witnesses.length);
    const threshold = this.thresholdFor(keys.length);
    const nextThreshold = this.thresholdFor(next.length);
    const traits: readonly Trait[] = random.once(6) ? [random.pick(["EO", "DND"] as const)] : [];
    const input = {
      keys: keys.map(({ text }) => text),
      threshold,
      nextDigests: next.map(({ text }) => nextKeyDigest(text)),
      nextThreshold,
      witnesses: witnesses.map(({ witnessText }) => witnessText),
      witnessThreshold,
      traits,
    };
    const event = delegator === null ? incept(input) : delegatedIncept({ ...input, delegator: delegator.aid });
    const state = { keys, threshold, next, nextThreshold, witnesses, witnessThreshold };
    const life: Life = { aid: event.aid, delegator, traits, ...state, log: [event.said], established: 0, before: null };
    this.lives.push(life);
    this.#publish(
      life,
      0,
      event,
      this.enough(keys, threshold).map((i) => signed(keys[i] as Key, event.event, i, i)),
    );
    return life;
  }

  /** Some keys, in random order, that meet the threshold. */
  enough(keys: readonly Key[], threshold: Threshold): readonly number[] {
    const order = this.random.shuffled(keys.map((_, i) => i));
    const chosen: number[] = [];
    for (const i of order) {
      chosen.push(i);
      if (isThresholdMet(threshold, chosen)) break;
    }
    return chosen;
  }

  interact(life: Life, seals: readonly Record<string, unknown>[]): void {
    if (life.traits.includes("EO") || life.next.length === 0) {
      if (seals.length > 0) this.rotate(life, seals);
      return;
    }
    const sn = life.log.length;
    const prior = life.log[sn - 1] as Said;
    const event = interact({ aid: life.aid, sn, prior, seals: seals.length > 0 ? seals : [{ d: life.aid }] });
    life.log.push(event.said);
    const by = this.enough(life.keys, life.threshold);
    this.#publish(
      life,
      sn,
      event,
      by.map((i) => signed(life.keys[i] as Key, event.event, i, this.random.once(3) ? null : i)),
    );
  }

  /** The next rotation; sometimes one that recovers: it takes the place of interactions since the last one. */
  rotate(life: Life, seals: readonly Record<string, unknown>[] = []): void {
    if (life.next.length === 0) return;
    const { random } = this;
    const recovers = life.log.length - 1 > life.established && random.once(3);
    const sn = recovers ? random.between(life.established + 1, life.log.length - 1) : life.log.length;
    // The anchors of delegates stay in force: an honest delegator does not take them back.
    if (recovers && this.lives.some(({ delegator }) => delegator === life))
      return this.#rotateAt(life, life.log.length, life, seals);
    this.#rotateAt(life, sn, life, seals);
  }

  /** A delegated rotation in the place of the last one, with an anchor that comes later (rule B1). */
  recoverRotation(life: Life): void {
    if (life.established === 0 || life.before === null || life.next.length === 0) return;
    if (this.lives.some(({ delegator }) => delegator === life)) return;
    this.#rotateAt(life, life.established, life.before, []);
  }

  #rotateAt(life: Life, sn: number, base: Before, seals: readonly Record<string, unknown>[]): void {
    const { random } = this;
    const { keys: oldKeys, threshold: oldThreshold, next: oldNext, nextThreshold: oldNextThreshold, ...old } = base;
    const from: Before = {
      keys: oldKeys,
      threshold: oldThreshold,
      next: oldNext,
      nextThreshold: oldNextThreshold,
      witnesses: old.witnesses,
      witnessThreshold: old.witnessThreshold,
    };
    const exposed = this.enough(from.next, from.nextThreshold);
    const fresh = this.freshKeys(0, 2);
    const keys = random.shuffled([...exposed.map((i) => from.next[i] as Key), ...fresh]);
    const abandons = random.once(15) && !this.lives.some(({ delegator }) => delegator === life);
    const next = abandons ? [] : this.freshKeys(1, 4);
    // Everybody exposed signs; of the fresh keys as many as the new threshold asks for.
    const threshold = this.thresholdFor(keys.length);
    const nextThreshold = this.thresholdFor(next.length);
    const removed = from.witnesses.filter(() => random.once(3));
    const added = random.once(4) ? this.freshKeys(1, 2) : [];
    const witnesses = [...from.witnesses.filter((one) => !removed.includes(one)), ...added];
    const witnessThreshold = witnesses.length === 0 ? 0 : random.between(1, witnesses.length);
    const prior = life.log[sn - 1] as Said;
    const input = {
      aid: life.aid,
      sn,
      prior,
      keys: keys.map(({ text }) => text),
      threshold,
      nextDigests: next.map(({ text }) => nextKeyDigest(text)),
      nextThreshold,
      witnessThreshold,
      witnessesRemoved: removed.map(({ witnessText }) => witnessText),
      witnessesAdded: added.map(({ witnessText }) => witnessText),
      seals,
    };
    const event = life.delegator === null ? rotate(input) : delegatedRotate(input);
    const rival =
      life.delegator !== null && random.once(3)
        ? this.#rival(life.delegator, event, { ...input, from, all: keys, witnesses })
        : null;
    life.before = from;
    Object.assign(life, { keys, threshold, next, nextThreshold, witnesses, witnessThreshold, established: sn });
    life.log = [...life.log.slice(0, sn), event.said];
    const by = new Set(this.enough(keys, threshold));
    const signatures = keys.flatMap((key, i) => {
      const ondex = from.next.indexOf(key);
      if (ondex < 0) return by.has(i) ? [signed(key, event.event, i, null)] : [];
      // The same key under two codes is one signature still.
      const twice = random.once(6) ? [signed(key, event.event, i, null)] : [];
      return [signed(key, event.event, i, ondex), ...twice];
    });
    this.#publish(life, sn, event, signatures, rival === null ? [] : [rival]);
  }

  /** Another rotation in the same place, complete; its seal stands before that of the real one, in an event of its own or in the same. */
  #rival(
    delegator: Life,
    event: Composed,
    input: Parameters<typeof delegatedRotate>[0] & {
      readonly from: Before;
      readonly all: readonly Key[];
      readonly witnesses: readonly Key[];
    },
  ): Record<string, unknown> | null {
    const { from, all, witnesses, ...rotation } = input;
    const rival = delegatedRotate({ ...rotation, seals: [{ d: event.said }] });
    this.rivals.push(complete(rival.event, all, from.next, witnesses));
    const seal = { i: rotation.aid, s: rotation.sn.toString(16), d: rival.said };
    if (this.random.once(2)) return seal;
    this.interact(delegator, [seal]);
    return null;
  }

  /** Sends an event: with its receipts or before or after them, in one piece or signature by signature, its anchor before or after it. */
  #publish(
    life: Life,
    sn: number,
    event: Composed,
    signatures: readonly IndexedSignature[],
    sealsBefore: readonly Record<string, unknown>[] = [],
  ): void {
    const { random } = this;
    const isDelegated = life.delegator !== null && (sn === life.established || sn === 0);
    const anchor = () => {
      if (isDelegated && life.delegator !== null)
        this.interact(life.delegator, [...sealsBefore, { i: life.aid, s: sn.toString(16), d: event.said }]);
    };
    const anchorsFirst = random.once(2);
    if (anchorsFirst) anchor();
    const support = random
      .shuffled(life.witnesses.map((witness, index) => ({ witness, index })))
      .slice(0, random.between(life.witnessThreshold, life.witnesses.length));
    const indexed = support.map(({ witness, index }) => signed(witness, event.event, index, index));
    const couples = support.map(({ witness }) => ({
      receiptor: witness.witnessText,
      code: "0B",
      sig: witness.sign(event.event),
    }));
    const receipts = random.once(2) ? { witnessSignatures: indexed } : { receiptCouples: couples };
    const attached = random.once(2);
    const receiptMessage = messageOf(receipt({ aid: life.aid, sn, said: event.said }).event, receipts);
    const before = !attached && support.length > 0 && random.once(3);
    if (before) this.messages.push(receiptMessage);
    const cut = signatures.length > 1 && random.once(4) ? random.between(1, signatures.length - 1) : signatures.length;
    const extra = attached ? receipts : {};
    this.messages.push(messageOf(event.event, { controllerSignatures: signatures.slice(0, cut), ...extra }));
    if (cut < signatures.length)
      this.messages.push(messageOf(event.event, { controllerSignatures: signatures.slice(cut) }));
    if (!attached && !before && support.length > 0) this.messages.push(receiptMessage);
    if (!anchorsFirst) anchor();
  }
}
