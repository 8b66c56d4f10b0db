import { once } from "node:events";
import { connect } from "node:http2";
import { type ClientReadableStream, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { concatBytes, utf8 } from "../../../src/base/bytes.ts";
import { decode, encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import {
  SIGNED_BYTES_MAX,
  anyPayloadBodyShape,
  signedBodyShape,
  signedShape,
} from "../../../src/events/facts/command.ts";
import { encodeIndexed } from "../../../src/keri/cesr/indexer.ts";
import { receipt } from "../../../src/keri/compose.ts";
import { StreamParser } from "../../../src/keri/stream.ts";
import {
  type KerlServiceClient,
  KerlServiceService as calls,
  type WatchResponse,
} from "../../../src/wire/generated/sky/kerl/v1/kerl.ts";
import { type Author, authorOf } from "../../unit/kerl/ledger-world.ts";
import { Key, Life, type Made, attached } from "../../unit/kerl/lives.ts";
import { KerlWorld } from "./support/kerl-world.ts";
import { type Answer, call } from "./support/served.ts";

const witnesses = [new Key("witness 0"), new Key("witness 1")];
let made: KerlWorld;
let client: InstanceType<typeof KerlServiceClient>;
beforeEach(async () => {
  made = new KerlWorld();
  client = await made.serve();
});
afterEach(() => {
  expect(made.defects).toEqual([]);
  made.close();
});

type Calls = typeof calls;
type Unary = Exclude<keyof Calls, "exportKerl" | "watch">;
const ask = <Name extends Unary>(
  name: Name,
  request: Parameters<Calls[Name]["requestSerialize"]>[0],
): Promise<Answer<ReturnType<Calls[Name]["responseDeserialize"]>>> =>
  call(client, calls[name] as never, request) as Promise<Answer<ReturnType<Calls[Name]["responseDeserialize"]>>>;

const now = { consistency: undefined } as const;
const writer = (): Author => authorOf(made.world.client);
const signed = (...messages: readonly Uint8Array[]) => ({
  signed: Buffer.from(made.world.append(writer(), ...messages)),
});
const append = async (...messages: readonly Uint8Array[]) => {
  const { reply } = await ask("append", signed(...messages));
  const [result] = reply?.results ?? [];
  const outcome = result?.outcome;
  return outcome?.$case === "appended"
    ? outcome.appended.messages.map(({ type, verdict }) => `${type} ${verdict}`)
    : outcome?.refused.code;
};
const couple = (event: Made & { readonly aid: Life["aid"]; readonly sn: number }, key: Key): Uint8Array =>
  concatBytes(
    receipt(event).event,
    attached({ receiptCouples: [{ receiptor: key.witness, code: "0B", sig: key.sign(event.event) }] }),
  );
const inceptionOf = (life: Life) => ({ ...life.inception, aid: life.aid, sn: 0 });

async function all<T>(stream: ClientReadableStream<T>): Promise<readonly T[]> {
  const items: T[] = [];
  for await (const item of stream as AsyncIterable<T>) items.push(item);
  return items;
}

describe("append", () => {
  it("says how each message stands: accepted, known, waiting for witnesses, receipted", async () => {
    const stranger = new Life("stranger");
    expect(await append(stranger.inception.message, stranger.interaction().message)).toEqual([
      "icp accepted",
      "ixn accepted",
    ]);
    expect(await append(stranger.inception.message)).toEqual(["icp known"]);
    const witnessed = new Life("witnessed", { witnesses: witnesses.map(({ witness }) => witness) });
    const [first, second] = witnesses.map((key) => couple(inceptionOf(witnessed), key));
    expect(await append(witnessed.inception.message)).toEqual(["icp escrowed:partially-witnessed"]);
    expect(await append(first ?? utf8(""))).toEqual([expect.stringMatching(/^rct escrowed:/)]);
    const { reply } = await ask("getEscrows", { aid: witnessed.aid, ...now });
    expect(reply?.escrows.map(({ reason, sn }) => [reason, sn])).toEqual(
      expect.arrayContaining([["partially-witnessed", 0n]]),
    );
    expect(reply?.escrows.flatMap((escrow) => escrow.witnesses)).toContain(witnesses[0]?.witness);
    expect(await append(second ?? utf8(""))).toEqual(["rct receipt"]);
    expect((await ask("getEscrows", { aid: witnessed.aid, ...now })).reply?.escrows).toEqual([]);
    const receipts = await ask("getReceipts", { aid: witnessed.aid, sn: 0n, ...now });
    expect(receipts.reply).toMatchObject({ keys: [0], witnessThreshold: 2 });
    expect([...(receipts.reply?.witnesses ?? [])].sort()).toEqual(witnesses.map(({ witness }) => witness).sort());
  });

  it("refuses a stream as a whole, with the code of the message; what is no key event goes elsewhere", async () => {
    const stranger = new Life("stranger");
    const forged = Uint8Array.from(stranger.inception.message);
    forged[forged.length - 4] = (forged.at(-4) ?? 0) === 65 ? 66 : 65;
    expect(await append(forged)).toBe("KERI_BAD_SIGNATURE");
    expect(await append(utf8("garbage"))).toMatch(/^KERI_/);
    const write = Buffer.from(made.world.write(writer(), "a"));
    expect((await ask("append", { signed: write })).trailers["sky-code"]).toBe("UNSUPPORTED");
    const codes = [];
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(1_100_000), Buffer.from("garbage")])
      codes.push((await ask("append", { signed: bytes })).trailers["sky-code"]);
    expect(codes).toEqual(["EMPTY_MESSAGE", "TOO_LARGE", "MALFORMED"]);
  });

  it("refuses a stream that is too long or empty as such, and says what to do", async () => {
    const told = async (...payloads: readonly Uint8Array[]) => {
      const template = decode(signedShape, made.world.append(writer(), utf8("x")), SIGNED_BYTES_MAX);
      const body = template.ok ? decode(signedBodyShape, template.value.body, SIGNED_BYTES_MAX) : template;
      if (!template.ok || !body.ok) throw new Error("the world makes whole batches");
      const [command] = body.value.commands;
      const commands = payloads.map((payload) => ({ ...present(command, "it holds one"), payload }));
      const changed = encode(anyPayloadBodyShape, { ...body.value, commands });
      const signed = Buffer.from(encode(signedShape, { ...template.value, body: changed }));
      const { trailers, details } = await ask("append", { signed });
      return [trailers["sky-code"], details];
    };
    const tooLarge =
      "has 262145 bytes, more than 262144; split it between messages and send its parts one after the other.";
    expect(await told(new Uint8Array(262_145))).toEqual(["TOO_LARGE", `The stream of command 0 ${tooLarge}`]);
    expect(await told(utf8("x"), new Uint8Array(262_145))).toEqual([
      "TOO_LARGE",
      `The stream of command 1 ${tooLarge}`,
    ]);
    expect(await told(utf8(""))).toEqual([
      "EMPTY_MESSAGE",
      "The stream of command 0 holds no message; send at least one.",
    ]);
  });

  it("says that a rival is kept as evidence, and tells who signed by older keys to sign anew", async () => {
    const stranger = new Life("stranger");
    const rival = stranger.interaction([{ d: stranger.inception.said }]);
    expect(await append(stranger.inception.message, stranger.interaction().message)).toHaveLength(2);
    expect(await append(rival.message)).toEqual(["ixn forked"]);
    const before = signed(new Life("late").inception.message);
    await append(made.world.client.rotation().message);
    expect(await ask("append", before)).toMatchObject({
      code: status.FAILED_PRECONDITION,
      trailers: { "sky-code": "STALE_KEY_STATE" },
    });
  });
});

