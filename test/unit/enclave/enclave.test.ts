/** The enclave with real keys and shares. Each test cites a rule of docs/protocol/ceremony.md or DESIGN §6. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Digest, Said } from "../../../src/base/brands.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { present } from "../../../src/base/errors.ts";
import { operatorSeed } from "../../../src/host/founding/operator-file.ts";
import { publicKeyOf, verify } from "../../../src/crypto/ed25519.ts";
import { signingBytes } from "../../../src/crypto/hash.ts";
import { incept, interact, reply, rotate } from "../../../src/keri/compose.ts";
import { keyText } from "../../../src/keri/key-text.ts";
import { sessionKeySigningBytes } from "../../../src/actors/enclave/ceremony-bytes.ts";
import { Desk, type Disk, World, random } from "./memory-enclave.ts";

const world = new World(3, ["ann", "bob", "carol", "dave"]);
let shares: readonly Uint8Array[];
let initialised: Disk;

const share = (i: number): Uint8Array => present(shares[i], `share ${i}`);
const sealedDesk = (): Desk => new Desk(world, { ...initialised, records: [...initialised.records] });

async function unsealed(by: readonly number[] = [0, 1, 2]): Promise<Desk> {
  const desk = sealedDesk();
  for (const i of by) await desk.give(i, share(i));
  await desk.enclave.unwrap(world.operator(present(by[0], "somebody")).aid, null);
  return desk;
}

beforeAll(async () => {
  const desk = new Desk(world);
  shares = await desk.initialise();
  expect(desk.log).toEqual(["boot", "journal dealt", "keystore", "journal initialised"]);
  initialised = desk.disk;
});

describe("unsealing", () => {
  const subsets = Array.from({ length: 16 }, (_, mask) => [0, 1, 2, 3].filter((i) => (mask >> i) & 1)).filter(
    (subset) => subset.length > 0,
  );

  test.each(subsets.filter((subset) => subset.length >= 3))(
    "operators %j and %j and %j open the keystore",
    async (...subset) => {
      const desk = await unsealed(subset.filter((i): i is number => typeof i === "number"));
      expect(desk.enclave.status().state).toBe("unsealed");
      expect(desk.enclave.sign("epoch", [signingBytes("finalize", world.founding.cluster, utf8("x"))]).ok).toBe(true);
    },
  );

  test.each(subsets.filter((subset) => subset.length < 3).map((subset) => [subset]))(
    "fewer than k do not: %j",
    async (subset) => {
      const desk = sealedDesk();
      for (const i of subset) expect((await desk.give(i, share(i))).ok).toBe(true);
      const answer = await desk.enclave.unwrap(world.operator(present(subset[0], "one")).aid, null);
      expect(answer).toMatchObject({ ok: false, code: "TOO_FEW_SHARES", missing: 3 - subset.length });
      expect(answer.message).toContain(world.operator(present(subset[0], "one")).name);
      expect(desk.enclave.status()).toMatchObject({ state: "collecting" });
      expect(desk.enclave.sign("epoch", [])).toMatchObject({ ok: false, refusal: { code: "SEALED" } });
    },
  );

  test("the session key is fresh for every ceremony and signed by the boot key with its expiry", async () => {
    const desk = sealedDesk();
    const { node, cluster } = world.founding;
    const first = await desk.session();
    const claim = { ceremony: first.ceremony, publicKey: first.publicKey, expiry: first.expiry };
    const bootKey = publicKeyOf(world.bootSeed);
    expect(verify(bootKey, sessionKeySigningBytes({ cluster, node: node.aid }, claim), first.bootSignature)).toBe(true);
    expect(
      verify(bootKey, sessionKeySigningBytes({ cluster, node: world.operator(0).aid }, claim), first.bootSignature),
    ).toBe(false);
    expect((await desk.session(1)).ceremony).toBe(first.ceremony);
    await desk.enclave.cancel(world.operator(0).aid, null);
    expect((await desk.session()).ceremony).not.toBe(first.ceremony);
  });
});

describe("a share is refused at once, naming who gave it,", () => {
  const cases: readonly (readonly [string, (desk: Desk) => ReturnType<Desk["give"]>, string, RegExp])[] = [
    [
      "when its value is wrong",
      (desk) => desk.give(1, random(32).fill(1, 0, 1)),
      "WRONG_COMMITMENT",
      /bob .*does not fit this node's commitments/,
    ],
    ["when it is another operator's", (desk) => desk.give(1, share(2)), "WRONG_COMMITMENT", /bob/],
    [
      "when it claims another operator's index",
      (desk) => desk.give(1, share(2), { index: 3 }),
      "WRONG_INDEX",
      /bob .*belongs to another operator/,
    ],
    ["when its index is the secret's own place", (desk) => desk.give(1, share(1), { index: 0 }), "WRONG_INDEX", /bob/],
    [
      "when another operator signed it",
      (desk) => desk.give(1, share(1), { signer: 2 }),
      "WRONG_SIGNATURE",
      /bob .*is not signed by that operator/,
    ],
    [
      "when it was sealed for another ceremony",
      (desk) => desk.give(1, share(1), { sealedFor: "ab".repeat(16) }),
      "UNREADABLE_SHARE",
      /bob .*could not be opened/,
    ],
    [
      "when it names another ceremony",
      (desk) => desk.give(1, share(1), { ceremony: "ab".repeat(16) }),
      "WRONG_CEREMONY",
      /bob/,
    ],
  ];
  test.each(cases)("%s", async (_what, give, code, sentence) => {
    const desk = sealedDesk();
    await desk.give(0, share(0));
    const answer = await give(desk);
    expect(answer).toMatchObject({ ok: false, code, shares: 1, missing: 2 });
    expect(answer.message).toMatch(sentence);
    if (code !== "WRONG_CEREMONY")
      expect(answer.status.blamed).toMatchObject([{ operator: world.operator(1).aid, code }]);
    expect(await desk.give(1, share(1))).toMatchObject({ ok: true, shares: 2 });
  });

  test("when the caller is no operator", async () => {
    const desk = sealedDesk();
    const answer = await desk.give(1, share(1), { caller: world.founding.node.aid });
    expect(answer).toMatchObject({ ok: false, code: "NOT_OPERATOR" });
    expect(answer.message).toContain(world.founding.node.aid);
  });

  test("when the bytes are garbage of any size", async () => {
    const desk = sealedDesk();
    const { ceremony } = await desk.session();
    for (const [enc, ciphertext] of [
      [0, 0],
      [32, 0],
      [32, 112],
      [32, 100_000],
      [31, 112],
    ] as const) {
      const operator = world.operator(enc === 31 ? 2 : 1);
      const offered = { ceremony, enc: random(enc), ciphertext: random(ciphertext) };
      const answer = await desk.enclave.apply(operator.aid, offered, publicKeyOf(operatorSeed(operator)));
      expect(answer.code).toBe("UNREADABLE_SHARE");
    }
  });
});

describe("what was tampered with", () => {
  test("a keystore whose body changed: the ceremony fails, nothing starts, everything collected is erased", async () => {
    for (const at of [60, initialised.keystore.length - 20]) {
      const keystore = Uint8Array.from(initialised.keystore);
      keystore[at] = (keystore[at] as number) ^ 1;
      const desk = new Desk(world, { ...initialised, keystore, records: [] });
      for (const i of [0, 1, 2]) await desk.give(i, share(i));
      const answer = await desk.enclave.unwrap(world.operator(0).aid, null);
      expect(answer, `byte ${at}`).toMatchObject({ ok: false, code: "OPENING_FAILED" });
      expect(answer.message).toMatch(/stays sealed: .*keystore/);
      expect(answer.status).toMatchObject({ state: "failed", ceremony: null, blamed: [] });
      expect(desk.enclave.sign("epoch", [])).toMatchObject({ refusal: { code: "SEALED" } });
      expect(desk.disk.records.at(-1)).toMatchObject({ kind: "failed", blamed: [] });
    }
  });

  test("a boot file stops the start, instead of blaming operators for shares that fit", async () => {
    const boot = present(initialised.boot, "dealt");
    const foreign = new Desk(world);
    await foreign.initialise();
    const other = present(foreign.disk.boot, "dealt");
    const damaged: readonly Disk["boot"][] = [
      null,
      other,
      { ...boot, operators: [...boot.operators].reverse() },
      { ...boot, signature: other.signature },
    ];
    for (const changed of damaged) {
      expect(() => new Desk(world, { ...initialised, boot: changed })).toThrow(
        /boot file of node n0 was changed or damaged/,
      );
    }
  });

  test("a keystore of another node stops the start", () => {
    const stranger = new World(1, ["eve"]);
    expect(() => new Desk(world, { ...initialised, keystore: stranger.fresh })).toThrow(/keystore is that of/);
  });

  test("shares of another dealing do not open this one", async () => {
    const other = new Desk(world);
    const theirs = await other.initialise();
    const desk = sealedDesk();
    expect(await desk.give(0, present(theirs[0], "a share"))).toMatchObject({ code: "WRONG_COMMITMENT" });
  });
});

describe("a restart", () => {
  test("forgives no wrong attempt", async () => {
    let desk = sealedDesk();
    for (let i = 0; i < 5; i++) {
      expect((await desk.give(1, share(2))).code).toBe("WRONG_COMMITMENT");
      desk = desk.restart();
    }
    expect(await desk.give(1, share(1))).toMatchObject({ ok: false, code: "RATE_LIMITED" });
    expect((await desk.give(2, share(2))).ok).toBe(true);
    desk.now += 600_000;
    expect((await desk.give(1, share(1))).ok).toBe(true);
  });

  test("finds the node sealed, and operators that have not fetched their share still can", async () => {
    const desk = sealedDesk();
    expect(desk.enclave.status()).toMatchObject({
      state: "sealed",
      unacknowledged: world.operators.map(({ aid }) => aid),
    });
    expect(await desk.fetchAll()).toEqual(shares);
  });

  test("between dealing and rewrapping loses nothing: the passphrase still opens, and initialise deals anew", async () => {
    const crashed = new Desk(world);
    crashed.failKeystore = true;
    await crashed.enclave.openWithPassphrase(Buffer.from("founder's passphrase"));
    void crashed.enclave.initialise(world.operator(0).aid);
    await expect.poll(() => crashed.fatal.length).toBe(1);
    const desk = crashed.restart();
    expect(desk.enclave.status().state).toBe("uninitialised");
    expect(desk.enclave.fetchShare(world.operator(0).aid)).toMatchObject({ refusal: { code: "NOT_INITIALISED" } });
    expect(await desk.initialise()).toHaveLength(4);
    expect(desk.restart().enclave.status().state).toBe("sealed");
  });
});

describe("keys", () => {
  test("the passphrase opens the keystore only until initialise, and a wrong one never", async () => {
    const fresh = new Desk(world);
    const wrong = await fresh.enclave.openWithPassphrase(Buffer.from("guess"));
    expect(wrong).toMatchObject({ ok: false, refusal: { code: "PASSPHRASE_WRONG" } });
    expect((await fresh.enclave.initialise(world.operator(0).aid)).code).toBe("PASSPHRASE_NEEDED");
    const passphrase = Buffer.from("founder's passphrase");
    expect(await sealedDesk().enclave.openWithPassphrase(passphrase)).toMatchObject({
      refusal: { code: "ALREADY_INITIALISED" },
    });
    expect([...passphrase].every((byte) => byte === 0)).toBe(true);
  });

  test("an unsealed node signs messages of its cluster and of each key's types, and nothing else", async () => {
    const desk = await unsealed();
    const { cluster, node } = world.founding;
    const vote = signingBytes("notarize", cluster, utf8("a vote"));
    const signed = desk.enclave.sign("epoch", [vote]);
    expect(signed.ok && verify(node.epochKey, vote, present(signed.value[0], "one"))).toBe(true);
    const command = signingBytes("signed", cluster, utf8("a batch"));
    const byIdentifier = desk.enclave.sign("identifier", [command]);
    expect(byIdentifier.ok && verify(node.key, command, present(byIdentifier.value[0], "one"))).toBe(true);
    const refused = [
      ["identifier", vote],
      ["epoch", command],
      ["identifier", signingBytes("certificate", cluster, utf8("x"))],
      ["identifier", signingBytes("dealing", cluster, utf8("x"))],
      ["epoch", signingBytes("notarize", "00".repeat(32) as Digest, utf8("x"))],
      ["epoch", utf8("raw bytes")],
      ["epoch", new Uint8Array(0)],
    ] as const;
    for (const [key, message] of refused)
      expect(desk.enclave.sign(key, [vote, message])).toMatchObject({ refusal: { code: "SIGNING_REFUSED" } });
  });

  test("of key events its identifier signs its own inception alone, and replies; its witness signs any, and nothing else", async () => {
    const desk = await unsealed();
    const { cluster, node } = world.founding;
    const key = keyText(node.key);
    const other = incept({ keys: [key], nextDigests: [] });
    const bound = reply({
      route: "/end/role/add",
      date: "2026-01-01T00:00:00.000000+00:00",
      attributes: { cid: node.aid, role: "witness", eid: node.aid },
    });
    for (const message of [world.icp, bound.event]) {
      const signed = desk.enclave.sign("identifier", [message]);
      expect(signed.ok && verify(node.key, message, present(signed.value[0], "one"))).toBe(true);
    }
    const rotation = rotate({
      aid: node.aid,
      sn: 1,
      prior: node.aid as string as Said,
      keys: [key],
      nextDigests: [],
      witnessThreshold: 0,
    });
    const interaction = interact({ aid: node.aid, sn: 1, prior: node.aid as string as Said, seals: [] });
    const command = signingBytes("signed", cluster, utf8("a batch"));
    for (const message of [other.event, rotation.event, interaction.event])
      expect(desk.enclave.sign("identifier", [message])).toMatchObject({ refusal: { code: "SIGNING_REFUSED" } });
    for (const message of [other.event, rotation.event]) expect(desk.enclave.sign("witness", [message]).ok).toBe(true);
    for (const message of [command, utf8("raw bytes")])
      expect(desk.enclave.sign("witness", [message])).toMatchObject({ refusal: { code: "SIGNING_REFUSED" } });
  });

  test("a mark is the same after every unseal, and another node's differs", async () => {
    const [first, again] = [await unsealed(), await unsealed([1, 2, 3])];
    const mark = first.enclave.macMark(utf8("height 7"));
    expect(mark.ok && mark.value).toHaveLength(32);
    expect(again.enclave.macMark(utf8("height 7"))).toEqual(mark);
    expect(first.enclave.macMark(utf8("height 8"))).not.toEqual(mark);
    const solo = new Desk(new World(1, ["eve"]));
    await solo.initialise();
    expect(solo.enclave.macMark(utf8("height 7"))).not.toEqual(mark);
    expect(sealedDesk().enclave.macMark(utf8("height 7"))).toMatchObject({ refusal: { code: "SEALED" } });
  });

  test("sealing drains first, then erases: nothing is signed any more", async () => {
    const desk = await unsealed();
    const vote = signingBytes("notarize", world.founding.cluster, utf8("x"));
    expect((await desk.enclave.seal(world.operator(3).aid, { unsealedMembers: 4, quorum: 3, exit: false })).ok).toBe(
      true,
    );
    await expect.poll(() => desk.log.at(-1)).toBe("draining");
    expect(desk.enclave.sign("epoch", [vote]).ok).toBe(true);
    await desk.enclave.drained();
    expect(desk.log.slice(-2)).toEqual(["journal sealed", "sealed"]);
    expect(desk.enclave.sign("epoch", [vote])).toMatchObject({ refusal: { code: "SEALED" } });
    expect(desk.enclave.custody()).toBeNull();
  });
});

test("ending the process is up to the operator whose seal counted, not to who asks while the node drains", async () => {
  const desk = await unsealed();
  await desk.enclave.seal(world.operator(3).aid, { unsealedMembers: 4, quorum: 3, exit: false });
  await desk.enclave.seal(world.founding.node.aid, { unsealedMembers: 4, quorum: 3, exit: true });
  await desk.enclave.seal(world.operator(2).aid, { unsealedMembers: 4, quorum: 3, exit: true });
  await desk.enclave.drained();
  expect(desk.exits).toEqual([false]);
});

describe("the journal", () => {
  test("has an attempt before its answer; when it cannot be written there is no answer and the enclave ends", async () => {
    const desk = sealedDesk();
    await desk.session();
    desk.failJournal = true;
    let answered = false;
    void desk.give(1, share(2)).then(() => {
      answered = true;
    });
    await expect.poll(() => desk.fatal.length).toBe(1);
    expect(answered).toBe(false);
  });

  test("a ceremony ends at its deadline by the timer", async () => {
    const desk = sealedDesk();
    const { expiry } = await desk.session();
    desk.now = expiry;
    present(desk.timers.get(expiry), "a timer at the deadline")();
    expect(desk.enclave.status()).toMatchObject({ state: "expired", outcome: { kind: "expired" } });
    expect(desk.disk.records.at(-1)).toMatchObject({ kind: "expired" });
  });

  test("acknowledgements count only when signed by the share's owner, and the last one makes the node forget the shares", async () => {
    const desk = sealedDesk();
    const { acknowledgementSigningBytes, commitmentsHash } = await import(
      "../../../src/actors/enclave/ceremony-bytes.ts"
    );
    const { publicKeyOf, signer } = await import("../../../src/crypto/ed25519.ts");
    const place = { cluster: world.founding.cluster, node: world.founding.node.aid };
    const hash = commitmentsHash(present(initialised.boot, "dealt").commitments);
    const acknowledge = (caller: number, by: number, index = caller + 1) =>
      desk.enclave.acknowledgeShare(
        world.operator(caller).aid,
        index,
        signer(operatorSeed(world.operator(by)))(acknowledgementSigningBytes(place, index, hash)),
        publicKeyOf(operatorSeed(world.operator(caller))),
      );
    expect(await acknowledge(0, 1)).toMatchObject({ ok: false, refusal: { code: "BAD_SIGNATURE" } });
    expect(await acknowledge(0, 0, 2)).toMatchObject({ ok: false, refusal: { code: "BAD_SIGNATURE" } });
    for (const i of [0, 1, 2]) expect((await acknowledge(i, i)).ok).toBe(true);
    expect(desk.restart().enclave.status().unacknowledged).toEqual([world.operator(3).aid]);
    await acknowledge(3, 3);
    expect(desk.disk.boot?.sealed).toEqual([]);
    expect(desk.enclave.fetchShare(world.operator(0).aid)).toMatchObject({ refusal: { code: "SHARES_FORGOTTEN" } });
    expect(desk.restart().enclave.status().unacknowledged).toEqual([]);
  });
});
