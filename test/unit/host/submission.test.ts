/** Clients' batches between the port and the log: handed over in buffers of their own, answered once, and let go. */
import { expect, it } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { SignedPool } from "../../../src/host/executor/signed-pool.ts";
import { Submission } from "../../../src/host/executor/submission.ts";
import { LedgerWorld, authorOf } from "../kerl/ledger-world.ts";

const DEADLINE = 40_000;

/** A world whose blocks `order` makes and tells the submission, as the executor does. */
function submitting() {
  const world = new LedgerWorld(false);
  const submitted: Uint8Array[] = [];
  const founder = present(world.founders[0], "a founder");
  const submission = new Submission({
    cluster: world.cluster,
    ledger: world.ledger,
    pool: new SignedPool(world.cluster),
    submit: (signed) => void submitted.push(signed),
    gateway: { aid: founder.aid, keyState: () => founder.establishment },
    sign: () => Promise.reject(new Error("clients sign themselves")),
    now: () => 10_000,
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  });
  const order = (...batches: readonly Uint8Array[]): readonly string[] => {
    const { executed, kinds } = world.block(...batches);
    submission.settled(executed);
    return kinds;
  };
  /** What would be handed over again to a consensus worker that was started again. */
  const inFlight = (): readonly Uint8Array[] => {
    submitted.length = 0;
    submission.resubmit();
    return submitted;
  };
  return { world, founder, submitted, submission, order, inFlight };
}

it("hands consensus a batch in a buffer of its own: a post copies all of the buffer that bytes lie in", async () => {
  const { world, founder, submitted, submission } = submitting();
  const batch = world.append(authorOf(founder), founder.rotation().message);
  const message = new Uint8Array(4096).fill(7);
  message.set(batch, 100);
  void submission.submitSigned(message.subarray(100, 100 + batch.length), DEADLINE);
  const [signed] = submitted;
  expect(signed).toEqual(batch);
  expect(signed?.buffer.byteLength).toBe(batch.length);
  submission.stop();
});

it("lets every batch go that a settled command stood in, however many a client put it in", async () => {
  const { world, submission, order, inFlight } = submitting();
  const author = authorOf(world.client);
  const [alone, again] = [world.write(author, "a", 7), world.writes(author, ["a", 7], ["b", 8])];
  const answers = Promise.all([submission.submitSigned(alone, DEADLINE), submission.submitSigned(again, DEADLINE)]);
  expect(inFlight()).toEqual([alone, again]);
  order(again);
  expect((await answers).map(({ ok }) => ok)).toEqual([true, true]);
  expect(inFlight()).toEqual([]);
});

it("a batch that is refused is no answer to who waits for the same command in another one", async () => {
  const { world, submission, order, inFlight } = submitting();
  const old = world.write(authorOf(world.client), "a", 7);
  const first = submission.submitSigned(old, DEADLINE);
  const rotation = world.client.rotation();
  order(world.append(authorOf(world.client), rotation.message));
  world.client.took(rotation, "rotation");
  const anew = world.write(authorOf(world.client), "a", 7);
  const second = submission.submitSigned(anew, DEADLINE);
  expect(order(old)).toEqual(["batchRefused STALE_KEY_STATE"]);
  expect(inFlight()).toEqual([anew]);
  order(anew);
  for (const answer of [first, second])
    expect(await answer).toMatchObject({ ok: true, value: [{ result: { kind: "executed", changed: [true] } }] });
  expect(inFlight()).toEqual([]);
  expect(submission.waiting).toBe(0);
});