describe("reading", () => {
  it("gives the key state now, at a sequence number and at a height, with the block that it is true at", async () => {
    const life = new Life("life");
    await append(life.inception.message);
    await append(life.interacted().message);
    await append(life.rotated().message);
    const at = (request: object) => ask("getKeyState", { aid: life.aid, at: undefined, ...now, ...request });
    const newest = await at({});
    expect(newest.reply).toMatchObject({
      keyState: { latest: { sn: 2n, said: life.last }, latestType: "rot", threshold: "1" },
      height: 3n,
    });
    expect(newest.reply?.blockHash.toString("hex")).toBe(made.world.blocks[3]?.hash);
    expect(newest.reply?.keyState?.keys).toEqual(life.keys.map(({ text }) => text));
    const past = await at({ at: { $case: "height", height: 2n } });
    expect(past.reply).toMatchObject({ keyState: { latest: { sn: 1n }, establishment: { sn: 0n } }, height: 2n });
    expect(past.reply?.blockHash.toString("hex")).toBe(made.world.blocks[2]?.hash);
    expect((await at({ at: { $case: "sn", sn: 1n } })).reply?.keyState).toEqual(past.reply?.keyState);
    const codes = [];
    for (const request of [
      { aid: new Life("nobody").aid },
      { at: { $case: "sn", sn: 9n } },
      { at: { $case: "height", height: 99n } },
      { aid: "nonsense" },
    ])
      codes.push((await at(request)).trailers["sky-code"]);
    expect(codes).toEqual(["NOT_FOUND", "NOT_FOUND", "HEIGHT_UNKNOWN", "MALFORMED"]);
  });

  it("needs the right to read, but for the caller's own identifier", async () => {
    const { admin } = made.world;
    const stranger = new Life("stranger");
    await append(stranger.inception.message);
    const codeFor = async (caller: Life, aid: string) => {
      made.callAs(caller);
      return (await ask("getKeyState", { aid, at: undefined, ...now })).trailers["sky-code"];
    };
    expect(await codeFor(stranger, stranger.aid)).toBeUndefined();
    expect(await codeFor(stranger, admin.aid)).toBe("PERMISSION_DENIED");
    expect(await codeFor(admin, stranger.aid)).toBeUndefined();
    made.callAs(stranger);
    const watched = all(client.watch({ aid: admin.aid, fromHeight: 0n }));
    await expect(watched).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  });

  it("waits for a receipt, or refuses with BEHIND", async () => {
    const life = new Life("life");
    const atLeast = { height: 1n, index: 0, blockHash: Buffer.alloc(32) };
    const consistency = { requirement: { $case: "atLeast", atLeast } } as const;
    const waiting = ask("getKeyState", { aid: life.aid, at: undefined, consistency });
    await append(life.inception.message);
    expect((await waiting).reply?.height).toBe(1n);
    const far = { requirement: { $case: "atLeast", atLeast: { ...atLeast, height: 9n } } } as const;
    // After the five seconds that a node waits at most: long before the caller's deadline, whose clock may be the earlier one.
    const { trailers } = await ask("getKeyState", { aid: life.aid, at: undefined, consistency: far });
    expect(trailers["sky-code"]).toBe("BEHIND");
  });

  it("exports what came, byte for byte, superseded events marked in the order of the log", async () => {
    const life = new Life("life");
    const interaction = life.interaction();
    const recovery = life.rotation({ sn: 1 });
    await append(life.inception.message, interaction.message);
    await append(recovery.message);
    const pages = await all(client.exportKerl({ aid: life.aid, sinceSn: 0n, withDelegators: false, ...now }));
    const events = pages.flatMap((page) => page.events);
    expect(events.map(({ sn, type, supersededAt }) => [sn, type, supersededAt])).toEqual([
      [0n, "icp", undefined],
      [1n, "ixn", 2n],
      [1n, "rot", undefined],
    ]);
    expect(Buffer.concat(events.map(({ stream }) => stream))).toEqual(
      Buffer.concat([life.inception.message, interaction.message, recovery.message]),
    );
    const since = await all(client.exportKerl({ aid: life.aid, sinceSn: 1n, withDelegators: false, ...now }));
    expect(since.flatMap((page) => page.events).map(({ sn }) => sn)).toEqual([1n, 1n]);
    await expect(
      all(client.exportKerl({ aid: new Life("nobody").aid, sinceSn: 0n, withDelegators: false, ...now })),
    ).rejects.toMatchObject({ code: status.NOT_FOUND });
  });
});

