/** A node's keys through rotations, with every death in between: what is on disk and what is in the log say together how to go on. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Aid, Said } from "../../../src/base/brands.ts";
import { fromHex, toHex, utf8 } from "../../../src/base/bytes.ts";
import { present } from "../../../src/base/errors.ts";
import { publicKeyOf, verify } from "../../../src/crypto/ed25519.ts";
import { signingBytes } from "../../../src/crypto/hash.ts";
import {
  createKeystore,
  openKeys,
  openWithPassphrase,
  readKeystore,
  withKeys,
} from "../../../src/actors/enclave/keystore.ts";
import { ROTATIONS_MAX, newest } from "../../../src/actors/enclave/node-keys.ts";
import type { NodeKeyStatus } from "../../../src/actors/enclave/ports.ts";
import type { KeyStateRef } from "../../../src/events/facts/command.ts";
import { parseBody } from "../../../src/keri/event.ts";
import { keyText } from "../../../src/keri/key-text.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";
import { Desk, PASSPHRASE, World, random } from "./memory-enclave.ts";

const world = new World(1, ["ann"]);
const { aid } = world.founding.node;
const inception: KeyStateRef = { sn: 0, said: aid as string as Said };

const first = new Desk(world);
const [share] = await first.initialise();

async function unseal(desk: Desk): Promise<Desk> {
  await desk.give(0, present(share, "ann's share"));
  const answer = await desk.enclave.unwrap(world.operator(0).aid, null);
  if (!answer.ok) throw new Error(answer.message);
  return desk;
}

/** An unsealed node with files of its own. */
const node = (): Promise<Desk> => unseal(new Desk(world, { ...first.disk, records: [...first.disk.records] }));
const restarted = (desk: Desk): Promise<Desk> => unseal(desk.restart());

function value<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: unknown },
): T {
  if (!result.ok) throw new Error(JSON.stringify(result.refusal));
  return result.value;
}
const status = (desk: Desk): NodeKeyStatus => value(desk.enclave.keys());
const prepare = async (desk: Desk, last: KeyStateRef): Promise<NonNullable<NodeKeyStatus["pending"]>> =>
  present(value(await desk.enclave.prepareRotation(last)).pending, "a rotation is pending");
const settle = async (desk: Desk, inForce: KeyStateRef): Promise<NodeKeyStatus> =>
  value(await desk.enclave.settleRotation(inForce));

/** Public key by which the node signs as its identifier now. */
function signsWith(desk: Desk, publicKey: Uint8Array): boolean {
  const message = signingBytes("signed", world.founding.cluster, utf8("anything"));
  const [signature] = value(desk.enclave.sign("identifier", [message]));
  return verify(publicKey, message, present(signature, "one message, one signature"));
}

/** The rotation event of a stream, and the key it exposes. */
function rotationOf(stream: Uint8Array) {
  const end = Buffer.from(stream).indexOf("-AAB");
  const parsed = value(parseBody(stream.subarray(0, end), "JSON", { major: 1, minor: 0 }));
  if (parsed.type !== "rot") throw new Error("a rotation");
  return parsed;
}
const original = publicKeyOf(world.keys.current);
const committed = publicKeyOf(world.keys.next);

