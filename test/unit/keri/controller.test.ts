/** Holders of keys: whatever they make is taken by the rules that everybody judges by, and what they keep goes on from any moment. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Aid, Said } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import type { Result } from "../../../src/base/result.ts";
import { publicKeyOf } from "../../../src/crypto/ed25519.ts";
import { parseThresholdWords } from "../../../src/host/cli/kel-events.ts";
import { encodeMatter } from "../../../src/keri/cesr/matter.ts";
import {
  type Controller,
  anchoredAt,
  controllerOfInception,
  eventsOf,
  inceptController,
  inceptionOf,
  isShowable,
  keyStateAfterPending,
  keyStateOf,
  newController,
  openController,
  prepareInteraction,
  prepareRotation,
  promoted,
  shownKeys,
} from "../../../src/keri/controller.ts";
import { applyKerlFact } from "../../../src/keri/kerl-fold.ts";
import { MemoryKerl } from "../../../src/keri/kerl-overlay.ts";
import { keyStateAfter } from "../../../src/keri/later-key-state.ts";
import { judgeArrival } from "../../../src/keri/rules.ts";
import { StreamParser } from "../../../src/keri/stream.ts";

let drawn = 0;
/** Distinct, and the same in every run. */
const random = (length: number): Uint8Array => {
  drawn += 1;
  return new Uint8Array(length).map((_, i) => (drawn >> (8 * (i % 3))) ^ (i * 7));
};
const seeds = (count: number): readonly Uint8Array[] => Array.from({ length: count }, () => random(32));
const ok = <T>(result: Result<T>): T => (result.ok ? result.value : expect.unreachable(result.refusal.message));
const threshold = (words: string) => ok(parseThresholdWords(words));

/** What a verifier that knows nothing yet says of each message. */
function verdicts(...streams: readonly Uint8Array[]): { readonly kerl: MemoryKerl; readonly said: readonly string[] } {
  const kerl = new MemoryKerl();
  const said: string[] = [];
  for (const stream of streams) {
    const parser = new StreamParser();
    for (const message of [...parser.push(stream).messages, ...parser.end().messages]) {
      const judged = judgeArrival(kerl, message, { height: 0 });
      if (judged.ok) for (const fact of judged.value.facts) applyKerlFact(kerl, fact, 0);
      said.push(judged.ok ? judged.value.verdict : judged.refusal.message);
    }
  }
  return { kerl, said };
}

const words = fc.constantFrom("1", "2", "3", "1/2,1/2,1/2", "1/2,1/2;1", "2/3,1/3,1/3");

test("any life of several keys and weights is taken by the rules, and leaves the state that its holder knows", () => {
  const step = fc.record({ kind: fc.constantFrom("rotate", "interact"), next: words });
  fc.assert(
    fc.property(words, fc.array(step, { maxLength: 8 }), (first, steps) => {
      const digest = "E".padEnd(44, "A");
      let holder = ok(inceptController({ current: seeds(3), next: seeds(3), threshold: threshold(first) }));
      for (const { kind, next } of steps) {
        const prepared = ok(
          kind === "rotate"
            ? prepareRotation(holder, { after: seeds(3), nextThreshold: threshold(next) })
            : prepareInteraction(holder, [{ d: digest }]),
        );
        expect(ok(openController(prepared))).toEqual(prepared);
        holder = ok(openController(promoted(prepared)));
      }
      const { kerl, said } = verdicts(holder.kel);
      expect(said).toEqual(said.map(() => "accepted"));
      expect(said).toHaveLength(steps.length + 1);
      expect(kerl.keyState(holder.aid)).toEqual(keyStateOf(holder));
    }),
    { numRuns: 30 },
  );
});

test("fewer and more keys follow each other, and an identifier that was abandoned makes no more events", () => {
  let holder = newController(random);
  for (const [count, nextThreshold] of [
    [3, "2"],
    [2, "1/2,1/2"],
    [1, "1"],
  ] as const)
    holder = promoted(ok(prepareRotation(holder, { after: seeds(count), nextThreshold: threshold(nextThreshold) })));
  holder = promoted(ok(prepareRotation(holder, { after: [] })));
  expect(verdicts(holder.kel).said).toEqual(Array.from({ length: 5 }, () => "accepted"));
  expect(prepareRotation(holder, { after: seeds(1) })).toMatchObject({ ok: false, refusal: { code: "KERI_RULE" } });
  expect(prepareInteraction(holder, [])).toMatchObject({ ok: false, refusal: { code: "KERI_RULE" } });
});

