/**
 * What a live node has to tell, over its lives: while it is sealed the host keeps the few entries of the ceremony, while it serves the
 * consensus worker keeps all (recorder.ts), the ceremony's included. A life ends when it is sealed or a worker dies; the next begins.
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { ok } from "../../base/result.ts";
import type { Entry, EntryKey, Gap, MachineName } from "./contract.ts";
import { type Positions, advanced, cursorOf, readCursor } from "./cursor.ts";
import { RecorderClient } from "./recorder-port.ts";
import type { Contexts, EntryBody } from "./recorder.ts";
import { Ring } from "./ring.ts";
import { type Answer, ENTRIES_PAGE_MAX, type EntryPage } from "./source.ts";

/** What the consensus worker needs to remember. */
export interface RecordingStart {
  readonly node: string;
  readonly life: number;
  /** Members' names in the committee's order. */
  readonly names: readonly string[];
  readonly entriesMax: number;
  readonly ceremony: readonly string[];
  readonly port: MessagePort;
}

interface HostLife {
  readonly kind: "host";
  readonly life: number;
  readonly ring: Ring<{ readonly entry: Entry; readonly contexts?: Contexts }>;
}

interface WorkerLife {
  readonly kind: "worker";
  readonly life: number;
  readonly client: RecorderClient;
}

type Life = HostLife | WorkerLife;

/** Ceremonies are rare; a life of nothing else holds all that matters of one. */
const HOST_ENTRIES_MAX = 1_000;
const HOST_BYTES_MAX = 4 * 1024 * 1024;
const HOST_ENTRY_BYTES = 4_096;
/** Lives that are remembered, the newest. */
const LIVES_MAX = 16;

export interface LiveEntriesOptions {
  readonly node: string;
  readonly names: readonly string[];
  readonly entriesMax: number;
  /** Units: ms since 1970. */
  readonly now: () => number;
}

export class LiveEntries {
  readonly #options: LiveEntriesOptions;
  #lives: Life[] = [];
  #ceremony: { readonly states: readonly string[]; readonly context: unknown } = { states: [], context: undefined };
  /** Readers that wait for what comes next. */
  #wakes = new Set<() => void>();

  constructor(options: LiveEntriesOptions) {
    this.#options = options;
    this.#beginHost();
  }

  /** Of the consensus worker that lives; undefined while there is none. */
  get worker(): RecorderClient | undefined {
    const last = this.#lives.at(-1);
    return last?.kind === "worker" && !last.client.isOver ? last.client : undefined;
  }

  /** The ceremony machine as it is now, redacted. */
  get ceremony(): { readonly states: readonly string[]; readonly context: unknown } {
    return this.#ceremony;
  }

  /** The ceremony machine begins, or took an event. */
  readonly ceremonyMoved = (body: EntryBody, context: unknown): void => {
    const states = body.kind === "stepped" ? body.states : body.kind === "booted" ? (body.states.ceremony ?? []) : [];
    this.#ceremony = { states, context };
    this.made(body, { ceremony: context });
  };

