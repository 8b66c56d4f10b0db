/** Asks a node why a check is true or false. */
import type { Height } from "../base/brands.ts";
import type { Explanation } from "../events/facts/explanation.ts";
import type { Assertion } from "../events/facts/graph.ts";
import { explanationOf } from "../wire/explanation.ts";
import type * as Sky from "../wire/generated/sky/oracle/v1/oracle.ts";
import { assertionMessage } from "../wire/sky-graph.ts";
import { SkyError } from "./errors.ts";
import { type OracleStub, unary } from "./nodes.ts";

export type { Explanation } from "../events/facts/explanation.ts";

/** An explanation, and the height that it is true at. */
export type Explained = Explanation & { readonly height: Height };

/** One try. */
export const askWhy = (
  stub: OracleStub,
  assertion: Assertion,
  at: Sky.ExplainRequest["at"],
  deadlineMs: number,
): Promise<Sky.ExplainResponse> =>
  unary(stub.explain.bind(stub), { assertion: assertionMessage(assertion), at }, deadlineMs, false);

/** Throws: SkyError MALFORMED when the reply explains nothing. */
export function explainedOf(assertion: Assertion, reply: Sky.ExplainResponse): Explained {
  const explained = explanationOf(assertion, reply);
  if (explained.ok) return explained.value;
  throw new SkyError(explained.refusal.code, explained.refusal.message, { retryable: true });
}
