/** The compatible Oracle, com.hellblazer.delphi.v1: 26 unary calls. Source: docs/protocol/oracle.md. */
import {
  Metadata,
  type ServerUnaryCall,
  type StatusObject,
  type handleUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import type { Height } from "../../base/brands.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import type { Assertion, GraphChange, GraphNode } from "../../events/facts/graph.ts";
import * as graph from "../../wire/compatible-graph.ts";
import {
  type Asserted,
  type AssertionAt,
  type AssertionCheck,
  type Objects,
  Oracle_Service,
  type Oracle_Server,
  type Subjects,
  type Ts,
} from "../../wire/generated/com/hellblazer/delphi/v1/oracle.ts";
import { judgeWriteNames, namespacesOf } from "../../wire/names.ts";
import type { CommandOutcome } from "../../wire/outcome.ts";
import { heightOf } from "../../wire/sky-graph.ts";
import { errorOf } from "../../wire/status.ts";
import { strictService } from "../../wire/strict-service.ts";
import {
  HeightTrailer,
  MESSAGE_BYTES_MAX,
  READ_DEADLINE_MS,
  REPLY_NODES_MAX,
  type ServiceContext,
  WRITE_DEADLINE_MS,
  behind,
  deadlineOf,
  defectOf,
  reached,
  readerOf,
  undecodable,
} from "./call.ts";

const TRUE = Buffer.from([0x08, 0x01]);
const FALSE = Buffer.alloc(0);

/** Requests decoded strictly; answers to check are one of two byte strings. */
export const compatibleOracleService = ((): typeof Oracle_Service => {
  const strict = strictService(Oracle_Service);
  return {
    ...strict,
    check: { ...strict.check, responseSerialize: ({ result }: AssertionCheck) => (result ? TRUE : FALSE) },
  };
})();

type Unary<Request, Reply> = handleUnaryCall<Request, Reply>;

/** Handlers of the compatible service, to be added with compatibleOracleService. */
export function compatibleOracle(context: ServiceContext): Oracle_Server {
  const { check } = checking(context);
  const write = writing(context);
  const { subjects, objects } = reading(context);
  const port = context.port;
  const expandSubjects = subjects(
    ({ object, predicate }: { readonly object: NodeMessage; readonly predicate: RelationMessage }) =>
      both(graph.nodeOf(object), graph.relationOf(predicate)),
    ([object, predicate]) => port.expandSubjects(object, predicate),
  );
  return {
    check,
    addAssertion: asserting(context),
    deleteAssertion: write((message) => changed("deleteAssertion", "assertion", graph.assertionOf(message))),
    addNamespace: write((message) => changed("addNamespace", "namespace", graph.namespaceOf(message))),
    deleteNamespace: write((message) => changed("deleteNamespace", "namespace", graph.namespaceOf(message))),
    addRelation: write((message) => changed("addRelation", "relation", graph.namedRelationOf(message))),
    deleteRelation: write((message) => changed("deleteRelation", "relation", graph.namedRelationOf(message))),
    addSubject: write((message) => changed("addSubject", "subject", graph.nodeOf(message))),
    deleteSubject: write((message) => changed("deleteSubject", "subject", graph.nodeOf(message))),
    addObject: write((message) => changed("addObject", "object", graph.nodeOf(message))),
    deleteObject: write((message) => changed("deleteObject", "object", graph.nodeOf(message))),
    mapRelation: write((message) => changed("mapRelation", "edge", graph.relationEdgeOf(message))),
    unmapRelation: write((message) => changed("unmapRelation", "edge", graph.relationEdgeOf(message))),
    mapSubject: write((message) => changed("mapSubject", "edge", graph.nodeEdgeOf(message))),
    unmapSubject: write((message) => changed("unmapSubject", "edge", graph.nodeEdgeOf(message))),
    mapObject: write((message) => changed("mapObject", "edge", graph.nodeEdgeOf(message))),
    unmapObject: write((message) => changed("unmapObject", "edge", graph.nodeEdgeOf(message))),
    expandSubjects,
    subjects: expandSubjects,
    expandSubject: subjects(graph.nodeOf, (object) => port.expandSubjects(object)),
    expandObject: objects(graph.nodeOf, (subject) => port.expandObjects(subject)),
    expandObjects: objects(
      ({ subject, predicate }) => both(graph.nodeOf(subject), graph.relationOf(predicate)),
      ([subject, predicate]) => port.expandObjects(subject, predicate),
    ),
    readSubjects: subjects(
      (message: Objects) => graph.nodesOf(message.objects),
      (nodes) => port.readSubjects(nodes),
    ),
    readObjects: objects(
      (message: Subjects) => graph.nodesOf(message.subjects),
      (nodes) => port.readObjects(nodes),
    ),
    readSubjectsMatching: subjects(
      ({
        objects: asked,
        predicate,
      }: {
        readonly objects: readonly Present<NodeMessage>[];
        readonly predicate: RelationMessage;
      }) => both(graph.nodesOf(asked), graph.relationOf(predicate)),
      ([nodes, predicate]) => port.readSubjects(nodes, predicate),
    ),
    readObjectsMatching: objects(
      ({
        subjects: asked,
        predicate,
      }: {
        readonly subjects: readonly Present<NodeMessage>[];
        readonly predicate: RelationMessage;
      }) => both(graph.nodesOf(asked), graph.relationOf(predicate)),
      ([nodes, predicate]) => port.readObjects(nodes, predicate),
    ),
  };
}

type NodeMessage = Parameters<typeof graph.nodeOf>[0];
type RelationMessage = Parameters<typeof graph.relationOf>[0];
type Present<T> = Exclude<T, undefined>;

const both = <A, B>(a: Result<A>, b: Result<B>): Result<readonly [A, B]> =>
  a.ok ? (b.ok ? ok([a.value, b.value]) : b) : a;

/** The change of that kind with the judged value as its one field. */
function changed<Kind extends GraphChange["kind"], Field extends string, T>(
  kind: Kind,
  field: Field,
  judged: Result<T>,
): Result<{ readonly kind: Kind } & { readonly [F in Field]: T }> {
  if (!judged.ok) return judged;
  return ok({ kind, [field]: judged.value } as { readonly kind: Kind } & { readonly [F in Field]: T });
}

/** check: nothing is awaited unless the caller asks for a height that this node has not reached. */
function checking(context: ServiceContext): { readonly check: Unary<AssertionAt, AssertionCheck> } {
  const { port } = context;
  const trailer = new HeightTrailer();
  const answer = (assertion: Assertion, reply: sendUnaryData<AssertionCheck>): void => {
    const result = port.check(assertion);
    reply(null, { result }, trailer.at(port.height()));
  };
  const wait = async (
    wanted: Height,
    assertion: Assertion,
    deadlineMs: number,
    reply: sendUnaryData<AssertionCheck>,
  ): Promise<void> => {
    if (await reached(port, wanted, deadlineMs)) return answer(assertion, reply);
    const metadata = new Metadata();
    metadata.set("sky-reason", "behind");
    metadata.set("sky-height", String(port.height()));
    reply(null, { result: false }, metadata);
  };
  const check: Unary<AssertionAt, AssertionCheck> = (call, reply) => {
    try {
      const { request } = call;
      const broken = undecodable(request);
      if (broken !== undefined) return reply(errorOf(broken.refusal, port.height()));
      const caller = readerOf(context, call);
      if (!caller.ok) return reply(errorOf(caller.refusal, port.height()));
      const assertion = graph.assertionOf(request.assertion);
      if (!assertion.ok) return reply(errorOf(assertion.refusal, port.height()));
      if (request.ts <= port.height()) return answer(assertion.value, reply);
      wait(heightOf(request.ts), assertion.value, deadlineOf(call, READ_DEADLINE_MS), reply).catch((error: unknown) =>
        reply(defectOf(context, error)),
      );
    } catch (error) {
      reply(defectOf(context, error));
    }
  };
  return { check };
}

const POLICY = refuse(
  "POLICY_FORBIDDEN",
  "Namespace sky is the cluster's own; an administrator changes it through sky.oracle.v1.",
);

/** Submits one change for the caller. Refuses: what the gateway and the port refuse, and what `decide` refused. */
async function submit(
  context: ServiceContext,
  call: ServerUnaryCall<unknown, unknown>,
  change: Result<GraphChange>,
): Promise<Result<CommandOutcome>> {
  const broken = undecodable(call.request);
  if (broken !== undefined) return broken;
  const caller = context.callerOf(call);
  if (!caller.ok) return caller;
  if (!change.ok) return change;
  for (const namespace of namespacesOf(change.value)) if (namespace === "sky") return POLICY;
  const write = judgeWriteNames({ changes: [change.value], preconditions: [] });
  if (!write.ok) return write;
  const outcome = await context.port.submitFor(caller.value.aid, write.value, deadlineOf(call, WRITE_DEADLINE_MS));
  if (outcome.ok && outcome.value.result.kind === "refused")
    return refuse(outcome.value.result.code, outcome.value.result.message);
  return outcome;
}

/** A handler for writes: judges the message, submits the change, answers with the outcome. */
const settling =
  <Reply>(context: ServiceContext, replyOf: (outcome: CommandOutcome) => Reply) =>
  <Message>(changeOf: (message: Message) => Result<GraphChange>): Unary<Message, Reply> =>
  (call, reply) => {
    const run = async (): Promise<void> => {
      const change = undecodable(call.request) ?? changeOf(call.request);
      const outcome = await submit(context, call, change);
      if (!outcome.ok) return reply(errorOf(outcome.refusal, context.port.height()));
      const trailer = new Metadata();
      trailer.set("sky-height", String(outcome.value.receipt.height));
      reply(null, replyOf(outcome.value), trailer);
    };
    run().catch((error: unknown) => reply(defectOf(context, error)));
  };

const writing = (context: ServiceContext) => settling<Ts>(context, ({ receipt }) => ({ ts: BigInt(receipt.height) }));

const asserting = (context: ServiceContext): Oracle_Server["addAssertion"] =>
  settling<Asserted>(context, ({ receipt, result }) => ({
    ts: BigInt(receipt.height),
    added: result.kind === "executed" && result.changed[0] === true,
  }))((message) => changed("addAssertion", "assertion", graph.assertionOf(message)));

/** The height that metadata sky-at-least asks for; 0 when there is none. Refuses: BAD_METADATA. */
function atLeastOf(metadata: Metadata): Result<Height> {
  const values = metadata.get("sky-at-least");
  const [value] = values;
  if (value === undefined) return ok(heightOf(0n));
  if (values.length === 1 && /^\d{1,20}$/.test(String(value))) return ok(heightOf(BigInt(String(value))));
  return refuse("BAD_METADATA", "Metadata sky-at-least is not one decimal number; send the height of a receipt.");
}

/** Refuses: RESULT_TOO_LARGE beyond 100,000 nodes or 4 MiB; a result is never cut silently. */
function fitting(nodes: readonly GraphNode[]): Result<readonly GraphNode[]> {
  if (nodes.length <= REPLY_NODES_MAX && graph.encodedBytes(nodes) <= MESSAGE_BYTES_MAX) return ok(nodes);
  return refuse(
    "RESULT_TOO_LARGE",
    `The result has ${nodes.length} nodes, more than ${REPLY_NODES_MAX} or 4 MiB; use a predicate, or sky.oracle.v1 Expand, which streams.`,
  );
}

type Answer<Reply> = { readonly error: StatusObject } | { readonly value: Reply; readonly trailer: Metadata };

/** Handlers for read and expand: judge, wait for the height asked for, look up, fit, answer at the node's height. */
function reading(context: ServiceContext) {
  const { port } = context;
  const trailer = new HeightTrailer();
  const failed = (refusal: Refusal): { readonly error: StatusObject } => ({ error: errorOf(refusal, port.height()) });
  const handler =
    <Reply>(replyOf: (nodes: readonly GraphNode[]) => Reply) =>
    <Message, Query>(
      queryOf: (message: Message) => Result<Query>,
      find: (query: Query) => readonly GraphNode[],
    ): Unary<Message, Reply> =>
    (call, reply) => {
      const run = async (): Promise<Answer<Reply>> => {
        const broken = undecodable(call.request);
        if (broken !== undefined) return failed(broken.refusal);
        const caller = readerOf(context, call);
        if (!caller.ok) return failed(caller.refusal);
        const query = queryOf(call.request);
        if (!query.ok) return failed(query.refusal);
        const wanted = atLeastOf(call.metadata);
        if (!wanted.ok) return failed(wanted.refusal);
        if (!(await reached(port, wanted.value, deadlineOf(call, READ_DEADLINE_MS))))
          return failed(behind(port, wanted.value).refusal);
        const height = port.height();
        const nodes = fitting(find(query.value));
        return nodes.ok ? { value: replyOf(nodes.value), trailer: trailer.at(height) } : failed(nodes.refusal);
      };
      run().then(
        (answer) => ("error" in answer ? reply(answer.error) : reply(null, answer.value, answer.trailer)),
        (error: unknown) => reply(defectOf(context, error)),
      );
    };
  return {
    subjects: handler<Subjects>((nodes) => ({ subjects: nodes.map(graph.nodeMessage) })),
    objects: handler<Objects>((nodes) => ({ objects: nodes.map(graph.nodeMessage) })),
  };
}
