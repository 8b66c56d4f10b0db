/** What a command kerl.append does: its stream's messages judged in order, each from what the one before it left; all of them or none. */
import type { Aid } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { STREAM_MESSAGES_MAX } from "../../events/facts/kerl.ts";
import { commandChecks } from "../../keri/check-budget.ts";
import type { KerlFact } from "../../keri/kerl-facts.ts";
import { applyKerlFact } from "../../keri/kerl-fold.ts";
import { type KerlReader, isExpired } from "../../keri/kerl.ts";
import type { Attachments, KeriMessage, ParsedBody } from "../../keri/messages.ts";
import { judgeMessage } from "../../keri/rules.ts";
import { bodyOf } from "../../keri/stored-body.ts";
import { parseStream } from "../../keri/stream.ts";
import type { KerlLayer } from "./layer.ts";
import type { KerlSource } from "./source.ts";

export interface AppendContext {
  readonly author: Aid;
  /** Whether the author may append what others signed: a writer, an administrator, a witness of the cluster. */
  readonly mayAppendAll: boolean;
  readonly height: number;
}

export interface AppendDecision {
  readonly facts: readonly KerlFact[];
  /** For each message, whether it changed anything. */
  readonly changed: readonly boolean[];
}

/**
 * Judges a stream in the layer, which is to be forgotten when it is refused. Yields between messages: one may carry 64 signatures.
 * Bounds: 256 KiB (a payload), 64 messages, signature checks (LIMIT_EXCEEDED: check-budget.ts). Refuses: EMPTY_MESSAGE, TOO_LARGE, PERMISSION_DENIED, every KerlCode, with the position of the message.
 */
export function* appendStream(
  layer: KerlLayer,
  stream: Uint8Array,
  context: AppendContext,
): Generator<void, Result<AppendDecision>> {
  const messages = messagesOf(stream);
  if (!messages.ok) return messages;
  const facts: KerlFact[] = [];
  const changed: boolean[] = [];
  const now = { height: context.height, checks: commandChecks() };
  for (const [i, message] of messages.value.entries()) {
    const refusal = judgeAppender(layer, message, context);
    if (refusal !== undefined) return refuse(refusal.code, `Message ${i}: ${refusal.message}`);
    const judged = judgeMessage(layer, message, now);
    if (!judged.ok) return refuse(judged.refusal.code, `Message ${i}: ${judged.refusal.message}`);
    for (const fact of judged.value.facts) {
      applyKerlFact(layer, fact, context.height);
      facts.push(fact);
    }
    changed.push(judged.value.facts.length > 0);
    yield;
  }
  return ok({ facts, changed });
}

/** Refuses: as `appendStream`, for a stream that is none. */
export function messagesOf(stream: Uint8Array): Result<readonly KeriMessage[]> {
  const { messages, refusal } = parseStream(stream);
  if (refusal !== null) return refuse(refusal.code, `Message ${messages.length}: ${refusal.message}`);
  if (messages.length === 0) return refuse("EMPTY_MESSAGE", "The stream holds no message; send at least one.");
  if (messages.length > STREAM_MESSAGES_MAX)
    return refuse(
      "TOO_LARGE",
      `The stream holds ${messages.length} messages; at most ${STREAM_MESSAGES_MAX} are one command.`,
    );
  return ok(messages);
}

/**
 * Whether the author may append this message: its own, those of identifiers that it delegates to, what it signed of others.
 * Returns the refusal; a body that cannot be read is left to the rules.
 */
export function judgeAppender(
  reader: Pick<KerlReader, "keyState">,
  message: KeriMessage,
  { author, mayAppendAll }: Pick<AppendContext, "author" | "mayAppendAll">,
): { readonly code: "PERMISSION_DENIED"; readonly message: string } | undefined {
  if (mayAppendAll) return undefined;
  const body = bodyOf(message);
  if (!body.ok) return undefined;
  if (body.value.type === "rpy" && isOutdated(reader, author, message.attachments))
    return { code: "PERMISSION_DENIED", message: `The reply is signed by earlier keys of ${author}; sign it anew.` };
  if (isOf(reader, author, body.value, message.attachments)) return undefined;
  const sentence = `${author} may append its own key events and what it signed of others; for more an administrator grants sky:cluster#write.`;
  return { code: "PERMISSION_DENIED", message: sentence };
}

function isOf(reader: Pick<KerlReader, "keyState">, author: Aid, body: ParsedBody, attachments: Attachments): boolean {
  if (body.type === "rpy") return isSignedOnlyBy(author, attachments);
  if (body.aid === author) return true;
  if (body.type === "rct") return isSignedOnlyBy(author, attachments);
  if (body.type === "dip") return body.delegator === author;
  return reader.keyState(body.aid)?.delegator === author;
}

/**
 * Whether keys signed that the author has rotated away. BADA accepts what they signed where nothing newer is kept ("BADA Rules", signed
 * updates: no Prior, then accept always), and so do the rules; whoever sends no others' messages has no reason to send it.
 */
function isOutdated(reader: Pick<KerlReader, "keyState">, author: Aid, attachments: Attachments): boolean {
  const state = reader.keyState(author);
  return (
    state !== undefined &&
    attachments.transferableSignatures.some(
      ({ aid, establishment: by }) =>
        aid === author && by !== null && (by.sn < state.sn || (by.sn === state.sn && by.said !== state.said)),
    )
  );
}

function isSignedOnlyBy(author: Aid, attachments: Attachments): boolean {
  const signers = [
    ...attachments.receiptCouples.map(({ receiptor }) => receiptor),
    ...attachments.transferableSignatures.map(({ aid }) => aid),
  ];
  const indexed = attachments.controllerSignatures.length + attachments.witnessSignatures.length;
  return indexed === 0 && signers.length > 0 && signers.every((signer) => signer === author);
}

/** What has waited too long when the block of this height begins, in the order it came. */
export function expiredAt(source: Pick<KerlSource, "escrows">, height: number): readonly KerlFact[] {
  const expired = [...source.escrows()].filter((escrow) => isExpired(escrow, height));
  return expired
    .sort((a, b) => a.order - b.order)
    .map(({ aid, sn, said, reason, waitsFor }) => ({
      kind: "keyEventDropped",
      aid,
      sn,
      said,
      reason,
      waitsFor,
      code: "KERI_EXPIRED",
    }));
}
