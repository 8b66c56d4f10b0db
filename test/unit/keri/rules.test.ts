/** The key-state rules one by one; each is named with its section of the ToIP KERI specification. */
import { describe, expect, test } from "vitest";
import type { Aid, Said } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import { decodeAttachments } from "../../../src/keri/attachment-groups.ts";
import { delegatedIncept, delegatedRotate, incept, interact, receipt, rotate } from "../../../src/keri/compose.ts";
import { FORKS_PER_AID_MAX, FORKS_PER_PLACE_MAX } from "../../../src/keri/kerl.ts";
import { followed } from "../../../src/keri/key-state-rules.ts";
import { parseKeyEvent } from "../../../src/keri/event.ts";
import type { Attachments, RotationEvent, Trait } from "../../../src/keri/messages.ts";
import { RULES } from "../../../src/keri/rule-names.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";
import { type Key, complete, messageOf, signed } from "./differential/lives.ts";
import { Stage, follow, interaction, keysInput, seals } from "./stage.ts";

describe("rotation (Rotation using pre-rotation; Partial, reserve, and custodial rotations)", () => {
  test("exposes some of the next keys, at other places, by dual indices; the new threshold and the prior next one must be met", () => {
    const stage = new Stage();
    const [a, n0, n1, n2, fresh] = stage.keys(5) as readonly [Key, Key, Key, Key, Key];
    const icp = stage.begin([a], [n0, n1, n2], { nextThreshold: 2 });
    const rot = rotate({
      ...follow(icp, 1, icp.said),
      ...keysInput([fresh, n2, n0], []),
      threshold: 2,
      nextThreshold: 0,
      witnessThreshold: 0,
    });
    const sign = (...signatures: Attachments["controllerSignatures"]) =>
      stage.send(messageOf(rot.event, { controllerSignatures: signatures }));
    // Two of three keys, but only one of the two that the prior threshold asks for.
    expect(sign(signed(fresh, rot.event, 0, null), signed(n2, rot.event, 1, 2))).toBe("escrowed:partially-signed");
    // n0 stood at 0 in the prior list, not at 1.
    expect(sign(signed(n0, rot.event, 2, 1))).toBe("escrowed:partially-signed");
    expect(sign(signed(n0, rot.event, 2, 0))).toBe("accepted");
    expect(stage.kerl.keyState(icp.aid)?.keyTexts).toEqual([fresh.text, n2.text, n0.text]);
  });

  test("a key that signs under several codes is one key (Indexed signatures)", () => {
    const stage = new Stage();
    const [a, b, next] = stage.keys(3) as readonly [Key, Key, Key];
    const icp = incept(keysInput([a, b], [next]));
    const twice = [signed(a, icp.event, 0, 0), signed(a, icp.event, 0, null), signed(a, icp.event, 0, 1)];
    expect(stage.send(messageOf(icp.event, { controllerSignatures: twice }))).toBe("escrowed:partially-signed");
    expect(stage.send(messageOf(icp.event, { controllerSignatures: [signed(b, icp.event, 1, 1)] }))).toBe("accepted");
  });

  test("by keys that were not committed to is no rotation", () => {
    const stage = new Stage();
    const [a, next, thief] = stage.keys(3) as readonly [Key, Key, Key];
    const icp = stage.begin([a], [next]);
    const rot = rotate({ ...follow(icp, 1, icp.said), ...keysInput([thief], []), witnessThreshold: 0 });
    expect(stage.send(messageOf(rot.event, { controllerSignatures: [signed(thief, rot.event, 0, 0)] }))).toBe(
      "escrowed:partially-signed",
    );
  });

  test("to no next key abandons the identifier: no event of any kind follows (Next key digest list field)", () => {
    const stage = new Stage();
    const [a, n] = stage.keys(2) as readonly [Key, Key];
    const icp = stage.begin([a], [n]);
    const rot = rotate({ ...follow(icp, 1, icp.said), ...keysInput([n], []), witnessThreshold: 0 });
    expect(stage.send(complete(rot.event, [n], [n], []))).toBe("accepted");
    const ixn = interaction(icp.aid, 2, rot.said);
    expect(stage.send(complete(ixn.event, [n], [], []))).toBe("abandoned");
    const later = interaction(icp.aid, 5, ixn.said);
    expect(stage.send(complete(later.event, [n], [], []))).toBe("abandoned");
  });

  test("follows the event in force before it (SAID fields: p)", () => {
    const stage = new Stage();
    const [a, n] = stage.keys(2) as readonly [Key, Key];
    const icp = stage.begin([a], [n]);
    const rot = rotate({
      ...follow(icp, 1, nextKeyDigest("another event")),
      ...keysInput([n], []),
      witnessThreshold: 0,
    });
    expect(stage.send(complete(rot.event, [n], [n], []))).toBe("prior-digest");
  });
});

