/**
 * What a consensus worker remembers for whoever looks: the events that its machine took, a snapshot now and then, and the newest
 * messages. The machine is pure, so that what lies between two snapshots (states, transitions, effects, contexts) is computed when somebody
 * asks for it; until then a step costs one small object. Not on the path of `check`, which no worker answers.
 */
import type { ConsensusSnapshot } from "../../actors/consensus/ports.ts";
import type { Height, MemberIndex } from "../../base/brands.ts";
import { consensusMachine } from "../../machines/consensus/consensus.machine.ts";
import type { ConsensusEffect, ConsensusEvent, Context } from "../../machines/consensus/types.ts";
import type { PeerMessage } from "../../events/facts/peer-message.ts";
import { type Stepper, createStepper } from "../../machines/step.ts";
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
      readonly event: ConsensusEvent;
      readonly refused: string | undefined;
      /** Before the event: of the first step after SNAPSHOT_EVERY entries, and of the very first. */
      readonly before: ConsensusSnapshot | undefined;
    }
  | { readonly kind: "message"; readonly way: Way; readonly peer: MemberIndex; readonly note: MessageNote }
  | { readonly kind: "final"; readonly height: Height }
  /** Made elsewhere; `contexts` go with it. */
  | { readonly kind: "made"; readonly body: EntryBody; readonly contexts?: Contexts }
);

type Again = Stepper<typeof consensusMachine>;
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

/** Entries. A snapshot of a busy member holds 4 KB; what it takes to compute a step again is some 10 µs. */
const SNAPSHOT_EVERY = 32;
/** What is held beyond what lives anyway, at most, as estimated. Units: bytes. */
const BYTES_MAX = 12 * 1024 * 1024;
/** Measured, rounded up: an event and the record of it; a snapshot; a message's fields. Units: bytes. */
const STEP_BYTES = 500;
const SNAPSHOT_BYTES = 4_500;
const NOTE_BYTES = 500;
/** A digest as text, and its place in a list: of an event, those of the bundles that a block names, or a page of blocks. */
const DIGEST_BYTES = 96;
/** Of each open view, maps that a snapshot does not share hold about so much. */
const OPEN_VIEW_BYTES = 64;
/** Blocks of one page of a peer, at most, are told one by one. */
const FINAL_TOLD_MAX = 512;

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #ring: Ring<Kept>;
  #last: ConsensusSnapshot | undefined;
  /** The next step after this entry keeps its snapshot. */
  #due = 0;
  #ceremony: readonly string[];
  #grown = (): void => {};

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#ceremony = options.ceremony;
    this.#ring = new Ring(options.entriesMax, BYTES_MAX);
  }

  /** The oldest from which on everything can be told: steps before the oldest snapshot cannot. */
  get first(): number {
    let isTold = true;
    for (let n = this.#ring.first; n < this.#ring.next; n += 1) {
      const kept = this.#ring.at(n);
      if (kept?.kind !== "step") continue;
      if (kept.before !== undefined) return isTold ? this.#ring.first : n;
      isTold = false;
    }
    return isTold ? this.#ring.first : this.#ring.next;
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
    _effects: readonly ConsensusEffect[],
    after: ConsensusSnapshot,
    refused: string | undefined,
  ): void => {
    const last = this.#last ?? after;
    this.#last = after;
    const at = this.#options.now();
    const before = this.#ring.next >= this.#due ? last : undefined;
    if (before !== undefined) this.#due = this.#ring.next + SNAPSHOT_EVERY;
    const bytes =
      STEP_BYTES + DIGEST_BYTES * digestsIn(event) + (before === undefined ? 0 : snapshotBytes(before.context));
    this.#push({ kind: "step", at, event, refused, before }, bytes);
    const [from, to] = [last.context.final.height, after.context.final.height];
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
    let again: Again | undefined;
    for (let n = Math.max(from, this.first); n < this.#ring.next && entries.length < max; n += 1) {
      const kept = this.#ring.at(n);
      if (kept?.kind === "step") {
        again ??= this.#before(n);
        if (again !== undefined) entries.push(this.#stepOf(n, kept, again));
      } else if (kept !== undefined) entries.push(this.#entryOf(n, kept, rows, budget));
      if (budget.bytes <= 0) break;
    }
    return entries;
  }

  /** A machine's context after entry `n`, redacted; undefined when nothing held tells it. */
  context(n: number, machine: MachineName): unknown {
    if (n < this.first || n >= this.#ring.next) return undefined;
    if (machine === "consensus") {
      const context = this.#before(n + 1)?.context() ?? this.#firstAfter(n) ?? this.#last?.context;
      return context && consensusContext(context);
    }
    for (let i = n; i >= this.#ring.first; i -= 1) {
      const kept = this.#ring.at(i);
      if (kept?.kind === "made" && kept.contexts?.[machine] !== undefined) return kept.contexts[machine];
    }
    return undefined;
  }

  /** The machine as it was before entry `n`: run again from the last snapshot before it; undefined when there is none. */
  #before(n: number): Again | undefined {
    for (let i = Math.min(n, this.#ring.next - 1); i >= this.#ring.first; i -= 1) {
      const kept = this.#ring.at(i);
      if (kept?.kind !== "step" || kept.before === undefined) continue;
      const again = createStepper(consensusMachine, { snapshot: consensusMachine.getPersistedSnapshot(kept.before) });
      for (let at = i; at < n; at += 1) {
        const step = this.#ring.at(at);
        if (step?.kind === "step") again.step(step.event);
      }
      return again;
    }
    return undefined;
  }

  /** The context before the first step after entry `n`, when no step before it is held. */
  #firstAfter(n: number): Context | undefined {
    for (let i = n + 1; i < this.#ring.next; i += 1) {
      const kept = this.#ring.at(i);
      if (kept?.kind === "step") return kept.before?.context;
    }
    return undefined;
  }

  #push(kept: Kept, bytes: number): void {
    this.#ring.push(kept, bytes);
    this.#grown();
  }

  #stepOf(n: number, { at, event, refused }: Extract<Kept, { readonly kind: "step" }>, again: Again): Entry {
    const { node, life } = this.#options;
    const before = again.snapshot();
    const { effects } = again.step(event);
    const after = again.snapshot();
    const { epoch, view, final } = after.context;
    return {
      node,
      life,
      n,
      at,
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

  #entryOf(
    n: number,
    kept: Exclude<Kept, { readonly kind: "step" }>,
    rows: RowSource,
    budget: { bytes: number },
  ): Entry {
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
    }
  }
}

/** Bundles that a page of entries is read from to count commands. Units: bytes. */
const ROWS_BYTES = 1024 * 1024;

function digestsIn(event: ConsensusEvent): number {
  if ("block" in event) return event.block.bundles.length;
  return event.type === "logSynchronised" ? event.bundles.length : 0;
}

const snapshotBytes = ({ mempool, view, final }: Context): number =>
  SNAPSHOT_BYTES + 8 * mempool.length + OPEN_VIEW_BYTES * Math.max(0, view - final.view);
