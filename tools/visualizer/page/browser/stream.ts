/** Entries from the server into the store: reads on where it was cut off, says when it cannot. */
import type { Entry, Gap } from "../../../../src/host/inspector/contract.ts";
import type { Store } from "../model/store.ts";

/** First wait before trying again, doubled up to the longest. Units: ms. */
const RETRY_FIRST_MS = 500;
const RETRY_LONGEST_MS = 8_000;

/** What the page needs of a message. */
export interface StreamMessage {
  readonly data: string;
  readonly lastEventId: string;
}

/** What the page needs of an EventSource. */
export interface EventStream {
  onopen: ((event: never) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
  addEventListener(type: string, listener: (event: StreamMessage) => void): void;
  close(): void;
}

export type Admission = "yes" | "later" | "never";

export interface StreamPorts {
  readonly open: (url: string) => EventStream;
  readonly after: (ms: number, then: () => void) => void;
  /** Asks the server whether it would answer at all: not now (the store knows why), or never when the session is over. */
  readonly admission: () => Promise<Admission>;
}

/** Reads until the recording is over, as soon as the server admits it; on a break it begins after the last entries that came. */
export function readEntries(store: Store, ports: StreamPorts, base = "/inspect"): void {
  let cursor: string | null = null;
  let wait = RETRY_FIRST_MS;

  const connect = (): void => {
    const query = cursor === null ? "" : `?after=${encodeURIComponent(cursor)}`;
    const stream = ports.open(`${base}/api/entries${query}`);
    const take = (event: StreamMessage, use: (data: unknown) => void): void => {
      use(JSON.parse(event.data));
      if (event.lastEventId !== "") cursor = event.lastEventId;
    };
    stream.onopen = () => {
      wait = RETRY_FIRST_MS;
      store.setConnection("open");
    };
    stream.addEventListener("entries", (event) => take(event, (data) => store.add(data as readonly Entry[])));
    stream.addEventListener("gap", (event) => take(event, (data) => store.addGap(data as Gap)));
    stream.addEventListener("end", () => {
      stream.close();
      store.setConnection("ended");
    });
    stream.onerror = () => {
      stream.close();
      // Why it is lost, where that is known, stays to be read while it is tried again.
      if (store.connection !== "lost") store.setConnection("lost");
      again();
    };
  };

  const again = (): void => {
    ports.after(wait, () => void retry());
    wait = Math.min(wait * 2, RETRY_LONGEST_MS);
  };
  const retry = async (): Promise<void> => {
    const admission = await ports.admission();
    if (admission === "yes") connect();
    if (admission === "later") again();
  };

  void retry();
}
