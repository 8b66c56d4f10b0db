/** A member that lies puts batches into its bundle that nobody signed, in the block in which the author's own stands. */
import { expect, test } from "vitest";
import type { CommandId } from "../../../src/base/brands.ts";
import { decode, encode } from "../../../src/base/codec.ts";
import { SIGNED_BYTES_MAX, type SignedBody, signedBodyShape, signedShape } from "../../../src/events/facts/command.ts";
import { verifyProof } from "../../../src/events/facts/verify-proof.ts";
import { ProofWorld } from "./proof-world.ts";

const ID = 101;
const id = ID.toString(16).padStart(32, "0") as CommandId;

/** The batch with another envelope around the same commands: its signatures do not hold. */
function forged(signed: Uint8Array, change: (body: SignedBody) => SignedBody): Uint8Array {
  const outer = decode(signedShape, signed, SIGNED_BYTES_MAX);
  const body = outer.ok ? decode(signedBodyShape, outer.value.body, SIGNED_BYTES_MAX) : outer;
  if (!outer.ok || !body.ok) throw new Error("a batch");
  return encode(signedShape, { ...outer.value, body: encode(signedBodyShape, change(body.value)) });
}

function proven(world: ProofWorld, batches: readonly Uint8Array[], withEffects = true) {
  const height = world.block(batches);
  for (let i = 0; i < 3; i++) world.block();
  const subject = { kind: "command", author: world.client.aid, id } as const;
  const verdict = verifyProof(world.file({ kind: "inclusion", height, subject, withEffects }), world.members);
  if (!verdict.ok || verdict.value.kind !== "inclusion") throw new Error("a proof");
  return verdict.value;
}

test("the author's own batch is shown to have been accepted, by what the block did alone", () => {
  const world = new ProofWorld();
  expect(proven(world, [world.ledgers.write(world.client, "one", ID)])).toMatchObject({
    command: { isAccepted: true },
    outcome: { data: { kind: "commandExecuted" } },
  });
  const other = new ProofWorld();
  const unknown = proven(other, [other.ledgers.write(other.client, "one", ID)], false);
  expect(unknown).toMatchObject({ command: { isAccepted: false }, facts: null });
});

test("a batch that nobody signed is never shown as one that the log accepted, though the command is", () => {
  const world = new ProofWorld();
  const own = world.ledgers.write(world.client, "one", ID);
  const sn = (body: SignedBody): SignedBody => ({ ...body, keyState: { ...body.keyState, sn: body.keyState.sn + 7 } });
  expect(proven(world, [forged(own, sn), own])).toMatchObject({
    command: { isAccepted: false },
    outcome: { data: { kind: "commandExecuted" } },
  });
});

test("a principal whom the author never named is not shown with the command's outcome", () => {
  const world = new ProofWorld();
  const own = world.ledgers.write(world.client, "one", ID);
  const lied = forged(own, (body) => ({ ...body, principal: world.admin.aid }));
  const { command, outcome, facts } = proven(world, [lied, own]);
  expect([command?.isAccepted, outcome, facts]).toEqual([false, null, []]);
});