describe("traits (Configuration traits field)", () => {
  test("EO: interactions are refused", () => {
    const stage = new Stage();
    const [a, n] = stage.keys(2) as readonly [Key, Key];
    const icp = stage.begin([a], [n], { traits: ["EO"] });
    const ixn = interaction(icp.aid, 1, icp.said);
    expect(stage.send(complete(ixn.event, [a], [], []))).toBe("establishment-only");
  });

  test("DND: delegated events are refused, anchored or not", () => {
    const stage = new Stage();
    const [a, n, b] = stage.keys(3) as readonly [Key, Key, Key];
    const icp = stage.begin([a], [n], { traits: ["DND"] });
    const dip = delegatedIncept({ ...keysInput([b], []), delegator: icp.aid });
    const ixn = interact({ ...follow(icp, 1, icp.said), seals: [{ i: dip.aid, s: "0", d: dip.said }] });
    expect(stage.send(complete(ixn.event, [a], [], []))).toBe("accepted");
    expect(stage.send(complete(dip.event, [b], [], []))).toBe("do-not-delegate");
  });

  test("rotations (version 2) state none that are for inceptions only, and no registrar backers against NRB", () => {
    const stage = new Stage();
    const [a, n] = stage.keys(2) as readonly [Key, Key];
    const icp = stage.begin([a], [n], { traits: ["NRB"] });
    const rot = rotate({ ...follow(icp, 1, icp.said), ...keysInput([n], []), witnessThreshold: 0 });
    const event = parseKeyEvent(rot.event, "JSON", { major: 1, minor: 0 });
    if (!event.ok) return expect.unreachable(event.refusal.message);
    const state = present(stage.kerl.keyState(icp.aid), "it was accepted");
    const ruleWith = (traits: readonly Trait[]) => {
      const next = followed(state, { ...(event.value as RotationEvent), traits });
      return next.ok ? "accepted" : next.refusal.rule;
    };
    expect(ruleWith(["EO"])).toBe("trait-inception-only");
    expect(ruleWith(["DND"])).toBe("trait-inception-only");
    expect(ruleWith(["RB"])).toBe("no-registrar-backers");
    expect(ruleWith([])).toBe("accepted");
  });
});

