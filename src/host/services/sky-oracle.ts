/** sky.oracle.v1: signed writes, checks with receipts, batches and streams. Contract: proto/sky/oracle/v1/oracle.proto. */
import type { StatusObject, handleUnaryCall } from "@grpc/grpc-js";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { Assertion, GraphNode } from "../../events/facts/graph.ts";
import { NODES_PER_READ_MAX, encodedBytes } from "../../wire/compatible-graph.ts";
import {
  type CheckAtRequest,
  type CheckAtResponse,
  type CheckBatchRequest,
  type CheckBatchResponse,
  type CheckRequest,
  type CheckResponse,
  OracleServiceService,
  type OracleServiceServer,
  type ReadRequest,
  type ReadResponse,
} from "../../wire/generated/sky/oracle/v1/oracle.ts";
import * as graph from "../../wire/sky-graph.ts";
import { errorOf } from "../../wire/status.ts";
import { strictService } from "../../wire/strict-service.ts";
import {
  MESSAGE_BYTES_MAX,
  READ_DEADLINE_MS,
  REPLY_NODES_MAX,
  type ServiceContext,
  behind,
  deadlineOf,
  defectOf,
  reached,
  readerOf,
  undecodable,
} from "./call.ts";
import { type ReadCall, assertionsOf, checkAll, freshEnough, writeBatch } from "./sky-answers.ts";
import { expanding } from "./sky-expand.ts";
import { explain } from "./sky-explain.ts";
import { checkStreaming, writeStreaming } from "./sky-streams.ts";

/** Requests decoded strictly. */
export const skyOracleService = strictService(OracleServiceService);

/** Handlers of sky.oracle.v1, to be added with skyOracleService. */
export function skyOracle(context: ServiceContext): OracleServiceServer {
  return {
    write: unary(context, (call) => writeBatch(context, call, call.request)),
    writeStream: writeStreaming(context),
    check: checking(context),
    checkBatch: unary(context, (call) => checkBatch(context, call, call.request)),
    checkStream: checkStreaming(context),
    checkAt: unary(context, (call) => checkAt(context, call, call.request)),
    explain: unary(context, (call) => explain(context, call, call.request)),
    read: unary(context, (call) => read(context, call, call.request)),
    expand: expanding(context),
  };
}

function unary<Request, Reply>(
  context: ServiceContext,
  handle: (call: ReadCall & { readonly request: Request }) => Promise<Result<Reply>>,
): handleUnaryCall<Request, Reply> {
  return (call, reply) => {
    const broken = undecodable(call.request);
    if (broken !== undefined) return reply(errorOf(broken.refusal, context.port.height()));
    handle(call).then(
      (result) => (result.ok ? reply(null, result.value) : reply(errorOf(result.refusal, context.port.height()))),
      (error: unknown) => reply(defectOf(context, error)),
    );
  };
}

/** check: nothing is awaited unless the caller asks for a height that this node has not reached. */
function checking(context: ServiceContext): handleUnaryCall<CheckRequest, CheckResponse> {
  const { port } = context;
  const answer = (assertion: Assertion): CheckResponse => ({
    result: port.check(assertion),
    height: BigInt(port.height()),
  });
  return (call, reply) => {
    try {
      const refused = (error: StatusObject): void => reply(error);
      const { request } = call;
      const broken = undecodable(request);
      if (broken !== undefined) return refused(errorOf(broken.refusal, port.height()));
      const caller = readerOf(context, call);
      if (!caller.ok) return refused(errorOf(caller.refusal, port.height()));
      const assertion = graph.assertionOf(request.assertion);
      if (!assertion.ok) return refused(errorOf(assertion.refusal, port.height()));
      const wanted = graph.wantedHeightOf(request.consistency);
      if (wanted <= port.height()) return reply(null, answer(assertion.value));
      reached(port, wanted, deadlineOf(call, READ_DEADLINE_MS))
        .then((fresh) =>
          fresh ? reply(null, answer(assertion.value)) : refused(errorOf(behind(port, wanted).refusal, port.height())),
        )
        .catch((error: unknown) => reply(defectOf(context, error)));
    } catch (error) {
      reply(defectOf(context, error));
    }
  };
}

async function checkBatch(
  context: ServiceContext,
  call: ReadCall,
  request: CheckBatchRequest,
): Promise<Result<CheckBatchResponse>> {
  const caller = readerOf(context, call);
  if (!caller.ok) return caller;
  const assertions = assertionsOf(request);
  if (!assertions.ok) return assertions;
  const fresh = await freshEnough(context, call, graph.wantedHeightOf(request.consistency));
  return fresh.ok ? ok(checkAll(context, assertions.value)) : fresh;
}

async function checkAt(
  context: ServiceContext,
  call: ReadCall,
  request: CheckAtRequest,
): Promise<Result<CheckAtResponse>> {
  const caller = readerOf(context, call);
  if (!caller.ok) return caller;
  const assertions = assertionsOf(request);
  if (!assertions.ok) return assertions;
  const asked = graph.heightOf(request.height);
  const view = await context.port.at(asked);
  if (!view.ok) return view;
  const results = await view.value.check(assertions.value);
  return results.ok ? ok({ results: results.value, height: BigInt(view.value.height) }) : results;
}

async function read(context: ServiceContext, call: ReadCall, request: ReadRequest): Promise<Result<ReadResponse>> {
  const { port } = context;
  const caller = readerOf(context, call);
  if (!caller.ok) return caller;
  const { of } = request;
  const asked = graph.listOf(
    of === undefined ? [] : of.$case === "subjects" ? of.subjects.nodes : of.objects.nodes,
    graph.nodeOf,
    NODES_PER_READ_MAX,
  );
  if (!asked.ok) return asked;
  const predicate = graph.predicateOf(request.predicate);
  if (!predicate.ok) return predicate;
  const fresh = await freshEnough(context, call, graph.wantedHeightOf(request.consistency));
  if (!fresh.ok) return fresh;
  const height = BigInt(port.height());
  const nodes: readonly GraphNode[] =
    of?.$case === "subjects"
      ? port.readObjects(asked.value, predicate.value)
      : port.readSubjects(asked.value, predicate.value);
  // encodedBytes measures the compatible service's nested nodes, which are never smaller than the flat ones.
  if (nodes.length > REPLY_NODES_MAX || encodedBytes(nodes) > MESSAGE_BYTES_MAX)
    return refuse(
      "RESULT_TOO_LARGE",
      `The result has ${nodes.length} nodes, more than ${REPLY_NODES_MAX} or 4 MiB; ask with a predicate or about fewer nodes.`,
    );
  return ok({ nodes: nodes.map(graph.nodeMessage), height });
}
