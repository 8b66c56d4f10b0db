/** Answers that the unary calls and the streams of sky.oracle.v1 share. */
import type { Height } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { SIGNED_BYTES_MAX } from "../../events/facts/command.ts";
import type { Assertion } from "../../events/facts/graph.ts";
import type {
  CheckBatchRequest,
  CheckBatchResponse,
  WriteRequest,
  WriteResponse,
} from "../../wire/generated/sky/oracle/v1/oracle.ts";
import * as graph from "../../wire/sky-graph.ts";
import { READ_DEADLINE_MS, type ServiceContext, WRITE_DEADLINE_MS, behind, deadlineOf, reached } from "./call.ts";

/** Assertions in one batch: 1,000 checks take about 2 ms of the host thread, the slice that nothing may exceed. */
export const ASSERTIONS_MAX = 1_000;
/** Body of 1 MiB, 64 signatures and their framing. */
const SIGNED_MESSAGE_MAX = SIGNED_BYTES_MAX + 8_192;

/** What a handler needs of its call. */
export interface ReadCall {
  getPeer(): string;
  getDeadline(): Date | number;
}

/** Submits a signed batch. Refuses: EMPTY_MESSAGE, TOO_LARGE, UNAUTHENTICATED, and what the port refuses. */
export async function writeBatch(
  context: ServiceContext,
  call: ReadCall,
  request: Pick<WriteRequest, "signed">,
): Promise<Result<WriteResponse>> {
  const caller = context.callerOf(call);
  if (!caller.ok) return caller;
  if (request.signed.length === 0)
    return refuse("EMPTY_MESSAGE", "The request holds no signed batch; sign one and send its bytes.");
  if (request.signed.length > SIGNED_MESSAGE_MAX)
    return refuse(
      "TOO_LARGE",
      `The batch has ${request.signed.length} bytes, more than ${SIGNED_MESSAGE_MAX}; split it and sign the parts.`,
    );
  const outcomes = await context.port.submitSigned(request.signed, deadlineOf(call, WRITE_DEADLINE_MS));
  if (!outcomes.ok) return outcomes;
  const height = outcomes.value.reduce((highest, { receipt }) => Math.max(highest, receipt.height), 0);
  return ok({ results: outcomes.value.map(graph.resultMessage), height: BigInt(height) });
}

/** Answers a batch that needs no waiting. */
export function checkAll(context: ServiceContext, assertions: readonly Assertion[]): CheckBatchResponse {
  return {
    results: assertions.map((assertion) => context.port.check(assertion)),
    height: BigInt(context.port.height()),
  };
}

export const assertionsOf = (request: Pick<CheckBatchRequest, "assertions">): Result<readonly Assertion[]> =>
  graph.listOf(request.assertions, graph.assertionOf, ASSERTIONS_MAX);

/** Waits for the height. Refuses: BEHIND. */
export async function freshEnough(context: ServiceContext, call: ReadCall, wanted: Height): Promise<Result<void>> {
  if (await reached(context.port, wanted, deadlineOf(call, READ_DEADLINE_MS))) return ok(undefined);
  return behind(context.port, wanted);
}
