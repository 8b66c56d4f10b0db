/** Where tests send messages, one by one, to be judged and folded. */
import { expect } from "vitest";
import type { Aid, Said } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import type { CommandChecks } from "../../../src/keri/check-budget.ts";
import { type Composed, incept, interact } from "../../../src/keri/compose.ts";
import { applyKerlFact } from "../../../src/keri/kerl-fold.ts";
import type { KerlFact } from "../../../src/keri/kerl-facts.ts";
import { ESCROW_BOUNDS, type EscrowBounds } from "../../../src/keri/kerl.ts";
import { MemoryKerl } from "../../../src/keri/kerl-overlay.ts";
import type { Trait } from "../../../src/keri/messages.ts";
import { judgeMessage } from "../../../src/keri/rules.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";
import { parseStream } from "../../../src/keri/stream.ts";
import { type Key, World, complete } from "./differential/lives.ts";
import { Random } from "./differential/random.ts";

/** Where messages are judged and folded; keys that nobody has used. */
export class Stage {
  readonly kerl = new MemoryKerl();
  readonly #bounds: EscrowBounds;
  readonly #keys = new World(new Random(7));
  readonly facts: KerlFact[] = [];

  constructor(bounds = ESCROW_BOUNDS) {
    this.#bounds = bounds;
  }

  key(): Key {
    return present(this.#keys.freshKeys(1, 1)[0], "one was asked for");
  }

  keys(count: number): readonly Key[] {
    return this.#keys.freshKeys(count, count);
  }

  /** The verdict, or the code and the rule that was broken. */
  send(bytes: Uint8Array, height = 0, checks?: CommandChecks): string {
    const { messages, refusal } = parseStream(bytes);
    expect(refusal).toBeNull();
    const judged = judgeMessage(this.kerl, present(messages[0], "one message"), {
      height,
      bounds: this.#bounds,
      ...(checks && { checks }),
    });
    if (!judged.ok) return judged.refusal.rule ?? judged.refusal.code;
    for (const fact of judged.value.facts) applyKerlFact(this.kerl, fact, height);
    this.facts.push(...judged.value.facts);
    return judged.value.verdict;
  }

  /** An identifier with these keys in force. */
  begin(
    keys: readonly Key[],
    next: readonly Key[],
    more: {
      readonly witnesses?: readonly Key[];
      readonly bt?: number;
      readonly traits?: readonly Trait[];
      readonly threshold?: number;
      readonly nextThreshold?: number;
    } = {},
  ): Composed & { readonly aid: Aid } {
    const witnesses = more.witnesses ?? [];
    const event = incept({
      keys: keys.map(({ text }) => text),
      threshold: more.threshold ?? keys.length,
      nextDigests: next.map(({ text }) => nextKeyDigest(text)),
      nextThreshold: more.nextThreshold ?? next.length,
      witnesses: witnesses.map(({ witnessText }) => witnessText),
      witnessThreshold: more.bt ?? witnesses.length,
      traits: more.traits ?? [],
    });
    expect(this.send(complete(event.event, keys, keys, witnesses))).toBe("accepted");
    return event;
  }
}

export const keysInput = (keys: readonly Key[], next: readonly Key[]) => ({
  keys: keys.map(({ text }) => text),
  threshold: keys.length,
  nextDigests: next.map(({ text }) => nextKeyDigest(text)),
  nextThreshold: next.length,
});
export const follow = (event: { readonly aid: Aid }, sn: number, prior: Said) => ({ aid: event.aid, sn, prior });
export const seals = (text: string) => [{ d: text }];
export const interaction = (aid: Aid, sn: number, prior: Said, text: string = aid) =>
  interact({ aid, sn, prior, seals: seals(text) });
