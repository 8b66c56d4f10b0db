/** Signatures checked ahead of their block: alike wherever that happens, and never in the way of a node that is sealed or stops. */
import { expect, test } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { CheckAhead } from "../../../src/host/executor/check-ahead.ts";
import type { PendingCheck } from "../../../src/host/executor/signed-pool.ts";
import { LedgerWorld, authorOf } from "../kerl/ledger-world.ts";

const world = new LedgerWorld(false);
const { aid, sign } = authorOf(world.client);
const keyState = present(world.ledger.keyState(aid), "the client is in the founding document");

/** Checks of one message, long enough for one of them to take a while; each third signature is of another message. */
function checks(count: number, settle: (at: number, holds: boolean) => void): readonly PendingCheck[] {
  const message = new Uint8Array(32_768).fill(7);
  const [right, wrong] = [message, new Uint8Array(1)].map((signed) =>
    sign(signed).map((one) => ({ ...one, ondex: null, algorithm: "ed25519" as const })),
  );
  return Array.from({ length: count }, (_, at) => ({
    keyState,
    message,
    signatures: present(at % 3 === 0 ? wrong : right, "signed"),
    settle: (holds) => settle(at, holds),
  }));
}

test("few are checked here and many on the pool: the verdicts are the same", async () => {
  for (const count of [10, 1_000]) {
    const ahead = new CheckAhead();
    const verdicts = new Map<number, boolean>();
    ahead.add(checks(count, (at, holds) => verdicts.set(at, holds)));
    await expect.poll(() => verdicts.size).toBe(count);
    for (const [at, holds] of verdicts) expect(holds, `${at} of ${count}`).toBe(at % 3 !== 0);
    await ahead.stop();
  }
});

test("stopped while the pool checks: nothing is thrown, and what was not checked stays open", async () => {
  const ahead = new CheckAhead();
  let settled = 0;
  ahead.add(checks(20_000, () => (settled += 1)));
  await expect.poll(() => settled, { interval: 1 }).toBeGreaterThan(64);
  await ahead.stop(); // a rejection that nobody hears fails the run
  ahead.add(checks(1_000, () => expect.unreachable("it was stopped")));
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBeLessThan(20_000);
});
