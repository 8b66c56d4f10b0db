/** Expand over pages, continued with the cursor where a node was lost. */
import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import type { Height } from "../base/brands.ts";
import type { GraphNode } from "../events/facts/graph.ts";
import type { ExpandResponse } from "../wire/generated/sky/oracle/v1/oracle.ts";
import { graphNodeOf, heightOf } from "../wire/sky-graph.ts";
import { errorOfService, wasSent } from "./errors.ts";

/** Pages as they come, at the reader's pace, and which node gave them. `begin` starts after a cursor; empty for the beginning. Throws: SkyError. */
export async function* expandPages(
  begin: (cursor: Uint8Array) => Promise<Started>,
): AsyncGenerator<{ readonly nodes: readonly GraphNode[]; readonly height: Height; readonly from: number }> {
  let cursor: Uint8Array = new Uint8Array();
  for (;;) {
    const started = await begin(cursor);
    let page: ExpandResponse | undefined = started.page;
    try {
      while (page !== undefined) {
        yield { nodes: page.nodes.map(graphNodeOf), height: heightOf(page.height), from: started.node };
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
  readonly node: number;
  readonly stream: ClientReadableStream<ExpandResponse>;
  readonly pages: AsyncIterator<ExpandResponse>;
  readonly page: ExpandResponse | undefined;
}

/** The stream once its first page is here. Throws: SkyError. */
export async function firstPage(stream: ClientReadableStream<ExpandResponse>, node: number): Promise<Started> {
  const pages: AsyncIterator<ExpandResponse> = stream[Symbol.asyncIterator]();
  try {
    return { node, stream, pages, page: await nextPage(pages) };
  } catch (error) {
    throw errorOfService(error as ServiceError, false, wasSent(stream));
  }
}

async function nextPage(pages: AsyncIterator<ExpandResponse>): Promise<ExpandResponse | undefined> {
  const next = await pages.next();
  return next.done === true ? undefined : next.value;
}
