/** A node's lives as one stream: sealed, serving, ended and again; real ports, and a recorder as the consensus worker has it. */
import { describe, expect, it } from "vitest";
import { ok } from "../../../src/base/result.ts";
import type { RowSource } from "../../../src/host/inspector/block-rows.ts";
import { LiveEntries, type RecordingStart } from "../../../src/host/inspector/live-entries.ts";
import { Recorder } from "../../../src/host/inspector/recorder.ts";
import { RecorderService } from "../../../src/host/inspector/recorder-port.ts";
import type { EntryPage } from "../../../src/host/inspector/source.ts";

const rows: RowSource = {
  log: { event: () => undefined, events: () => [], bundle: () => undefined, executedRoot: () => undefined },
  names: ["n0"],
  outcome: () => undefined,
};

class Worker {
  /** Questions, and what was made elsewhere. */
  heard = 0;
  readonly recorder: Recorder;
  readonly service: RecorderService;
  readonly #start: RecordingStart;

  constructor(start: RecordingStart) {
    this.#start = start;
    start.port.on("message", () => (this.heard += 1));
    this.recorder = new Recorder({ ...start, now: () => 5 });
    this.service = new RecorderService({
      port: start.port,
      recorder: this.recorder,
      rows: () => rows,
      head: () => undefined,
      peers: () => ({ connected: [], lastHeard: [] }),
      onDamage: (damage) => {
        throw damage;
      },
    });
  }

  execute(...heights: readonly number[]): this {
    for (const height of heights) this.recorder.made({ kind: "executed", height, root: "aa" });
    return this;
  }

  /** As a thread that is gone: nothing is said. */
  die(): void {
    this.#start.port.close();
  }
}

const live = (entriesMax = 1_000): LiveEntries =>
  new LiveEntries({ node: "n0", names: ["n0"], entriesMax, now: () => 1_000_000 });
const ceremonyIn = (state: string) =>
  ({
    kind: "stepped",
    machine: "ceremony",
    event: { type: "x" },
    transitions: [],
    effects: [],
    states: [state],
  }) as const;

/** Reads until it has heard `done`; returns what it heard as short words, and the last cursor. */
async function read(entries: LiveEntries, after: string | null, done: (heard: readonly string[]) => boolean) {
  const leave = new AbortController();
  const heard: string[] = [];
  let cursor = after;
  for await (const page of entries.read(after, leave.signal)) {
    heard.push(...wordsOf(page));
    if (page.kind !== "end") cursor = page.cursor;
    if (done(heard)) leave.abort();
  }
  return { heard, cursor };
}

function wordsOf(page: EntryPage): readonly string[] {
  if (page.kind === "gap") return [`gap ${page.gap.from}..${page.gap.to}`];
  if (page.kind === "end") return ["end"];
  return page.entries.map((entry) => {
    if (entry.kind === "executed") return `executed ${entry.height}`;
    if (entry.kind === "stepped") return entry.states.join();
    return entry.kind === "fault" ? `fault ${entry.fault["code"]}` : entry.kind;
  });
}

const has = (word: string) => (heard: readonly string[]) => heard.includes(word);