describe("a consumer that does not read", () => {
  it("is closed with a code of its own, and is served again when it asks anew", async () => {
    const slow = new KerlWorld();
    const impatient = await slow.serve(200);
    try {
      const life = new Life("long");
      const author = authorOf(slow.world.client);
      slow.settle(slow.world.append(author, life.inception.message));
      for (let batch = 0; batch < 20; batch += 1) {
        const messages = Array.from({ length: 60 }, () => life.interacted().message);
        slow.settle(slow.world.append(author, ...messages));
      }
      const request = { aid: life.aid, sinceSn: 0n, withDelegators: false, consistency: undefined };
      // grpc-js' own client reads on for a caller that does not: HTTP/2 itself does not.
      const session = connect(`http://${slow.address}`);
      const stream = session.request({
        ":method": "POST",
        ":path": calls.exportKerl.path,
        "content-type": "application/grpc",
        te: "trailers",
      });
      const body = calls.exportKerl.requestSerialize(request);
      const frame = Buffer.alloc(5);
      frame.writeUInt32BE(body.length, 1);
      stream.end(Buffer.concat([frame, body]));
      await once(stream, "response");
      // What came meanwhile is read then, and the end after it.
      await slow.exportEnded.promise;
      const trailers = once(stream, "trailers");
      stream.resume();
      expect((await trailers)[0]).toMatchObject({ "grpc-status": "8", "sky-code": "SLOW_CONSUMER" });
      session.close();
      const pages = await all(impatient.exportKerl(request));
      expect(pages.flatMap(({ events }) => events)).toHaveLength(1_201);
    } finally {
      slow.close();
    }
  });
});

