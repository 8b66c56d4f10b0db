/** A long answer leaves its thread to others. */
import { expect, test } from "vitest";
import { ok } from "../../../src/base/result.ts";
import { Slices } from "../../../src/host/inspector/slices.ts";
import type { Answer } from "../../../src/host/inspector/source.ts";

function* longWork(steps: number): Generator<undefined, Answer<unknown>> {
  for (let step = 0; step < steps; step += 1) {
    const until = performance.now() + 1;
    while (performance.now() < until);
    yield;
  }
  return ok("done");
}
const codeOf = (answer: Answer<unknown>): string => (answer.ok ? "ok" : answer.refusal.code);

test("others have their turn between slices; a second one is refused until the first is answered", async () => {
  const slices = new Slices();
  const told: string[] = [];
  const first = new Promise<void>((resolve) =>
    slices.begin(longWork(60), (answer) => {
      told.push(`first ${codeOf(answer)}`);
      resolve();
    }),
  );
  slices.begin(longWork(1), (answer) => told.push(`second ${codeOf(answer)}`));
  let turns = 0;
  let isOver = false;
  void first.then(() => (isOver = true));
  for (; !isOver; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(turns).toBeGreaterThan(6);
  await new Promise<void>((resolve) =>
    slices.begin(longWork(1), (answer) => {
      told.push(`third ${codeOf(answer)}`);
      resolve();
    }),
  );
  expect(told).toEqual(["second TOO_MANY", "first ok", "third ok"]);
});

test("what reads tables that are closed is answered, and reads no more", async () => {
  const slices = new Slices();
  let isRead = false;
  function* reading(): Generator<undefined, Answer<unknown>> {
    isRead = true;
    yield;
    return ok(null);
  }
  const answer = new Promise<Answer<unknown>>((resolve) => slices.begin(reading(), resolve));
  slices.end();
  expect(codeOf(await answer)).toBe("NOT_READY");
  await new Promise((resolve) => setImmediate(resolve));
  expect(isRead).toBe(false);
});
