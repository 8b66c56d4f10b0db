/**
 * Stands between a browser and an inspector's server, and remembers every byte that the page was given: what no page must ever hold
 * is looked for here, and whether entries came without gap or duplicate is read off the stream itself. It can also cut the connection.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer, request as ask } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Entry, Gap } from "../../../src/host/inspector/contract.ts";

export interface Answered {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Last-Event-ID of the request. */
  readonly resumed: string | null;
  readonly chunks: Buffer[];
}

export interface Streamed {
  readonly entries: readonly Entry[];
  readonly gaps: readonly Gap[];
}

export class Witness {
  readonly answered: Answered[] = [];
  readonly #server: Server;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((request, response) => this.#pass(request, response));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  /** `link`: as the server printed it. */
  static async before(link: string): Promise<Witness> {
    const witness = new Witness(new URL(link));
    await new Promise<void>((resolve) => witness.#server.listen(0, "127.0.0.1", () => resolve()));
    return witness;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The link as a browser is to open it. */
  get link(): string {
    return `${this.origin}${this.#target.pathname}${this.#target.hash}`;
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    if (this.#isCut) return void request.socket.destroy();
    const { origin, host, ...headers } = request.headers;
    const through = ask(
      {
        host: this.#target.hostname,
        port: this.#target.port,
        method: request.method ?? "GET",
        path: request.url ?? "/",
        headers: {
          ...headers,
          host: this.#target.host,
          // The page's own origin, under the name that the server knows; a stranger's is passed on as it is.
          ...(origin !== undefined && { origin: origin === `http://${host ?? ""}` ? this.#target.origin : origin }),
        },
      },
      (answer) => {
        const known: Answered = {
          method: request.method ?? "",
          path: request.url ?? "",
          status: answer.statusCode ?? 0,
          resumed: typeof headers["last-event-id"] === "string" ? headers["last-event-id"] : null,
          chunks: [],
        };
        this.answered.push(known);
        response.writeHead(known.status, answer.headers);
        answer.on("data", (chunk: Buffer) => {
          known.chunks.push(chunk);
          response.write(chunk);
        });
        answer.on("end", () => response.end());
        answer.on("error", () => response.destroy());
      },
    );
    through.on("error", () => response.destroy());
    response.on("close", () => through.destroy());
    request.pipe(through);
  }

  /** Ends every connection and refuses new ones until `mend`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  /** Everything that the page was given, as text, by path. */
  bodies(): readonly { readonly path: string; readonly text: string }[] {
    return this.answered.map(({ path, chunks }) => ({ path, text: Buffer.concat(chunks).toString("utf8") }));
  }

  /** Entries and gaps that pages were given over all their streams, in order. */
  streamed(): Streamed & { readonly streams: number } {
    const streams = this.#streams();
    return {
      entries: streams.flatMap(({ entries }) => entries),
      gaps: streams.flatMap(({ gaps }) => gaps),
      streams: streams.length,
    };
  }

  /** The same, reader by reader: a stream that goes on from somewhere belongs to the reader that had come exactly there. */
  readers(): readonly Streamed[] {
    const readers: { entries: Entry[]; gaps: Gap[]; at: string | null }[] = [];
    for (const { after, entries, gaps, cursor } of this.#streams()) {
      const known = after === null ? undefined : readers.findLast((reader) => reader.at === after);
      const reader = known ?? { entries: [], gaps: [], at: null };
      if (known === undefined) readers.push(reader);
      reader.entries.push(...entries);
      reader.gaps.push(...gaps);
      reader.at = cursor ?? after;
    }
    return readers;
  }

  /** A frame that a cut left unfinished does not count: no browser gives it to its page. */
  #streams() {
    return this.answered
      .filter(({ path }) => path.startsWith("/inspect/api/entries"))
      .map(({ path, resumed, chunks }) => {
        const entries: Entry[] = [];
        const gaps: Gap[] = [];
        let cursor: string | null = null;
        for (const frame of Buffer.concat(chunks).toString("utf8").split("\n\n").slice(0, -1)) {
          const field = (name: string): string | undefined =>
            frame
              .split("\n")
              .find((line) => line.startsWith(`${name}:`))
              ?.slice(name.length + 1)
              .trim();
          cursor = field("id") ?? cursor;
          const data = field("data");
          if (data === undefined) continue;
          if (field("event") === "entries") entries.push(...(JSON.parse(data) as Entry[]));
          if (field("event") === "gap") gaps.push(JSON.parse(data) as Gap);
        }
        const after = resumed ?? new URL(path, "http://x").searchParams.get("after");
        return { after, entries, gaps, cursor };
      });
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** What is wrong with the numbers of a stream: an entry that came twice, or was left out without a gap that says so. */
export function faultsOf({ entries, gaps }: Streamed): readonly string[] {
  const next = new Map<string, number>();
  const faults: string[] = [];
  for (const { node, life, n } of entries) {
    const name = `${node}, life ${life}`;
    const expected = next.get(name);
    if (expected !== undefined && n < expected) faults.push(`${name}: ${n} came again`);
    if (expected !== undefined && n > expected) {
      const isTold = gaps.some(
        (gap) => gap.node === node && gap.life === life && gap.from <= expected && (gap.to ?? n) >= n,
      );
      if (!isTold) faults.push(`${name}: from ${expected} to before ${n} nothing came`);
    }
    next.set(name, Math.max(expected ?? 0, n + 1));
  }
  return faults;
}
