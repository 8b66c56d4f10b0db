/**
 * What a consensus worker remembers for whoever looks: the newest steps of the machine and the newest messages, as references to what is
 * there anyway. The machine is pure and its snapshots are immutable, so that transitions, summaries and contexts are made when somebody asks
 * for them; until then a step costs one small object. Not on the path of `check`, which no worker answers.
 */
import type { ConsensusSnapshot } from "../../actors/consensus/ports.ts";
import type { Height, MemberIndex } from "../../base/brands.ts";
import { consensusMachine } from "../../machines/consensus/consensus.machine.ts";
import type { ConsensusEffect, ConsensusEvent, Context } from "../../machines/consensus/types.ts";
import type { PeerMessage } from "../../events/facts/peer-message.ts";
import { leavesOf, takenBy } from "../../machines/taken.ts";
import { type RowSource, rowOf } from "./block-rows.ts";
import type { Entry, MachineName } from "./contract.ts";
import {
  type MessageNote,
  consensusContext,
  effectSummary,
  eventSummary,
  messageSummary,
  noteOf,
} from "./redaction.ts";
import { Ring } from "./ring.ts";

/** An entry before its life and number: what the host hands in, and what is made without a snapshot. */
export type EntryBody = Entry extends infer E
  ? E extends Entry
    ? Omit<E, "node" | "life" | "n" | "at">
    : never
  : never;

type Kept = { readonly at: number } & (
  | {
      readonly kind: "step";
      readonly before: ConsensusSnapshot;
      readonly event: ConsensusEvent;
      readonly effects: readonly ConsensusEffect[];
      readonly after: ConsensusSnapshot;
      readonly refused: string | undefined;
    }
  | { readonly kind: "message"; readonly way: Way; readonly peer: MemberIndex; readonly note: MessageNote }
  | { readonly kind: "final"; readonly height: Height }
  /** Made elsewhere; `contexts` go with it. */
  | { readonly kind: "made"; readonly body: EntryBody; readonly contexts?: Contexts }
);

type Way = "sent" | "delivered" | "dropped";
/** Redacted contexts by machine. */
export type Contexts = Readonly<Partial<Record<MachineName, unknown>>>;

export interface RecorderOptions {
  readonly node: string;
  readonly life: number;
  /** How many entries are held at most. */
  readonly entriesMax: number;
  /** Of the ceremony, which goes on meanwhile in another thread. */
  readonly ceremony: readonly string[];
  /** Units: ms since 1970. */
  readonly now: () => number;
}

