/** Entries as server-sent events: one page at a time, pulled when the reader has taken the one before. */
import type { ServerResponse } from "node:http";
import type { InspectorSource } from "./source.ts";

/** A reader that takes nothing for so long is gone, or will never catch up: it comes back with its cursor. Units: ms. */
const STALLED_MS = 30_000;
/** Below what proxies and browsers take for dead. Units: ms. */
const HEARTBEAT_MS = 15_000;
/** How soon a reader whose stream broke comes back. Units: ms. */
const RETRY_MS = 1_000;

export interface StreamTimes {
  readonly stalledMs: number;
  readonly heartbeatMs: number;
}

export const STREAM_TIMES: StreamTimes = { stalledMs: STALLED_MS, heartbeatMs: HEARTBEAT_MS };

/**
 * Writes the source's entries to the response until the reader goes away, stalls, `signal` aborts or the recording is over.
 * Bounds: what is held for a reader is one page and the socket's buffer; what it missed meanwhile is the source's to tell as a gap.
 */
export async function streamEntries(
  source: InspectorSource,
  after: string | null,
  response: ServerResponse,
  signal: AbortSignal,
  times: StreamTimes = STREAM_TIMES,
): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  response.once("close", end);
  const beat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(": still here\n\n");
  }, times.heartbeatMs);
  try {
    response.write(`retry: ${RETRY_MS}\n\n`);
    for await (const page of source.entries(after, ended.signal)) {
      if (ended.signal.aborted) break;
      const isTaken = response.write(textOf(page));
      if (!isTaken && !(await drainedWithin(response, times.stalledMs, ended.signal))) {
        response.destroy();
        return;
      }
    }
  } finally {
    clearInterval(beat);
    signal.removeEventListener("abort", end);
    response.off("close", end);
    end();
  }
  response.end();
}

type Page = ReturnType<InspectorSource["entries"]> extends AsyncIterable<infer P> ? P : never;

/** JSON has no line break of its own, so each `data` is one line. */
function textOf(page: Page): string {
  switch (page.kind) {
    case "entries":
      return `event: entries\nid: ${oneLine(page.cursor)}\ndata: ${JSON.stringify(page.entries)}\n\n`;
    case "gap":
      return `event: gap\nid: ${oneLine(page.cursor)}\ndata: ${JSON.stringify(page.gap)}\n\n`;
    case "end":
      return "event: end\ndata: {}\n\n";
  }
}

const oneLine = (cursor: string): string => cursor.replace(/[\r\n\0]/g, "");

/** Whether the reader took what was written within this time. */
function drainedWithin(response: ServerResponse, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isDrained: boolean) => (): void => {
      clearTimeout(timer);
      response.off("drain", drained);
      signal.removeEventListener("abort", gone);
      resolve(isDrained);
    };
    const [drained, gone] = [settle(true), settle(false)];
    const timer = setTimeout(gone, ms);
    response.on("drain", drained);
    signal.addEventListener("abort", gone, { once: true });
    if (signal.aborted) gone();
  });
}