describe("witnesses (Backer lists, Backer threshold field, KAWA)", () => {
  test("the new list is (b − br) ++ ba, in this order; by it receipts are indexed", () => {
    const stage = new Stage();
    const [a, n, m] = stage.keys(3) as readonly [Key, Key, Key];
    const [w0, w1, w2, w3] = stage.keys(4) as readonly [Key, Key, Key, Key];
    const icp = stage.begin([a], [n], { witnesses: [w0, w1, w2], bt: 2 });
    const lists = { witnessesRemoved: [w1.witnessText], witnessesAdded: [w3.witnessText] };
    const rot = rotate({ ...follow(icp, 1, icp.said), ...keysInput([n], [m]), witnessThreshold: 3, ...lists });
    expect(stage.send(complete(rot.event, [n], [n], [w0, w1, w2]))).toBe("escrowed:partially-witnessed");
    expect(
      stage.send(
        messageOf(receipt({ aid: icp.aid, sn: 1, said: rot.said }).event, {
          witnessSignatures: [signed(w2, rot.event, 1, 1), signed(w3, rot.event, 2, 2)],
        }),
      ),
    ).toBe("receipt");
    expect(stage.kerl.keyState(icp.aid)?.witnesses).toEqual([w0, w2, w3].map(({ witnessText }) => witnessText));
  });

  test.each([
    ["backers-removed", { witnessesRemoved: [3] }, 2],
    ["backers-added", { witnessesAdded: [0] }, 2],
    ["backer-threshold", {}, 3],
    ["backer-threshold", {}, 0],
    ["backer-threshold", { witnessesRemoved: [0, 1] }, 1],
  ] as const)("%s: %j with threshold %i", (rule, lists, bt) => {
    const stage = new Stage();
    const [a, n] = stage.keys(2) as readonly [Key, Key];
    const witnesses = stage.keys(4);
    const icp = stage.begin([a], [n], { witnesses: witnesses.slice(0, 2) });
    const named = Object.fromEntries(
      Object.entries(lists).map(([name, places]) => [name, places.map((i: number) => witnesses[i]?.witnessText ?? "")]),
    );
    const rot = rotate({ ...follow(icp, 1, icp.said), ...keysInput([n], []), witnessThreshold: bt, ...named });
    expect(stage.send(complete(rot.event, [n], [n], witnesses))).toBe(rule);
  });

  test("a witness supports an event once, by an indexed signature or by a couple", () => {
    const stage = new Stage();
    const [a, w0, w1] = stage.keys(3) as readonly [Key, Key, Key];
    const icp = incept({ ...keysInput([a], []), witnesses: [w0.witnessText, w1.witnessText], witnessThreshold: 2 });
    const couple = (key: Key) => ({ receiptor: key.witnessText, code: "0B", sig: key.sign(icp.event) });
    const attachments = {
      controllerSignatures: [signed(a, icp.event, 0, 0)],
      witnessSignatures: [signed(w0, icp.event, 0, 0)],
      receiptCouples: [couple(w0)],
    };
    expect(stage.send(messageOf(icp.event, attachments))).toBe("escrowed:partially-witnessed");
    const rct = receipt({ aid: icp.aid, sn: 0, said: icp.said }).event;
    expect(stage.send(messageOf(rct, { receiptCouples: [{ ...couple(w1), sig: new Uint8Array(64) }] }))).toBe(
      "KERI_BAD_SIGNATURE",
    );
    expect(stage.send(messageOf(rct, { receiptCouples: [couple(w1)] }))).toBe("receipt");
    expect(stage.kerl.keyState(icp.aid)?.latest.said).toBe(icp.said);
  });
});

