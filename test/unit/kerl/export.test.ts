/** Exports of events of both versions, whatever their attachments are written in, once receipts of another version came. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { encodeAttachments } from "../../../src/keri/cesr/encode-attachments.ts";
import { receipt } from "../../../src/keri/compose.ts";
import type { KeriMessage } from "../../../src/keri/messages.ts";
import { parseStream } from "../../../src/keri/stream.ts";
import { exported, receiptMessage } from "../../../src/projections/kerl/export.ts";
import { type Key, messageOf } from "../keri/differential/lives.ts";
import { Stage } from "../keri/stage.ts";

const { cases } = JSON.parse(readFileSync("../shared/conformance/keri/kel-streams.json", "utf8")) as {
  readonly cases: readonly { readonly id: string; readonly stream: string }[];
};
const inceptionOf = (id: string): KeriMessage => {
  const { stream } = present(
    cases.find((one) => one.id === id),
    id,
  );
  return present(parseStream(Buffer.from(stream)).messages[0], "an inception");
};

/** An inception's attachments as they may come. */
const WRITTEN: Readonly<Record<string, (message: KeriMessage) => Uint8Array>> = {
  "as they came": ({ attached }) => attached,
  "by version 1": ({ attachments }) => Buffer.concat([Buffer.from("-_AAABAA"), encodeAttachments(attachments, 1)]),
  "by version 2": ({ attachments }) => Buffer.concat([Buffer.from("-_AAACAA"), encodeAttachments(attachments, 2)]),
  "with a line feed": ({ attached }) => Buffer.concat([attached, Buffer.from("\n")]),
};

const ids = ["keripy-replay-v1-deb", "keripy-replay-v2-deb"];
test.each(ids.flatMap((id) => Object.keys(WRITTEN).map((how) => [id, how] as const)))(
  "%s, attachments %s: what is exported with a receipt of version 1 is taken elsewhere, receipt and all",
  (id, how) => {
    const message = inceptionOf(id);
    const stage = new Stage();
    const [witness, other] = stage.keys(2) as readonly [Key, Key];
    const attached = present(WRITTEN[how], how)(message);
    const came = Buffer.concat([message.body, attached]);
    expect(stage.send(came)).toBe("accepted");
    const accepted = stage.facts[0];
    if (accepted?.kind !== "keyEventAccepted") return expect.unreachable("it was accepted");
    const { aid, sn, said } = accepted;
    for (const key of [witness, other]) {
      const couple = { receiptor: key.witnessText, code: "0B", sig: key.sign(message.body) };
      expect(stage.send(messageOf(receipt({ aid, sn, said }).event, { receiptCouples: [couple] }))).toBe("receipt");
    }
    const receipts = stage.facts.filter((fact) => fact.kind === "keriReceiptAdded");
    const stream = exported(aid, { ...accepted, receipts });
    expect(Buffer.from(stream.subarray(0, came.length)).equals(came)).toBe(true);
    for (const bytes of [
      stream,
      Buffer.concat([came, ...receipts.map((one) => receiptMessage(aid, accepted, one.attached))]),
    ]) {
      const elsewhere = new Stage();
      const { messages, refusal } = parseStream(bytes);
      expect(refusal).toBeNull();
      for (const { source } of messages) expect(["accepted", "receipt"]).toContain(elsewhere.send(source));
      expect(elsewhere.kerl.signers(said)).toEqual(stage.kerl.signers(said));
    }
  },
);
