/** Expand of sky.oracle.v1: everything for which check is true, in pages with cursors. */
import type { ServerWritableStream, handleServerStreamingCall } from "@grpc/grpc-js";
import { decode, encode } from "../../base/codec.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { type GraphNode, graphNodeShape } from "../../events/facts/graph.ts";
import { encodedBytes } from "../../wire/compatible-graph.ts";
import type { ExpandRequest, ExpandResponse } from "../../wire/generated/sky/oracle/v1/oracle.ts";
import * as graph from "../../wire/sky-graph.ts";
import { errorOf } from "../../wire/status.ts";
import {
  READ_DEADLINE_MS,
  type ServiceContext,
  behind,
  deadlineOf,
  defectOf,
  reached,
  readerOf,
  undecodable,
} from "./call.ts";
import { writeTo } from "./stream.ts";
import { compareNodes } from "../../projections/rebac/names.ts";

const PAGE_NODES = { standard: 1_000, max: 10_000 } as const;
/** A page stays well below the 4 MiB that gRPC clients accept by default. */
const PAGE_BYTES = 1024 * 1024;
/** A cursor is the last node of its page, encoded: four names and framing. */
const CURSOR_BYTES_MAX = 4 * 4_096 + 64;

type ExpandCall = ServerWritableStream<ExpandRequest, ExpandResponse>;

export function expanding(context: ServiceContext): handleServerStreamingCall<ExpandRequest, ExpandResponse> {
  return (call) => {
    stream(context, call).then(
      (result) => {
        if (result.ok) call.end();
        else if (!call.cancelled) call.emit("error", errorOf(result.refusal, context.port.height()));
      },
      (error: unknown) => call.emit("error", defectOf(context, error)),
    );
  };
}

/** Index of the first node after `last` in sorted nodes. */
function indexAfter(nodes: readonly GraphNode[], last: GraphNode): number {
  let low = 0;
  let high = nodes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const node = nodes[middle];
    if (node !== undefined && compareNodes(node, last) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Refuses: BAD_CURSOR. */
function lastOf(cursor: Uint8Array): Result<GraphNode | undefined> {
  if (cursor.length === 0) return ok(undefined);
  const node = decode(graphNodeShape, cursor, CURSOR_BYTES_MAX);
  return node.ok ? node : refuse("BAD_CURSOR", "The cursor is none that a node gave; start again without one.");
}

/** Refuses: EMPTY_MESSAGE, TOO_MANY for the page size, and what nodes and predicates are refused for. */
function queryOf(context: ServiceContext, request: ExpandRequest): Result<() => readonly GraphNode[]> {
  const { of } = request;
  const node = graph.nodeOf(of === undefined ? undefined : of.$case === "subject" ? of.subject : of.object);
  if (!node.ok) return node;
  const predicate = graph.predicateOf(request.predicate);
  if (!predicate.ok) return predicate;
  if (request.pageSize > PAGE_NODES.max)
    return refuse("TOO_MANY", `Pages of ${request.pageSize} nodes are not served; ask for at most ${PAGE_NODES.max}.`);
  return ok(() =>
    of?.$case === "subject"
      ? context.port.expandObjects(node.value, predicate.value)
      : context.port.expandSubjects(node.value, predicate.value),
  );
}

/** The nodes of one page: ends at the page's size in nodes or at about 1 MiB, whatever comes first. */
function pageOf(nodes: readonly GraphNode[], from: number, nodesMax: number): readonly GraphNode[] {
  let bytes = 0;
  let to = from;
  while (to < nodes.length && to - from < nodesMax && bytes < PAGE_BYTES) {
    bytes += encodedBytes(nodes.slice(to, to + 1));
    to += 1;
  }
  return nodes.slice(from, to);
}

/** One state of the graph for all pages of one call; the caller's pace decides when the next page is encoded. */
async function stream(context: ServiceContext, call: ExpandCall): Promise<Result<void>> {
  const broken = undecodable(call.request);
  if (broken !== undefined) return broken;
  const caller = readerOf(context, call);
  if (!caller.ok) return caller;
  const query = queryOf(context, call.request);
  if (!query.ok) return query;
  const last = lastOf(call.request.cursor);
  if (!last.ok) return last;
  const wanted = graph.wantedHeightOf(call.request.consistency);
  if (!(await reached(context.port, wanted, deadlineOf(call, READ_DEADLINE_MS)))) return behind(context.port, wanted);
  const at = context.port.height();
  const nodes = query.value();
  const pageNodes = call.request.pageSize === 0 ? PAGE_NODES.standard : call.request.pageSize;
  let from = last.value === undefined ? 0 : indexAfter(nodes, last.value);
  do {
    const page = pageOf(nodes, from, pageNodes);
    from += page.length;
    const final = page.at(-1);
    const cursor = from < nodes.length && final !== undefined ? encode(graphNodeShape, final) : new Uint8Array();
    const alive = await writeTo(call, {
      nodes: page.map(graph.nodeMessage),
      cursor: Buffer.from(cursor),
      height: BigInt(at),
    });
    if (!alive) return refuse("CANCELLED", "The caller ended the call.", "none");
  } while (from < nodes.length);
  return ok(undefined);
}
