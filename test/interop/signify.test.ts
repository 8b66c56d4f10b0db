/**
 * Our events checked piece by piece by signify-ts (SAIDs, keys, signatures, thresholds, next digests), and lives of identifiers that
 * signify-ts makes read by `sky kel verify`. It has no rules of logs; those are compared with keripy (npm run test:interop).
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  Diger,
  MtrDex,
  Saider,
  Salter,
  Serder,
  Siger,
  type Signer,
  Tholder,
  Verfer,
  messagize,
  ready,
} from "signify-ts";
import * as signify from "signify-ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { concatBytes } from "../../src/base/bytes.ts";
import { run } from "../../src/host/cli/kel-verify.ts";
import { encodeAttachments } from "../../src/keri/cesr/encode-attachments.ts";
import { encodeIndexed, indexerCode } from "../../src/keri/cesr/indexer.ts";
import type { IndexedSignature, KeriMessage, KeyEvent } from "../../src/keri/messages.ts";
import { bodyOf } from "../../src/keri/stored-body.ts";
import { parseStream } from "../../src/keri/stream.ts";
import { NONE, World } from "../unit/keri/differential/lives.ts";
import { Random } from "../unit/keri/differential/random.ts";

const LIVES = 25;
const directory = mkdtempSync(path.join(tmpdir(), "sky-signify-"));

beforeAll(ready);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The signature in the hands of signify-ts, read from its text. */
const sigerOf = ({ algorithm, index, ondex, sig }: IndexedSignature): Siger =>
  new Siger({ qb64: encodeIndexed({ code: indexerCode(algorithm, index, ondex), index, ondex, raw: sig }) });

interface Message {
  readonly message: KeriMessage;
  readonly event: KeyEvent;
}

function eventsOf(world: World): readonly Message[] {
  const { messages, refusal } = parseStream(concatBytes(...world.messages));
  expect(refusal).toBeNull();
  return messages.flatMap((message) => {
    const body = bodyOf(message);
    if (!body.ok) throw new Error(body.refusal.message);
    const { type } = body.value;
    return type === "rct" || type === "rpy" ? [] : [{ message, event: body.value }];
  });
}

/** What the next event is judged by. */
interface Before {
  readonly keys: readonly string[];
  readonly next: readonly string[];
  readonly kt: unknown;
}

type Sad = Readonly<Record<string, unknown>>;

function checkName({ message, event }: Message): Sad {
  const text = Buffer.from(message.body).toString("utf8");
  const sad = JSON.parse(text) as Sad;
  expect(new Serder({ ...sad }).raw).toBe(text);
  const isInception = event.type === "icp" || event.type === "dip";
  const [named] = Saider.saidify({ ...sad, ...(isInception && { i: "#".repeat(44) }) });
  expect(named.qb64).toBe(event.said);
  return sad;
}

function checkSignature(key: string, sig: Uint8Array, body: Uint8Array): void {
  const verfer = new Verfer({ qb64: key });
  expect(verfer.verify(sig, body)).toBe(true);
  const forged = Uint8Array.from(body);
  forged[forged.length - 3] = (forged[forged.length - 3] ?? 0) ^ 1;
  expect(verfer.verify(sig, forged)).toBe(false);
}

/** Returns: whether the next key that it exposes was promised, as signify-ts sees it; undefined where none is exposed. */
function promised({ index, ondex }: IndexedSignature, keys: readonly string[], before: Before): boolean | undefined {
  const digest = ondex === null ? undefined : before.next[ondex];
  return digest === undefined ? undefined : new Diger({ qb64: digest }).verify(Buffer.from(keys[index] ?? ""));
}

test("what we make, signify-ts serialises to the same bytes, names by the same SAIDs, and verifies", () => {
  const seen = { events: 0, enough: 0, exposed: 0, receipts: 0 };
  for (let seed = 1; seed <= LIVES; seed++) {
    const states = new Map<string, Before>();
    for (const one of eventsOf(new World(new Random(seed)))) {
      const { event, message } = one;
      const sad = checkName(one);
      const { controllerSignatures, receiptCouples } = message.attachments;
      for (const { receiptor, sig } of receiptCouples) checkSignature(receiptor, sig, message.body);
      const before = states.get(`${event.aid} ${event.sn - 1}`) ?? { keys: [], next: [], kt: "1" };
      const now = "keys" in event ? { keys: event.keys, next: event.nextDigests, kt: sad["kt"] } : before;
      states.set(`${event.aid} ${event.sn}`, now);
      if (now.keys.length === 0) continue;
      const sigers = controllerSignatures.map(sigerOf);
      for (const { index, raw } of sigers) checkSignature(now.keys[index] ?? "", raw, message.body);
      const exposed = "keys" in event ? controllerSignatures.map((each) => promised(each, now.keys, before)) : [];
      expect(exposed).not.toContain(false);
      const indices = [...new Set(sigers.map(({ index }) => index))].sort((a, b) => a - b);
      seen.events += 1;
      seen.enough += new Tholder({ sith: now.kt }).satisfy(indices) ? 1 : 0;
      seen.exposed += exposed.filter((kept) => kept === true).length;
      seen.receipts += receiptCouples.length;
    }
  }
  expect(seen.events).toBeGreaterThan(150);
  // The others are signed in two parts.
  expect(seen.enough / seen.events).toBeGreaterThan(0.7);
  expect(seen.receipts).toBeGreaterThan(20);
  expect(seen.exposed).toBeGreaterThan(50);
});

