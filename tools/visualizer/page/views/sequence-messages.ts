/**
 * Messages between members, put together from the entries of both sides: sent here, delivered there, or dropped and why.
 *
 * The k-th sending of a message is the k-th delivery of the same (from, to, what it says): streams between members keep their order.
 * Clocks of two processes differ a little and their entries are merged as they come, so that a delivery may stand before its sending.
 */
import type { Entry, Summary } from "../../../../src/host/inspector/contract.ts";

export interface Message {
  readonly id: number;
  readonly from: string;
  readonly to: string;
  readonly summary: Summary;
  /** Positions in the timeline; null where that side was not seen. */
  readonly sent: number | null;
  readonly delivered: number | null;
  readonly dropped: { readonly at: number; readonly reason: string } | null;
}

type Draft = { -readonly [Key in keyof Message]: Message[Key] };

/** Fields that tell two messages apart. Others (sizes, counts) may be written differently by the two sides. */
const TELLING = ["type", "kind", "vote", "certificate", "epoch", "view", "hash", "height"] as const;
/** A delivery that stands before its sending is at most this old: more than clocks of one machine and batches differ. Units: ms. */
const BEFORE_SENDING_MS_MAX = 1_000;

const keyOf = (from: string, to: string, summary: Summary): string =>
  JSON.stringify([from, to, ...TELLING.map((field) => summary[field] ?? null)]);

/** What is known of every message, as entries are added. Positions count all entries of the timeline from 0. */
export class Messages {
  readonly #all: Draft[] = [];
  /** By timeline position: the message that the entry there is a side of. */
  readonly #byEntry = new Map<number, Draft>();
  readonly #waiting = new Map<string, Draft[]>();
  /** The life of each node that was last seen to begin; each of its machines boots in it. */
  readonly #lives = new Map<string, number>();
  readonly #early = new Map<string, { readonly message: Draft; readonly at: number }[]>();

  get all(): readonly Message[] {
    return this.#all;
  }

  at(position: number): Message | undefined {
    return this.#byEntry.get(position);
  }

  add(entry: Entry, position: number): void {
    switch (entry.kind) {
      case "sent":
        return this.#sent(entry, position);
      case "delivered":
        return this.#delivered(entry, position);
      case "dropped":
        return this.#dropped(entry, position);
      case "ended":
        return this.#lose(entry.node, position, "the receiver ended");
      case "booted":
        // Its first life is where the source began to look: what was sent before may well arrive.
        if ((this.#lives.get(entry.node) ?? entry.life) !== entry.life)
          this.#lose(entry.node, position, "the receiver started anew");
        this.#lives.set(entry.node, entry.life);
        return;
      case "stepped":
      case "finalised":
      case "executed":
      case "evidence":
      case "fault":
        return;
    }
  }

  #sent(entry: Extract<Entry, { kind: "sent" | "delivered" | "dropped" }>, position: number): void {
    const key = keyOf(entry.node, entry.peer, entry.message);
    const early = this.#early.get(key);
    while (early !== undefined && early.length > 0) {
      const first = early.shift();
      if (first === undefined || entry.at - first.at > BEFORE_SENDING_MS_MAX) continue;
      first.message.sent = position;
      this.#byEntry.set(position, first.message);
      return;
    }
    const message = this.#new(entry.node, entry.peer, entry.message, position);
    message.sent = position;
    push(this.#waiting, key, message);
  }

  #delivered(entry: Extract<Entry, { kind: "sent" | "delivered" | "dropped" }>, position: number): void {
    const key = keyOf(entry.peer, entry.node, entry.message);
    const waiting = this.#waiting.get(key)?.shift();
    const message = waiting ?? this.#new(entry.peer, entry.node, entry.message, position);
    message.delivered = position;
    this.#byEntry.set(position, message);
    if (waiting === undefined) push(this.#early, key, { message, at: entry.at });
  }

  /** Of the side that says so: mostly the sender's; a receiver may also drop what has reached it. */
  #dropped(entry: Extract<Entry, { kind: "sent" | "delivered" | "dropped" }>, position: number): void {
    const waiting =
      this.#waiting.get(keyOf(entry.node, entry.peer, entry.message))?.shift() ??
      this.#waiting.get(keyOf(entry.peer, entry.node, entry.message))?.shift();
    const message = waiting ?? this.#new(entry.node, entry.peer, entry.message, position);
    message.dropped = { at: position, reason: entry.reason ?? "not sent" };
    this.#byEntry.set(position, message);
  }

  /** What was on its way to a process that is no more arrives nowhere: a later delivery is of a later sending. */
  #lose(node: string, position: number, reason: string): void {
    for (const waiting of this.#waiting.values()) {
      if (waiting[0]?.to !== node) continue;
      for (const message of waiting) message.dropped = { at: position, reason };
      waiting.length = 0;
    }
  }

  #new(from: string, to: string, summary: Summary, position: number): Draft {
    const message: Draft = { id: this.#all.length, from, to, summary, sent: null, delivered: null, dropped: null };
    this.#all.push(message);
    this.#byEntry.set(position, message);
    return message;
  }
}

function push<T>(queues: Map<string, T[]>, key: string, value: T): void {
  const queue = queues.get(key);
  if (queue === undefined) queues.set(key, [value]);
  else queue.push(value);
}