describe("endpoints", () => {
  it("are bound and unbound by replies, each by its own call, and looked up with what proves them", async () => {
    const { client: life } = made.world;
    const at = (second: number) => `2026-01-01T00:00:0${second}.000000+00:00`;
    const role = { cid: life.aid, role: "mailbox", eid: life.aid };
    const add = life.replied({ route: "/end/role/add", date: at(1), attributes: role });
    const where = life.replied({
      route: "/loc/scheme",
      date: at(1),
      attributes: { eid: life.aid, scheme: "http", url: "http://localhost:1/" },
    });
    const cut = life.replied({ route: "/end/role/cut", date: at(2), attributes: role });
    expect((await ask("bindEndpoint", signed(life.interaction().message))).trailers["sky-code"]).toBe("UNSUPPORTED");
    expect((await ask("bindEndpoint", signed(cut))).trailers["sky-code"]).toBe("UNSUPPORTED");
    const bound = await ask("bindEndpoint", signed(add, where));
    expect(bound.reply?.results[0]?.outcome).toMatchObject({
      $case: "appended",
      appended: { messages: [{ type: "rpy", verdict: "accepted" }, { verdict: "accepted" }] },
    });
    const found = await ask("lookupEndpoints", { aid: life.aid, role: "mailbox", ...now });
    expect(found.reply?.endpoints).toMatchObject([
      { role: "mailbox", endpoint: life.aid, locations: [{ scheme: "http", url: "http://localhost:1/" }] },
    ]);
    const parser = new StreamParser();
    const { messages } = parser.push(found.reply?.endpoints[0]?.stream ?? Buffer.alloc(0));
    expect([...messages, ...parser.end().messages]).toHaveLength(2);
    expect((await ask("lookupEndpoints", { aid: life.aid, role: "agent", ...now })).reply?.endpoints).toEqual([]);
    expect((await ask("unbindEndpoint", signed(cut))).reply?.results).toHaveLength(1);
    expect((await ask("lookupEndpoints", { aid: life.aid, role: "", ...now })).reply?.endpoints).toEqual([]);
  });
});

describe("validate", () => {
  it("judges events and messages without writing anything", async () => {
    const life = new Life("life");
    const height = made.queries.height();
    const event = (bytes: Uint8Array) =>
      ask("validate", { of: { $case: "event", event: Buffer.from(bytes) }, ...now }).then(({ reply }) => reply);
    expect(await event(life.inception.message)).toMatchObject({ valid: true, verdict: "accepted" });
    expect(await event(life.interaction().message)).toMatchObject({ valid: false, verdict: "escrowed:out-of-order" });
    expect(await event(life.inception.event)).toMatchObject({ valid: false, code: expect.stringMatching(/^KERI_/) });
    expect(made.queries.height()).toBe(height);
    await append(life.inception.message);
    const message = utf8("anything");
    const old = life.keys.map((key) => encodeIndexed({ code: "A", index: 0, ondex: 0, raw: key.sign(message) }));
    await append(life.rotated().message);
    const validate = (sn: bigint | undefined, signatures: readonly string[]) =>
      ask("validate", {
        of: { $case: "message", message: { message: Buffer.from(message), signatures, aid: life.aid, sn } },
        ...now,
      }).then(({ reply }) => reply);
    expect(await validate(0n, old)).toMatchObject({ valid: true, by: { sn: 0n } });
    expect(await validate(undefined, old)).toMatchObject({ valid: false, code: "KERI_BAD_SIGNATURE", by: { sn: 1n } });
    expect(await validate(0n, [])).toMatchObject({ valid: false });
    expect(await validate(0n, ["nonsense"])).toMatchObject({ valid: false, code: "KERI_MALFORMED" });
  });
});

