import { describe, expect, test } from "vitest";
import { type CommandId, type Height, height } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import { keyStateOfProof } from "../../../src/client/key-state-proof.ts";
import type { NotaryProgress } from "../../../src/host/proofs/notary.ts";
import { verifyProof } from "../../../src/events/facts/verify-proof.ts";
import { authorOf } from "../kerl/ledger-world.ts";
import { Life } from "../kerl/lives.ts";
import { ProofWorld } from "./proof-world.ts";

const commandId = (n: number): CommandId => n.toString(16).padStart(32, "0") as CommandId;

/** Some writes, one of them refused; the identifiers of the client and of a newcomer rotate. */
function story() {
  const world = new ProofWorld();
  const newcomer = new Life("newcomer");
  const first = world.block([
    world.ledgers.write(world.client, "one", 101),
    world.ledgers.write(world.client, "two", 102),
  ]);
  const incepted = world.block([world.ledgers.append(world.client, newcomer.inception.message)]);
  const before = authorOf(newcomer);
  const rotation = newcomer.rotated();
  const rotated = world.block([world.ledgers.append(before, rotation.message)]);
  const refused = world.block([world.ledgers.write(authorOf(newcomer), "forbidden", 109)]);
  world.block([], { proven: false });
  const last = world.block();
  return { world, newcomer, first, incepted, rotated, rotation, refused, last };
}

function proven(world: ProofWorld, file: Uint8Array) {
  const verified = verifyProof(file, world.members);
  if (!verified.ok) throw new Error(`${verified.refusal.code}: ${verified.refusal.message}`);
  return verified.value;
}

describe("a block", () => {
  test("is proven to be in the log, with everything that it did", () => {
    const { world, first } = story();
    const value = proven(world, world.file(block(first)));
    if (value.kind !== "inclusion") throw new Error(value.kind);
    expect(value.block.height).toBe(first);
    expect(value.block.hash).toBe(world.hashAt(first));
    expect(value.block.head.signers).toEqual([0, 1, 2]);
    expect(value.facts?.map(({ index, n, data }) => [index, n, data.kind])).toEqual([
      [0, 0, "commandExecuted"],
      [0, 1, "namespaceAdded"],
      [0, 2, "subjectAdded"],
      [1, 0, "commandExecuted"],
      [1, 1, "subjectAdded"],
    ]);
  });

  test("that a later one makes final is proven by that one, genesis by the first", () => {
    const { world } = story();
    const unproven = height(5);
    expect(world.event(unproven)?.proof.kind).toBe("none");
    for (const at of [unproven, height(0)]) {
      const value = proven(world, world.file(block(at, false)));
      if (value.kind !== "inclusion") throw new Error(value.kind);
      expect([value.block.height, value.facts]).toEqual([at, null]);
      expect(value.block.head.height).toBeGreaterThan(at);
    }
  });

  test("whose effects no header names yet is proven alone, and the other half is told to come later", () => {
    const { world, last } = story();
    const value = proven(world, world.file(block(last, false)));
    if (value.kind !== "inclusion") throw new Error(value.kind);
    expect(value.block.head.height).toBe(last);
    const early = world.prove(block(last));
    expect(early.ok ? "" : early.refusal.code).toBe("NOT_PROVABLE");
    world.block();
    expect(world.prove(block(last)).ok).toBe(true);
  });

  test("is proven across headers that name the executed height late", () => {
    const world = new ProofWorld();
    const at = world.block([world.ledgers.write(world.client, "one")]);
    for (let i = 0; i < 6; i++) world.block([], { lag: 4 });
    const value = proven(world, world.file(block(at)));
    if (value.kind !== "inclusion") throw new Error(value.kind);
    expect(value.facts).toHaveLength(3);
  });
});

const block = (at: Height, withEffects = true) =>
  ({ kind: "inclusion", height: at, subject: { kind: "block" }, withEffects }) as const;