describe("a rotation", () => {
  it("exposes the key that the inception committed to, follows the newest event, and is on disk before anybody has it", async () => {
    const desk = await node();
    desk.log.length = 0;
    const pending = await prepare(desk, inception);
    expect(desk.log).toEqual(["keystore"]);
    const event = rotationOf(pending.stream);
    expect(event).toMatchObject({ aid, sn: 1, prior: inception.said, keys: [keyText(committed)], said: pending.said });
    expect(pending.sn).toBe(1);
    expect(event.nextDigests).not.toContain(nextKeyDigest(keyText(committed)));
    expect(signsWith(desk, original)).toBe(true); // until the log has it
    expect(status(desk).keyState).toEqual(inception);
  });

  it("comes into force in one write, and the node signs with the new key from then on", async () => {
    const desk = await node();
    const pending = await prepare(desk, inception);
    desk.log.length = 0;
    desk.now += 5_000;
    const after = await settle(desk, pending);
    expect(desk.log).toEqual(["keystore"]);
    expect(after).toMatchObject({ keyState: { sn: 1, said: pending.said }, pending: null, since: desk.now });
    expect(signsWith(desk, committed)).toBe(true);
    expect(signsWith(desk, original)).toBe(false);
    expect(signsWith(await restarted(desk), committed)).toBe(true);
  });

  it("is made once: asked again, and after a restart, the same bytes are submitted", async () => {
    const desk = await node();
    const pending = await prepare(desk, inception);
    desk.log.length = 0;
    expect(await prepare(desk, inception)).toEqual(pending);
    const again = await restarted(desk);
    expect(status(again).pending).toEqual(pending);
    expect(await prepare(again, { sn: 7, said: "Eother" as Said })).toEqual(pending);
    expect(desk.log).not.toContain("keystore");
  });

  it("follows one another: each exposes the key that the one before committed to", async () => {
    let desk = await node();
    let last = inception;
    let commitment: string = nextKeyDigest(keyText(committed));
    for (let sn = 1; sn <= 4; sn++) {
      const pending = await prepare(desk, last);
      const event = rotationOf(pending.stream);
      expect(event.sn).toBe(sn);
      expect(event.prior).toBe(last.said);
      expect(event.keys.map(nextKeyDigest)).toEqual([commitment]);
      commitment = present(event.nextDigests[0], "one next key");
      if (sn % 2 === 0) desk = await restarted(desk);
      await settle(desk, pending);
      last = { sn: pending.sn, said: pending.said };
    }
  });

  it("follows an interaction too: what the log has last is its prior event", async () => {
    const desk = await node();
    const anchored = { sn: 3, said: "EanInteraction" as Said };
    await expect(desk.enclave.prepareRotation({ ...anchored, said: aid as string as Said })).resolves.toMatchObject({
      value: { pending: { sn: 4 } },
    });
  });
});

describe("a node that dies", () => {
  it("before the new key is on disk: nothing was begun", async () => {
    const desk = await node();
    desk.failKeystore = true;
    await expect(desk.enclave.prepareRotation(inception)).rejects.toThrow("disk full");
    expect(desk.fatal).toHaveLength(1); // the worker ends: nobody goes on with keys that may not be on disk
    const again = await restarted(desk);
    expect(status(again)).toMatchObject({ keyState: inception, pending: null });
    expect(signsWith(again, original)).toBe(true);
  });

  it("after it, with the rotation lost: the log has the old key state, and the same bytes are there to submit", async () => {
    const desk = await node();
    const pending = await prepare(desk, inception);
    const again = await restarted(desk);
    expect(await settle(again, inception)).toMatchObject({ keyState: inception, pending });
    expect(signsWith(again, original)).toBe(true);
  });

  it("after it, with the rotation executed meanwhile: the log says so, and the key takes its place", async () => {
    const desk = await node();
    const pending = await prepare(desk, inception);
    const again = await restarted(desk);
    expect(await settle(again, pending)).toMatchObject({ keyState: { said: pending.said }, pending: null });
    expect(signsWith(again, committed)).toBe(true);
  });

  it("before the key has taken its place on disk: it does at the next start", async () => {
    const desk = await node();
    const pending = await prepare(desk, inception);
    desk.failKeystore = true;
    await expect(desk.enclave.settleRotation(pending)).rejects.toThrow("disk full");
    expect(desk.fatal).toHaveLength(1);
    const again = await restarted(desk);
    expect(await settle(again, pending)).toMatchObject({ keyState: { said: pending.said }, pending: null });
    expect(signsWith(again, committed)).toBe(true);
  });

  it("after it has: the log, read again from an older height, changes nothing", async () => {
    const desk = await node();
    const pending = await prepare(desk, inception);
    await settle(desk, pending);
    const again = await restarted(desk);
    expect(await settle(again, inception)).toMatchObject({ keyState: { said: pending.said } });
    expect(await settle(again, pending)).toMatchObject({ keyState: { said: pending.said } });
    expect(signsWith(again, committed)).toBe(true);
  });

  it("and returns from an old backup does not serve with keys that are in force no more", async () => {
    const desk = await node();
    const backup = desk.disk.keystore;
    const pending = await prepare(desk, inception);
    await settle(desk, pending);
    desk.disk.keystore = backup;
    const again = await restarted(desk);
    expect(await again.enclave.settleRotation(pending)).toMatchObject({
      ok: false,
      refusal: { code: "KEYS_ELSEWHERE" },
    });
  });
});