describe("validate, of what would cost too much", () => {
  it("refuses LIMIT_EXCEEDED: a question is answered on the thread that serves", async () => {
    const many = new Life("many", { keys: 8 });
    await append(many.inception.message);
    const message = new Uint8Array(1024 * 1024);
    const signatures = many.keys.map((key, index) =>
      encodeIndexed({ code: "A", index, ondex: index, raw: key.sign(message) }),
    );
    const asked = (length: number) => ({
      of: {
        $case: "message" as const,
        message: { message: Buffer.from(message.subarray(0, length)), signatures, aid: many.aid, sn: undefined },
      },
      ...now,
    });
    const refused = await ask("validate", asked(message.length));
    expect(Object.values(refused.trailers)).toContain("LIMIT_EXCEEDED");
    expect((await ask("validate", asked(1))).reply).toMatchObject({ valid: false, code: "KERI_BAD_SIGNATURE" });
    const dear = new Life("dear", { keys: 64 });
    const stream = Buffer.from(dear.inception.message);
    const one = (await ask("validate", { of: { $case: "event", event: stream }, ...now })).reply;
    expect(one).toMatchObject({ valid: true, verdict: "accepted" });
  });
});

describe("watch", () => {
  it("tells what happened, then what happens, and resumes where it was told to", async () => {
    const life = new Life("life");
    await append(life.inception.message, life.interaction().message);
    const stream = client.watch({ aid: life.aid, fromHeight: 0n });
    const pages = stream[Symbol.asyncIterator]() as AsyncIterator<WatchResponse>;
    const page = async (): Promise<WatchResponse> => {
      const { done, value } = await pages.next();
      if (done === true) throw new Error("the watch ended");
      return value;
    };
    const first = await page();
    expect(first.changes.map(({ kind, event }) => [kind, event?.sn])).toEqual([
      ["accepted", 0n],
      ["accepted", 1n],
    ]);
    const told = page();
    await append(life.rotation({ sn: 1 }).message);
    const second = await told;
    expect(new Set(second.changes.map(({ kind, height }) => `${kind} ${height}`))).toEqual(
      new Set(["accepted 2", "superseded 2"]),
    );
    stream.cancel();
    const again = client.watch({ aid: life.aid, fromHeight: first.next });
    const resumed = await (again[Symbol.asyncIterator]() as AsyncIterator<WatchResponse>).next();
    expect(resumed.value.changes).toEqual(second.changes);
    again.cancel();
    const far = all(client.watch({ aid: life.aid, fromHeight: 99n }));
    await expect(far).rejects.toMatchObject({ code: status.OUT_OF_RANGE });
  });

  it("cuts a long block into pages without losing or repeating anything of it", async () => {
    const life = new Life("life");
    const batches = [[life.inception.message]];
    for (let batch = 0; batch < 5; batch += 1) {
      const messages: Uint8Array[] = [];
      for (let i = 0; i < 60; i += 1) messages.push(life.interacted().message);
      batches.push(messages);
    }
    const commands = batches.map((messages) => ({ kind: "kerl.append" as const, payload: concatBytes(...messages) }));
    made.settle(made.world.signed(writer(), commands));
    const stream = client.watch({ aid: life.aid, fromHeight: 0n });
    const sns: bigint[] = [];
    for await (const { changes } of stream as AsyncIterable<WatchResponse>) {
      sns.push(...changes.map(({ event }) => event?.sn ?? -1n));
      if (sns.length >= 301) break;
    }
    expect(sns).toEqual(Array.from({ length: 301 }, (_, sn) => BigInt(sn)));
  });
});
