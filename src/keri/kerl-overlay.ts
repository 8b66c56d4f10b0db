/** Key event receipt logs in memory, over others that are only read: what a command would change, before it does. */
import type { Aid, Said } from "../base/brands.ts";
import {
  type EventRef,
  type KerlEntry,
  type KerlEscrow,
  type KerlEvent,
  type KerlReader,
  type KerlReply,
  type KerlStore,
  escrowName,
  escrowSize,
} from "./kerl.ts";
import type { KeyState } from "./key-state.ts";
import type { EventSeal } from "./messages.ts";

/** Orders of escrows that are new here come after all of those below. */
const FIRST_ORDER = 2 ** 52;
const NOBODY: ReadonlySet<string> = new Set();

const sealName = (delegator: Aid, { aid, sn, said }: EventSeal): string => `${delegator} ${aid} ${sn} ${said}`;
const byOrder = (a: KerlEscrow, b: KerlEscrow): number => a.order - b.order;

export class KerlOverlay implements KerlStore {
  readonly #base: KerlReader;
  readonly #states = new Map<Aid, KeyState>();
  /** In force, by identifier and sequence number. */
  readonly #chains = new Map<Aid, Map<number, KerlEntry>>();
  readonly #events = new Map<Said, KerlEntry>();
  readonly #superseded = new Set<Said>();
  readonly #anchors = new Map<string, EventRef[]>();
  readonly #signers = new Map<Said, Set<string>>();
  readonly #receipts = new Map<Said, Uint8Array[]>();
  /** By name; null: removed. Those that are new or replaced, by `aid` and by `waitsFor`. */
  readonly #escrows = new Map<string, KerlEscrow | null>();
  readonly #escrowsByAid = new Map<Aid, Set<string>>();
  readonly #waiting = new Map<Aid, Set<string>>();
  #escrowCount: number;
  #escrowBytes: number;
  #nextOrder = FIRST_ORDER;
  readonly #forks = new Map<Aid, EventRef[]>();
  readonly #replies = new Map<string, KerlReply>();

  constructor(base: KerlReader) {
    this.#base = base;
    this.#escrowCount = base.escrowCount();
    this.#escrowBytes = base.escrowBytes();
  }

  keyState(aid: Aid): KeyState | undefined {
    return this.#states.get(aid) ?? this.#base.keyState(aid);
  }

  keyStateAt(aid: Aid, sn: number): KeyState | undefined {
    const entry = this.#chains.get(aid)?.get(sn);
    if (entry !== undefined) return entry.state;
    return this.eventAt(aid, sn) === undefined ? undefined : this.#base.keyStateAt(aid, sn);
  }

  eventAt(aid: Aid, sn: number): KerlEvent | undefined {
    const entry = this.#chains.get(aid)?.get(sn);
    if (entry !== undefined) return entry;
    const below = this.#base.eventAt(aid, sn);
    return below === undefined || this.#superseded.has(below.said) ? undefined : below;
  }

  event(said: Said): KerlEvent | undefined {
    const known = this.#events.get(said) ?? this.#base.event(said);
    return known !== undefined && known.inForce && this.#superseded.has(said) ? { ...known, inForce: false } : known;
  }

  eventBytes(said: Said): Uint8Array | undefined {
    return this.#events.get(said)?.bytes ?? this.#base.eventBytes(said);
  }

  anchors(delegator: Aid, seal: EventSeal): readonly EventRef[] {
    const here = this.#anchors.get(sealName(delegator, seal));
    const below = this.#base.anchors(delegator, seal);
    return here === undefined ? below : [...below, ...here];
  }

  signers(said: Said): ReadonlySet<string> {
    return this.#signers.get(said) ?? (this.#events.has(said) ? NOBODY : this.#base.signers(said));
  }

  escrow(name: string): KerlEscrow | undefined {
    const here = this.#escrows.get(name);
    return here === undefined ? this.#base.escrow(name) : (here ?? undefined);
  }

  escrowsOf(aid: Aid): readonly KerlEscrow[] {
    return this.#joined(this.#base.escrowsOf(aid), this.#escrowsByAid.get(aid));
  }

  waitingFor(aid: Aid): readonly KerlEscrow[] {
    return this.#joined(this.#base.waitingFor(aid), this.#waiting.get(aid));
  }

