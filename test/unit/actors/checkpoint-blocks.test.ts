/** consensus.md, "Checkpoint": statements among members, and the blocks that prove them, with one member that lies. */
import { afterEach, describe, expect, it } from "vitest";
import { type MemberIndex, epoch, height, memberIndex } from "../../../src/base/brands.ts";
import { decode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { signer } from "../../../src/crypto/ed25519.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { type Checkpoint, HEADER_BYTES_MAX, headerShape } from "../../../src/events/facts/block.ts";
import { type CheckpointStatement, checkpointBytes } from "../../../src/events/facts/checkpoint.ts";
import { ByzantineCommittee, LIAR, bodyOf, cluster } from "./byzantine-committee.ts";

let open: ByzantineCommittee | undefined;
afterEach(() => {
  open?.end();
  open = undefined;
});
const gather = (): ByzantineCommittee => (open = new ByzantineCommittee());

const segments = sha256Digest(new TextEncoder().encode("segments"));
const sign = (member: number, statement: CheckpointStatement, of = cluster): Uint8Array =>
  signer(new Uint8Array(32).fill(member + 1))(checkpointBytes(of, statement));

/** Honest members say the same of this height; the liar says what it is told to. */
function state(committee: ByzantineCommittee, at: number, honest: readonly number[]): CheckpointStatement {
  const [first] = committee.honest;
  const root = present(present(first, "honest").actor.context.roots[at], "executed");
  for (const member of honest) committee.honest[member]?.actor.checkpointWritten(height(at), root, segments);
  return { epoch: epoch(0), height: height(at), root, segments };
}

const checkpointsOf = (committee: ByzantineCommittee): readonly (readonly number[])[] =>
  committee.honest.map(({ delivered }) =>
    delivered.filter((delivery) => bodyOf(delivery) === "checkpoint").map((delivery) => delivery.height),
  );

describe("a checkpoint block", () => {
  it("is ordered once q members said the same, and the headers after it name it", () => {
    const committee = gather();
    committee.stillOrders();
    committee.settled();
    state(committee, 1, [0, 1, 2]);
    committee.stillOrders();
    committee.until("a checkpoint block", () => checkpointsOf(committee).every((heights) => heights.length === 1));
    const at = present(checkpointsOf(committee)[0]?.[0], "one");
    committee.stillOrders();
    committee.settled();
    for (const { delivered } of committee.honest)
      for (const { header, height: of } of delivered) {
        const opened = decode(headerShape, header, HEADER_BYTES_MAX);
        expect(opened.ok && opened.value.lastCheckpoint).toBe(of > at ? at : 0);
      }
    expect(checkpointsOf(committee)).toEqual([[at], [at], [at]]);
  });

  it("needs q equal statements: two of four and a liar's other root make none", () => {
    const committee = gather();
    committee.stillOrders();
    committee.settled();
    const statement = state(committee, 1, [0, 1]);
    const other = { ...statement, root: segments };
    committee.say({ kind: "statement", statement: other, member: LIAR, signature: sign(LIAR, other) });
    for (let i = 0; i < 4; i++) committee.stillOrders();
    expect(checkpointsOf(committee)).toEqual([[], [], []]);
    state(committee, 1, [2]);
    committee.stillOrders();
    committee.until("the third makes it", () => checkpointsOf(committee).every((heights) => heights.length === 1));
  });

  it("is still ordered when statements were lost on their way: they come again with the peer", () => {
    const committee = gather();
    committee.stillOrders();
    committee.settled();
    const carry = committee.carry.bind(committee);
    committee.carry = () => {};
    state(committee, 1, [0, 1, 2]);
    committee.pass(20);
    committee.carry = carry;
    for (const one of committee.honest)
      for (const peer of [0, 1, 2])
        if (peer !== one.self) one.actor.post({ type: "peerConnected", member: memberIndex(peer) });
    committee.stillOrders();
    committee.until("a checkpoint block", () => checkpointsOf(committee).every((heights) => heights.length === 1));
  });
});

describe("statements", () => {
  it("of another member, another epoch, a second one for a height, and badly signed ones are refused by name", () => {
    const committee = gather();
    committee.stillOrders();
    committee.settled();
    const statement = state(committee, 1, []);
    const say = (over: Partial<CheckpointStatement>, member: MemberIndex = LIAR, by: number = LIAR): void => {
      const said = { ...statement, ...over };
      committee.say({ kind: "statement", statement: said, member, signature: sign(by, said) });
    };
    say({}, memberIndex(1), 1);
    say({ epoch: epoch(1) });
    say({}, LIAR, 2);
    say({});
    say({});
    say({ root: segments });
    for (const { refused } of committee.honest)
      expect(refused.slice(-4)).toEqual([
        "FOREIGN_STATEMENT",
        "FOREIGN_STATEMENT",
        "BAD_SIGNATURE",
        "CHECKPOINT_EQUIVOCATION",
      ]);
    committee.stillOrders();
  });
});

describe("rule 3: a checkpoint block that a liar proposes", () => {
  const prove = (statement: CheckpointStatement, members: readonly number[], signers = members): Checkpoint => ({
    statement,
    signers: Uint8Array.of(signers.reduce((bits, member) => bits | (1 << member), 0)),
    signatures: members.map((member) => sign(member, statement)),
  });
  const bad: readonly (readonly [string, (statement: CheckpointStatement) => Checkpoint])[] = [
    ["two signatures", (it) => prove(it, [0, 3])],
    ["one signer twice", (it) => prove(it, [0, 3, 3], [0, 1, 3])],
    ["fewer signatures than signers", (it) => prove(it, [0, 3], [0, 1, 3])],
    ["a signer beyond the committee", (it) => ({ ...prove(it, [0, 1, 3]), signers: Uint8Array.of(0b1011_0000) })],
    ["a state above what is executed", (it) => prove({ ...it, height: height(it.height + 50) }, [0, 1, 3])],
    ["another epoch", (it) => prove({ ...it, epoch: epoch(1) }, [0, 1, 3])],
    ["signatures under another statement", (it) => ({ ...prove(it, [0, 1, 3]), statement: { ...it, root: segments } })],
    [
      "signatures for another cluster",
      (it) => ({
        ...prove(it, []),
        signers: Uint8Array.of(0b1011),
        signatures: [0, 1, 3].map((i) => sign(i, it, segments)),
      }),
    ],
  ];

  it.each(bad)("with %s is nullified", (_name, make) => {
    const committee = gather();
    committee.stillOrders();
    const at = committee.reachViewOfLiar();
    const statement = state(committee, 1, []);
    committee.say(committee.proposal(at, {}, { kind: "checkpoint", checkpoint: make(statement) }));
    committee.until("nullified", () => committee.honest.every(({ actor }) => actor.context.view > at));
    for (const { actor } of committee.honest) expect(actor.context.notarizations[at]).toBeUndefined();
    committee.stillOrders();
  });

  it("with q signatures is notarized, though it says nothing of this member's own state", () => {
    const committee = gather();
    committee.stillOrders();
    const at = committee.reachViewOfLiar();
    const statement = { ...state(committee, 1, []), root: segments };
    const said = committee.proposal(at, {}, { kind: "checkpoint", checkpoint: prove(statement, [0, 1, 3]) });
    committee.say(said);
    committee.until("the block is ordered", () => checkpointsOf(committee).every((heights) => heights.length === 1));
    // The next one must prove more: the same again is not above the last checkpoint block.
    const again = committee.reachViewOfLiar();
    const lastCheckpoint = height(present(checkpointsOf(committee)[0]?.[0], "ordered"));
    committee.say(
      committee.proposal(again, { lastCheckpoint }, { kind: "checkpoint", checkpoint: prove(statement, [0, 1, 3]) }),
    );
    committee.until("nullified", () => committee.honest.every(({ actor }) => actor.context.view > again));
    for (const { actor } of committee.honest) expect(actor.context.notarizations[again]).toBeUndefined();
  });
});
