/** Proofs in turn, by a clock of the test's own. */
import { expect, test } from "vitest";
import type { Result } from "../../../src/base/result.ts";
import { ok } from "../../../src/base/result.ts";
import { ProofQueue } from "../../../src/host/proofs/proof-queue.ts";

/** A block takes so long. Units: ms. */
const BLOCK_MS = 7;
const HEAD = { kind: "head" } as const;

function queueOf(blocks: number, stays: boolean) {
  const state = { now: 0, begun: 0, worked: 0 };
  const answers: string[] = [];
  const queue = new ProofQueue({
    *begin() {
      state.begun += 1;
      for (let height = 1; height <= blocks; height += 1) {
        state.now += BLOCK_MS;
        state.worked += 1;
        yield { height, to: blocks, stays };
      }
      return ok(new Uint8Array());
    },
    answer: (id, answer: Result<Uint8Array>) =>
      void answers.push(`${id} ${answer.ok ? "proof" : `${answer.refusal.code} ${answer.refusal.message}`}`),
    now: () => state.now,
  });
  return { queue, state, answers };
}

function runOut(queue: ProofQueue): void {
  while (!queue.isEmpty) queue.turn();
}

test("a search ends when its asker was answered; an execution goes on, since the next proof needs it", () => {
  for (const [stays, worked] of [
    [false, 6],
    [true, 100],
  ] as const) {
    const { queue, state, answers } = queueOf(100, stays);
    queue.add({ kind: "prove", id: 1, ask: HEAD, untilMs: 40 });
    runOut(queue);
    expect(state.worked).toBe(worked);
    expect(answers).toEqual([expect.stringMatching(/^1 PROOF_PENDING .* 6 of 100 blocks so far\. Ask/)]);
  }
});

test("whose time is over before its turn is told so while another's proof is in work, and nothing is begun for it", () => {
  const { queue, state, answers } = queueOf(10, true);
  for (const [id, untilMs] of [
    [1, 1_000],
    [2, 20],
    [3, 1_000],
  ] as const)
    queue.add({ kind: "prove", id, ask: HEAD, untilMs });
  runOut(queue);
  expect(state.begun).toBe(2);
  expect(answers).toEqual([expect.stringMatching(/^2 PROOF_PENDING /), "1 proof", "3 proof"]);
});