/** What steps hold beyond what lives anyway, at most, as estimated. Units: bytes. */
const BYTES_MAX = 12 * 1024 * 1024;
/** A snapshot, a context whose fields are mostly shared, an event and the record of them: measured, rounded up. Units: bytes. */
const STEP_BYTES = 1_500;
const EFFECT_BYTES = 150;
const NOTE_BYTES = 300;
/** Of each open view, maps that a step replaces hold about so much. */
const OPEN_VIEW_BYTES = 64;
/** Blocks of one page of a peer, at most, are told one by one. */
const FINAL_TOLD_MAX = 512;

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #ring: Ring<Kept>;
  #last: ConsensusSnapshot | undefined;
  #ceremony: readonly string[];
  #grown = (): void => {};

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#ceremony = options.ceremony;
    this.#ring = new Ring(options.entriesMax, BYTES_MAX);
  }

  get first(): number {
    return this.#ring.first;
  }

  get next(): number {
    return this.#ring.next;
  }

  get life(): number {
    return this.#options.life;
  }

  /** Told after each entry. */
  onGrown(grown: () => void): void {
    this.#grown = grown;
  }

  /** The machine begins. */
  readonly began = (snapshot: ConsensusSnapshot): void => {
    this.#last = snapshot;
    this.made({ kind: "booted", states: { consensus: leavesOf(snapshot), ceremony: this.#ceremony } });
  };

  readonly stepped = (
    event: ConsensusEvent,
    effects: readonly ConsensusEffect[],
    after: ConsensusSnapshot,
    refused: string | undefined,
  ): void => {
    const before = this.#last ?? after;
    this.#last = after;
    const [was, is] = [before.context, after.context];
    const at = this.#options.now();
    this.#push({ kind: "step", at, before, event, effects, after, refused }, stepBytes(was, is, effects.length));
    const [from, to] = [was.final.height, is.final.height];
    if (to > from)
      for (let height = Math.max(from + 1, to - FINAL_TOLD_MAX + 1); height <= to; height += 1)
        this.#push({ kind: "final", at, height: height as Height }, NOTE_BYTES);
  };

  readonly message = (way: Way, peer: MemberIndex, message: PeerMessage): void => {
    const note = noteOf(message);
    const bytes = NOTE_BYTES + (note.header?.length ?? 0) + (note.body?.length ?? 0);
    this.#push({ kind: "message", at: this.#options.now(), way, peer, note }, bytes);
  };

  readonly made = (body: EntryBody, contexts?: Contexts): void => {
    if (body.kind === "stepped" && body.machine === "ceremony") this.#ceremony = body.states;
    const kept: Kept = { kind: "made", at: this.#options.now(), body, ...(contexts && { contexts }) };
    this.#push(kept, NOTE_BYTES * (contexts === undefined ? 1 : 4));
  };

  /** Entries from number `from` on (or from the oldest that is held), at most so many. */
  page(from: number, max: number, rows: RowSource): readonly Entry[] {
    const entries: Entry[] = [];
    const budget = { bytes: ROWS_BYTES };
    for (let n = Math.max(from, this.#ring.first); n < this.#ring.next && entries.length < max; n += 1) {
      const kept = this.#ring.at(n);
      if (kept !== undefined) entries.push(this.#entryOf(n, kept, rows, budget));
      if (budget.bytes <= 0) break;
    }
    return entries;
  }

  /** A machine's context after entry `n`, redacted; undefined when nothing held tells it. */
  context(n: number, machine: MachineName): unknown {
    for (let i = n; i >= this.#ring.first; i -= 1) {
      const kept = this.#ring.at(i);
      if (kept?.kind === "step" && machine === "consensus") return consensusContext(kept.after.context);
      if (kept?.kind === "made" && kept.contexts?.[machine] !== undefined) return kept.contexts[machine];
    }
    if (machine !== "consensus" || this.#ring.at(n) === undefined) return undefined;
    for (let i = n; i < this.#ring.next; i += 1) {
      const kept = this.#ring.at(i);
      if (kept?.kind === "step") return consensusContext(kept.before.context);
    }
    return this.#last && consensusContext(this.#last.context);
  }

  #push(kept: Kept, bytes: number): void {
    this.#ring.push(kept, bytes);
    this.#grown();
  }

  #entryOf(n: number, kept: Kept, rows: RowSource, budget: { bytes: number }): Entry {
    const { node, life } = this.#options;
    const key = { node, life, n, at: kept.at };
    switch (kept.kind) {
      case "made":
        return { ...key, ...kept.body };
      case "message":
        return {
          ...key,
          kind: kept.way,
          peer: rows.names[kept.peer] ?? `member ${kept.peer}`,
          message: messageSummary(kept.note),
          ...(kept.way === "dropped" && { reason: "not connected" }),
        };
      case "final": {
        const event = rows.log.event(kept.height);
        if (event === undefined) return { ...key, kind: "fault", fault: { type: "notInLog", height: kept.height } };
        return { ...key, kind: "finalised", block: rowOf(rows, event, budget) };
      }
      case "step": {
        const { before, event, effects, after, refused } = kept;
        const { epoch, view, final } = after.context;
        return {
          ...key,
          kind: "stepped",
          machine: "consensus",
          event: eventSummary(event),
          transitions: takenBy(consensusMachine, before, event, after),
          effects: effects.map(effectSummary),
          states: leavesOf(after),
          epoch,
          view,
          finalHeight: final.height,
          ...(refused !== undefined && { refused }),
        };
      }
    }
  }
}

/** Bundles that a page of entries is read from to count commands. Units: bytes. */
const ROWS_BYTES = 1024 * 1024;

function stepBytes(was: Context, is: Context, effects: number): number {
  const mempool = was.mempool === is.mempool ? 0 : 8 * is.mempool.length;
  return STEP_BYTES + EFFECT_BYTES * effects + mempool + OPEN_VIEW_BYTES * Math.max(0, is.view - is.final.view);
}
