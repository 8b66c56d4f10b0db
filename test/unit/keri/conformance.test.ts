/** Real streams of other implementations, with the verdict per message. Source: ../shared/conformance/keri/kel-streams.json. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { concatBytes, utf8 } from "../../../src/base/bytes.ts";
import { applyKerlFact } from "../../../src/keri/kerl-fold.ts";
import { MemoryKerl } from "../../../src/keri/kerl-overlay.ts";
import { judgeArrival, judgeMessage } from "../../../src/keri/rules.ts";
import { settleAll } from "../../../src/keri/settle.ts";
import { parseStream } from "../../../src/keri/stream.ts";

interface Expected {
  readonly t?: string;
  readonly s?: string;
  readonly i?: string;
  readonly d?: string;
  readonly outcome: "accept" | "receipt" | "reject-or-escrow" | "parse-error";
  readonly why?: string;
}
interface Final {
  readonly sn: string;
  readonly d: string;
}
interface Case {
  readonly id: string;
  readonly stream: string;
  readonly expected: "accept" | "reject" | "parse-error";
  readonly expectInOrder: {
    readonly perMessage: readonly Expected[];
    readonly finalState: Readonly<Record<string, Final>>;
  };
  readonly expectAfterAllReceipts: {
    readonly accepted: boolean;
    readonly final: Readonly<Record<string, Final>>;
  } | null;
}

const path = new URL("../../../../shared/conformance/keri/kel-streams.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(path, "utf8")) as { readonly cases: readonly Case[] };

/** Escrows of a whole stream that is judged before anything is settled. */
const MOMENT = { height: 0, bounds: { perAid: 4096, bytesPerAid: 2 ** 24, all: 4096, bytesAll: 2 ** 26 } };

/** What the file calls a reason, by ours. */
const WHY: Readonly<Record<string, string>> = {
  "partially signed (kt)": "escrowed:partially-signed",
  "no kel (out of order)": "escrowed:out-of-order",
  "partially witnessed": "escrowed:partially-witnessed",
  "delegation: no anchor": "escrowed:awaiting-anchor",
  "toad range": "rejected:KERI_RULE",
};

function verdictOf(result: ReturnType<typeof judgeArrival>): string {
  return result.ok ? result.value.verdict : `rejected:${result.refusal.code}`;
}

const finalOf = (kerl: MemoryKerl): Record<string, Final> =>
  Object.fromEntries(
    kerl.aids().map((aid) => {
      const latest = kerl.keyState(aid)?.latest;
      return [aid, { sn: latest?.sn.toString(16) ?? "", d: latest?.said ?? "" }];
    }),
  );

const placesOf = (states: Readonly<Record<string, Final>>): Record<string, Final> =>
  Object.fromEntries(Object.entries(states).map(([aid, { sn, d }]) => [aid, { sn, d }]));

test("there are the 28 streams of the README", () => {
  expect(cases).toHaveLength(28);
});

describe.each(cases)("$id", ({ stream, expected, expectInOrder, expectAfterAllReceipts }) => {
  const { messages, refusal } = parseStream(utf8(stream));

  test("is judged as stated, message by message, and is what it shall be once all was seen", () => {
    const kerl = new MemoryKerl();
    const verdicts: string[] = [];
    for (const message of messages) {
      const judged = judgeArrival(kerl, message, MOMENT);
      verdicts.push(verdictOf(judged));
      if (judged.ok) for (const fact of judged.value.facts) applyKerlFact(kerl, fact, 0);
    }
    if (expected === "parse-error") {
      expect(refusal?.code).toBe("KERI_MALFORMED");
      expect(finalOf(kerl)).toEqual({});
      return;
    }
    expect(refusal).toBeNull();
    expect(verdicts).toHaveLength(expectInOrder.perMessage.length);
    for (const [i, { outcome, why }] of expectInOrder.perMessage.entries()) {
      const verdict = verdicts[i] ?? "";
      if (outcome === "accept") expect(verdict).toBe("accepted");
      else if (outcome === "receipt") expect(verdict).toMatch(/^(receipt|known|escrowed:unverified-receipt)$/);
      else expect(verdict).toBe(WHY[why ?? ""]);
    }
    expect(finalOf(kerl)).toEqual(placesOf(expectInOrder.finalState));
    settleAll(kerl, () => kerl.escrows(), MOMENT);
    expect(finalOf(kerl)).toEqual(expectAfterAllReceipts?.final);
    expect(verdicts.some((verdict) => verdict.startsWith("rejected:")) || kerl.escrows().length > 0).toBe(
      expectAfterAllReceipts?.accepted === false,
    );
  });

  test("ends in the same state where waits end as soon as they can, as in the log", () => {
    if (expectAfterAllReceipts === null) return;
    const kerl = new MemoryKerl();
    for (const message of messages) {
      const judged = judgeMessage(kerl, message, { height: 0 });
      if (judged.ok) for (const fact of judged.value.facts) applyKerlFact(kerl, fact, 0);
    }
    expect(finalOf(kerl)).toEqual(expectAfterAllReceipts.final);
  });

  test("ends in the same state when it comes backwards: everything waits, in the groups of its version, and is judged anew", () => {
    if (expectAfterAllReceipts === null) return;
    const kerl = new MemoryKerl();
    for (const message of messages.toReversed()) {
      const judged = judgeMessage(kerl, message, MOMENT);
      if (judged.ok) for (const fact of judged.value.facts) applyKerlFact(kerl, fact, 0);
    }
    settleAll(kerl, () => kerl.escrows(), MOMENT);
    expect(finalOf(kerl)).toEqual(expectAfterAllReceipts.final);
  });

  test("parsed and exported again it is the same bytes: every message as it stands, every event that is accepted as it came", () => {
    if (refusal === null) expect(concatBytes(...messages.map(({ source }) => source))).toEqual(utf8(stream));
    const kerl = new MemoryKerl();
    for (const message of messages) {
      const waits = kerl.escrowCount() > 0;
      const judged = judgeMessage(kerl, message, MOMENT);
      if (!judged.ok) continue;
      for (const fact of judged.value.facts) {
        applyKerlFact(kerl, fact, 0);
        // What came in pieces is one message afterwards.
        if (fact.kind === "keyEventAccepted" && !waits)
          expect(concatBytes(fact.event, fact.attached)).toEqual(message.source);
      }
    }
  });
});
