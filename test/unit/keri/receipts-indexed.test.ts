import { expect, test } from "vitest";
import { concatBytes } from "../../../src/base/bytes.ts";
import { decodeAttachments } from "../../../src/keri/attachment-groups.ts";
import { applyKerlFact } from "../../../src/keri/kerl-fold.ts";
import { MemoryKerl } from "../../../src/keri/kerl-overlay.ts";
import { incept, receipt } from "../../../src/keri/compose.ts";
import { judgeMessage } from "../../../src/keri/rules.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";
import { parseStream } from "../../../src/keri/stream.ts";
import { World, messageOf, signed } from "./differential/lives.ts";
import { Random } from "./differential/random.ts";

const world = new World(new Random(1));
const [key, next, first, second] = world.freshKeys(4, 4);
if (!key || !next || !first || !second) throw new Error("four keys were asked for");

const event = incept({
  keys: [key.text],
  nextDigests: [nextKeyDigest(next.text)],
  witnesses: [first.witnessText, second.witnessText],
  witnessThreshold: 2,
});
const couple = ({ witnessText, sign }: typeof key) => ({
  receiptor: witnessText,
  code: "0B",
  sig: sign(event.event),
});
const controllerSignatures = [signed(key, event.event, 0, 0)];

function acceptedWith(stream: Uint8Array): Uint8Array {
  const kerl = new MemoryKerl();
  for (const message of parseStream(stream).messages) {
    const judged = judgeMessage(kerl, message, { height: 1 });
    expect(judged.ok).toBe(true);
    if (!judged.ok) continue;
    for (const fact of judged.value.facts) {
      applyKerlFact(kerl, fact, 1);
      if (fact.kind === "keyEventAccepted") return fact.attached;
    }
  }
  throw new Error("it was accepted");
}

test("couples of witnesses that came by themselves are kept as indexed signatures: keripy counts no others that come with an event", () => {
  const receipts = messageOf(receipt({ aid: event.aid, sn: 0, said: event.said }).event, {
    receiptCouples: [couple(second), couple(first)],
  });
  const kept = decodeAttachments(
    acceptedWith(concatBytes(messageOf(event.event, { controllerSignatures }), receipts)),
    1,
  );
  expect(kept.witnessSignatures).toEqual([signed(second, event.event, 1, 1), signed(first, event.event, 0, 0)]);
  expect(kept.receiptCouples).toEqual([]);
  expect(kept.controllerSignatures).toEqual(controllerSignatures);
});

test("what comes whole is kept as it came, couples too", () => {
  const whole = messageOf(event.event, { controllerSignatures, receiptCouples: [couple(second), couple(first)] });
  expect(acceptedWith(whole)).toEqual(whole.subarray(event.event.length));
});
