import { describe, expect, it } from "vitest";
import { Life } from "./lives.ts";
import { LedgerWorld, authorOf } from "./ledger-world.ts";

describe.each([
  ["from the tables", true],
  ["from memory", false],
])("key events as commands, the past read %s", (_, archives) => {
  it("after a client rotates its keys, what its old keys signed is refused, and the same ids are settled under the new ones", () => {
    const world = new LedgerWorld(archives);
    const { client } = world;
    const old = authorOf(client);
    const before = world.write(old, "a", 901);
    const rotation = client.rotated();
    expect(world.block(world.append(old, rotation.message)).kinds).toEqual(["commandExecuted", "keyEventAccepted"]);
    expect(world.ledger.keyState(client.aid)).toMatchObject({ sn: 1, said: rotation.said });
    const refused = world.block(before);
    expect(refused.kinds).toEqual(["batchRefused STALE_KEY_STATE"]);
    expect(world.block(world.write(authorOf(client), "a", 901)).kinds).toEqual([
      "commandExecuted",
      "namespaceAdded",
      "subjectAdded",
    ]);
    expect(world.defects).toEqual([]);
  });

  it("a batch that stands behind the rotation in the same block is refused too", () => {
    const world = new LedgerWorld(archives);
    const old = authorOf(world.client);
    const rotation = world.client.rotated();
    const { kinds } = world.block(world.append(old, rotation.message), world.write(old, "a"));
    expect(kinds).toEqual(["commandExecuted", "keyEventAccepted", "batchRefused STALE_KEY_STATE"]);
  });

  it("a stream of which one message is rejected does nothing, and its refusal names the message", () => {
    const world = new LedgerWorld(archives);
    const { client } = world;
    const good = client.interaction();
    const tampered = Uint8Array.from(client.took(good, "interaction").interaction().message);
    tampered[tampered.length - 4] = (tampered.at(-4) ?? 0) === 65 ? 66 : 65; // a signature that does not hold
    const { kinds, facts } = world.block(world.append(authorOf(client), good.message, tampered));
    expect(kinds).toEqual(["commandRefused KERI_BAD_SIGNATURE"]);
    expect(facts[0]?.data).toMatchObject({ message: expect.stringMatching(/^Message 1: /) });
    expect(world.ledger.keyState(client.aid)?.latest.sn).toBe(0);
  });

  it("a writer introduces strangers; a stranger that is known appends its own events and no others", () => {
    const world = new LedgerWorld(archives);
    const [stranger, another] = [new Life("stranger"), new Life("another")];
    expect(world.block(world.append(authorOf(stranger), stranger.inception.message)).kinds).toEqual([
      "batchRefused UNKNOWN_IDENTIFIER",
    ]);
    expect(world.block(world.append(authorOf(world.client), stranger.inception.message)).kinds).toEqual([
      "commandExecuted",
      "keyEventAccepted",
    ]);
    expect(world.block(world.append(authorOf(stranger), stranger.interacted().message)).kinds).toEqual([
      "commandExecuted",
      "keyEventAccepted",
    ]);
    expect(world.block(world.append(authorOf(stranger), another.inception.message)).kinds).toEqual([
      "commandRefused PERMISSION_DENIED",
    ]);
    expect(world.block(world.write(authorOf(stranger), "a")).kinds).toEqual(["commandRefused PERMISSION_DENIED"]);
  });

  it("replies by keys that were rotated away are taken of writers alone: BADA accepts them, a stranger need not send them", () => {
    const stranger = new Life("stranger");
    const world = new LedgerWorld(archives);
    const reply = () =>
      stranger.replied({ route: "/end/role/add", date: "2026-01-02T00:00:00.000000+00:00", attributes });
    const attributes = { cid: stranger.aid, role: "agent", eid: new Life("agent").aid };
    const old = reply();
    world.block(world.append(authorOf(world.client), stranger.inception.message));
    world.block(world.append(authorOf(stranger), stranger.rotated().message));
    expect(world.block(world.append(authorOf(stranger), old)).kinds).toEqual(["commandRefused PERMISSION_DENIED"]);
    expect(world.block(world.append(authorOf(stranger), reply())).kinds).toEqual([
      "commandExecuted",
      "keriReplyAccepted",
    ]);
    const another = new Life("another");
    const theirs = another.replied({
      route: "/end/role/add",
      date: "2026-01-02T00:00:00.000000+00:00",
      attributes: { ...attributes, cid: another.aid },
    });
    const stream = [another.inception.message, another.rotated().message, theirs];
    expect(world.block(world.append(authorOf(world.client), ...stream)).kinds).toEqual([
      "commandExecuted",
      "keyEventAccepted",
      "keyEventAccepted",
      "keriReplyAccepted",
    ]);
  });

  it("an author with weighted keys signs batches with as many as suffice, before and after a rotation", () => {
    const half = { kind: "key", weight: { numerator: 1n, denominator: 2n } } as const;
    const board = new Life("board", { keys: 3, threshold: { clauses: [[half, half, half]] } });
    const world = new LedgerWorld(archives, [board]);
    const some = (...indices: readonly number[]) => {
      const author = authorOf(board);
      return {
        ...author,
        sign: (message: Uint8Array) => author.sign(message).filter(({ index }) => indices.includes(index)),
      };
    };
    expect(world.block(world.write(some(0, 2), "a")).kinds.at(0)).toBe("commandExecuted");
    expect(world.block(world.write(some(1), "b")).kinds).toEqual(["batchRefused BAD_SIGNATURE"]);
    expect(world.block(world.append(some(1, 2), board.rotated().message)).kinds).toEqual([
      "commandExecuted",
      "keyEventAccepted",
    ]);
    expect(world.block(world.write(some(0, 1), "c")).kinds.at(0)).toBe("commandExecuted");
  });

  it("an identifier that was abandoned still signs, and rotates no more", () => {
    const world = new LedgerWorld(archives);
    const { client } = world;
    const old = authorOf(client);
    world.block(world.append(old, client.rotated({ abandon: true }).message));
    expect(world.block(world.write(authorOf(client), "a")).kinds.at(0)).toBe("commandExecuted");
    expect(world.block(world.append(authorOf(client), client.rotation().message)).kinds).toEqual([
      "commandRefused KERI_RULE",
    ]);
  });
});
