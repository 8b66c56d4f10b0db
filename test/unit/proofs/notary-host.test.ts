import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import Database from "better-sqlite3";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { height } from "../../../src/base/brands.ts";
import { decode, encode } from "../../../src/base/codec.ts";
import { electorateOf } from "../../../src/events/facts/finality.ts";
import { foundingSignatureListShape, signedFoundingShape } from "../../../src/events/facts/founding.ts";
import { verifyProof } from "../../../src/events/facts/verify-proof.ts";
import { openFounding } from "../../../src/host/founding/document.ts";
import { NotaryHost } from "../../../src/host/proofs/notary-host.ts";
import { writeLongLog } from "../../../tools/replay/long-log.ts";
import { MadeLog } from "../../../tools/replay/made-log.ts";
import { foundingOf } from "../../../tools/sim/founding.ts";

const { proof: genesis } = new MadeLog().genesis().event;
if (genesis.kind !== "genesis") throw new Error("genesis is signed");
const signed = decode(foundingSignatureListShape, genesis.signatures, 1_000_000);
if (!signed.ok) throw new Error(signed.refusal.message);
const founding = encode(signedFoundingShape, { document: foundingOf(4).document, signatures: signed.value });
const opened = openFounding(founding);
if (!opened.ok) throw new Error(opened.refusal.message);
const members = electorateOf(opened.value);
const BLOCK = { kind: "inclusion", height: height(5), subject: { kind: "block" }, withEffects: true } as const;

let directory: string;
let log: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "sky-notary-"));
  log = join(directory, "log.db");
  writeLongLog(log, { transactions: 8_000, perSignature: 250 });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const deaths: Error[] = [];
const hosts: NotaryHost[] = [];
function notary(path = log, idleMs?: number): NotaryHost {
  const host = new NotaryHost({
    log: path,
    founding,
    onDeath: (error) => deaths.push(error),
    ...(idleMs === undefined ? {} : { idleMs }),
  });
  hosts.push(host);
  return host;
}
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
  expect(deaths.splice(0)).toEqual([]);
});

/** Nobody waits so long. */
const inAnHour = (): number => Date.now() + 3_600_000;
const codeOf = (answer: { readonly ok: boolean; readonly refusal?: { readonly code: string } }): string =>
  answer.refusal?.code ?? "";

test("what takes longer than its caller waits is answered as pending, goes on, and is there when it is asked for again", async () => {
  let host = notary();
  await host.ends(); // its worker runs
  // Asked for by somebody in a hurry, until it is under way: the first may be told before the worker has begun. Where this thread
  // had no turn until the proof was there, another worker begins with another one.
  let early = await host.prove(BLOCK, Date.now() + 10);
  while (early.ok || !/\d+ of \d+ blocks/.test(early.refusal.message)) {
    if (early.ok) host = notary();
    early = await host.prove(BLOCK, Date.now() + 10);
  }
  expect(codeOf(early)).toBe("PROOF_PENDING");
  const proof = await host.prove(BLOCK, inAnHour());
  if (!proof.ok) throw new Error(proof.refusal.message);
  const proven = verifyProof(proof.value, members);
  expect(proven).toMatchObject({ ok: true, value: { kind: "inclusion", block: { height: 5 } } });
});

test("pages of the log come while a proof is made, in order and to the end", async () => {
  const host = notary();
  const proof = host.prove(BLOCK, inAnHour());
  const ends = await host.ends();
  if (!ends.ok) throw new Error(ends.refusal.message);
  const heights: number[] = [];
  while (heights.length <= ends.value.newest) {
    const page = await host.blocks(height(heights.length), ends.value.newest);
    if (!page.ok) throw new Error(page.refusal.message);
    heights.push(...page.value.map((block) => block.height));
    expect(page.value.length).toBeGreaterThan(0);
  }
  expect(heights).toEqual(Array.from({ length: ends.value.newest + 1 }, (_, at) => at));
  expect(codeOf(await host.blocks(height(ends.value.newest + 1), height(1_000)))).toBe("HEIGHT_UNKNOWN");
  expect((await proof).ok).toBe(true);
});

test("whose time is over before its turn is told so at once, and nothing is begun for it", async () => {
  const host = notary();
  const order: string[] = [];
  const long = host.prove(BLOCK, inAnHour()).then((answer) => order.push(`long ${codeOf(answer)}`));
  const late = host.prove({ kind: "head" }, Date.now() - 1).then((answer) => order.push(`late ${codeOf(answer)}`));
  await Promise.all([long, late]);
  expect(order).toEqual(["late PROOF_PENDING", "long "]);
});

test("more proofs than may wait are refused, and none of the others is lost", async () => {
  const host = notary();
  const answers = await Promise.all(Array.from({ length: 18 }, () => host.prove(BLOCK, inAnHour())));
  expect(answers.map(codeOf).sort()).toEqual([...Array.from({ length: 16 }, () => ""), "OVERLOADED", "OVERLOADED"]);
});

test("its worker ends when nobody asks, and comes back when somebody does", async () => {
  const host = notary(log, 1);
  const workers = { started: 0, ended: 0 };
  const count = (worker: Worker): void => {
    workers.started += 1;
    worker.once("exit", () => (workers.ended += 1));
  };
  process.on("worker", count);
  for (let times = 1; times <= 3; times++) {
    expect(codeOf(await host.prove({ kind: "head" }, inAnHour()))).toBe("");
    await expect.poll(() => workers).toEqual({ started: times, ended: times });
  }
  process.off("worker", count);
});

test("a log that is damaged is said to be unreadable here, and the worker lives on", async () => {
  const copy = join(directory, "damaged.db");
  const original = new Database(log, { readonly: true });
  await original.backup(copy);
  original.close();
  const damaged = new Database(copy);
  damaged.prepare("UPDATE events SET header = zeroblob(length(header)) WHERE position = 3").run();
  damaged.close();
  const host = notary(copy);
  expect(codeOf(await host.prove(BLOCK, inAnHour()))).toBe("UNAVAILABLE");
  expect((await host.prove({ kind: "head" }, inAnHour())).ok).toBe(true);
});

test("after it was stopped, and while it stops, everybody is told to ask another node", async () => {
  const host = notary();
  const waiting = host.prove(BLOCK, inAnHour());
  await host.stop();
  expect(codeOf(await waiting)).toBe("UNAVAILABLE");
  expect(codeOf(await host.prove(BLOCK, inAnHour()))).toBe("UNAVAILABLE");
});
