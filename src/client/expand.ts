/** Expand over pages, continued with the cursor where a node was lost. */
import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import type { Height } from "../base/brands.ts";
import type { GraphNode } from "../events/facts/graph.ts";
import type { ExpandResponse } from "../wire/generated/sky/oracle/v1/oracle.ts";
import { graphNodeOf, heightOf } from "../wire/sky-graph.ts";
import { errorOfService } from "./errors.ts";
import type { Nodes, OracleStub } from "./nodes.ts";

/** Opens the stream after a cursor; empty for the beginning. */
export type OpenPages = (
  stub: OracleStub,
  cursor: Uint8Array,
  deadlineMs: number,
) => ClientReadableStream<ExpandResponse>;

/** Pages as they come, at the reader's pace. Throws: SkyError. */
export async function* expandPages(
  nodes: Nodes,
  deadlineMs: number,
  open: OpenPages,
): AsyncGenerator<{ readonly nodes: readonly GraphNode[]; readonly height: Height }> {
  let cursor: Uint8Array = new Uint8Array();
  for (;;) {
    const from = cursor;
    const started = await nodes.retrying(deadlineMs, (stub, until) => firstPage(open(stub, from, until)));
    let page: ExpandResponse | undefined = started.page;
    try {
      while (page !== undefined) {
        yield { nodes: page.nodes.map(graphNodeOf), height: heightOf(page.height) };
        cursor = page.cursor;
        if (cursor.length === 0) return;
        page = await nextPage(started.pages);
      }
    } catch (error) {
      const failure = errorOfService(error as ServiceError, false);
      if (!failure.retryable) throw failure;
    } finally {
      started.stream.cancel();
    }
  }
}

interface Started {
  readonly stream: ClientReadableStream<ExpandResponse>;
  readonly pages: AsyncIterator<ExpandResponse>;
  readonly page: ExpandResponse | undefined;
}

async function firstPage(stream: ClientReadableStream<ExpandResponse>): Promise<Started> {
  const pages: AsyncIterator<ExpandResponse> = stream[Symbol.asyncIterator]();
  try {
    return { stream, pages, page: await nextPage(pages) };
  } catch (error) {
    throw errorOfService(error as ServiceError, false);
  }
}

async function nextPage(pages: AsyncIterator<ExpandResponse>): Promise<ExpandResponse | undefined> {
  const next = await pages.next();
  return next.done === true ? undefined : next.value;
}
