/** How long a read waits for a height that its node has not: never so long that the caller gives up before it is told. */
import { expect, test } from "vitest";
import { height } from "../../../src/base/brands.ts";
import { reachedWithin } from "../../../src/host/services/call.ts";

/** Until when a read that has this deadline would wait; undefined when it does not. */
async function waitOf(deadlineMs: number): Promise<number | undefined> {
  let until: number | undefined;
  const reached = await reachedWithin(
    height(9),
    height(1),
    async (untilMs) => {
      until = untilMs;
      return true;
    },
    deadlineMs,
  );
  expect(reached).toBe(until !== undefined);
  return until;
}

test("the answer is given 50 ms before the caller's deadline, and after five seconds at the latest", async () => {
  const soon = Date.now() + 4_000;
  expect(await waitOf(soon)).toBe(soon - 50);
  const before = Date.now();
  const until = await waitOf(before + 60_000);
  expect(until).toBeGreaterThanOrEqual(before + 5_000);
  expect(until).toBeLessThanOrEqual(Date.now() + 5_000);
});

test("nobody waits whose time is over, or who asks for what is there", async () => {
  expect(await waitOf(Date.now())).toBeUndefined();
  const here = reachedWithin(height(1), height(1), () => expect.unreachable("it is there"), 0);
  expect(await here).toBe(true);
});