test("any life that exposes some of the next keys and keeps the others in reserve is taken by the rules, at its certificates too", () => {
  const places = fc.shuffledSubarray([0, 1, 2, 3], { minLength: 2 });
  fc.assert(
    fc.property(fc.array(places, { minLength: 1, maxLength: 6 }), (lives) => {
      const first = ok(inceptController({ current: seeds(4), next: seeds(4), threshold: 2 }));
      let holder = first;
      for (const [i, exposed] of lives.entries()) {
        const { next } = holder;
        const after = seeds(exposed.length);
        holder = ok(openController(ok(prepareRotation(holder, { after, exposed }))));
        const stays = next.filter((_, place) => !exposed.includes(place));
        const rotations = Buffer.concat(shownKeys(holder, true).rotations);
        holder = ok(openController(promoted(holder)));
        expect(keyStateAfter(keyStateOf(first), rotations, i + 1)).toEqual(keyStateOf(holder));
        expect(holder.current).toEqual(exposed.map((place) => next[place]));
        expect(holder.next).toEqual([...stays, ...after]);
      }
      const { kerl, said } = verdicts(holder.kel);
      expect(said).toEqual([first, ...lives].map(() => "accepted"));
      expect(kerl.keyState(holder.aid)).toEqual(keyStateOf(holder));
    }),
    { numRuns: 12 },
  );
});

test("some of several weighted next keys: the thresholds are said anew, and those committed to must be met", () => {
  const weights = threshold("1/2,1/2,1/2");
  const holder = ok(inceptController({ current: seeds(3), next: seeds(3), threshold: weights }));
  const rotate = (exposed: readonly number[], words?: string) =>
    prepareRotation(holder, {
      after: seeds(exposed.length),
      exposed,
      ...(words !== undefined && { threshold: threshold(words) }),
    });
  const rotated = promoted(ok(rotate([2, 0], "1/2,1/2")));
  expect(keyStateOf(rotated)).toMatchObject({ threshold: threshold("1/2,1/2"), nextThreshold: weights });
  expect(verdicts(rotated.kel).said).toEqual(["accepted", "accepted"]);
  const refused = (result: ReturnType<typeof rotate>): string =>
    result.ok ? expect.unreachable("it is refused") : result.refusal.message;
  expect(refused(rotate([2, 0]))).toContain("Several keys need a threshold");
  expect(refused(rotate([1]))).toContain("do not meet the threshold that was committed to");
  for (const exposed of [
    [0, 0],
    [0, 3],
    [-1, 0],
    [0.5, 1],
  ])
    expect(refused(rotate(exposed, "1"))).toContain("named once each");
  expect(refused(rotate([], "1"))).toContain("do not meet the threshold");
});

test("a delegated inception and rotation are taken once their delegator anchored them, by the couple that is kept with them", () => {
  let delegator = newController(random);
  let delegated = ok(inceptController({ current: seeds(1), next: seeds(1), delegator: delegator.aid }));
  expect(verdicts(delegator.kel, delegated.kel).said).toEqual(["accepted", "escrowed:awaiting-anchor"]);
  const anchor = (): void => {
    const { latest, aid } = keyStateAfterPending(delegated);
    delegator = promoted(ok(prepareInteraction(delegator, [{ i: aid, s: latest.sn.toString(16), d: latest.said }])));
    const { sn, said } = keyStateOf(delegator).latest;
    delegated = anchoredAt(delegated, new Map([[latest.said, { sn, said }]]));
  };
  anchor();
  expect(verdicts(delegator.kel, delegated.kel).said).toEqual(["accepted", "accepted", "accepted"]);
  delegated = ok(prepareRotation(delegated, { after: seeds(1) }));
  expect(isShowable(delegated)).toBe(false);
  anchor();
  delegated = ok(openController(promoted(delegated)));
  const { kerl, said } = verdicts(delegator.kel, delegated.kel);
  expect(said).toEqual(Array.from({ length: 5 }, () => "accepted"));
  expect(kerl.keyState(delegated.aid)).toEqual(keyStateOf(delegated));
});

test("a certificate's rotations lead whoever knows the first key state to the newest", () => {
  const first = newController(random);
  let holder = first;
  for (let sn = 1; sn <= 5; sn++) holder = promoted(ok(prepareRotation(holder, { after: seeds(1) })));
  const pending = ok(prepareRotation(holder, { after: seeds(1) }));
  const shown = shownKeys(pending, true);
  expect([shown.keySn, shown.seeds]).toEqual([6, pending.next]);
  const stream = Buffer.concat(shown.rotations);
  expect(keyStateAfter(keyStateOf(first), stream, 6)).toEqual(keyStateAfterPending(pending));
  expect(shownKeys(pending, false)).toMatchObject({ keySn: 5, seeds: pending.current });
});

