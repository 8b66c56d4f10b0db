/** What a member's checkpoint statements may cost the others: signatures are checked within bounds that no liar moves. */
import { beforeEach, describe, expect, it } from "vitest";
import { type StatementMessage, Statements } from "../../../src/actors/consensus/statements.ts";
import { type Height, type MemberIndex, epoch, height, memberIndex } from "../../../src/base/brands.ts";
import { ZERO_DIGEST } from "../../../src/base/bytes.ts";
import type { Result } from "../../../src/base/result.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { DEFAULT_TIMINGS } from "../../../src/machines/consensus/types.ts";

const LIAR = memberIndex(3);
const signature = new Uint8Array(64);
const segments = sha256Digest(signature);

let checked: number;
let isSound: boolean;
let now: number;
let final: { readonly height: Height; readonly checkpoint: Height };
let provable: number[];
let refusedLate: (readonly [MemberIndex, string])[];
let statements: Statements;

beforeEach(() => {
  checked = 0;
  isSound = true;
  now = 1_700_000_000_000;
  final = { height: height(1000), checkpoint: height(0) };
  provable = [];
  refusedLate = [];
  statements = new Statements({
    committee: {
      cluster: ZERO_DIGEST,
      epoch: epoch(0),
      self: memberIndex(0),
      keys: [0, 1, 2, 3].map((i) => new Uint8Array(32).fill(i)),
      verify: () => {
        checked += 1;
        return isSound;
      },
      timings: DEFAULT_TIMINGS,
    },
    sign: (_message, done) => done(signature),
    now: () => now,
    final: () => final,
    said: () => {},
    provable: (at) => provable.push(at),
    judgedLate: (from, taken) => {
      if (!taken.ok) refusedLate.push([from, taken.refusal.code]);
    },
  });
});

const message = (member: MemberIndex, at: number, root = ZERO_DIGEST): StatementMessage => ({
  kind: "statement",
  statement: { epoch: epoch(0), height: height(at), root, segments },
  member,
  signature,
});
const say = (member: MemberIndex, at: number, root = ZERO_DIGEST): Result<void> =>
  statements.take(member, message(member, at, root));
const answer = (taken: Result<void>): string => (taken.ok ? "taken" : `${taken.refusal.code} ${taken.refusal.blame}`);

describe("a liar's statements of ever new heights", () => {
  it("beyond what is final cost no check at all, and count as its faults", () => {
    const answers = Array.from({ length: 500 }, (_, i) => answer(say(LIAR, 1_000_000 + i)));
    expect(checked).toBe(0);
    expect(answers.filter((one) => one === "STATEMENT_TOO_EARLY peer").length).toBeGreaterThanOrEqual(496);
  });

  it("at possible heights cost no more checks than an allowance, and count as its faults beyond it", () => {
    const answers = Array.from({ length: 1000 }, (_, i) => answer(say(LIAR, i + 1)));
    const first = checked;
    expect(first).toBeLessThanOrEqual(64);
    expect(answers.slice(first)).toEqual(answers.slice(first).map(() => "STATEMENTS_TOO_MANY peer"));
    now += 1000;
    for (let at = 1; at <= 1000; at++) say(LIAR, at);
    expect(checked - first).toBeLessThanOrEqual(32);
  });

  it("whose signatures do not hold use up the same allowance", () => {
    isSound = false;
    for (let at = 1; at <= 1000; at++) say(LIAR, at);
    expect(checked).toBeLessThanOrEqual(64);
  });

  it("take nothing from what the others may say", () => {
    for (let at = 1; at <= 1000; at++) say(LIAR, at);
    expect([0, 1, 2].map((at) => answer(say(memberIndex(at), 1000)))).toEqual(["taken", "taken", "taken"]);
    expect(provable).toEqual([1000]);
  });
});

describe("a statement", () => {
  it("that no block can prove any more is not checked: a checkpoint block above it is final", () => {
    final = { height: height(1000), checkpoint: height(600) };
    expect(answer(say(LIAR, 600))).toBe("STATEMENT_TOO_LATE none");
    expect(checked).toBe(0);
    expect(answer(say(LIAR, 601))).toBe("taken");
  });

  it("of a height that is not final here yet counts as soon as it is", () => {
    for (const member of [1, 2, 3]) expect(answer(say(memberIndex(member), 1010))).toBe("taken");
    statements.reached();
    expect([checked, provable]).toEqual([0, []]);
    final = { height: height(1010), checkpoint: height(0) };
    statements.reached();
    expect([checked, provable]).toEqual([3, [1010]]);
    statements.reached();
    expect(checked).toBe(3);
  });

  it("of a height that is not final here yet is refused when its turn comes, if its signature does not hold", () => {
    isSound = false;
    say(LIAR, 1010);
    final = { height: height(1010), checkpoint: height(0) };
    statements.reached();
    expect(refusedLate).toEqual([[LIAR, "BAD_SIGNATURE"]]);
  });

  it("of a height that is not final here yet: the same again is nothing new, another is equivocation", () => {
    expect([say(LIAR, 1010), say(LIAR, 1010), say(LIAR, 1010, segments)].map(answer)).toEqual([
      "taken",
      "taken",
      "CHECKPOINT_EQUIVOCATION peer",
    ]);
  });

  it("of the newest heights are kept of whoever is far ahead", () => {
    for (let at = 1010; at <= 1100; at += 10) for (const member of [1, 2, 3]) say(memberIndex(member), at);
    final = { height: height(1100), checkpoint: height(0) };
    statements.reached();
    expect(provable.at(-1)).toBe(1100);
    expect(checked).toBeLessThanOrEqual(3 * 4);
  });
});
