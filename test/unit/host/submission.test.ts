import { expect, it } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { SignedPool } from "../../../src/host/executor/signed-pool.ts";
import { Submission } from "../../../src/host/executor/submission.ts";
import { LedgerWorld, authorOf } from "../kerl/ledger-world.ts";

it("hands consensus a batch in a buffer of its own: a post copies all of the buffer that bytes lie in", async () => {
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
  const batch = world.append(authorOf(founder), founder.rotation().message);
  const message = new Uint8Array(4096).fill(7);
  message.set(batch, 100);
  void submission.submitSigned(message.subarray(100, 100 + batch.length), 30_000);
  const [signed] = submitted;
  expect(signed).toEqual(batch);
  expect(signed?.buffer.byteLength).toBe(batch.length);
  submission.stop();
});