describe("what is no life is refused in a sentence", () => {
  const witness = (of: Uint8Array): string => encodeMatter("B", publicKeyOf(of));
  const one = witness(random(32));
  test.each([
    ["several keys without a threshold", { current: seeds(2), next: seeds(2) }, /need a threshold/],
    ["no key", { current: [], next: seeds(1) }, /1 to 64 keys/],
    ["a threshold above the keys", { current: seeds(1), next: seeds(1), threshold: 2 }, /cannot be met by 1 keys/],
    ["a threshold of nobody", { current: seeds(1), next: seeds(1), threshold: 0 }, /cannot be met/],
    ["next keys without a threshold", { current: seeds(1), next: seeds(2) }, /Of the next keys: .*need a threshold/],
    ["a witness twice", { current: seeds(1), next: seeds(1), witnesses: [one, one] }, /stands twice/],
    [
      "a witness that may rotate",
      { current: seeds(1), next: seeds(1), witnesses: ["D" + one.slice(1)] },
      /is no witness/,
    ],
    [
      "too many receipts",
      { current: seeds(1), next: seeds(1), witnesses: [one], witnessThreshold: 2 },
      /between 1 and 1/,
    ],
  ])("%s", (_what, options, sentence) => {
    const made = inceptController(options);
    expect(made.ok ? "" : made.refusal.message).toMatch(sentence);
  });

  test("a second event while one is pending, and an interaction of an identifier that makes none", () => {
    const pending = ok(prepareRotation(newController(random), { after: seeds(1) }));
    for (const again of [prepareRotation(pending, { after: seeds(1) }), prepareInteraction(pending, [])])
      expect(again).toMatchObject({ ok: false, refusal: { code: "KEL_PENDING" } });
    const strict = ok(inceptController({ current: seeds(1), next: seeds(1), traits: ["EO"] }));
    expect(prepareInteraction(strict, [])).toMatchObject({ ok: false, refusal: { code: "KERI_RULE" } });
  });

  test("a rotation that removes a witness twice, one that is none, or one that it adds", () => {
    const holder = ok(inceptController({ current: seeds(1), next: seeds(1), witnesses: [one] }));
    for (const [witnessesRemoved, witnessesAdded, sentence] of [
      [[one, one], [], /remove stands twice/],
      [[witness(random(32))], [], /remove is none/],
      [[one], [one], /removed and to be added/],
      [[], [one], /stands twice/],
    ] as const)
      expect(prepareRotation(holder, { after: seeds(1), witnessesRemoved, witnessesAdded })).toMatchObject({
        ok: false,
        refusal: { code: "KERI_RULE", message: expect.stringMatching(sentence) },
      });
  });

  test("kept seeds, events or identifiers that do not belong together", () => {
    const holder = ok(prepareRotation(newController(random), { after: seeds(1) }));
    const pending = present(holder.pending, "prepared");
    const [, second] = ok(eventsOf(promoted(holder).kel));
    const wrong: readonly Controller[] = [
      { ...holder, aid: newController(random).aid },
      { ...holder, current: seeds(1) },
      { ...holder, next: seeds(1) },
      { ...holder, pending: { ...pending, next: seeds(1) } },
      { ...holder, pending: { ...pending, said: "E" as Said } },
      { ...holder, pending: { ...pending, stream: holder.kel } },
      { ...holder, kel: new Uint8Array() },
      { ...holder, kel: present(second, "the rotation").message.source },
      { ...holder, kel: holder.kel.subarray(0, -1) },
    ];
    for (const one of wrong) expect(openController(one)).toMatchObject({ ok: false, refusal: { code: "KEL_INVALID" } });
    const { aid, current, next } = newController(random);
    const [seed = random(32), after = random(32)] = [...current, ...next];
    expect(controllerOfInception(aid as Aid, inceptionOf(holder), seed, after).ok).toBe(false);
  });
});

test("thresholds as they are typed", () => {
  expect(threshold("2")).toBe(2);
  expect(threshold("1/2, 1/2;1")).toEqual(ok(parseThresholdWords("1/2,1/2;1/1")));
  for (const bad of ["", "x", "1/3,1/3", "-1", "1/2;", "0x1"]) expect(parseThresholdWords(bad).ok).toBe(false);
});