describe("delegation (Cooperative Delegation)", () => {
  /** A delegator, and a delegate in force that has not rotated. */
  function delegated() {
    const stage = new Stage();
    const [a, n, b, m, l] = stage.keys(5) as readonly [Key, Key, Key, Key, Key];
    const icp = stage.begin([a], [n]);
    const dip = delegatedIncept({ ...keysInput([b], [m]), delegator: icp.aid });
    let prior = icp.said;
    let sn = 0;
    const anchor = (...events: readonly { readonly said: Said; readonly sn: number }[]) => {
      const ixn = interact({
        aid: icp.aid,
        sn: ++sn,
        prior,
        seals: events.map((one) => ({ i: dip.aid, s: one.sn.toString(16), d: one.said })),
      });
      prior = ixn.said;
      return stage.send(complete(ixn.event, [a], [], []));
    };
    const rotation = (next: readonly Key[], seal: string = dip.aid) => {
      const event = delegatedRotate({
        ...follow(dip, 1, dip.said),
        ...keysInput([m], next),
        witnessThreshold: 0,
        seals: seals(seal),
      });
      return { ...event, sn: 1, message: complete(event.event, [m], [m], []) };
    };
    return { stage, icp, dip, anchor, rotation, a, n, b, m, l, place: () => ({ sn, prior }) };
  }

  test("a delegated event waits for its anchor, and needs no source couple once that is known", () => {
    const { stage, dip, anchor, b, icp } = delegated();
    expect(stage.send(complete(dip.event, [b], [b], []))).toBe("escrowed:awaiting-anchor");
    expect(stage.kerl.keyState(dip.aid)).toBeUndefined();
    expect(anchor({ said: dip.said, sn: 0 })).toBe("accepted");
    expect(stage.kerl.keyState(dip.aid)?.delegator).toBe(icp.aid);
    expect(stage.facts.at(-1)).toMatchObject({ kind: "keyEventAccepted", said: dip.said, anchor: { sn: 1 } });
  });

  test("a source couple that names no anchor of it is not handed on: the true one takes its place (Delegated inception)", () => {
    for (const named of ["anchor", "other"] as const) {
      const { stage, icp, dip, anchor, b, place } = delegated();
      anchor({ said: dip.said, sn: 0 });
      const { sn, prior: said } = place();
      const source = named === "anchor" ? { aid: null, sn, said } : { aid: null, sn: 0, said: icp.said };
      const message = messageOf(dip.event, {
        controllerSignatures: [signed(b, dip.event, 0, 0)],
        sealSources: [source],
      });
      expect(stage.send(message)).toBe("accepted");
      const kept = stage.facts.at(-1);
      const attached = kept?.kind === "keyEventAccepted" ? kept.attached : new Uint8Array();
      expect(decodeAttachments(attached, 1).sealSources).toEqual([{ aid: null, sn, said }]);
      expect(Buffer.concat([dip.event, attached]).equals(message)).toBe(named === "anchor");
    }
  });

  test("a delegated identifier rotates by drt, and no other does", () => {
    const { stage, dip, anchor, b, m, n, icp } = delegated();
    stage.send(complete(dip.event, [b], [b], []));
    anchor({ said: dip.said, sn: 0 });
    const rot = rotate({ ...follow(dip, 1, dip.said), ...keysInput([m], []), witnessThreshold: 0 });
    expect(stage.send(complete(rot.event, [m], [m], []))).toBe("delegated-rotation");
    const drt = delegatedRotate({
      ...follow(icp, 2, stage.kerl.keyState(icp.aid)?.latest.said as Said),
      ...keysInput([n], []),
      witnessThreshold: 0,
    });
    expect(stage.send(complete(drt.event, [n], [n], []))).toBe("delegated-rotation");
  });

  test("rule B1: the later anchor supersedes, the earlier one does not", () => {
    for (const order of ["older first", "younger first"]) {
      const { stage, icp, dip, anchor, rotation, b, l } = delegated();
      stage.send(complete(dip.event, [b], [b], []));
      anchor({ said: dip.said, sn: 0 });
      const [older, younger] = [rotation([l]), rotation([l], icp.aid)];
      anchor(older);
      if (order === "older first") expect(stage.send(older.message)).toBe("accepted");
      anchor(younger);
      expect(stage.send(younger.message)).toBe("accepted");
      expect(stage.kerl.eventAt(dip.aid, 1)?.said).toBe(younger.said);
      expect(stage.send(older.message)).toBe(order === "older first" ? "known" : "duplicitous");
      if (order === "older first") expect(stage.facts.at(-1)).toMatchObject({ superseded: [older.said] });
    }
  });

  test("rule B2: of two in one anchoring event the later seal supersedes", () => {
    for (const order of [0, 1]) {
      const { stage, icp, dip, anchor, rotation, b, l } = delegated();
      stage.send(complete(dip.event, [b], [b], []));
      anchor({ said: dip.said, sn: 0 });
      const [first, second] = [rotation([l]), rotation([l], icp.aid)];
      anchor(first, second);
      const [sent, then] = order === 0 ? [first, second] : [second, first];
      expect(stage.send(sent.message)).toBe("accepted");
      expect(stage.send(then.message)).toBe(order === 0 ? "accepted" : "duplicitous");
    }
  });

  test("rule B3: a delegator's rotation that supersedes the anchoring interaction brings another rotation into force", () => {
    const { stage, dip, anchor, rotation, icp, n, b, l, place } = delegated();
    stage.send(complete(dip.event, [b], [b], []));
    anchor({ said: dip.said, sn: 0 });
    const before = place();
    const [old, young] = [rotation([l]), rotation([l], icp.aid)];
    anchor(old);
    expect(stage.send(old.message)).toBe("accepted");
    const rot = rotate({
      ...follow(icp, before.sn + 1, before.prior),
      ...keysInput([n], [l]),
      witnessThreshold: 0,
      seals: [{ i: dip.aid, s: "1", d: young.said }],
    });
    expect(stage.send(young.message)).toBe("escrowed:awaiting-anchor");
    expect(stage.send(complete(rot.event, [n], [n], []))).toBe("accepted");
    expect(stage.kerl.eventAt(dip.aid, 1)?.said).toBe(young.said);
  });

  test("rule C: where the delegator's own rotation was superseded through its delegator, another one of the delegate comes into force", () => {
    const stage = new Stage();
    const [g0, g1, g2, d0, d1, d2, x0, x1, x2] = stage.keys(9) as readonly [
      Key,
      Key,
      Key,
      Key,
      Key,
      Key,
      Key,
      Key,
      Key,
    ];
    const top = stage.begin([g0], [g1]);
    const middle = delegatedIncept({ ...keysInput([d0], [d1]), delegator: top.aid });
    const low = delegatedIncept({ ...keysInput([x0], [x1]), delegator: middle.aid });
    const sealOf = ({ aid }: { readonly aid: Aid }, sn: number, said: Said) => ({
      i: aid,
      s: sn.toString(16),
      d: said,
    });
    const waits = "escrowed:awaiting-anchor";
    expect(stage.send(complete(middle.event, [d0], [d0], []))).toBe(waits);
    const first = interact({ aid: top.aid, sn: 1, prior: top.said, seals: [sealOf(middle, 0, middle.said)] });
    expect(stage.send(complete(first.event, [g0], [], []))).toBe("accepted");
    expect(stage.send(complete(low.event, [x0], [x0], []))).toBe(waits);
    const begun = interact({ aid: middle.aid, sn: 1, prior: middle.said, seals: [sealOf(low, 0, low.said)] });
    expect(stage.send(complete(begun.event, [d0], [], []))).toBe("accepted");

    const lowRotation = (seal: string) =>
      delegatedRotate({
        ...follow(low, 1, low.said),
        ...keysInput([x1], [x2]),
        witnessThreshold: 0,
        seals: seals(seal),
      });
    const middleRotation = (anchored: Said) =>
      delegatedRotate({
        ...follow(middle, 2, begun.said),
        ...keysInput([d1], [d2]),
        witnessThreshold: 0,
        seals: [sealOf(low, 1, anchored)],
      });
    const [old, young] = [lowRotation(low.aid), lowRotation(top.aid)];
    const [middleOld, middleYoung] = [middleRotation(old.said), middleRotation(young.said)];
    expect(stage.send(complete(old.event, [x1], [x1], []))).toBe(waits);
    expect(stage.send(complete(middleOld.event, [d1], [d1], []))).toBe(waits);
    const anchored = interact({ aid: top.aid, sn: 2, prior: first.said, seals: [sealOf(middle, 2, middleOld.said)] });
    expect(stage.send(complete(anchored.event, [g0], [], []))).toBe("accepted");
    expect(stage.kerl.eventAt(low.aid, 1)?.said).toBe(old.said);

    expect(stage.send(complete(young.event, [x1], [x1], []))).toBe(waits);
    expect(stage.send(complete(middleYoung.event, [d1], [d1], []))).toBe(waits);
    expect(stage.kerl.eventAt(low.aid, 1)?.said).toBe(old.said);
    const recovery = rotate({
      ...follow(top, 2, first.said),
      ...keysInput([g1], [g2]),
      witnessThreshold: 0,
      seals: [sealOf(middle, 2, middleYoung.said)],
    });
    expect(stage.send(complete(recovery.event, [g1], [g1], []))).toBe("accepted");
    expect(stage.kerl.eventAt(middle.aid, 2)?.said).toBe(middleYoung.said);
    expect(stage.kerl.eventAt(low.aid, 1)?.said).toBe(young.said);
    expect(stage.send(complete(old.event, [x1], [x1], []))).toBe("known");
  });
});

