/** ADR 19: what a session promises when it changes nodes, and what one lying node can do to it. */
import { describe, expect, it } from "vitest";
import { type Digest, type Height, height } from "../../../src/base/brands.ts";
import { Session } from "../../../src/client/session.ts";

const LIE = height(2 ** 40);
const receipt = (at: number, index = 0) => ({ height: height(at), index, blockHash: "00".repeat(32) as Digest });

/** A session with four nodes, of which one may lie, and its clock. */
function sessionOf(nodes = 4): { readonly session: Session; readonly pass: (ms: number) => void } {
  let now = 1_000;
  return { session: new Session(nodes, () => now), pass: (ms) => void (now += ms) };
}

/** A read fails on these nodes: they are behind what it carried. */
function deny(session: Session, ...nodes: readonly number[]): void {
  const carried: Height = session.newest;
  for (const node of nodes) session.behind(node, carried);
  expect(session.newest).toBe(carried); // for whoever reads before that read's caller knows
  session.failed(carried);
}

describe("a session", () => {
  it("carries the highest height that any node named, to every node", () => {
    const { session } = sessionOf();
    session.named(0, height(7));
    session.named(1, height(5));
    expect(session.newest).toBe(7);
    expect([0, 1, 2].map((node) => session.namedBy(node))).toEqual([7, 5, 0]);
  });

  it("gives no height up because one node is behind: that one may lie", () => {
    const { session, pass } = sessionOf();
    session.named(0, height(7));
    pass(60_000);
    deny(session, 1, 1, 1);
    expect(session.newest).toBe(7);
  });

  it("gives no height up before honest nodes had the time to reach it", () => {
    const { session, pass } = sessionOf();
    session.named(0, height(7));
    pass(1_999);
    deny(session, 1, 2, 3);
    expect(session.newest).toBe(7);
  });

  it("gives up what one node named once more others than may lie are behind it", () => {
    const { session, pass } = sessionOf();
    session.named(1, height(7));
    session.acknowledged(1, receipt(7));
    session.acknowledged(0, receipt(LIE));
    expect(session.receipt?.height).toBe(LIE);
    pass(2_000);
    deny(session, 1, 2);
    expect(session.newest).toBe(7);
    expect(session.receipt).toEqual(receipt(7));
  });

  it("is not led astray by the same node again, and a node that lied is still asked for its own word", () => {
    const { session, pass } = sessionOf();
    session.named(0, LIE);
    pass(2_000);
    deny(session, 1, 2);
    session.named(0, height(LIE + 1));
    session.named(1, height(8));
    expect(session.newest).toBe(8);
    expect(session.namedBy(0)).toBe(LIE + 1);
  });

  it("takes a height for true that more nodes named than may lie, whoever is behind it", () => {
    const { session, pass } = sessionOf();
    session.named(0, LIE);
    session.named(1, height(9));
    pass(2_000);
    deny(session, 1, 2);
    session.named(2, height(9));
    pass(60_000);
    deny(session, 0, 3);
    expect(session.newest).toBe(9);
  });

  it("counts against a height only those who were behind it since it was named", () => {
    const { session, pass } = sessionOf();
    session.named(0, height(7));
    pass(2_000);
    deny(session, 1);
    session.named(0, height(8));
    deny(session, 2);
    pass(2_000);
    deny(session, 2);
    session.behind(1, height(7)); // a call that began before
    expect(session.newest).toBe(8);
    deny(session, 1);
    expect(session.newest).toBe(0);
  });

  it("believes a node again that was only ahead, when others name what it named", () => {
    const { session, pass } = sessionOf();
    session.named(0, height(7));
    pass(2_000);
    deny(session, 1, 2);
    expect(session.newest).toBe(0);
    session.named(0, height(9));
    session.named(1, height(7));
    expect(session.newest).toBe(7); // not all of what the doubted one named
    session.named(2, height(9));
    session.named(0, height(10));
    expect(session.newest).toBe(10);
  });

  it("of fewer than three nodes gives no height up: who lies cannot be told", () => {
    const { session, pass } = sessionOf(2);
    session.named(0, LIE);
    pass(60_000);
    deny(session, 1, 1);
    expect(session.newest).toBe(LIE);
  });

  it("with seven nodes, of which two may lie, needs three that are behind", () => {
    const { session, pass } = sessionOf(7);
    session.named(0, LIE);
    session.named(1, LIE);
    pass(2_000);
    deny(session, 2, 3);
    expect(session.newest).toBe(LIE);
    deny(session, 4);
    expect(session.newest).toBe(0);
  });

  it("has the newest receipt that anybody gave, by height and index", () => {
    const { session } = sessionOf();
    session.acknowledged(0, receipt(3, 2));
    session.acknowledged(1, receipt(3, 1));
    expect(session.receipt).toEqual(receipt(3, 2));
    session.acknowledged(1, receipt(4));
    expect(session.receipt).toEqual(receipt(4));
    expect(session.newest).toBe(4);
  });
});
