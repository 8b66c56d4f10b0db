/**
 * A worker's recorder as the host asks it: one question at a time for each reader, answered from what is held; entries that are not there
 * yet are waited for. What passes is plain data that is redacted already. Answers are computed in turns (turns.ts): however many look,
 * the worker's own work has the most of its thread.
 */
import type { MessagePort } from "node:worker_threads";
import { type Height, height as heightOf } from "../../base/brands.ts";
import { ok } from "../../base/result.ts";
import { LogDamage } from "../../events/store/damage.ts";
import type { BlockRow, Entry, MachineName } from "./contract.ts";
import { type RowSource, blockRows } from "./block-rows.ts";
import type { Contexts, EntryBody, Recorder } from "./recorder.ts";
import { no } from "./refusals.ts";
import type { Answer } from "./source.ts";
import { Turns, type TurnsClock } from "./turns.ts";

export type RecorderQuestion =
  /** Answered when there is an entry of this number or a later one. */
  | { readonly kind: "entries"; readonly from: number; readonly max: number }
  | { readonly kind: "context"; readonly n: number; readonly machine: MachineName }
  /** `from` null: the newest. */
  | { readonly kind: "blocks"; readonly from: number | null; readonly limit: number }
  | { readonly kind: "peers" };

/** What is known of the members, in their order. */
export interface PeerView {
  readonly connected: readonly number[];
  /** View in which each was last heard; null when never. */
  readonly lastHeard: readonly (number | null)[];
}

export interface RecorderAnswers {
  /** `first`: number of the oldest entry that is held. */
  readonly entries: { readonly entries: readonly Entry[]; readonly first: number };
  /** Undefined: nothing held tells it. */
  readonly context: { readonly value: unknown };
  readonly blocks: readonly BlockRow[];
  readonly peers: PeerView;
}

type Kind = RecorderQuestion["kind"];
/** Questions of passers-by; a reader's next page is never refused, since its stream would end, and there are few readers (server.ts). */
type OnceKind = Exclude<Kind, "entries">;
type ToRecorder =
  | { readonly kind: "ask"; readonly id: number; readonly question: RecorderQuestion }
  /** The reader went away. */
  | { readonly kind: "cancel"; readonly id: number }
  /** An entry that was made in another thread. */
  | { readonly kind: "made"; readonly body: EntryBody; readonly contexts?: Contexts };
type FromRecorder =
  /** `answer` undefined: it could not be answered. */
  | { readonly kind: "answer"; readonly id: number; readonly answer: Answered }
  | { readonly kind: "tooMany"; readonly id: number }
  /** The worker ends; so many entries there were. */
  | { readonly kind: "over"; readonly next: number };
type Answered = RecorderAnswers[Kind] | undefined;
type Settled = Answered | typeof TOO_MANY;

/** Questions that wait for their turn, at most. */
export const QUESTIONS_WAITING_MAX = 32;
const TOO_MANY = no("TOO_MANY", "Too many questions wait for this node's memory; ask again in a moment.");

/** Entries come in bursts: one page tells all of a burst. Units: ms. */
const BURST_MS = 25;

export interface RecorderServiceOptions {
  readonly port: MessagePort;
  readonly recorder: Recorder;
  /** Undefined until the log is open. */
  readonly rows: () => RowSource | undefined;
  readonly head: () => Height | undefined;
  readonly peers: () => PeerView;
  /** The log is not what was written. */
  readonly onDamage: (damage: LogDamage) => void;
  readonly clock?: TurnsClock;
}

/** In the worker: answers the host. */
export class RecorderService {
  readonly #options: RecorderServiceOptions;
  /** Readers: of these `#due` have an entry to hear, and wait for their turn. */
  readonly #waiting = new Map<number, Extract<RecorderQuestion, { kind: "entries" }>>();
  readonly #due = new Set<number>();
  readonly #turns: Turns;
  #isDue = false;

