/** However many look at a member, its worker's thread is its own for the most: questions have turns, and rests between them. */
import { MessageChannel } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";
import { height } from "../../../src/base/brands.ts";
import type { RowSource } from "../../../src/host/inspector/block-rows.ts";
import { Recorder } from "../../../src/host/inspector/recorder.ts";
import { QUESTIONS_WAITING_MAX, RecorderClient, RecorderService } from "../../../src/host/inspector/recorder-port.ts";

/** Reading one block takes so long. Units: ms. */
const BLOCK_MS = 10;
let now: number;
let rests: { readonly ms: number; readonly run: () => void }[];
let recorder: Recorder;
let client: RecorderClient;

const rows: RowSource = {
  log: {
    event: () => undefined,
    events: () => ((now += BLOCK_MS), []),
    bundle: () => undefined,
    executedRoot: () => undefined,
  },
  names: ["n0"],
  outcome: () => undefined,
};

beforeEach(() => {
  const { port1, port2 } = new MessageChannel();
  now = 0;
  rests = [];
  recorder = new Recorder({ node: "n0", life: 1, entriesMax: 100, ceremony: [], now: () => 0 });
  client = new RecorderClient(1, port1);
  new RecorderService({
    port: port2,
    recorder,
    rows: () => rows,
    head: () => height(9),
    peers: () => ({ connected: [], lastHeard: [] }),
    onDamage: (damage) => {
      throw damage;
    },
    clock: { now: () => now, after: (ms, run) => void rests.push({ ms, run }) },
  });
});
afterEach(() => client.end());

/** Whatever passes between the threads has passed. */
const passed = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
/** The rest is over: the next has its turn. */
async function rested(): Promise<void> {
  const rest = rests.shift();
  now += rest?.ms ?? 0;
  rest?.run();
  await passed();
}
const blocks = () => client.ask({ kind: "blocks", from: 0, limit: 1 });

test("questions are answered one at a time, in order, in at most a fifth of the time", async () => {
  const answered: number[] = [];
  for (let at = 0; at < 20; at += 1) void blocks().then(() => answered.push(at));
  await passed();
  for (let at = 0; at < 20; at += 1) {
    expect(answered).toEqual(Array.from({ length: at + 1 }, (_, one) => one));
    expect(rests).toHaveLength(1);
    expect(now).toBe(5 * BLOCK_MS * at + BLOCK_MS);
    await rested();
  }
  expect(now).toBe(20 * 5 * BLOCK_MS);
});

test("so many questions wait, and no more; a reader waits with them, and is never refused", async () => {
  const codes = Array.from({ length: QUESTIONS_WAITING_MAX + 3 }, () =>
    blocks().then((answer) => (answer?.ok === false ? answer.refusal.code : "answered")),
  );
  for (let at = 0; at < 3; at += 1) recorder.made({ kind: "executed", height: at, root: "aa" });
  const readers = Array.from({ length: 4 }, () => client.entries(0, 10, new AbortController().signal));
  await passed();
  while (rests.length > 0) await rested();
  const expected = [...Array.from({ length: QUESTIONS_WAITING_MAX + 1 }, () => "answered"), "TOO_MANY", "TOO_MANY"];
  expect(await Promise.all(codes)).toEqual(expected);
  for (const page of await Promise.all(readers)) expect(page?.entries.map(({ n }) => n)).toEqual([0, 1, 2]);
});

test("a reader that leaves before its turn costs nothing", async () => {
  recorder.made({ kind: "executed", height: 0, root: "aa" });
  void blocks();
  const leaves = new AbortController();
  const page = client.entries(0, 10, leaves.signal);
  leaves.abort();
  expect(await page).toBeUndefined();
  await passed();
  await rested();
  expect(rests).toEqual([]);
});