describe("a node's lives as one stream", () => {
  it("goes from sealed to serving, with what the ceremony does meanwhile among the rest", async () => {
    const entries = live();
    entries.ceremonyMoved({ kind: "booted", states: { ceremony: ["ceremony.sealed"] } }, {});
    entries.ceremonyMoved(ceremonyIn("ceremony.unsealed"), {});
    const worker = new Worker(entries.beginWorker());
    worker.execute(1);
    entries.ceremonyMoved(ceremonyIn("ceremony.draining"), {});
    const { heard } = await read(entries, null, has("ceremony.draining"));
    expect(heard).toEqual(["booted", "ceremony.unsealed", "executed 1", "ceremony.draining"]);
    entries.close();
  });

  it("resumes in the middle of any life, without gap or duplicate, while more comes", async () => {
    const entries = live();
    entries.ceremonyMoved({ kind: "booted", states: { ceremony: ["ceremony.sealed"] } }, {});
    const worker = new Worker(entries.beginWorker());
    const expected = ["booted"];
    let cursor: string | null = null;
    const heard: string[] = [];
    for (let height = 1; height <= 40; height += 3) {
      worker.execute(height, height + 1, height + 2);
      for (const at of [height, height + 1, height + 2]) expected.push(`executed ${at}`);
      const last = `executed ${height + 2}`;
      const next: Awaited<ReturnType<typeof read>> = await read(entries, cursor, has(last));
      heard.push(...next.heard);
      cursor = next.cursor;
    }
    expect(heard).toEqual(expected);
    entries.close();
  });

  it("two readers hear the same, each at its own pace", async () => {
    const entries = live();
    const worker = new Worker(entries.beginWorker());
    const both = Promise.all([read(entries, null, has("executed 3")), read(entries, null, has("executed 3"))]);
    worker.execute(1, 2, 3);
    const [one, other] = await both;
    expect(one).toEqual(other);
    entries.close();
  });

  it("says from where to where it forgot, to a reader that was further back; a new one begins with what is held", async () => {
    const entries = live(100);
    const worker = new Worker(entries.beginWorker()).execute(1, 2);
    const { cursor } = await read(entries, null, has("executed 2"));
    worker.execute(...Array.from({ length: 200 }, (_, i) => i + 3));
    const late = await read(entries, cursor, has("executed 202"));
    expect(late.heard.slice(0, 2)).toEqual(["gap 2..102", "executed 103"]);
    const fresh = await read(entries, null, has("executed 202"));
    expect(fresh.heard[0]).toBe("executed 103");
    entries.close();
  });

  it("a worker that stops tells the rest first; after it nothing is missing", async () => {
    const entries = live();
    const worker = new Worker(entries.beginWorker()).execute(1);
    const { cursor } = await read(entries, null, has("executed 1"));
    const { heard } = worker;
    const reading = read(entries, cursor, has("executed 9"));
    await expect.poll(() => worker.heard).toBeGreaterThan(heard); // its question waits in the worker
    worker.execute(2);
    worker.service.end();
    await new Promise((resolve) => setImmediate(resolve));
    entries.endWorker("STOPPED");
    new Worker(entries.beginWorker()).execute(9);
    expect((await reading).heard).toEqual(["executed 2", "executed 9"]);
    const late = await read(entries, cursor, has("executed 9"));
    expect(late.heard).toEqual(["gap 1..2", "executed 9"]);
    entries.close();
  });

  it("a worker that dies takes what nobody heard with it: that is a gap of unknown length, and said to be a fault", async () => {
    const entries = live();
    const worker = new Worker(entries.beginWorker()).execute(1);
    const { cursor } = await read(entries, null, has("executed 1"));
    worker.execute(2);
    worker.die();
    entries.endWorker("CONSENSUS_DIED");
    const { heard } = await read(entries, cursor, has("fault CONSENSUS_DIED"));
    expect(heard).toEqual(["gap 1..null", "fault CONSENSUS_DIED"]);
    entries.close();
  });

  it("a cursor of another process, or of nobody, begins anew with what is held", async () => {
    const entries = live();
    new Worker(entries.beginWorker()).execute(1);
    for (const cursor of ["n0.3.5", "n9.1.1", "garbage"])
      expect((await read(entries, cursor, has("executed 1"))).heard).toEqual(["executed 1"]);
    entries.close();
  });

  it("a ceremony's context is the one after each of its entries, also while the node serves", async () => {
    const entries = live();
    entries.ceremonyMoved({ kind: "booted", states: { ceremony: ["ceremony.sealed"] } }, { at: 0 });
    entries.ceremonyMoved(ceremonyIn("ceremony.collecting"), { at: 1 });
    expect(await entries.context(1_000, 0, "ceremony")).toEqual(ok({ at: 0 }));
    expect(await entries.context(1_000, 1, "ceremony")).toEqual(ok({ at: 1 }));
    expect(await entries.context(1_000, 1, "consensus")).toEqual(ok(undefined));
    const { life } = entries.beginWorker();
    expect(await entries.context(999, 0, "ceremony")).toEqual(ok(undefined));
    expect(life).toBe(1_001);
    entries.close();
  });
});