  #joined(below: readonly KerlEscrow[], names: ReadonlySet<string> | undefined): readonly KerlEscrow[] {
    if (this.#escrows.size === 0) return below;
    const joined = below.filter((escrow) => !this.#escrows.has(escrowName(escrow)));
    for (const name of names ?? []) {
      const escrow = this.#escrows.get(name);
      if (escrow !== undefined && escrow !== null) joined.push(escrow);
    }
    return joined.sort(byOrder);
  }

  escrowCount(): number {
    return this.#escrowCount;
  }

  escrowBytes(): number {
    return this.#escrowBytes;
  }

  /** In the order they came. */
  escrows(): readonly KerlEscrow[] {
    const below = [...this.#base.escrows()].filter((escrow) => !this.#escrows.has(escrowName(escrow)));
    return [...below, ...[...this.#escrows.values()].filter((escrow) => escrow !== null)].sort(byOrder);
  }

  forks(aid: Aid): readonly EventRef[] {
    const kept = this.#forks.get(aid) ?? this.#base.forks(aid);
    return kept.filter(({ said }) => !this.#events.has(said));
  }

  reply(subject: string): KerlReply | undefined {
    return this.#replies.get(subject) ?? this.#base.reply(subject);
  }

  putEvent(entry: KerlEntry): void {
    const chain = this.#chains.get(entry.aid) ?? new Map<number, KerlEntry>();
    this.#chains.set(entry.aid, chain.set(entry.sn, entry));
    this.#events.set(entry.said, entry);
    this.#states.set(entry.aid, entry.state);
    for (const seal of entry.eventSeals) {
      const name = sealName(entry.aid, seal);
      const refs = this.#anchors.get(name) ?? [];
      refs.push({ sn: entry.sn, said: entry.said });
      this.#anchors.set(name, refs);
    }
  }

  supersede(aid: Aid, sn: number, said: Said): void {
    this.#superseded.add(said);
    const chain = this.#chains.get(aid);
    if (chain?.get(sn)?.said === said) chain.delete(sn);
  }

  addSigners(said: Said, signers: readonly string[], attached: Uint8Array | null): void {
    const known = this.#signers.get(said) ?? new Set(this.signers(said));
    for (const signer of signers) known.add(signer);
    this.#signers.set(said, known);
    if (attached !== null) this.#receipts.set(said, [...(this.#receipts.get(said) ?? []), attached]);
  }

  putEscrow(escrow: Omit<KerlEscrow, "order">): void {
    const name = escrowName(escrow);
    const earlier = this.escrow(name);
    if (earlier === undefined) this.#escrowCount += 1;
    else this.#waiting.get(earlier.waitsFor)?.delete(name);
    this.#escrowBytes += escrowSize(escrow) - (earlier === undefined ? 0 : escrowSize(earlier));
    const order = earlier?.order ?? this.#nextOrder++;
    this.#escrows.set(name, { ...escrow, height: earlier?.height ?? escrow.height, order });
    addName(this.#escrowsByAid, escrow.aid, name);
    addName(this.#waiting, escrow.waitsFor, name);
  }

  removeEscrow(name: string): void {
    const escrow = this.escrow(name);
    if (escrow === undefined) return;
    this.#escrowCount -= 1;
    this.#escrowBytes -= escrowSize(escrow);
    if (this.#base.escrow(name) === undefined) this.#escrows.delete(name);
    else this.#escrows.set(name, null);
    this.#escrowsByAid.get(escrow.aid)?.delete(name);
    this.#waiting.get(escrow.waitsFor)?.delete(name);
  }

  putFork(aid: Aid, ref: EventRef): void {
    this.#forks.set(aid, [...this.forks(aid), ref]);
  }

  putReply(subject: string, reply: KerlReply): void {
    this.#replies.set(subject, reply);
  }

  /** Identifiers with an event here, in the order of their first. */
  aids(): readonly Aid[] {
    return [...this.#chains.keys()];
  }

  /** Events in force here, in order. */
  log(aid: Aid): readonly KerlEntry[] {
    return [...(this.#chains.get(aid)?.values() ?? [])].sort((a, b) => a.sn - b.sn);
  }

  /** CESR groups that came for an event after it was accepted. */
  receipts(said: Said): readonly Uint8Array[] {
    return this.#receipts.get(said) ?? [];
  }
}

function addName(index: Map<Aid, Set<string>>, aid: Aid, name: string): void {
  const names = index.get(aid) ?? new Set<string>();
  index.set(aid, names.add(name));
}

/** A log without anything in it. */
const NOTHING: KerlReader = {
  keyState: () => undefined,
  keyStateAt: () => undefined,
  eventAt: () => undefined,
  event: () => undefined,
  eventBytes: () => undefined,
  anchors: () => [],
  signers: () => NOBODY,
  escrow: () => undefined,
  waitingFor: () => [],
  escrowsOf: () => [],
  escrowCount: () => 0,
  escrowBytes: () => 0,
  escrows: () => [],
  forks: () => [],
  reply: () => undefined,
};

/** Logs in memory alone: for `sky kel verify` and for tests. */
export class MemoryKerl extends KerlOverlay {
  constructor() {
    super(NOTHING);
  }
}