  constructor(options: RecorderServiceOptions) {
    this.#options = options;
    this.#turns = new Turns(options.clock);
    const { port, recorder } = options;
    port.on("message", (message: ToRecorder) => this.#take(message));
    port.unref();
    recorder.onGrown(() => this.#grown());
  }

  /** Before the log closes: what is waited for is told, and how much there was. */
  end(): void {
    for (const [id, question] of this.#waiting)
      if (question.from < this.#options.recorder.next) this.#reply(id, question);
    this.#waiting.clear();
    this.#turns.clear();
    this.#options.port.postMessage({ kind: "over", next: this.#options.recorder.next } satisfies FromRecorder);
    this.#options.port.close();
  }

  #take(message: ToRecorder): void {
    switch (message.kind) {
      case "ask":
        return this.#ask(message.id, message.question);
      case "cancel":
        this.#waiting.delete(message.id);
        this.#due.delete(message.id);
        this.#turns.drop(message.id);
        return;
      case "made":
        return this.#options.recorder.made(message.body, message.contexts);
    }
  }

  #ask(id: number, question: RecorderQuestion): void {
    if (question.kind === "entries") {
      this.#waiting.set(id, question);
      return this.#serve();
    }
    if (this.#turns.size - this.#due.size >= QUESTIONS_WAITING_MAX)
      return this.#options.port.postMessage({ kind: "tooMany", id } satisfies FromRecorder);
    this.#turns.add(id, () => this.#reply(id, question));
  }

  /** Readers whose next entry is there wait for their turn. */
  #serve(): void {
    if (this.#options.rows() === undefined) return;
    for (const [id, question] of this.#waiting) {
      if (this.#due.has(id) || question.from >= this.#options.recorder.next) continue;
      this.#due.add(id);
      this.#turns.add(id, () => {
        this.#due.delete(id);
        this.#waiting.delete(id);
        this.#reply(id, question);
      });
    }
  }

  #grown(): void {
    if (this.#isDue || this.#waiting.size === 0) return;
    this.#isDue = true;
    setTimeout(() => {
      this.#isDue = false;
      this.#serve();
    }, BURST_MS).unref();
  }

  /** An error of the inspector's own never ends a worker that others need. */
  #reply(id: number, question: RecorderQuestion): void {
    const { port, onDamage } = this.#options;
    let answer: Answered;
    try {
      answer = this.#answer(question);
    } catch (error) {
      if (error instanceof LogDamage) onDamage(error);
    }
    port.postMessage({ kind: "answer", id, answer } satisfies FromRecorder);
  }

  #answer(question: RecorderQuestion): Answered {
    const { recorder, rows, head, peers } = this.#options;
    const source = rows();
    switch (question.kind) {
      case "entries": {
        const entries = source === undefined ? [] : recorder.page(question.from, question.max, source);
        return { entries, first: recorder.first };
      }
      case "context":
        return { value: recorder.context(question.n, question.machine) };
      case "blocks": {
        const last = head();
        if (source === undefined || last === undefined) return undefined;
        const from = question.from ?? Math.max(0, last - question.limit + 1);
        return from > last ? [] : blockRows(source, heightOf(from), question.limit);
      }
      case "peers":
        return peers();
    }
  }
}

/** In the host: asks. After `end` nothing is answered any more. */
export class RecorderClient {
  readonly life: number;
  readonly #port: MessagePort;
  readonly #pending = new Map<number, (answer: Settled) => void>();
  #asked = 0;
  #isOver = false;
  #next: number | null = null;

  constructor(life: number, port: MessagePort) {
    this.life = life;
    this.#port = port;
    port.on("message", (message: FromRecorder) => {
      if (message.kind === "answer") return this.#settle(message.id, message.answer);
      if (message.kind === "tooMany") return this.#settle(message.id, TOO_MANY);
      this.#next = message.next;
      this.end();
    });
    port.unref();
  }

  /** Undefined: it could not be answered, or the worker ended. Refuses: TOO_MANY. */
  async ask<K extends OnceKind>(
    question: Extract<RecorderQuestion, { readonly kind: K }>,
  ): Promise<Answer<RecorderAnswers[K]> | undefined> {
    const answer = await this.#ask(question);
    if (answer === TOO_MANY) return TOO_MANY;
    return answer === undefined ? undefined : ok(answer as RecorderAnswers[K]); // the service answers each kind with its own
  }

  /** A reader's next page, when there is one. Undefined: `signal` aborted, or the worker ended. */
  async entries(from: number, max: number, signal: AbortSignal): Promise<RecorderAnswers["entries"] | undefined> {
    const answer = await this.#ask({ kind: "entries", from, max }, signal);
    return answer as RecorderAnswers["entries"] | undefined; // never refused
  }

  #ask(question: RecorderQuestion, signal?: AbortSignal): Promise<Settled> {
    if (this.#isOver || signal?.aborted === true) return Promise.resolve(undefined);
    const id = ++this.#asked;
    return new Promise((resolve) => {
      const cancel = (): void => {
        this.#port.postMessage({ kind: "cancel", id } satisfies ToRecorder);
        this.#settle(id, undefined);
      };
      signal?.addEventListener("abort", cancel, { once: true });
      this.#pending.set(id, (answer) => {
        signal?.removeEventListener("abort", cancel);
        resolve(answer);
      });
      this.#port.postMessage({ kind: "ask", id, question } satisfies ToRecorder);
    });
  }

  made(body: EntryBody, contexts?: Contexts): void {
    if (!this.#isOver)
      this.#port.postMessage({ kind: "made", body, ...(contexts && { contexts }) } satisfies ToRecorder);
  }

  /** How many entries its life had; null while it lives, or when it ended without a word. */
  get next(): number | null {
    return this.#next;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
    this.#port.close();
    for (const id of [...this.#pending.keys()]) this.#settle(id, undefined);
  }

  #settle(id: number, answer: Settled): void {
    const settle = this.#pending.get(id);
    this.#pending.delete(id);
    settle?.(answer);
  }
}
