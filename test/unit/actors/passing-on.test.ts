/** Rules 4 and 6: a certificate goes to the peers that are not seen to hold it. */
import { describe, expect, test } from "vitest";
import { memberIndex, view } from "../../../src/base/brands.ts";
import { PassingOn } from "../../../src/actors/consensus/passing-on.ts";

const PEERS = [1, 2, 3].map(memberIndex);
const [first, second] = [memberIndex(1), memberIndex(2)];

function world() {
  const sent: string[] = [];
  let due: (() => void) | undefined;
  const clock = {
    now: () => 0,
    set: (_ms: number, run: () => void) => {
      due = run;
      return run;
    },
    clear: () => {
      due = undefined;
    },
  };
  const passing = new PassingOn(clock, 25, PEERS, (to, kind, at) => sent.push(`${kind} ${at} to ${to}`));
  /** The timer fires; false when none runs. */
  const tick = (): boolean => {
    const run = due;
    due = undefined;
    run?.();
    return run !== undefined;
  };
  return { passing, sent, tick };
}

const toAll = (what: string): string[] => PEERS.map((peer) => `${what} to ${peer}`);

describe("a certificate", () => {
  test("waits a tick and goes to everybody, once", () => {
    const { passing, sent, tick } = world();
    passing.add("notarization", view(1));
    tick();
    expect(sent).toEqual([]);
    tick();
    expect(sent).toEqual(toAll("notarization 1"));
    expect(tick()).toBe(false);
  });

  test("does not go to a peer that sent it, or a finalization at or above it", () => {
    const { passing, sent, tick } = world();
    passing.add("notarization", view(3));
    passing.add("finalization", view(2));
    passing.seen(first, "notarization", view(3));
    passing.seen(second, "finalization", view(4));
    tick();
    tick();
    expect(sent).toEqual(["notarization 3 to 3", "finalization 2 to 1", "finalization 2 to 3"]);
  });

  test("is not held because its view's notarization is, or that of another view", () => {
    const { passing, sent, tick } = world();
    passing.add("finalization", view(2));
    passing.add("notarization", view(3));
    for (const peer of PEERS) passing.seen(peer, "notarization", view(2));
    tick();
    tick();
    expect(sent).toEqual([...toAll("finalization 2"), ...toAll("notarization 3")]);
  });

  test("gives way to a finalization at or above it", () => {
    const { passing, sent, tick } = world();
    passing.add("notarization", view(1));
    passing.add("finalization", view(1));
    passing.add("notarization", view(3));
    passing.add("finalization", view(2));
    while (tick());
    expect(sent).toEqual([...toAll("notarization 3"), ...toAll("finalization 2")]);
  });

  test("that keeps coming never keeps an older one from going", () => {
    const { passing, sent, tick } = world();
    for (let at = 1; at <= 4; at++) {
      passing.add("notarization", view(at));
      tick();
    }
    expect(sent).toEqual([1, 2, 3].flatMap((at) => toAll(`notarization ${at}`)));
  });

  test("stays here when this member stopped", () => {
    const { passing, sent, tick } = world();
    passing.add("notarization", view(1));
    passing.stop();
    passing.add("notarization", view(2));
    expect(tick()).toBe(false);
    expect(sent).toEqual([]);
  });
});
