/** Between the messages of sky.oracle.v1 and the graph's own types. */
import { type Height, height } from "../base/brands.ts";
import { digestBytes, digestOf, fromHex, toHex } from "../base/bytes.ts";
import type { CommandId } from "../base/brands.ts";
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";
import type { Assertion, GraphNode, Relation } from "../events/facts/graph.ts";
import type * as Sky from "./generated/sky/oracle/v1/oracle.ts";
import type { CommandOutcome, Receipt } from "./outcome.ts";
import { isRetryable, retryAfterOf } from "./status.ts";

const EMPTY = refuse("EMPTY_MESSAGE", "The message is empty or names nothing; fill in what the call needs.");
const NAMELESS = refuse("NAME_EMPTY", "A subject or object has no name; only namespace and relation may be left out.");
const INCOMPLETE = refuse(
  "RELATION_INCOMPLETE",
  "A relation has a namespace but no name; give both, or neither for the null relation.",
);

/** Refuses: EMPTY_MESSAGE, NAME_EMPTY, RELATION_INCOMPLETE. */
export function nodeOf(message: Sky.Node | undefined): Result<GraphNode> {
  if (message === undefined) return EMPTY;
  if (message.name === "") return NAMELESS;
  if (message.relationName === "" && message.relationNamespace !== "") return INCOMPLETE;
  return ok({
    namespace: message.namespace,
    name: message.name,
    relation: { namespace: message.relationNamespace, name: message.relationName },
  });
}

export function assertionOf(message: Sky.Assertion | undefined): Result<Assertion> {
  if (message === undefined) return EMPTY;
  const subject = nodeOf(message.subject);
  if (!subject.ok) return subject;
  const object = nodeOf(message.object);
  if (!object.ok) return object;
  return ok({ subject: subject.value, object: object.value });
}

/** Refuses: EMPTY_MESSAGE for none, TOO_MANY beyond `max`, and what `item` refuses. */
export function listOf<Message, T>(
  messages: readonly Message[],
  item: (message: Message) => Result<T>,
  max: number,
): Result<readonly T[]> {
  if (messages.length === 0) return EMPTY;
  if (messages.length > max)
    return refuse("TOO_MANY", `The call lists ${messages.length} items; send at most ${max} at a time.`);
  const out: T[] = [];
  for (const message of messages) {
    const judged = item(message);
    if (!judged.ok) return judged;
    out.push(judged.value);
  }
  return ok(out);
}

/** Absent: no filter. Refuses: RELATION_INCOMPLETE. */
export function predicateOf(message: Sky.Relation | undefined): Result<Relation | undefined> {
  if (message === undefined) return ok(undefined);
  if (message.name === "" && message.namespace !== "") return INCOMPLETE;
  return ok({ namespace: message.namespace, name: message.name });
}

export const nodeMessage = (node: GraphNode): Sky.Node => ({
  namespace: node.namespace,
  name: node.name,
  relationNamespace: node.relation.namespace,
  relationName: node.relation.name,
});

export const assertionMessage = (assertion: Assertion): Sky.Assertion => ({
  subject: nodeMessage(assertion.subject),
  object: nodeMessage(assertion.object),
});

/** A node of a reply. */
export const graphNodeOf = (message: Sky.Node): GraphNode => ({
  namespace: message.namespace,
  name: message.name,
  relation: { namespace: message.relationNamespace, name: message.relationName },
});

/** A uint64 as a height; what no height can be becomes the largest integer, which no log reaches. */
export const heightOf = (value: bigint): Height =>
  height(value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value));

/** The height an answer must have reached; 0 for the newest this node has. */
export function wantedHeightOf(message: Sky.Consistency | undefined): Height {
  const requirement = message?.requirement;
  return requirement?.$case === "atLeast" ? heightOf(requirement.atLeast.height) : height(0);
}

/** A height alone is a receipt without a command: nodes go by the height. */
export const atLeast = (wanted: Receipt | Height): Sky.Consistency => ({
  requirement: {
    $case: "atLeast",
    atLeast:
      typeof wanted === "number"
        ? { height: BigInt(wanted), index: 0, blockHash: Buffer.alloc(0) }
        : receiptMessage(wanted),
  },
});

export const receiptMessage = (receipt: Receipt): Sky.Receipt => ({
  height: BigInt(receipt.height),
  index: receipt.index,
  blockHash: Buffer.from(digestBytes(receipt.blockHash)),
});

/** Refuses: MALFORMED unless the block hash has 32 bytes. */
export function receiptOf(message: Sky.Receipt | undefined): Result<Receipt> {
  if (message === undefined || message.blockHash.length !== 32)
    return refuse("MALFORMED", "A reply holds no receipt with a block hash of 32 bytes; ask another node.", "peer");
  return ok({ height: heightOf(message.height), index: message.index, blockHash: digestOf(message.blockHash) });
}

export const refusalMessage = (refusal: Refusal): Sky.Refusal => ({
  code: refusal.code,
  message: refusal.message.toWellFormed(),
  retryable: isRetryable(refusal.code),
  retryAfterMs: retryAfterOf(refusal),
});

export const resultMessage = (outcome: CommandOutcome): Sky.CommandResult => ({
  commandId: Buffer.from(fromHex(outcome.id) ?? []),
  receipt: receiptMessage(outcome.receipt),
  outcome:
    outcome.result.kind === "executed"
      ? { $case: "executed", executed: { changed: outcome.result.changed } }
      : {
          $case: "refused",
          refused: refusalMessage({ code: outcome.result.code, message: outcome.result.message, blame: "client" }),
        },
});

/** Refuses: MALFORMED when the reply is not what a node sends. */
export function outcomeOf(message: Sky.CommandResult): Result<CommandOutcome> {
  const receipt = receiptOf(message.receipt);
  if (!receipt.ok) return receipt;
  const id = toHex(message.commandId) as CommandId;
  const outcome = message.outcome;
  if (outcome === undefined || message.commandId.length !== 16)
    return refuse("MALFORMED", "A reply leaves out what became of a command; ask another node.", "peer");
  return ok({
    id,
    receipt: receipt.value,
    result:
      outcome.$case === "executed"
        ? { kind: "executed", changed: outcome.executed.changed }
        : { kind: "refused", code: outcome.refused.code, message: outcome.refused.message },
  });
}
