import type { Aid, Said } from "../base/brands.ts";
import { type Result, ok } from "../base/result.ts";
import type { KeySet } from "../crypto/key-set.ts";
import type { Threshold } from "../crypto/threshold.ts";
import { type EventRefusal, parseInception } from "./event.ts";
import type { InceptionEvent, KeyEvent, Trait } from "./messages.ts";

/** Who may speak for an identifier: what its last establishment event says, and which event came last. */
export interface KeyState extends KeySet {
  readonly aid: Aid;
  /** Sequence number and SAID of the establishment event that set these keys. */
  readonly sn: number;
  readonly said: Said;
  /** CESR texts of the keys. */
  readonly keyTexts: readonly string[];
  /** Digests of the texts of the keys that may follow; none: the identifier never rotates again. */
  readonly nextDigests: readonly string[];
  readonly nextThreshold: Threshold;
  readonly witnesses: readonly string[];
  readonly witnessThreshold: number;
  readonly traits: readonly Trait[];
  /** Who approves its establishment events; null when nobody must. */
  readonly delegator: Aid | null;
  /** The last event in force, of any kind. */
  readonly latest: { readonly sn: number; readonly said: Said; readonly type: KeyEvent["type"] };
}

/** The key state that an inception begins with. */
export const initialKeyState = ({ aid, sn, said, type, ...event }: InceptionEvent): KeyState => ({
  aid,
  sn,
  said,
  keys: event.verificationKeys,
  threshold: event.threshold,
  keyTexts: event.keys,
  nextDigests: event.nextDigests,
  nextThreshold: event.nextThreshold,
  witnesses: event.witnesses,
  witnessThreshold: event.witnessThreshold,
  traits: event.traits,
  delegator: event.delegator,
  latest: { sn, said, type },
});

/** The key state by an inception's exact bytes (version 1, JSON, not delegated). Bounds: 64 KiB. Refuses: see EventRefusal. */
export function keyStateOfInception(bytes: Uint8Array): Result<KeyState, EventRefusal> {
  const event = parseInception(bytes);
  return event.ok ? ok(initialKeyState(event.value)) : event;
}