  /** An entry that the host makes. */
  readonly made = (body: EntryBody, contexts?: Contexts): void => {
    const { worker } = this;
    if (worker !== undefined) return worker.made(body, contexts);
    const last = this.#lives.at(-1);
    const host = last?.kind === "host" ? last : this.#beginHost();
    const key: EntryKey = { node: this.#options.node, life: host.life, n: host.ring.next };
    host.ring.push(
      { entry: { ...key, at: this.#options.now(), ...body }, ...(contexts && { contexts }) },
      HOST_ENTRY_BYTES,
    );
    this.#wake();
  };

  /** A consensus worker starts; `port` is to be transferred to it. */
  beginWorker(): RecordingStart {
    const { node, names, entriesMax } = this.#options;
    const { port1, port2 } = new MessageChannel();
    const life = this.#nextLife();
    this.#add({ kind: "worker", life, client: new RecorderClient(life, port1) });
    return { node, life, names, entriesMax, ceremony: this.#ceremony.states, port: port2 };
  }

  /** It ended: `reason` is a stable code. */
  endWorker(reason: string): void {
    const last = this.#lives.at(-1);
    if (last?.kind !== "worker") return;
    last.client.end();
    this.#beginHost();
    if (reason !== "STOPPED") this.made({ kind: "fault", fault: { type: "consensusEnded", code: reason } });
  }

  /** Entries of this source (source.ts). */
  async *read(after: string | null, signal: AbortSignal): AsyncGenerator<EntryPage> {
    const { node } = this.#options;
    let positions: Positions = readCursor(after ?? "") ?? new Map();
    let at = this.#startOf(positions.get(node));
    // Whoever begins anew begins with what is held; there is no gap before it.
    let isFresh = at.life === 0;
    while (!signal.aborted) {
      const life = this.#lives.find((one) => one.life >= at.life);
      if (life === undefined) {
        await this.#something(signal);
        continue;
      }
      if (life.life > at.life) at = { life: life.life, n: 0 };
      const page = life.kind === "host" ? hostPage(life, at.n) : await workerPage(life, at.n, signal);
      if (signal.aborted) return;
      if (page === undefined) {
        const end = life.kind === "host" ? life.ring.next : life.client.next;
        if (life.kind === "host" && life === this.#lives.at(-1)) {
          await this.#something(signal);
          continue;
        }
        if (end !== at.n && !isFresh) {
          const gap: Gap = { node, life: life.life, from: at.n, to: end, reason: "its worker ended" };
          positions = new Map([[node, { life: life.life, n: Math.max(at.n, (end ?? at.n + 1) - 1) }]]);
          yield { kind: "gap", gap, cursor: cursorOf(positions) };
        }
        at = { life: life.life + 1, n: 0 };
        continue;
      }
      if (page.first > at.n && !isFresh) {
        const gap: Gap = { node, life: life.life, from: at.n, to: page.first, reason: "no longer held" };
        positions = new Map([[node, { life: life.life, n: page.first - 1 }]]);
        at = { life: life.life, n: page.first };
        yield { kind: "gap", gap, cursor: cursorOf(positions) };
      }
      isFresh = false;
      const entries = page.entries.filter(({ n }) => n >= at.n);
      const last = entries.at(-1);
      if (last === undefined) continue;
      positions = advanced(positions, entries);
      at = { life: life.life, n: last.n + 1 };
      yield { kind: "entries", entries, cursor: cursorOf(positions) };
    }
  }

  /** Undefined: no such entry is held. Refuses: TOO_MANY. */
  async context(life: number, n: number, machine: MachineName): Promise<Answer<unknown>> {
    const found = this.#lives.find((one) => one.life === life);
    if (found?.kind === "worker") {
      const answer = await found.client.ask({ kind: "context", n, machine });
      return answer?.ok === false ? answer : ok(answer?.value.value ?? this.#ceremonyIf(machine));
    }
    for (let i = n; found !== undefined && i >= found.ring.first; i -= 1) {
      const context = found.ring.at(i)?.contexts?.[machine];
      if (context !== undefined) return ok(context);
    }
    return ok(undefined);
  }

  close(): void {
    const last = this.#lives.at(-1);
    if (last?.kind === "worker") last.client.end();
    this.#wake();
  }

  /** The ceremony rests while a node serves: what it was before is what it is, until something is told of it. */
  #ceremonyIf(machine: MachineName): unknown {
    return machine === "ceremony" ? this.#ceremony.context : undefined;
  }

  /** After the last entry that was read; from the oldest that is held when that is not known. */
  #startOf(last: { readonly life: number; readonly n: number } | undefined): {
    readonly life: number;
    readonly n: number;
  } {
    const known = last !== undefined && this.#lives.some(({ life }) => life === last.life);
    return known ? { life: last.life, n: last.n + 1 } : { life: 0, n: 0 };
  }

  #beginHost(): HostLife {
    const host: HostLife = { kind: "host", life: this.#nextLife(), ring: new Ring(HOST_ENTRIES_MAX, HOST_BYTES_MAX) };
    this.#add(host);
    const { states, context } = this.#ceremony;
    if (states.length > 0) this.made({ kind: "booted", states: { ceremony: states } }, { ceremony: context });
    return host;
  }

  #nextLife(): number {
    return Math.max(Math.floor(this.#options.now() / 1_000), (this.#lives.at(-1)?.life ?? 0) + 1);
  }

  #add(life: Life): void {
    this.#lives = [...this.#lives, life].slice(-LIVES_MAX);
    this.#wake();
  }

  #wake(): void {
    const wakes = this.#wakes;
    this.#wakes = new Set();
    for (const wake of wakes) wake();
  }

  #something(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#wakes.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#wakes.add(done);
      signal.addEventListener("abort", done, { once: true });
    });
  }
}

interface Page {
  readonly entries: readonly Entry[];
  readonly first: number;
}

function hostPage({ ring }: HostLife, from: number): Page | undefined {
  const entries: Entry[] = [];
  for (let n = Math.max(from, ring.first); n < ring.next && entries.length < ENTRIES_PAGE_MAX; n += 1) {
    const held = ring.at(n);
    if (held !== undefined) entries.push(held.entry);
  }
  return entries.length === 0 ? undefined : { entries, first: ring.first };
}

/** Undefined: its life is over. */
const workerPage = ({ client }: WorkerLife, from: number, signal: AbortSignal): Promise<Page | undefined> =>
  client.entries(from, ENTRIES_PAGE_MAX, signal);