class Life {
  readonly messages: Uint8Array[] = [];
  readonly #salter: Salter;
  readonly #path: string;
  readonly #boss: Life | undefined;
  #made = 0;
  keys: readonly Signer[];
  next: readonly Signer[];
  pre = "";
  dig = "";
  sn = 0;

  constructor(salter: Salter, name: string, count: number, sith: string | string[], boss?: Life) {
    this.#salter = salter;
    this.#path = name;
    this.#boss = boss;
    this.keys = this.#fresh(count);
    this.next = this.#fresh(count);
    const serder = signify.incept({
      keys: texts(this.keys),
      isith: sith,
      ndigs: digests(this.next),
      nsith: sith,
      code: MtrDex.Blake3_256,
      ...(boss !== undefined && { delpre: boss.pre }),
    });
    this.pre = serder.pre;
    this.#publish(serder, boss);
  }

  #fresh(count: number): readonly Signer[] {
    const from = this.#made;
    this.#made += count;
    return Array.from({ length: count }, (_, i) =>
      this.#salter.signer(MtrDex.Ed25519_Seed, true, `${this.#path}${from + i}`, null, true),
    );
  }

  interact(data: readonly object[]): void {
    this.sn += 1;
    const { pre, dig, sn } = this;
    this.#publish(signify.interact({ pre, dig, sn, data: [...data], version: undefined, kind: undefined }));
  }

  rotate(sith: string | string[]): void {
    this.sn += 1;
    this.keys = this.next;
    this.next = this.#fresh(this.keys.length);
    const serder = signify.rotate({
      pre: this.pre,
      keys: texts(this.keys),
      dig: this.dig,
      ilk: this.#boss === undefined ? "rot" : "drt",
      sn: this.sn,
      isith: sith,
      ndigs: digests(this.next),
      nsith: sith,
    });
    this.#publish(serder, this.#boss);
  }

  #publish(serder: Serder, boss?: Life): void {
    this.dig = serder.said;
    const sigers = this.keys.map((key, i) => key.sign(Buffer.from(serder.raw), i) as Siger); // with an index it is no Cigar
    this.messages.push(messagize(serder, sigers));
    boss?.interact([{ i: this.pre, s: this.sn.toString(16), d: serder.said }]);
  }
}

const texts = (signers: readonly Signer[]): string[] => signers.map(({ verfer }) => verfer.qb64);
const digests = (signers: readonly Signer[]): string[] =>
  texts(signers).map((text) => new Diger({ code: MtrDex.Blake3_256 }, Buffer.from(text)).qb64);

interface Row {
  readonly aid: string;
  readonly sn: number;
  readonly verdict: string;
}

async function verified(stream: Uint8Array): Promise<{ readonly code: number; readonly rows: readonly Row[] }> {
  const file = path.join(directory, "stream.cesr");
  writeFileSync(file, stream);
  const lines: string[] = [];
  const io = { out: (line: string) => lines.push(line), err: (line: string) => lines.push(line) };
  const code = await run({ args: [file], json: true }, io as unknown as Parameters<typeof run>[1]);
  return { code, rows: JSON.parse(lines.join("")) as Row[] };
}

for (const [what, count, sith] of [
  ["one key", 1, "1"],
  ["two of three keys", 3, "2"],
  ["weighted keys", 3, ["1/2", "1/2", "1/2"]],
] as const) {
  test(`what signify-ts makes of ${what}, sky kel verify accepts; with changed signatures it does not`, async () => {
    const salter = new Salter({ raw: new Uint8Array(16).fill(7) });
    const threshold = typeof sith === "string" ? sith : [...sith];
    const boss = new Life(salter, `${what} boss`, count, threshold);
    boss.interact([{ d: boss.dig }]);
    boss.rotate(threshold);
    const delegate = new Life(salter, `${what} delegate`, count, threshold, boss);
    delegate.rotate(threshold);
    delegate.interact([]);
    const stream = concatBytes(...boss.messages, ...delegate.messages);
    const { code, rows } = await verified(stream);
    expect(rows.map(({ verdict }) => verdict)).toEqual(rows.map(() => "accepted"));
    expect(rows.map(({ sn }) => sn)).toEqual([0, 1, 2, 3, 4, 0, 1, 2]);
    expect(code).toBe(0);

    const forged = Uint8Array.from(boss.messages[0] ?? []);
    for (let i = 0; i < count; i++) {
      const at = forged.length - 30 - 88 * i;
      forged[at] = forged[at] === 0x41 ? 0x42 : 0x41;
    }
    const refused = await verified(forged);
    expect(refused.rows.map(({ verdict }) => verdict)).toEqual(["rejected:KERI_BAD_SIGNATURE"]);
    expect(refused.code).toBe(1);
  });
}

test("what we attach, signify-ts reads alike", () => {
  const signature: IndexedSignature = { index: 3, ondex: 1, algorithm: "ed25519", sig: new Uint8Array(64).fill(5) };
  const text = Buffer.from(encodeAttachments({ ...NONE, controllerSignatures: [signature] }, 1)).toString("latin1");
  expect(new signify.Counter({ qb64: text.slice(0, 4) })).toMatchObject({ count: 1 });
  const siger = new Siger({ qb64: text.slice(4) });
  expect([siger.index, siger.ondex, Buffer.from(siger.raw)]).toEqual([3, 1, Buffer.from(signature.sig)]);
});
