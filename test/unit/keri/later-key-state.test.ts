/** Whom a member knows whose rotations have not arrived: whoever shows the keys that the identifier had committed to, and nobody else. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { concatBytes, utf8 } from "../../../src/base/bytes.ts";
import { present } from "../../../src/base/errors.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { indexedEd25519 } from "../../../src/keri/cesr/indexer.ts";
import { type RotationInput, incept, interact, rotate } from "../../../src/keri/compose.ts";
import { type KeyState, keyStateOfInception } from "../../../src/keri/key-state.ts";
import { keyText } from "../../../src/keri/key-text.ts";
import { ROTATIONS_READ_MAX, keyStateAfter } from "../../../src/keri/later-key-state.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";

const seed = (n: number): Uint8Array => new Uint8Array(createHash("sha256").update(`seed ${n}`).digest());
const text = (n: number): string => keyText(publicKeyOf(seed(n)));

const { aid, event: inception, said } = incept({ keys: [text(0)], nextDigests: [nextKeyDigest(text(1))] });
const known = ((): KeyState => {
  const state = keyStateOfInception(inception);
  if (!state.ok) throw new Error(state.refusal.message);
  return state.value;
})();

const signed = (event: Uint8Array, by: number, index = 0): Uint8Array =>
  concatBytes(event, utf8(`-AAB${indexedEd25519(index, signer(seed(by))(event))}`));

/** Rotations to sequence numbers 1 … count, each as the one before committed to it. */
function life(count: number, change: (sn: number) => Partial<RotationInput> = () => ({})): readonly Uint8Array[] {
  let prior = said;
  return Array.from({ length: count }, (_, i) => {
    const sn = i + 1;
    const made = rotate({
      aid,
      sn,
      prior,
      keys: [text(sn)],
      nextDigests: [nextKeyDigest(text(sn + 1))],
      witnessThreshold: 0,
      ...change(sn),
    });
    prior = made.said;
    return signed(made.event, sn);
  });
}

const after = (rotations: readonly Uint8Array[], sn: number, from = known): KeyState | undefined =>
  keyStateAfter(from, concatBytes(...rotations), sn);

describe("rotations that a peer brings along", () => {
  it("lead to the key state that they end in", () => {
    const state = present(after(life(3), 3), "three rotations");
    expect(state).toMatchObject({ aid, sn: 3, keyTexts: [text(3)], nextDigests: [nextKeyDigest(text(4))] });
    expect(after(life(3), 2)).toMatchObject({ sn: 2, keyTexts: [text(2)] });
  });

  it("are skipped as far as they are known, and may leave out what came long before", () => {
    const all = life(5);
    const third = present(after(all, 3), "three rotations");
    expect(after(all, 5, third)).toMatchObject({ sn: 5, keyTexts: [text(5)] });
    expect(after(all.slice(3), 5, third)).toMatchObject({ sn: 5 });
    expect(after(all.slice(1), 5)).toBeUndefined(); // the first is missing: nothing leads there from here
  });

  it("stand by what was committed to, whatever events without keys lie between", () => {
    const anchor = interact({ aid, sn: 1, prior: said, seals: [] });
    const made = rotate({
      aid,
      sn: 2,
      prior: anchor.said,
      keys: [text(1)],
      nextDigests: [nextKeyDigest(text(2))],
      witnessThreshold: 0,
    });
    expect(after([signed(made.event, 1)], 2)).toMatchObject({ sn: 2, keyTexts: [text(1)] });
  });

  it("do not lead anywhere with keys that were not committed to", () => {
    const stolen = rotate({
      aid,
      sn: 1,
      prior: said,
      keys: [text(7)],
      nextDigests: [nextKeyDigest(text(8))],
      witnessThreshold: 0,
    });
    expect(after([signed(stolen.event, 7)], 1)).toBeUndefined();
    expect(after([signed(stolen.event, 0)], 1)).toBeUndefined(); // nor by the key in force: a thief has that one
    const [genuine = new Uint8Array(0)] = life(1);
    const forged = signed(genuine.subarray(0, Buffer.from(genuine).indexOf("-AAB")), 0);
    expect(after([forged], 1)).toBeUndefined();
    expect(after([genuine], 1)).toBeDefined();
  });

  it("of another identifier, unsigned, cut off or in too great a number lead nowhere", () => {
    const [first = new Uint8Array(0)] = life(1);
    const other = incept({ keys: [text(0)], nextDigests: [nextKeyDigest(text(1))], traits: ["EO"] });
    const state = keyStateOfInception(other.event);
    if (!state.ok) throw new Error("composed");
    expect(after([first], 1, state.value)).toBeUndefined();
    expect(after([first.subarray(0, Buffer.from(first).indexOf("-AAB"))], 1)).toBeUndefined();
    expect(after([first.subarray(0, first.length - 1)], 1)).toBeUndefined();
    expect(after([inception], 1)).toBeUndefined();
    expect(after([utf8("no stream")], 1)).toBeUndefined();
    expect(after([], 1)).toBeUndefined();
    expect(after(life(ROTATIONS_READ_MAX), ROTATIONS_READ_MAX)).toBeDefined();
    expect(after(life(ROTATIONS_READ_MAX + 1), ROTATIONS_READ_MAX + 1)).toBeUndefined();
  });

  it("of an identifier with witnesses, which the log alone can say were asked, lead nowhere", () => {
    const witness = `B${keyText(publicKeyOf(seed(9))).slice(1)}`;
    expect(
      after(
        life(1, () => ({ witnessThreshold: 1, witnessesAdded: [witness] })),
        1,
      ),
    ).toBeUndefined();
  });

  it("of an identifier that has witnesses lead nowhere either, though they drop them all", () => {
    const witness = `B${keyText(publicKeyOf(seed(9))).slice(1)}`;
    const watched: KeyState = { ...known, witnesses: [witness], witnessThreshold: 1 };
    expect(
      after(
        life(1, () => ({ witnessesRemoved: [witness] })),
        1,
        watched,
      ),
    ).toBeUndefined();
  });

  it("that are old are not read: reading the keys of a stranger's hundred events is what would cost", () => {
    const all = life(3);
    const second = present(after(all, 2), "two rotations");
    const [first = new Uint8Array(0)] = all;
    const offCurve = Buffer.from(
      Buffer.from(first)
        .toString("latin1")
        .replace(text(1), `D${"_".repeat(43)}`),
      "latin1",
    );
    expect(offCurve).not.toEqual(Buffer.from(first));
    expect(after([offCurve, ...all.slice(1)], 3, second)).toMatchObject({ sn: 3 });
    expect(after([offCurve, ...all.slice(1)], 3)).toBeUndefined();
  });

  it("list no more keys than a certificate may have judged", () => {
    const many = (count: number) => {
      const keys = Array.from({ length: count }, (_, i) => text(i + 1));
      const made = rotate({ aid, sn: 1, prior: said, keys, threshold: 1, nextDigests: [], witnessThreshold: 0 });
      return after([signed(made.event, 1)], 1);
    };
    expect(many(16)).toBeDefined();
    expect(many(17)).toBeUndefined();
  });

  it("end where the identifier was abandoned", () => {
    const all = life(2, (sn) => (sn === 1 ? { nextDigests: [] } : {}));
    expect(after(all, 1)).toMatchObject({ sn: 1, nextDigests: [] });
    expect(after(all, 2)).toBeUndefined();
  });
});
