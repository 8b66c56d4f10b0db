/** What every event store must do, whatever database is beneath it. Source: DESIGN §4, §10; src/events/store/event-store.ts. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Height, height } from "../../src/base/brands.ts";
import { ZERO_DIGEST } from "../../src/base/bytes.ts";
import type { LogEvent } from "../../src/events/facts/block.ts";
import type { EventStore } from "../../src/events/store/event-store.ts";
import { Chain } from "./chain.ts";

/** One database that can be opened again after `close`. */
export interface StoreUnderTest {
  open(): Promise<EventStore>;
  /** Removes what the store left behind; the store is closed. */
  remove(): Promise<void>;
}

export function describeEventStore(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`event store on ${name}`, () => {
    let under: StoreUnderTest;
    let store: EventStore;
    beforeEach(async () => {
      under = await make();
      store = await under.open();
    });
    afterEach(async () => {
      await store.close();
      await under.remove();
    });

    const read = async (from: number, limit: number, stream = "log"): Promise<LogEvent[]> => {
      const seen: LogEvent[] = [];
      for await (const event of store.read(stream, height(from), limit)) seen.push(event);
      return seen;
    };

    /** Takes `count` events of a subscription, then aborts it and sees it end. */
    const follow = async (from: Height, count: number, stream = "log"): Promise<LogEvent[]> => {
      const abort = new AbortController();
      const seen: LogEvent[] = [];
      for await (const event of store.subscribe(stream, from, abort.signal)) {
        seen.push(event);
        if (seen.length === count) abort.abort();
      }
      return seen;
    };

    describe("append", () => {
      test("an empty stream has no head and starts at 0", async () => {
        expect(await store.head("log")).toBeUndefined();
        expect(await read(0, 10)).toEqual([]);
        const [genesis] = new Chain().take(1) as [LogEvent];
        expect(await store.append("log", height(0), [genesis])).toEqual({ ok: true, value: undefined });
        expect(await store.head("log")).toEqual({ height: 0, hash: genesis.hash });
      });

      test("gives back exactly the bytes and proofs appended", async () => {
        const events = new Chain().take(8);
        await store.append("log", height(0), events);
        expect(await read(0, 100)).toEqual(events);
      });

      test.each([0, 2, 4, 1_000_000])(
        "refuses a stream of three events at expected position %i, and changes nothing",
        async (at) => {
          const chain = new Chain();
          const events = chain.take(3);
          await store.append("log", height(0), events);
          const outcome = await store.append("log", height(at), [chain.next()]);
          expect(outcome).toMatchObject({
            ok: false,
            refusal: { code: "WRONG_EXPECTED_POSITION", expected: at, next: 3 },
          });
          expect(await read(0, 100)).toEqual(events);
        },
      );

      test("the same events a second time are refused, not stored twice", async () => {
        const events = new Chain().take(3);
        await store.append("log", height(0), events);
        expect(await store.append("log", height(0), events)).toMatchObject({
          refusal: { code: "WRONG_EXPECTED_POSITION" },
        });
        expect(await read(0, 100)).toEqual(events);
      });

      test("of appends that race for one position, one wins", async () => {
        const rivals = Array.from({ length: 10 }, (_, i) => new Chain(`rival ${i}`).take(2));
        const outcomes = await Promise.all(rivals.map((events) => store.append("log", height(0), events)));
        const winners = rivals.filter((_, i) => outcomes[i]?.ok === true);
        expect(winners).toHaveLength(1);
        expect(await read(0, 100)).toEqual(winners[0]);
      });

      test("a position is checked even when nothing is appended", async () => {
        expect(await store.append("log", height(0), [])).toEqual({ ok: true, value: undefined });
        expect(await store.append("log", height(1), [])).toMatchObject({
          refusal: { code: "WRONG_EXPECTED_POSITION" },
        });
      });
    });

    describe("hash chain", () => {
      const expectRefused = async (events: readonly LogEvent[], at: number): Promise<void> => {
        const outcome = await store.append("log", height(0), events);
        expect(outcome).toMatchObject({ ok: false, refusal: { code: "BROKEN_CHAIN", height: at } });
        expect(await store.head("log")).toBeUndefined();
      };

      test("an event whose parent is not the event before it is refused, with the whole append", async () => {
        const [a0, a1] = new Chain("a").take(2) as [LogEvent, LogEvent];
        const [, b1, b2] = new Chain("b").take(3) as [LogEvent, LogEvent, LogEvent];
        await expectRefused([a0, a1, b2], 2);
        await expectRefused([a0, b1], 1);
      });

      test("a header that does not hash to the event's hash is refused", async () => {
        const [genesis] = new Chain().take(1) as [LogEvent];
        await expectRefused([{ ...genesis, hash: ZERO_DIGEST }], 0);
      });

      test("a body that the header does not name is refused", async () => {
        const [genesis, first] = new Chain().take(2) as [LogEvent, LogEvent];
        await expectRefused(
          [genesis, { ...first, block: { header: first.block.header, body: genesis.block.body } }],
          1,
        );
      });

      test("an event that says another height than its header is refused", async () => {
        const [genesis, first] = new Chain().take(2) as [LogEvent, LogEvent];
        await expectRefused([genesis, { ...first, height: height(2) }], 1);
      });
    });

    test("streams are chains of their own", async () => {
      const ours = new Chain("ours").take(5);
      const theirs = new Chain("theirs").take(3);
      await store.append("log", height(0), ours);
      await store.append("followed", height(0), theirs);
      expect(await read(0, 10)).toEqual(ours);
      expect(await read(0, 10, "followed")).toEqual(theirs);
      expect(await store.head("followed")).toEqual({ height: 2, hash: theirs[2]?.hash });
      expect(await store.head("none")).toBeUndefined();
    });

    describe("read", () => {
      test("gives `limit` events from a position on, across pages", async () => {
        const events = new Chain().take(300);
        await store.append("log", height(0), events);
        expect(await read(7, 200)).toEqual(events.slice(7, 207));
        expect(await read(290, 100)).toEqual(events.slice(290));
        expect(await read(300, 10)).toEqual([]);
        expect(await read(0, 0)).toEqual([]);
      });

      test("what a reader does to the bytes it was given changes nothing stored", async () => {
        const events = new Chain().take(2);
        await store.append("log", height(0), events);
        for (const event of await read(0, 2)) {
          event.block.header.fill(0);
          event.block.body.fill(0);
        }
        expect(await read(0, 2)).toEqual(new Chain().take(2));
      });
    });

    describe("subscribe", () => {
      test("gives history first, then what is appended, each once and in order", async () => {
        const chain = new Chain();
        const history = chain.take(150);
        await store.append("log", height(0), history);
        const following = follow(height(0), 200);
        const later = chain.take(50);
        for (const event of later) await store.append("log", event.height, [event]);
        expect(await following).toEqual([...history, ...later]);
      });

      test("a subscriber of an empty stream waits for its first event", async () => {
        const following = follow(height(0), 1);
        const events = new Chain().take(1);
        await store.append("log", height(0), events);
        expect(await following).toEqual(events);
      });

      test("a position that is not reached yet is waited for", async () => {
        const chain = new Chain();
        await store.append("log", height(0), chain.take(2));
        const following = follow(height(4), 2);
        const later = chain.take(4);
        for (const event of later) await store.append("log", event.height, [event]);
        expect(await following).toEqual(later.slice(2));
      });

      test("other streams' events do not come", async () => {
        const following = follow(height(0), 2, "mine");
        await store.append("log", height(0), new Chain("other").take(5));
        const mine = new Chain("mine").take(2);
        await store.append("mine", height(0), mine);
        expect(await following).toEqual(mine);
      });

      test("an abort ends a subscription that waits", async () => {
        const abort = new AbortController();
        const next = store.subscribe("log", height(0), abort.signal)[Symbol.asyncIterator]().next();
        abort.abort();
        expect(await next).toEqual({ done: true, value: undefined });
      });

      test("closing the store ends a subscription that waits", async () => {
        const next = store.subscribe("log", height(0), new AbortController().signal)[Symbol.asyncIterator]().next();
        await store.close();
        expect(await next).toEqual({ done: true, value: undefined });
      });

      test("many subscribers beside concurrent appenders each see one and the same sequence", async () => {
        const count = 120;
        const events = new Chain().take(count);
        const followers = [0, 0, 17, 64, 119].map((from) => follow(height(from), count - from));
        let next = 0;
        const appender = async (): Promise<void> => {
          while (next < count) {
            const event = events[next] as LogEvent;
            const outcome = await store.append("log", event.height, [event]);
            if (outcome.ok) next = Math.max(next, event.height + 1);
            await Promise.resolve();
          }
        };
        await Promise.all([appender(), appender(), appender()]);
        expect(await Promise.all(followers)).toEqual([0, 0, 17, 64, 119].map((from) => events.slice(from)));
      });
    });

    test("a reopened store has what was appended and goes on from there", async () => {
      const chain = new Chain();
      const events = chain.take(10);
      await store.append("log", height(0), events);
      for (let again = 0; again < 3; again++) {
        await store.close();
        store = await under.open();
        expect(await read(0, 100)).toEqual(events);
      }
      const later = chain.next();
      expect(await store.append("log", height(10), [later])).toMatchObject({ ok: true });
      expect(await store.head("log")).toEqual({ height: 10, hash: later.hash });
    });
  });
}