describe("a command", () => {
  test("is proven with how it was settled, executed or refused", () => {
    const { world, first, refused, newcomer } = story();
    const two = command(world, first, world.client.aid, 102);
    expect(two.command?.command.id).toBe(commandId(102));
    expect(two.outcome?.data.kind).toBe("commandExecuted");
    expect(two.facts?.map(({ index }) => index)).toEqual([1, 1]);
    const denied = command(world, refused, newcomer.aid, 109);
    expect(denied.outcome?.data).toMatchObject({ kind: "commandRefused", code: "PERMISSION_DENIED" });
  });

  test("that was sent again is proven to be ordered, and has no outcome where it was a duplicate", () => {
    const { world } = story();
    const again = world.block([world.ledgers.write(world.client, "one", 101)]);
    world.block();
    const value = command(world, again, world.client.aid, 101);
    expect([value.outcome, value.facts]).toEqual([null, []]);
  });

  test("that a block does not carry is not found", () => {
    const { world, first } = story();
    const wanted = { kind: "inclusion", height: first, withEffects: true } as const;
    const none = world.prove({ ...wanted, subject: { kind: "command", author: world.client.aid, id: commandId(77) } });
    const fact = world.prove({ ...wanted, subject: { kind: "fact", index: 0, n: 7 } });
    const beyond = world.prove({ ...wanted, height: height(99), subject: { kind: "block" } });
    expect([none, fact, beyond].map((one) => (one.ok ? "" : one.refusal.code))).toEqual([
      "NOT_FOUND",
      "NOT_FOUND",
      "HEIGHT_UNKNOWN",
    ]);
  });

  const command = (world: ProofWorld, at: Height, author: typeof world.client.aid, id: number) => {
    const subject = { kind: "command", author, id: commandId(id) } as const;
    const value = proven(world, world.file({ kind: "inclusion", height: at, subject, withEffects: true }));
    if (value.kind !== "inclusion") throw new Error(value.kind);
    return value;
  };
});

test("a fact is proven by its place", () => {
  const { world, first } = story();
  const subject = { kind: "fact", index: 1, n: 1 } as const;
  const value = proven(world, world.file({ kind: "inclusion", height: first, subject, withEffects: true }));
  if (value.kind !== "inclusion") throw new Error(value.kind);
  expect(value.facts).toHaveLength(1);
  expect(value.facts?.[0]?.data).toMatchObject({ kind: "subjectAdded", subject: { name: "two" } });
});

describe("an earlier head", () => {
  test("of every height is shown to be a prefix of the newest one", () => {
    const world = new ProofWorld();
    for (let i = 0; i < 20; i++) world.block();
    for (let at = 1; at <= 20; at++) {
      const hash = present(world.hashAt(height(at)), "a block");
      const value = proven(world, world.file({ kind: "consistency", height: height(at), hash }));
      expect(value).toMatchObject({ kind: "consistency", older: { height: at, hash }, newer: { height: 20 } });
    }
  });

  test("of another log is refused, and said to be evidence", () => {
    const world = new ProofWorld();
    const other = new ProofWorld("other");
    for (const one of [world, other]) one.block();
    const hash = present(other.hashAt(height(1)), "a block");
    const refused = world.prove({ kind: "consistency", height: height(1), hash });
    expect(refused.ok ? "" : refused.refusal.message).toContain("evidence");
  });
});

describe("a key state", () => {
  test("is proven at every height since its inception, as it was there", () => {
    const { world, newcomer, incepted, rotated, rotation, last } = story();
    const newest = last - 1; // the last header names that height as executed
    for (let at: number = incepted; at <= newest; at++) {
      const value = proven(world, world.file({ kind: "keyState", aid: newcomer.aid, through: height(at) }));
      if (value.kind !== "keyState") throw new Error(value.kind);
      expect(value.through).toBe(at);
      expect(value.block.height).toBe(at < rotated ? incepted : rotated);
      const state = keyStateOfProof(value);
      if (!state.ok) throw new Error(state.refusal.message);
      expect(state.value.isInceptionSigned).toBe(true);
      expect(state.value.state.said).toBe(at < rotated ? newcomer.inception.said : rotation.said);
    }
  });

  test("is proven at the newest height that can be, when none is named", () => {
    const { world, newcomer, last } = story();
    const value = proven(world, world.file({ kind: "keyState", aid: newcomer.aid, through: undefined }));
    expect(value).toMatchObject({ kind: "keyState", through: last - 1 });
  });

  test("of a founding identifier rests on the founding document, whose signatures stand for its own", () => {
    const { world } = story();
    const value = proven(world, world.file({ kind: "keyState", aid: world.admin.aid, through: undefined }));
    if (value.kind !== "keyState") throw new Error(value.kind);
    expect([value.block.height, value.last]).toEqual([0, null]);
    const state = keyStateOfProof(value);
    expect(state.ok && state.value.isInceptionSigned).toBe(false);
  });

  test("before the inception there is none", () => {
    const { world, newcomer, first } = story();
    const refused = world.prove({ kind: "keyState", aid: newcomer.aid, through: first });
    expect(refused.ok ? "" : refused.refusal.code).toBe("NOT_FOUND");
  });
});

test("a notary executes each block once, and says how far it is", () => {
  const { world, last } = story();
  const progress: NotaryProgress[] = [];
  world.prove({ kind: "keyState", aid: world.client.aid, through: undefined }, progress);
  expect(progress.at(-1)).toEqual({ height: last - 1, to: last - 1, stays: true });
});
