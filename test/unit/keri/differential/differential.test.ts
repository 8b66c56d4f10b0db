/**
 * Random lives of identifiers, judged by the rules and by a second verifier that shares nothing with them: honest lives are
 * accepted whole, and of garbled ones both let in force the very same events.
 * SKY_DIFFERENTIAL_RUNS sets how many lives are tried (default: few enough for ten seconds).
 */
import { expect, test } from "vitest";
import { concatBytes } from "../../../../src/base/bytes.ts";
import { applyKerlFact } from "../../../../src/keri/kerl-fold.ts";
import { MemoryKerl } from "../../../../src/keri/kerl-overlay.ts";
import type { KeriMessage } from "../../../../src/keri/messages.ts";
import { RULES } from "../../../../src/keri/rule-names.ts";
import { judgeMessage } from "../../../../src/keri/rules.ts";
import { parseStream } from "../../../../src/keri/stream.ts";
import { garble } from "./forgeries.ts";
import { World } from "./lives.ts";
import { NaiveVerifier } from "./naive-verifier.ts";
import { Random } from "./random.ts";

const RUNS = Number(process.env["SKY_DIFFERENTIAL_RUNS"] ?? 40);
const ROUNDS = 4;
const MOMENT = { height: 0, bounds: { perAid: 4096, bytesPerAid: 2 ** 24, all: 4096, bytesAll: 2 ** 26 } };
const CODES = [
  "KERI_MALFORMED",
  "KERI_UNSUPPORTED",
  "KERI_SAID_MISMATCH",
  "KERI_RULE",
  "KERI_BAD_SIGNATURE",
  "TOO_LARGE",
];

/** The one message that these bytes are; undefined where they are none, or more. */
function messageIn(bytes: Uint8Array): KeriMessage | undefined {
  const { messages, refusal } = parseStream(bytes);
  return refusal === null && messages.length === 1 ? messages[0] : undefined;
}

interface Judged {
  readonly verdicts: readonly string[];
  /** SAIDs of events, as they came into force. */
  readonly accepted: readonly string[];
  readonly inForce: Readonly<Record<string, readonly string[]>>;
}

function judgeAll(messages: readonly KeriMessage[]): Judged {
  const kerl = new MemoryKerl();
  const verdicts: string[] = [];
  const accepted: string[] = [];
  for (const message of messages) {
    const judged = judgeMessage(kerl, message, MOMENT);
    if (!judged.ok) {
      const { code, rule } = judged.refusal;
      expect(CODES).toContain(code);
      if (rule !== undefined) expect(RULES).toHaveProperty(rule);
    } else
      for (const fact of judged.value.facts) {
        applyKerlFact(kerl, fact, MOMENT.height);
        if (fact.kind === "keyEventAccepted") accepted.push(fact.said);
      }
    verdicts.push(judged.ok ? judged.value.verdict : `rejected:${judged.refusal.code}`);
  }
  const inForce = Object.fromEntries(kerl.aids().map((aid) => [aid, kerl.log(aid).map(({ said }) => said)]));
  return { verdicts, accepted, inForce };
}

function naively(messages: readonly Uint8Array[]): NaiveVerifier {
  const verifier = new NaiveVerifier();
  for (const message of messages) verifier.take(message);
  return verifier;
}

interface Whole {
  readonly bytes: Uint8Array;
  readonly message: KeriMessage;
}

/** The same messages, so that each event comes when the rules accepted it, and whatever was attached or receipted comes with it. */
function inOrderOfAcceptance(whole: readonly Whole[], accepted: readonly string[]): readonly Uint8Array[] {
  const named = whole.map(({ bytes, message }) => {
    const [, type, said] = /"t":"(...)","d":"(.{44})"/.exec(Buffer.from(message.body).toString()) ?? [];
    return { bytes, isReceipt: type === "rct", said };
  });
  const receipts = named.filter(({ isReceipt }) => isReceipt);
  const events = accepted.flatMap((said) => named.filter((one) => one.said === said && !one.isReceipt));
  return [...receipts, ...events].map(({ bytes }) => bytes);
}

test("honest lives are accepted whole, by the rules and by the second verifier", () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const world = new World(new Random(seed));
    const { messages, refusal } = parseStream(concatBytes(...world.messages));
    expect(refusal, `seed ${seed}`).toBeNull();
    expect(messages, `seed ${seed}`).toHaveLength(world.messages.length);
    const { verdicts, inForce } = judgeAll(messages);
    expect(
      verdicts.filter((verdict) => verdict.startsWith("rejected:") || verdict === "duplicitous"),
      `seed ${seed}`,
    ).toEqual([]);
    expect(inForce, `seed ${seed}`).toEqual(world.inForce());
    expect(naively(world.messages).inForce(), `seed ${seed}`).toEqual(world.inForce());
  }
});

test("of garbled and forged streams nothing is in force that the second verifier does not accept, and nothing is missing", () => {
  let raced = 0;
  let changed = 0;
  for (let seed = 1; seed <= RUNS; seed++) {
    const world = new World(new Random(seed));
    for (let round = 0; round < ROUNDS; round++) {
      const name = `seed ${seed}, round ${round}`;
      const whole = garble(world, world.messages).flatMap((bytes): readonly Whole[] => {
        const message = messageIn(bytes);
        return message === undefined ? [] : [{ bytes, message }];
      });
      const { inForce, accepted } = judgeAll(whole.map(({ message }) => message));
      expect(inForce, name).toEqual(naively(inOrderOfAcceptance(whole, accepted)).inForce());
      const second = naively(whole.map(({ bytes }) => bytes));
      if (second.raced) raced += 1;
      else expect(inForce, name).toEqual(second.inForce());
      if (JSON.stringify(inForce) !== JSON.stringify(world.inForce())) changed += 1;
    }
  }
  expect(raced / (RUNS * ROUNDS)).toBeLessThan(0.1);
  // Garbling that changed nothing would prove nothing.
  expect(changed / (RUNS * ROUNDS)).toBeGreaterThan(0.3);
});