describe("the keystore", () => {
  const keys = () => ({ ...world.keys });

  it("of version 1 is read, and written as version 2 when keys change", () => {
    const file = present(
      fromHex(readFileSync(new URL("keystore-1.hex", import.meta.url), "utf8").trim()),
      "recorded when version 1 was written",
    );
    const keystore = value(readKeystore(file));
    const dataKey = value(openWithPassphrase(keystore, PASSPHRASE));
    const read = value(openKeys(keystore, dataKey));
    expect(keystore.version).toBe(1);
    expect(read).toMatchObject({
      current: new Uint8Array(32).fill(1),
      next: new Uint8Array(32).fill(2),
      mark: new Uint8Array(32).fill(6),
      keyState: { sn: 0, said: keystore.node },
      pending: null,
      rotations: [],
    });
    expect(read.witness).toHaveLength(32);
    expect(toHex(value(openKeys(keystore, dataKey)).witness)).toBe(toHex(read.witness)); // it is known to others: always the same
    const changed = { ...read, since: 7 };
    const second = value(readKeystore(withKeys(keystore, dataKey, changed, random)));
    expect(second.version).toBe(2);
    expect(value(openKeys(second, value(openWithPassphrase(second, PASSPHRASE))))).toEqual(changed);
  });

  it("cannot be passed off as one of another version", () => {
    const made = value(readKeystore(createKeystore(aid, keys(), PASSPHRASE, random)));
    const dataKey = value(openWithPassphrase(made, PASSPHRASE));
    expect(openKeys(made, dataKey).ok).toBe(true);
    expect(openKeys({ ...made, version: 1 }, dataKey)).toMatchObject({
      ok: false,
      refusal: { code: "KEYSTORE_DAMAGED" },
    });
    expect(openKeys({ ...made, node: "Eanother" as Aid }, dataKey).ok).toBe(false);
  });

  it("keeps as many rotations as a certificate can show, the newest", () => {
    const many = Array.from({ length: 3 * ROTATIONS_MAX }, (_, i) => new Uint8Array(500).fill(i));
    expect(newest(many)).toEqual(many.slice(-ROTATIONS_MAX));
    const large = Array.from({ length: 40 }, (_, i) => new Uint8Array(4_000).fill(i));
    expect(newest(large)).toEqual(large.slice(-16));
  });
});

describe("the witness key", () => {
  const event = utf8('{"v":"KERI10JSON000091_","t":"ixn"}');

  it("signs key events as they are, by the key that the node names", async () => {
    const desk = await node();
    const [signature] = value(desk.enclave.sign("witness", [event]));
    expect(verify(status(desk).witness, event, present(signature, "a signature"))).toBe(true);
    expect(toHex(status(desk).witness)).toBe(toHex(publicKeyOf(world.keys.witness)));
    expect(toHex(status(await restarted(desk)).witness)).toBe(toHex(status(desk).witness));
  });

  it("signs nothing of the cluster, and nothing while the node is sealed", async () => {
    const desk = await node();
    const vote = signingBytes("finalize", world.founding.cluster, utf8("a vote"));
    expect(desk.enclave.sign("witness", [event, vote])).toMatchObject({
      ok: false,
      refusal: { code: "SIGNING_REFUSED" },
    });
    expect(desk.enclave.sign("identifier", [event])).toMatchObject({ ok: false, refusal: { code: "SIGNING_REFUSED" } });
    const sealed = desk.restart();
    expect(sealed.enclave.sign("witness", [event])).toMatchObject({ ok: false, refusal: { code: "SEALED" } });
    expect(sealed.enclave.keys()).toMatchObject({ ok: false, refusal: { code: "SEALED" } });
    expect(await sealed.enclave.prepareRotation(inception)).toMatchObject({ ok: false, refusal: { code: "SEALED" } });
    expect(await sealed.enclave.settleRotation(inception)).toMatchObject({ ok: false, refusal: { code: "SEALED" } });
  });
});
