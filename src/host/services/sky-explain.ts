/** sky.oracle.v1's Explain: from the live read model, or through the projector for a past height. */
import { type Result, ok, refuse } from "../../base/result.ts";
import type { Height } from "../../base/brands.ts";
import type { Explanation } from "../../events/facts/explanation.ts";
import { encodedBytes } from "../../wire/compatible-graph.ts";
import { explanationMessage, nodesOf } from "../../wire/explanation.ts";
import type { ExplainRequest, ExplainResponse } from "../../wire/generated/sky/oracle/v1/oracle.ts";
import * as graph from "../../wire/sky-graph.ts";
import { MESSAGE_BYTES_MAX, type ServiceContext, readerOf } from "./call.ts";
import { type ReadCall, freshEnough } from "./sky-answers.ts";

/** Refuses: what check and checkAt refuse; RESULT_TOO_LARGE. */
export async function explain(
  context: ServiceContext,
  call: ReadCall,
  { assertion, at }: ExplainRequest,
): Promise<Result<ExplainResponse>> {
  const caller = readerOf(context, call);
  if (!caller.ok) return caller;
  const question = graph.assertionOf(assertion);
  if (!question.ok) return question;
  if (at?.$case === "height") {
    const view = await context.port.at(graph.heightOf(at.height));
    if (!view.ok) return view;
    const past = await view.value.explain(question.value);
    return past.ok ? reply(past.value, view.value.height) : past;
  }
  const fresh = await freshEnough(context, call, graph.wantedHeightOf(at?.consistency));
  if (!fresh.ok) return fresh;
  const { port } = context;
  const height = port.height();
  return reply(port.explain(question.value), height);
}

function reply(explanation: Explanation, height: Height): Result<ExplainResponse> {
  // encodedBytes measures the compatible service's nested nodes, which are never smaller than the flat ones.
  if (encodedBytes(nodesOf(explanation)) > MESSAGE_BYTES_MAX)
    return refuse(
      "RESULT_TOO_LARGE",
      `The answer is ${explanation.result ? "yes" : "no"}, but its explanation has more than 4 MiB; names are too long to show all of it.`,
    );
  return ok(explanationMessage(explanation, height));
}
