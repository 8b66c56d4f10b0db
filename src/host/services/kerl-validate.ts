/** Validate: whether an event, or any message, is what it says. Nothing is written; a "no" is an answer. */
import { type Result, ok, refuse } from "../../base/result.ts";
import { type KeySignature, isSignedBy } from "../../crypto/key-set.ts";
import { readIndexed, signatureAlgorithm } from "../../keri/cesr/indexer.ts";
import { CheckBudget, QUESTION_CHECKS_MAX } from "../../keri/check-budget.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { bodyOf } from "../../keri/stored-body.ts";
import { messagesOf } from "../../projections/kerl/append.ts";
import type * as Kerl from "../../wire/generated/sky/kerl/v1/kerl.ts";
import { freshHeight, readerOf } from "./kerl-call.ts";
import { aidOf, eventRefMessage, notFound, snOf } from "./kerl-messages.ts";
import type { KerlContext } from "./kerl-port.ts";
import type { ReadCall } from "./sky-answers.ts";

/** As many as an event may have keys that a batch can name. */
const SIGNATURES_MAX = 64;
const MESSAGE_BYTES_MAX = 1024 * 1024;

type Answer = Omit<Kerl.ValidateResponse, "height">;

const tooDear = refuse(
  "LIMIT_EXCEEDED",
  `One call may cost ${QUESTION_CHECKS_MAX} checks of Ed25519 signatures; ask with fewer signatures, or of a shorter message.`,
);

const no = (code: string, reason: string, by?: KeyState): Answer => ({
  valid: false,
  verdict: "",
  code,
  reason,
  by: by && eventRefMessage(by),
});

export async function validate(
  context: KerlContext,
  call: ReadCall,
  request: Kerl.ValidateRequest,
): Promise<Result<Kerl.ValidateResponse>> {
  const { of } = request;
  if (of === undefined) return refuse("EMPTY_MESSAGE", "The request asks about nothing; give an event or a message.");
  const judge =
    of.$case === "event" ? () => eventAnswer(context, call, of.event) : () => messageAnswer(context, call, of.message);
  const caller = context.callerOf(call);
  if (!caller.ok) return caller;
  const height = await freshHeight(context, call, request.consistency);
  if (!height.ok) return height;
  const answer = judge();
  return answer.ok ? ok({ ...answer.value, height: BigInt(height.value) }) : answer;
}

function eventAnswer(context: KerlContext, call: ReadCall, stream: Uint8Array): Result<Answer> {
  const messages = messagesOf(stream);
  if (!messages.ok) return ok(no(messages.refusal.code, messages.refusal.message));
  const [message] = messages.value;
  if (message === undefined || messages.value.length > 1)
    return refuse("TOO_MANY", `The stream holds ${messages.value.length} messages; send one at a time.`);
  const body = bodyOf(message);
  if (!body.ok) return ok(no(body.refusal.code, body.refusal.message));
  const about = body.value.type === "rpy" ? undefined : body.value;
  // What it is about says who may ask: a reply tells nothing that its sender does not have.
  const reader = about === undefined ? ok(undefined) : readerOf(context, call, about.aid);
  if (!reader.ok) return reader;
  const by = about === undefined || about.sn === 0 ? undefined : context.kerl.keyState(about.aid);
  const judged = context.kerl.judge(message);
  if (!judged.ok && judged.refusal.code === "LIMIT_EXCEEDED") return tooDear;
  if (!judged.ok) return ok(no(judged.refusal.code, judged.refusal.message, by));
  const verdict = judged.value === "replied" ? "accepted" : judged.value === "duplicitous" ? "forked" : judged.value;
  const valid = verdict === "accepted" || verdict === "known" || verdict === "receipt";
  const [code, reason] = valid
    ? ["", ""]
    : verdict === "forked"
      ? ["KERI_DUPLICITOUS", "Another event with valid signatures is in force in its place."]
      : ["KERI_INCOMPLETE", `What was sent does not suffice by itself (${verdict}); the log would let it wait.`];
  return ok({ valid, verdict, code, reason, by: by && eventRefMessage(by) });
}

function messageAnswer(context: KerlContext, call: ReadCall, asked: Kerl.SignedMessage): Result<Answer> {
  const reader = readerOf(context, call, asked.aid);
  if (!reader.ok) return reader;
  const aid = aidOf(asked.aid);
  if (!aid.ok) return aid;
  if (asked.signatures.length > SIGNATURES_MAX || asked.message.length > MESSAGE_BYTES_MAX)
    return refuse("TOO_LARGE", `A message has at most ${SIGNATURES_MAX} signatures and ${MESSAGE_BYTES_MAX} bytes.`);
  const state = context.kerl.keyState(aid.value, asked.sn === undefined ? undefined : snOf(asked.sn));
  if (state === undefined) return notFound(`such key state of ${aid.value}`, context.kerl.queries.height());
  const signatures: KeySignature[] = [];
  for (const text of asked.signatures) {
    const read = readIndexed(text);
    if (!read.ok || read.value.length !== text.length)
      return ok(no("KERI_MALFORMED", "A signature is no CESR text of an indexed signature.", state));
    const { code, index, raw } = read.value;
    if (state.keys[index]?.algorithm !== signatureAlgorithm(code))
      return ok(no("KERI_BAD_SIGNATURE", `There is no key ${index} of the signature's algorithm.`, state));
    signatures.push({ index, sig: raw });
  }
  const budget = new CheckBudget(QUESTION_CHECKS_MAX);
  for (const { index } of signatures) {
    const key = state.keys[index];
    if (key !== undefined && !budget.mayCheck(key, asked.message.length)) return tooDear;
  }
  if (isSignedBy(state, asked.message, signatures))
    return ok({ valid: true, verdict: "", code: "", reason: "", by: eventRefMessage(state) });
  return ok(no("KERI_BAD_SIGNATURE", "The signatures do not hold, or are not as many as these keys need.", state));
}
