/** Nodes' answers as values, or as the errors that they are. Throws: SkyError, all of them. */
import type * as Sky from "../wire/generated/sky/oracle/v1/oracle.ts";
import type { CommandOutcome } from "../wire/outcome.ts";
import { outcomeOf } from "../wire/sky-graph.ts";
import { SkyError, errorOfMessage, errorOfRefusal } from "./errors.ts";
import type { Written } from "./sky-client.ts";

/** Throws: SkyError when a node answers for fewer assertions than were asked. */
export function complete(results: readonly boolean[], asked: number): readonly boolean[] {
  if (results.length === asked) return results;
  throw new SkyError("MALFORMED", `The node answered for ${results.length} of ${asked} assertions; ask another node.`, {
    retryable: true,
  });
}

export function outcomesOf(reply: Sky.WriteResponse): readonly CommandOutcome[] {
  return reply.results.map((message) => {
    const outcome = outcomeOf(message);
    if (!outcome.ok) throw errorOfRefusal(outcome.refusal);
    return outcome.value;
  });
}

/** Throws: SkyError of a refusal. */
export function writtenOf({ id, receipt, result }: CommandOutcome): Written {
  if (result.kind === "refused") throw new SkyError(result.code, result.message, { retryable: false });
  return { id, receipt, changed: result.changed };
}

export function streamedOf({ outcome }: Sky.WriteStreamResponse): Sky.WriteResponse {
  if (outcome?.$case === "written") return outcome.written;
  throw outcome === undefined
    ? new SkyError("MALFORMED", "The node's answer is empty; ask another node.", { retryable: true })
    : errorOfMessage(outcome.refused);
}

export function checkedOf({ outcome }: Sky.CheckStreamResponse): Sky.CheckBatchResponse {
  if (outcome?.$case === "checked") return outcome.checked;
  throw outcome === undefined
    ? new SkyError("MALFORMED", "The node's answer is empty; ask another node.", { retryable: true })
    : errorOfMessage(outcome.refused);
}
