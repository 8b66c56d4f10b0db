/** Append, BindEndpoint and UnbindEndpoint: signed batches of key event streams, and what became of each message. */
import type { Aid, CommandId } from "../../base/brands.ts";
import { fromHex } from "../../base/bytes.ts";
import { decode } from "../../base/codec.ts";
import { type No, type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { SIGNED_BYTES_MAX, anyPayloadBodyShape, signedBodyShape, signedShape } from "../../events/facts/command.ts";
import { STREAM_BYTES_MAX } from "../../events/facts/kerl.ts";
import type { ParsedBody } from "../../keri/messages.ts";
import { replySigner } from "../../keri/replies.ts";
import { bodyOf } from "../../keri/stored-body.ts";
import { messagesOf } from "../../projections/kerl/append.ts";
import type * as Kerl from "../../wire/generated/sky/kerl/v1/kerl.ts";
import type { CommandOutcome } from "../../wire/outcome.ts";
import { receiptMessage, refusalMessage } from "../../wire/sky-graph.ts";
import { WRITE_DEADLINE_MS, deadlineOf } from "./call.ts";
import type { KerlContext } from "./kerl-port.ts";
import type { ReadCall } from "./sky-answers.ts";

/** Body of 1 MiB, 64 signatures and their framing. */
const SIGNED_MESSAGE_MAX = SIGNED_BYTES_MAX + 8_192;

/** What a call takes, apart from key events. */
export type Taking = "anything" | "what binds" | "what unbinds";

interface Opened {
  readonly id: CommandId;
  /** Undefined where the stream is refused anyhow. */
  readonly bodies: readonly ParsedBody[] | undefined;
}

/** Submits a batch. Refuses: EMPTY_MESSAGE, TOO_LARGE, MALFORMED, UNSUPPORTED, UNAUTHENTICATED, and what the port refuses. */
export async function appendBatch(
  context: KerlContext,
  call: ReadCall,
  { signed }: { readonly signed: Uint8Array },
  taking: Taking,
): Promise<Result<Kerl.AppendResponse>> {
  const caller = context.callerOf(call);
  if (!caller.ok) return caller;
  const opened = openBatch(signed, taking);
  if (!opened.ok) return opened;
  const outcomes = await context.kerl.submitSigned(signed, deadlineOf(call, WRITE_DEADLINE_MS));
  if (!outcomes.ok) return outcomes;
  const bodies = new Map(opened.value.map((command) => [command.id, command.bodies]));
  const results = outcomes.value.map((outcome) => resultMessage(context, outcome, bodies.get(outcome.id) ?? []));
  return ok({ results, height: BigInt(context.kerl.queries.height()) });
}

function openBatch(bytes: Uint8Array, taking: Taking): Result<readonly Opened[]> {
  if (bytes.length === 0)
    return refuse("EMPTY_MESSAGE", "The request holds no signed batch; sign one and send its bytes.");
  if (bytes.length > SIGNED_MESSAGE_MAX)
    return refuse(
      "TOO_LARGE",
      `The batch has ${bytes.length} bytes, more than ${SIGNED_MESSAGE_MAX}; split it and sign the parts.`,
    );
  const signed = decode(signedShape, bytes, SIGNED_MESSAGE_MAX);
  if (!signed.ok) return signed;
  const body = decode(signedBodyShape, signed.value.body, SIGNED_BYTES_MAX);
  if (!body.ok) return outOfBounds(signed.value.body) ?? body;
  const opened: Opened[] = [];
  for (const [i, { id, kind, payload }] of body.value.commands.entries()) {
    if (kind !== "kerl.append")
      return refuse("UNSUPPORTED", `Command ${i} is of kind ${kind}; send it by the service that is for it.`);
    const bodies = bodiesOf(payload);
    if (bodies !== undefined && !bodies.every((one) => isTaken(one, taking)))
      return refuse("UNSUPPORTED", `Command ${i} holds more than ${taking} endpoints; send it by Append.`);
    opened.push({ id, bodies });
  }
  return ok(opened);
}

/** Why a body that cannot be read cannot: undefined where it is no stream's length. */
function outOfBounds(bytes: Uint8Array): No<Refusal> | undefined {
  const body = decode(anyPayloadBodyShape, bytes, SIGNED_BYTES_MAX);
  if (!body.ok) return undefined;
  for (const [i, { kind, payload }] of body.value.commands.entries()) {
    if (kind !== "kerl.append") continue;
    if (payload.length === 0)
      return refuse("EMPTY_MESSAGE", `The stream of command ${i} holds no message; send at least one.`);
    if (payload.length > STREAM_BYTES_MAX)
      return refuse("TOO_LARGE", `The stream of command ${i} ${tooLong(payload.length)}`);
  }
  return undefined;
}

const tooLong = (length: number): string =>
  `has ${length} bytes, more than ${STREAM_BYTES_MAX}; split it between messages and send its parts one after the other.`;

function bodiesOf(stream: Uint8Array): readonly ParsedBody[] | undefined {
  const messages = messagesOf(stream);
  if (!messages.ok) return undefined;
  const bodies: ParsedBody[] = [];
  for (const message of messages.value) {
    const body = bodyOf(message);
    if (!body.ok) return undefined;
    bodies.push(body.value);
  }
  return bodies;
}

function isTaken(body: ParsedBody, taking: Taking): boolean {
  if (taking === "anything") return true;
  if (body.type !== "rpy") return false;
  const unbinds =
    body.route === "/end/role/cut" || (body.route === "/loc/scheme" && (body.attributes["url"] ?? "") === "");
  return unbinds === (taking === "what unbinds");
}

function resultMessage(
  { kerl }: KerlContext,
  { id, receipt, result }: CommandOutcome,
  bodies: readonly ParsedBody[],
): Kerl.AppendResult {
  const commandId = Buffer.from(fromHex(id) ?? []);
  if (result.kind === "refused") {
    const refused = refusalMessage({ code: result.code, message: result.message, blame: "client" });
    return { commandId, receipt: receiptMessage(receipt), outcome: { $case: "refused", refused } };
  }
  const messages = bodies.map((body, i): Kerl.MessageVerdict => {
    const changed = result.changed[i] ?? false;
    const place = body.type === "rpy" ? { aid: replySigner(body), sn: 0 } : body;
    return {
      aid: place.aid satisfies Aid,
      sn: BigInt(place.sn),
      said: body.said,
      type: body.type,
      verdict: kerl.standing(body, changed),
      changed,
    };
  });
  return { commandId, receipt: receiptMessage(receipt), outcome: { $case: "appended", appended: { messages } } };
}
