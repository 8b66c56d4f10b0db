/** What rules 1, 3 and 4 of consensus.md ask of the shell: which bytes go where, and what a lying member cannot prevent. */
import { afterEach, describe, expect, it } from "vitest";
import { type Digest, epoch, height, memberIndex, view } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import { blockHash } from "../../../src/events/facts/hashing.ts";
import { ByzantineCommittee, type Honest, LIAR, cluster, signAsLiar } from "./byzantine-committee.ts";

const committees: ByzantineCommittee[] = [];
afterEach(() => {
  for (const committee of committees.splice(0)) committee.end();
});
function gather(): ByzantineCommittee {
  const committee = new ByzantineCommittee();
  committees.push(committee);
  return committee;
}

const member = (committee: ByzantineCommittee, at: number): Honest => present(committee.honest[at], "honest");
const empty = { kind: "executions", bundles: [] } as const;

describe("rules 3 and 4: a leader that makes two proposals", () => {
  it("cannot keep a member that saw the other one first from certifying what the others notarized", () => {
    const committee = gather();
    const at = committee.reachViewOfLiar();
    const [one, two, three] = [0, 1, 2].map((i) => member(committee, i));
    if (one === undefined || two === undefined || three === undefined) throw new Error("three honest members");
    const shown = committee.proposal(at, {}, empty);
    const other = committee.proposal(at, { time: (committee.now + 50) as never }, empty);
    const hash = blockHash(other.block.header);
    committee.say(shown, [one]);
    committee.say(other, [one, two, three]);
    // From here on the liar is silent: whatever becomes final needs all three.
    committee.until("notarized", () => committee.honest.every(({ actor }) => actor.context.view > at));
    expect(one.actor.context.verdicts[at] ?? "settled").not.toBe("refused");
    committee.stillOrders();
    for (const { delivered } of committee.honest) expect(delivered.map((block) => block.hash)).toContain(hash);
  });
});

describe("rule 1: quiet", () => {
  it("a client's batch that comes again to the member that had it ordered is no new work", () => {
    const committee = gather();
    const one = member(committee, 0);
    const batch = new TextEncoder().encode("the same batch");
    one.actor.submit(batch);
    committee.until("ordered", () => one.actor.context.final.height > 0);
    const at = committee.reach((view) => view % 4 !== 0); // another member leads: this one cannot order it alone
    one.actor.submit(batch); // the same bytes make the same bundle
    committee.pass(50);
    committee.settled();
    expect(one.actor.context).toMatchObject({ view: at, mempool: [], own: {} });
  });
});

describe("rule 3: valid", () => {
  it.each(["lastReconfigure", "lastCheckpoint"] as const)("a %s that never was is not valid", (field) => {
    const committee = gather();
    const at = committee.reachViewOfLiar();
    committee.say(committee.proposal(at, { [field]: height(1) }, empty));
    committee.until("nullified", () => committee.honest.every(({ actor }) => actor.context.view > at));
    for (const { actor } of committee.honest) expect(actor.context.notarizations[at]).toBeUndefined();
    committee.stillOrders();
  });
});

describe("rule 1: late votes", () => {
  const nullify = (at: number) =>
    ({
      kind: "vote",
      vote: "nullify",
      epoch: epoch(0),
      view: view(at),
      hash: null,
      member: LIAR,
      signature: signAsLiar(cluster, "nullify", at, null),
    }) as const;
  const finalizations = (committee: ByzantineCommittee): number =>
    committee.heard.filter(
      ({ message }) => message.kind === "certificate" && message.certificate.kind === "finalization",
    ).length;

  it("one below the last finalised view is answered with that finalization", () => {
    const committee = gather();
    committee.stillOrders();
    committee.stillOrders();
    committee.settled();
    const one = member(committee, 0);
    committee.heard.length = 0;
    committee.say(nullify(one.actor.context.final.view - 1), [one]);
    expect(finalizations(committee)).toBe(1);
  });

  it("one at the last finalised view is answered when it comes again: the first may have crossed it", () => {
    const committee = gather();
    committee.stillOrders();
    committee.settled();
    const one = member(committee, 0);
    committee.heard.length = 0;
    committee.say(nullify(one.actor.context.final.view), [one]);
    committee.say(nullify(one.actor.context.final.view), [one]);
    expect(finalizations(committee)).toBe(1);
  });

  it("one that is too far ahead to be kept still shows that its member is alive", () => {
    const committee = gather();
    committee.stillOrders();
    const one = member(committee, 0);
    const before = one.actor.context.spokenViews;
    committee.say(nullify(one.actor.context.view + 7), [one]);
    one.actor.drain();
    expect(one.actor.context.lastHeard[LIAR]).toBe(Math.max(before, one.actor.context.spokenViews));
  });
});

describe("known bugs of others", () => {
  it("counting one signer twice, or f+1: a certificate needs q distinct members in its bitmap", () => {
    const committee = gather();
    const at = committee.reachViewOfLiar();
    const signature = signAsLiar(cluster, "nullify", at, null);
    const one = member(committee, 0);
    const forged = (signers: number, signatures: number) =>
      ({
        kind: "certificate",
        certificate: {
          kind: "nullification",
          epoch: epoch(0),
          view: view(at),
          blockHash: null,
          signers: Uint8Array.of(signers),
          signatures: Array.from({ length: signatures }, () => signature),
        },
      }) as const;
    for (const [signers, signatures] of [
      [0b1000, 1],
      [0b1000, 3],
      [0b1100, 2],
      [0b1110, 3],
      [0b1111, 4],
      [0b11111000, 5],
      [0b1111000, 4],
    ] as const)
      committee.say(forged(signers, signatures), [one]);
    one.actor.drain();
    expect(one.actor.context.nullifications).toEqual({});
    expect(one.refused.filter((reason) => reason === "BAD_CERTIFICATE")).toHaveLength(7);
  });

  it("a notarization taken for a finalization: the kind is part of what is signed", () => {
    const committee = gather();
    const at = committee.reachViewOfLiar();
    const [, two] = committee.honest;
    const block = committee.proposal(at, {}, empty);
    committee.say(block);
    const hash = blockHash(block.block.header);
    committee.until("notarized", () => two?.actor.signatures.certificate("notarization", view(at))?.blockHash === hash);
    const certificate = present(two?.actor.signatures.certificate("notarization", view(at)), "just seen");
    const one = member(committee, 0);
    const forged = { ...certificate, kind: "finalization" as const };
    expect(one.actor.signatures.judges(certificate)).toBe(true);
    expect(one.actor.signatures.judges(forged)).toBe(false);
    expect(memberIndex(LIAR)).toBe(LIAR);
    expect(hash satisfies Digest).toHaveLength(64);
  });
});
