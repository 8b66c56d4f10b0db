import { describe, expect, test } from "vitest";
import type { Entry } from "../../../src/host/inspector/contract.ts";
import { Api } from "../../../tools/visualizer/page/model/api.ts";
import { Store } from "../../../tools/visualizer/page/model/store.ts";
import {
  type Admission,
  type EventStream,
  type StreamMessage,
  readEntries,
} from "../../../tools/visualizer/page/browser/stream.ts";
import { Life, source } from "./entries.ts";

type Listener = (event: StreamMessage) => void;

/** The far end of one connection. */
class Connection implements EventStream {
  onopen: (() => unknown) | null = null;
  onerror: (() => unknown) | null = null;
  isClosed = false;
  readonly url: string;
  readonly #listeners = new Map<string, Listener>();

  constructor(url: string) {
    this.url = url;
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, listener);
  }

  close(): void {
    this.isClosed = true;
  }

  send(type: string, data: unknown, lastEventId = ""): void {
    this.#listeners.get(type)?.({ data: JSON.stringify(data), lastEventId });
  }
}

async function reading() {
  const store = new Store(new Api(() => Promise.reject(new Error("nothing is asked here"))));
  store.describe(source());
  const connections: Connection[] = [];
  const waits: number[] = [];
  const due: (() => void)[] = [];
  let admission: Admission = "yes";
  readEntries(store, {
    open: (url) => {
      const connection = new Connection(url);
      connections.push(connection);
      return connection;
    },
    after: (ms, then) => {
      waits.push(ms);
      due.push(then);
    },
    admission: () => Promise.resolve(admission),
  });
  await Promise.resolve();
  const pass = async (): Promise<void> => {
    due.shift()?.();
    await Promise.resolve();
    await Promise.resolve();
  };
  const last = (): Connection => connections.at(-1) ?? new Connection("none");
  return {
    store,
    connections,
    waits,
    last,
    pass,
    /** Breaks the connection and lets the wait pass. */
    fail: (): Promise<void> => {
      last().onerror?.();
      return pass();
    },
    admits: (as: Admission) => {
      admission = as;
    },
  };
}

const entries: readonly Entry[] = new Life("n1")
  .booted()
  .step({ type: "started" })
  .step({ type: "bundleHeld" }).entries;

describe("the stream of entries", () => {
  test("after a break it reads on behind the last entries that came, and what is repeated counts once", async () => {
    const { store, last, connections, fail } = await reading();
    expect(last().url).toBe("/inspect/api/entries");
    last().onopen?.();
    last().send("entries", entries.slice(0, 2), "n1.0.1~n2.3.4");
    expect(store.connection).toBe("open");
    await fail();
    expect(connections[0]?.isClosed).toBe(true);
    expect(last().url).toBe("/inspect/api/entries?after=n1.0.1~n2.3.4");
    last().onopen?.();
    last().send("entries", entries.slice(1), "n1.0.2");
    expect(store.history.length).toBe(3);
  });

  test("waits longer each time, and a short time again after it was connected", async () => {
    const { waits, fail, last } = await reading();
    for (let n = 0; n < 6; n += 1) await fail();
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000]);
    last().onopen?.();
    await fail();
    expect(waits.at(-1)).toBe(500);
  });

  test("a session that is over is not asked again and again", async () => {
    const { connections, fail, admits } = await reading();
    admits("never");
    await fail();
    expect(connections).toHaveLength(1);
  });

  test("a server that has no room now is asked again, and why is kept meanwhile", async () => {
    const { store, connections, waits, fail, pass, admits } = await reading();
    admits("later");
    store.setConnection("lost", "Too many windows.");
    await fail();
    await pass();
    expect([connections.length, waits, store.refusal]).toEqual([1, [500, 1_000, 2_000], "Too many windows."]);
    admits("yes");
    await pass();
    expect(connections).toHaveLength(2);
  });

  test("a gap is remembered, with where to read on", async () => {
    const { store, last, fail } = await reading();
    last().send("gap", { node: "n1", life: 0, from: 0, to: 40, reason: "not held any more" }, "n1.0.39");
    expect(store.gaps).toEqual([{ node: "n1", life: 0, from: 0, to: 40, reason: "not held any more" }]);
    await fail();
    expect(last().url).toBe("/inspect/api/entries?after=n1.0.39");
  });

  test("a recording that is read to its end is not read again", async () => {
    const { store, last, connections } = await reading();
    last().send("end", {});
    expect(last().isClosed).toBe(true);
    expect(store.connection).toBe("ended");
    expect(connections).toHaveLength(1);
  });
});
