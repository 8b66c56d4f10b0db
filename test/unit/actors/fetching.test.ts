/** Rule 10's fetching: asks until it has what it wants, and then no more. */
import { expect, it } from "vitest";
import { Fetching } from "../../../src/actors/consensus/fetching.ts";
import { memberIndex } from "../../../src/base/brands.ts";

class Clock {
  readonly #timers = new Map<number, () => void>();
  #next = 0;

  get waiting(): number {
    return this.#timers.size;
  }

  readonly now = (): number => 0;
  readonly set = (_ms: number, run: () => void): number => {
    this.#timers.set(++this.#next, run);
    return this.#next;
  };
  readonly clear = (handle: unknown): void => void this.#timers.delete(handle as number);

  /** Fires whatever waits now. */
  fire(): void {
    const due = [...this.#timers];
    for (const [handle, run] of due) if (this.#timers.delete(handle)) run();
  }
}

const fetchingOn = (clock: Clock, random = () => 0): Fetching =>
  new Fetching({
    clock,
    random,
    peers: { send: () => {}, connected: () => [memberIndex(1), memberIndex(2)] },
  });

it("asks again and again until it is done, then sets no timer", () => {
  const clock = new Clock();
  const fetching = fetchingOn(clock);
  const asked: number[] = [];
  fetching.want("a block", memberIndex(2), (peer) => asked.push(peer));
  clock.fire();
  clock.fire();
  expect(asked).toEqual([2, 1, 1]);
  fetching.done("a block");
  expect(clock.waiting).toBe(0);
});

it("sets no further timer when what it wanted is there as it is about to ask", () => {
  const clock = new Clock();
  const fetching = fetchingOn(clock);
  let isHere = false;
  fetching.want("a block", null, () => {
    if (isHere) fetching.done("a block");
  });
  expect(clock.waiting).toBe(1);
  isHere = true;
  clock.fire();
  expect(clock.waiting).toBe(0);
  expect(fetching.has("a block")).toBe(false);
});

it("takes one answer for one question, and none of who was not asked", () => {
  const clock = new Clock();
  const fetching = fetchingOn(clock);
  fetching.want("a block", memberIndex(2), () => {});
  expect(fetching.isAnswered("a block", memberIndex(1))).toBe(false);
  expect(fetching.isAnswered("another", memberIndex(2))).toBe(false);
  expect(fetching.isAnswered("a block", memberIndex(2))).toBe(true);
  expect(fetching.isAnswered("a block", memberIndex(2))).toBe(false);
  clock.fire(); // asks the first of those connected
  expect(fetching.isAnswered("a block", memberIndex(1))).toBe(true);
});

it("asks those of higher rank, too, once nobody has answered for long; and by rank again after an answer", () => {
  const clock = new Clock();
  const random = { value: 0 };
  const fetching = fetchingOn(clock, () => random.value);
  const asked: number[] = [];
  fetching.want(
    "events",
    null,
    (peer) => asked.push(peer),
    (peer) => (peer === memberIndex(1) ? 0 : 1),
  );
  random.value = 0.99; // the last of those who may be asked
  for (let n = 0; n < 10; n++) clock.fire();
  expect(new Set(asked)).toEqual(new Set([1]));
  clock.fire();
  expect(asked.at(-1)).toBe(2);
  expect(fetching.isAnswered("events", memberIndex(2))).toBe(true);
  clock.fire();
  expect(asked.at(-1)).toBe(1);
});
