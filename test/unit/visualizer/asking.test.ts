import { describe, expect, test } from "vitest";
import type { Answer, Parameters } from "../../../tools/visualizer/page/model/api.ts";
import { AGAIN_MS, type Asked, Asking, PACE_MS, PATIENCE_MS } from "../../../tools/visualizer/page/model/asking.ts";

type Reply = (answer: Answer<string>) => Promise<void>;

/** A clock that is moved by hand, a server that answers when it is told to, and what was shown last. */
function asking() {
  let now = 0;
  let due: { readonly at: number; readonly run: () => void }[] = [];
  const asked: { readonly of: Parameters; readonly reply: Reply }[] = [];
  let shown: Asked<string> = { answer: null, of: {}, isWaiting: false };
  const one = new Asking<string>({
    ask: (_question, of) =>
      new Promise((resolve) => {
        const reply: Reply = async (answer) => {
          resolve(answer);
          await new Promise((settled) => setImmediate(settled));
        };
        asked.push({ of, reply });
      }),
    after: (ms, run) => {
      const timer = { at: now + ms, run };
      due.push(timer);
      return () => {
        due = due.filter((other) => other !== timer);
      };
    },
    now: () => now,
    show: (next) => {
      shown = next;
    },
  });
  return {
    want: (height: number | null) => one.want(height === null ? null : "graph", height === null ? {} : { height }),
    close: () => one.close(),
    pass: (ms: number) => {
      for (const end = now + ms; ; ) {
        const [next] = due.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
        now = next?.at ?? end;
        if (next === undefined) return;
        due = due.filter((other) => other !== next);
        next.run();
      }
    },
    heights: () => asked.map(({ of }) => of["height"]),
    reply: (index: number, answer: Answer<string>) => asked[index]?.reply(answer),
    shown: () => shown,
    isIdle: () => due.length === 0,
  };
}

const told = (value: string): Answer<string> => ({ ok: true, value });
const refused = (status: number): Answer<string> => ({ ok: false, status, refusal: { code: "X", message: "No." } });

describe("a question that changes with the cursor", () => {
  test("is asked at a pace, the last of those in between, and goes on being asked while the cursor never rests", async () => {
    const { want, pass, heights, reply, shown } = asking();
    for (let height = 1; height <= 100; height += 1) {
      want(height);
      pass(10);
      if (heights().length > 0) await reply(heights().length - 1, told(`at ${String(heights().at(-1))}`));
    }
    expect(heights().length).toBeGreaterThanOrEqual(7);
    expect(heights().length).toBeLessThanOrEqual(Math.ceil(1_000 / PACE_MS));
    pass(PACE_MS);
    await reply(heights().length - 1, told("at 100"));
    expect(shown()).toEqual({ answer: told("at 100"), of: { height: 100 }, isWaiting: false });
  });

  test("waits for the answer before: a slow server is asked one thing at a time", async () => {
    const { want, pass, heights, reply } = asking();
    want(1);
    pass(PACE_MS);
    want(2);
    pass(PACE_MS);
    want(3);
    pass(PACE_MS);
    expect(heights()).toEqual([1]);
    await reply(0, told("one"));
    pass(PACE_MS);
    expect(heights()).toEqual([1, 3]);
  });

  test("does not wait for ever, and an answer that comes late takes no later one's place", async () => {
    const { want, pass, heights, reply, shown } = asking();
    want(1);
    pass(PACE_MS);
    want(2);
    pass(PATIENCE_MS + PACE_MS);
    expect(heights()).toEqual([1, 2]);
    await reply(1, told("two"));
    await reply(0, told("one"));
    expect(shown()).toEqual({ answer: told("two"), of: { height: 2 }, isWaiting: false });
  });

  test("an answer that stays while the next is awaited says what it answers", async () => {
    const { want, pass, reply, shown } = asking();
    want(1);
    pass(PACE_MS);
    await reply(0, told("one"));
    want(2);
    expect(shown()).toEqual({ answer: told("one"), of: { height: 1 }, isWaiting: true });
  });

  test("a server that was busy or gone is asked again; one that said no is not", async () => {
    for (const [status, again] of [
      [0, true],
      [503, true],
      [400, false],
      [404, false],
    ] as const) {
      const { want, pass, heights, reply, shown } = asking();
      want(1);
      pass(PACE_MS);
      await reply(0, refused(status));
      expect(shown().answer).toEqual(refused(status));
      pass(AGAIN_MS);
      expect(heights()).toEqual(again ? [1, 1] : [1]);
    }
  });

  test("a change is not held up by what is to be asked again later", async () => {
    const { want, pass, heights, reply } = asking();
    want(1);
    pass(PACE_MS);
    await reply(0, refused(503));
    want(2);
    pass(PACE_MS);
    expect(heights()).toEqual([1, 2]);
  });

  test("nothing is asked or shown when nothing is wanted any more, nor after the end", async () => {
    const { want, pass, heights, reply, shown, close, isIdle } = asking();
    want(1);
    pass(PACE_MS);
    want(null);
    await reply(0, told("one"));
    expect(shown()).toEqual({ answer: null, of: {}, isWaiting: false });
    want(2);
    close();
    expect(isIdle()).toBe(true);
    pass(PACE_MS);
    expect(heights()).toEqual([1]);
  });
});
