/** A gateway whose key rotates while it has batches under way: what the log refuses for the old key is signed anew, under the same ids. */
import { beforeEach, describe, expect, it } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { ok } from "../../../src/base/result.ts";
import type { KeyStateRef } from "../../../src/events/facts/command.ts";
import type { GraphWrite } from "../../../src/events/facts/graph.ts";
import { SignedPool } from "../../../src/host/executor/signed-pool.ts";
import { Submission } from "../../../src/host/executor/submission.ts";
import { LedgerWorld, authorOf } from "../kerl/ledger-world.ts";

const NOW = 10_000;
const DEADLINE = NOW + 20_000;

let world: LedgerWorld;
let submitted: Uint8Array[];
let keyState: KeyStateRef;
let submission: Submission;

const subject = (name: string) => ({ namespace: "org", name, relation: { namespace: "", name: "" } });
const adding = (name: string): GraphWrite => ({
  changes: [{ kind: "addSubject", subject: subject(name) }],
  preconditions: [],
});
const settles = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

beforeEach(() => {
  world = new LedgerWorld(false);
  submitted = [];
  const gateway = present(world.founders[0], "a founder");
  keyState = gateway.establishment;
  const pool = new SignedPool(world.cluster);
  submission = new Submission({
    cluster: world.cluster,
    ledger: world.ledger,
    pool,
    submit: (signed) => void submitted.push(signed),
    gateway: { aid: gateway.aid, keyState: () => keyState },
    // As the enclave does: by the key that is in force for it, whatever the message says.
    sign: async (messages) => ok(messages.map((message) => present(gateway.signatures(message)[0], "one key").sig)),
    now: () => NOW,
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  });
});

/** One block of these batches, told to the submission as the executor does. */
function order(...batches: readonly Uint8Array[]): readonly string[] {
  const { executed, kinds } = world.block(...batches);
  submission.settled(executed);
  return kinds;
}

const gateway = () => present(world.founders[0], "a founder");

describe("batches under way when the gateway's key rotates", () => {
  it("are signed by the new key and executed, and their clients are answered once", async () => {
    const answers = ["a", "b"].map((name) => submission.submitFor(world.client.aid, adding(name), DEADLINE));
    await settles();
    const [first] = submitted;
    const rotation = gateway().rotation();
    const own = submission.submitOwn("kerl.append", rotation.message, DEADLINE);
    await settles();
    const appended = present(submitted[1], "the rotation's batch");
    expect(order(appended, present(first, "the clients' batch"))).toEqual([
      "commandExecuted",
      "keyEventAccepted",
      "batchRefused STALE_KEY_STATE",
    ]);
    expect(await own).toMatchObject({ value: { result: { kind: "executed" } } });
    await settles();
    expect(submitted).toHaveLength(2); // the keystore is not settled yet: there is no key to sign by

    gateway().took(rotation, "rotation");
    keyState = gateway().establishment;
    submission.rekeyed();
    await settles();
    expect(submitted).toHaveLength(3);
    order(present(submitted[2], "signed anew"));
    expect(await Promise.all(answers)).toMatchObject([
      { ok: true, value: { result: { kind: "executed", changed: [true] } } },
      { ok: true, value: { result: { kind: "executed", changed: [true] } } },
    ]);
    expect(submission.waiting).toBe(0);
  });

  it("are signed anew at once when the new key is here before the log refuses the old one", async () => {
    const answer = submission.submitFor(world.client.aid, adding("a"), DEADLINE);
    await settles();
    const rotation = gateway().rotation();
    expect(world.block(world.append(authorOf(gateway()), rotation.message)).kinds).toContain("keyEventAccepted");
    gateway().took(rotation, "rotation");
    keyState = gateway().establishment;
    submission.rekeyed();
    await settles();
    expect(submitted).toHaveLength(1); // nothing is known of it yet
    order(present(submitted[0], "under way"));
    await settles();
    order(present(submitted[1], "signed anew"));
    expect(await answer).toMatchObject({ ok: true, value: { result: { kind: "executed" } } });
  });

  it("that nobody waits for any more are not signed anew", async () => {
    const answer = submission.submitFor(world.client.aid, adding("a"), NOW + 60);
    await settles();
    const rotation = gateway().rotation();
    const own = submission.submitOwn("kerl.append", rotation.message, DEADLINE);
    await settles();
    expect(await answer).toMatchObject({ ok: false, refusal: { code: "OUTCOME_UNKNOWN" } });
    order(present(submitted[1], "the rotation"), present(submitted[0], "under way"));
    await own;
    gateway().took(rotation, "rotation");
    keyState = gateway().establishment;
    submission.rekeyed();
    await settles();
    expect(submitted).toHaveLength(2);
  });

  it("of clients that sign for themselves are theirs to sign: they are told", async () => {
    const batch = world.write(authorOf(world.client), "a");
    const answer = submission.submitSigned(batch, DEADLINE);
    await settles();
    const rotation = world.client.rotation();
    order(world.append(authorOf(world.client), rotation.message), batch);
    expect(await answer).toMatchObject({ ok: false, refusal: { code: "STALE_KEY_STATE" } });
  });
});