describe("superseding (Superseding Rules for Recovery at a given location)", () => {
  /** icp, and two interactions by its key. */
  function compromised() {
    const stage = new Stage();
    const [a, n, l] = stage.keys(3) as readonly [Key, Key, Key];
    const icp = stage.begin([a], [n]);
    const first = interaction(icp.aid, 1, icp.said);
    const second = interaction(icp.aid, 2, first.said);
    for (const event of [first, second]) expect(stage.send(complete(event.event, [a], [], []))).toBe("accepted");
    const recovery = rotate({ ...follow(icp, 1, icp.said), ...keysInput([n], [l]), witnessThreshold: 0 });
    return { stage, icp, first, second, recovery, a, n, l };
  }

  test("rule A0: a rotation supersedes interactions since the last one; they stay in the log, marked", () => {
    const { stage, icp, first, second, recovery, n } = compromised();
    expect(stage.send(complete(recovery.event, [n], [n], []))).toBe("accepted");
    expect(stage.facts.at(-1)).toMatchObject({ superseded: [first.said, second.said] });
    expect(stage.kerl.keyState(icp.aid)?.latest).toMatchObject({ sn: 1, said: recovery.said });
    expect(stage.kerl.eventAt(icp.aid, 2)).toBeUndefined();
    expect(stage.kerl.event(second.said)?.inForce).toBe(false);
    // What was superseded does not come back.
    expect(stage.send(complete(second.event, [n], [], []))).toBe("known");
  });

  test("rule A1: a rotation supersedes no rotation; rule A2: an interaction supersedes nothing", () => {
    const { stage, icp, first, recovery, a, n, l } = compromised();
    const rival = interaction(icp.aid, 1, icp.said, first.said);
    expect(stage.send(complete(rival.event, [a], [], []))).toBe("duplicitous");
    expect(stage.send(complete(recovery.event, [n], [n], []))).toBe("accepted");
    const other = rotate({
      ...follow(icp, 1, icp.said),
      ...keysInput([n], [l]),
      witnessThreshold: 0,
      seals: seals(icp.aid),
    });
    expect(stage.send(complete(other.event, [n], [n], []))).toBe("duplicitous");
    expect(stage.kerl.forks(icp.aid).map(({ said }) => said)).toEqual([rival.said, other.said]);
  });

  test("rivals without enough valid signatures are no evidence", () => {
    const { stage, icp, first } = compromised();
    const rival = interaction(icp.aid, 1, icp.said, first.said);
    const thief = stage.key();
    expect(stage.send(complete(rival.event, [thief], [], []))).toBe("KERI_BAD_SIGNATURE");
    expect(stage.kerl.forks(icp.aid)).toEqual([]);
  });

  test("evidence is kept once for each rival, of no more than two at one place, and of no more than eight", () => {
    const stage = new Stage();
    const [a, n] = stage.keys(2) as readonly [Key, Key];
    const icp = stage.begin([a], [n]);
    const places = FORKS_PER_AID_MAX / FORKS_PER_PLACE_MAX + 1;
    for (let sn = 1, prior = icp.said; sn <= places; sn++) {
      const ixn = interaction(icp.aid, sn, prior);
      expect(stage.send(complete(ixn.event, [a], [], []))).toBe("accepted");
      for (let i = 0; i <= FORKS_PER_PLACE_MAX; i++) {
        const rival = complete(interaction(icp.aid, sn, prior, nextKeyDigest(`${i}`)).event, [a], [], []);
        expect(stage.send(rival)).toBe("duplicitous");
        expect(stage.send(rival)).toBe("duplicitous");
      }
      const most = Math.min(sn * FORKS_PER_PLACE_MAX, FORKS_PER_AID_MAX);
      expect(stage.kerl.forks(icp.aid)).toHaveLength(most);
      prior = ixn.said;
    }
    expect(stage.facts.filter(({ kind }) => kind === "keyEventForked")).toHaveLength(FORKS_PER_AID_MAX);
  });
});

test("every rule names its section and says what is wrong in a sentence", () => {
  for (const { section, sentence } of Object.values(RULES)) {
    expect(section.length).toBeGreaterThan(3);
    expect(sentence).toMatch(/^[A-Z].*\.$/);
  }
});
