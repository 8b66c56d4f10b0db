/**
 * Which anchor counts, and for how much: one that was itself superseded counts for nothing, a later one in the delegator's log for more
 * than an earlier. Source: ToIP KERI specification, "Superseding Rules for Recovery at a given location", rules B1 to B3 and C.
 */
import { describe, expect, test } from "vitest";
import type { Said } from "../../../src/base/brands.ts";
import { type Composed, delegatedIncept, delegatedRotate, interact, rotate } from "../../../src/keri/compose.ts";
import { type Key, complete } from "./differential/lives.ts";
import { Stage, follow, keysInput, seals } from "./stage.ts";

/** A delegator that anchors, and is rotated by its next key; the delegate's inception, and rotations to follow it. */
function family() {
  const stage = new Stage();
  const [a, n, l, b, m, o] = stage.keys(6) as readonly [Key, Key, Key, Key, Key, Key];
  const icp = stage.begin([a], [n]);
  const dip = delegatedIncept({ ...keysInput([b], [m]), delegator: icp.aid });
  const sealOf = (sn: number, { said }: Composed) => ({ i: dip.aid, s: sn.toString(16), d: said });
  /** The delegator's interaction at `sn` over `prior`. */
  const anchor = (sn: number, prior: Said, at: number, ...events: readonly Composed[]): Composed => {
    const ixn = interact({ ...follow(icp, sn, prior), seals: events.map((event) => sealOf(at, event)) });
    expect(stage.send(complete(ixn.event, [a], [a], []))).toBe("accepted");
    return ixn;
  };
  /** The delegator's rotation over all of its interactions from `sn` on. */
  const recover = (sn: number, prior: Said, at: number, ...events: readonly Composed[]): Composed => {
    const input = { ...follow(icp, sn, prior), ...keysInput([n], [l]), witnessThreshold: 0 };
    const rot = rotate({ ...input, seals: events.map((event) => sealOf(at, event)) });
    expect(stage.send(complete(rot.event, [n], [n], []))).toBe("accepted");
    return rot;
  };
  const drt = (seal: string) =>
    delegatedRotate({ ...follow(dip, 1, dip.said), ...keysInput([m], [o]), witnessThreshold: 0, seals: seals(seal) });
  const send = (event: Composed, key: Key) => stage.send(complete(event.event, [key], [key], []));
  return { stage, icp, dip, anchor, recover, send, b, m, rotations: [drt(icp.aid), drt(dip.aid)] as const };
}

describe("an anchor that was superseded", () => {
  test("brings no inception into force; one in its place does", () => {
    const { stage, icp, dip, anchor, recover, send, b } = family();
    anchor(1, icp.said, 0, dip);
    const rot = recover(1, icp.said, 0);
    expect(send(dip, b)).toBe("escrowed:awaiting-anchor");
    expect(stage.kerl.keyState(dip.aid)).toBeUndefined();
    expect(stage.kerl.keyState(icp.aid)?.said).toBe(rot.said);
  });

  test("does not count beside one that is in force: rotations are weighed by the latter", () => {
    const { stage, icp, dip, anchor, recover, send, b, m, rotations } = family();
    const [first, second] = rotations;
    const begun = anchor(1, icp.said, 0, dip);
    expect(send(dip, b)).toBe("accepted");
    // The second was anchored later than the first, in an event that is no more: so it is not later.
    const kept = anchor(2, begun.said, 1, first);
    anchor(3, kept.said, 1, second);
    recover(3, kept.said, 1);
    expect(send(first, m)).toBe("accepted");
    expect(send(second, m)).toBe("escrowed:awaiting-anchor");
    expect(stage.kerl.eventAt(dip.aid, 1)?.said).toBe(first.said);
  });
});

describe("rule B1", () => {
  test("an earlier anchor supersedes nothing, in whichever order the rotations come and wherever the seals stand", () => {
    const { stage, icp, dip, anchor, send, b, m, rotations } = family();
    const [early, late] = rotations;
    const begun = anchor(1, icp.said, 0, dip);
    expect(send(dip, b)).toBe("accepted");
    const one = anchor(2, begun.said, 1, early);
    anchor(3, one.said, 1, late);
    expect(send(late, m)).toBe("accepted");
    expect(send(early, m)).toBe("duplicitous");
    expect(stage.kerl.eventAt(dip.aid, 1)?.said).toBe(late.said);
    expect(stage.kerl.forks(dip.aid)).toEqual([{ sn: 1, said: early.said }]);
  });

  test("one rotation anchored twice is weighed by its later anchor", () => {
    const { stage, icp, dip, anchor, send, b, m, rotations } = family();
    const [twice, once] = rotations;
    const begun = anchor(1, icp.said, 0, dip);
    expect(send(dip, b)).toBe("accepted");
    const one = anchor(2, begun.said, 1, twice);
    const two = anchor(3, one.said, 1, once);
    expect(send(once, m)).toBe("accepted");
    expect(send(twice, m)).toBe("duplicitous");
    anchor(4, two.said, 1, twice);
    expect(send(twice, m)).toBe("accepted");
    expect(stage.kerl.eventAt(dip.aid, 1)?.said).toBe(twice.said);
    expect(stage.facts.at(-1)).toMatchObject({ anchor: { sn: 4 }, superseded: [once.said] });
  });
});

test("what was evidence and comes into force by a later anchor is evidence no more", () => {
  const { stage, icp, dip, anchor, send, b, m, rotations } = family();
  const [first, second] = rotations;
  const begun = anchor(1, icp.said, 0, dip);
  expect(send(dip, b)).toBe("accepted");
  const early = anchor(2, begun.said, 1, second);
  const later = anchor(3, early.said, 1, first);
  expect(send(first, m)).toBe("accepted");
  expect(send(second, m)).toBe("duplicitous");
  expect(stage.kerl.forks(dip.aid)).toHaveLength(1);
  anchor(4, later.said, 1, second);
  expect(send(second, m)).toBe("accepted");
  expect(stage.kerl.eventAt(dip.aid, 1)?.said).toBe(second.said);
  expect(stage.kerl.forks(dip.aid)).toEqual([]);
});
