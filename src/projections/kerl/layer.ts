/**
 * Changes to key event receipt logs that lie above others: those of a command above its block's, of a block above what is settled,
 * of what is settled above what the tables hold. A layer that is forgotten has changed nothing.
 */
import type { Aid, Said } from "../../base/brands.ts";
import {
  type EventRef,
  type KerlEntry,
  type KerlEscrow,
  type KerlEvent,
  type KerlReply,
  type KerlStore,
  escrowName,
  escrowSize,
} from "../../keri/kerl.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { EventSeal } from "../../keri/messages.ts";
import { EscrowIndex } from "./escrows.ts";
import { type KerlSource, nextOrder, placeKey, sealKey } from "./source.ts";

export class KerlLayer implements KerlStore, KerlSource {
  readonly #below: KerlSource;
  readonly #states = new Map<Aid, KeyState>();
  readonly #events = new Map<Said, KerlEntry>();
  readonly #inForce = new Map<string, Said>();
  readonly #superseded = new Set<Said>();
  readonly #anchors = new Map<string, EventRef[]>();
  readonly #signers = new Map<Said, Set<string>>();
  readonly #escrows = new EscrowIndex();
  /** The last order given here, even to what waits no more. */
  #newest = 0;
  /** Names of escrows below that are there no more, or are replaced here. */
  readonly #hidden = new Set<string>();
  #hiddenBytes = 0;
  readonly #forks = new Map<Aid, EventRef[]>();
  readonly #replies = new Map<string, KerlReply>();

  constructor(below: KerlSource) {
    this.#below = below;
  }

  /** Whether it changes nothing. */
  get isEmpty(): boolean {
    const changes = [
      this.#states,
      this.#events,
      this.#signers,
      this.#hidden,
      this.#forks,
      this.#replies,
      this.#superseded,
    ];
    return this.#escrows.size === 0 && changes.every(({ size }) => size === 0);
  }

  /** Identifiers whose key state it changes. */
  states(): Iterable<KeyState> {
    return this.#states.values();
  }

  keyState(aid: Aid): KeyState | undefined {
    return this.#states.get(aid) ?? this.#below.keyState(aid);
  }

  keyStateAt(aid: Aid, sn: number): KeyState | undefined {
    const state = this.keyState(aid);
    if (state === undefined || sn > state.latest.sn) return undefined;
    if (sn === state.latest.sn) return state;
    const said = this.#inForce.get(placeKey(aid, sn));
    return said === undefined ? this.#below.keyStateAt(aid, sn) : this.#events.get(said)?.state;
  }

  eventAt(aid: Aid, sn: number): KerlEvent | undefined {
    const state = this.keyState(aid);
    if (state === undefined || sn > state.latest.sn) return undefined;
    const said = this.#inForce.get(placeKey(aid, sn));
    return said === undefined ? this.#below.eventAt(aid, sn) : this.event(said);
  }

  event(said: Said): KerlEvent | undefined {
    const own = this.#events.get(said);
    const event = own === undefined ? this.#below.event(said) : eventOf(own);
    return event !== undefined && this.#superseded.has(said) ? { ...event, inForce: false } : event;
  }

  eventBytes(said: Said): Uint8Array | undefined {
    return this.#events.get(said)?.bytes ?? this.#below.eventBytes(said);
  }

  anchors(delegator: Aid, seal: EventSeal): readonly EventRef[] {
    return joined(this.#below.anchors(delegator, seal), this.#anchors.get(sealKey(delegator, seal)));
  }

  signers(said: Said): ReadonlySet<string> {
    const own = this.#signers.get(said);
    const below = this.#below.signers(said);
    return own === undefined ? below : new Set([...below, ...own]);
  }

  escrow(name: string): KerlEscrow | undefined {
    return this.#escrows.get(name) ?? (this.#hidden.has(name) ? undefined : this.#below.escrow(name));
  }

  *escrows(): Generator<KerlEscrow> {
    for (const escrow of this.#below.escrows()) if (!this.#hidden.has(escrowName(escrow))) yield escrow;
    yield* this.#escrows.all();
  }

  waitingFor(aid: Aid): readonly KerlEscrow[] {
    return this.#merged(this.#below.waitingFor(aid), this.#escrows.waitingFor(aid));
  }

  escrowsOf(aid: Aid): readonly KerlEscrow[] {
    return this.#merged(this.#below.escrowsOf(aid), this.#escrows.of(aid));
  }

  escrowCount(): number {
    return this.#below.escrowCount() - this.#hidden.size + this.#escrows.size;
  }

  escrowBytes(): number {
    return this.#below.escrowBytes() - this.#hiddenBytes + this.#escrows.bytes;
  }

  newestOrder(): number {
    return Math.max(this.#below.newestOrder(), this.#newest);
  }

  forks(aid: Aid): readonly EventRef[] {
    const kept = joined(this.#below.forks(aid), this.#forks.get(aid));
    return kept.filter(({ said }) => !this.#events.has(said));
  }

  reply(subject: string): KerlReply | undefined {
    return this.#replies.get(subject) ?? this.#below.reply(subject);
  }

  putEvent(entry: KerlEntry): void {
    const { aid, sn, said, state, eventSeals } = entry;
    this.#events.set(said, entry);
    this.#inForce.set(placeKey(aid, sn), said);
    this.#states.set(aid, state);
    for (const seal of eventSeals) append(this.#anchors, sealKey(aid, seal), { sn, said });
  }

  supersede(_aid: Aid, _sn: number, said: Said): void {
    this.#superseded.add(said);
  }

  addSigners(said: Said, signers: readonly string[]): void {
    let own = this.#signers.get(said);
    if (own === undefined) {
      own = new Set();
      this.#signers.set(said, own);
    }
    for (const signer of signers) own.add(signer);
  }

  putEscrow(escrow: Omit<KerlEscrow, "order">): void {
    const name = escrowName(escrow);
    const there = this.escrow(name);
    const { height, order } = there ?? {
      height: escrow.height,
      order: nextOrder(this.newestOrder(), escrow.height),
    };
    this.#newest = Math.max(this.#newest, order);
    this.#hide(name);
    this.#escrows.put({ ...escrow, height, order });
  }

  removeEscrow(name: string): void {
    this.#hide(name);
    this.#escrows.delete(name);
  }

  putFork(aid: Aid, ref: EventRef): void {
    append(this.#forks, aid, { sn: ref.sn, said: ref.said });
  }

  putReply(subject: string, reply: KerlReply): void {
    this.#replies.set(subject, reply);
  }

  /** Takes over what a layer above changed. */
  absorb(above: KerlLayer): void {
    this.absorbPast(above);
    this.#newest = Math.max(this.#newest, above.#newest);
    for (const [aid, state] of above.#states) this.#states.set(aid, state);
    for (const name of above.#hidden) this.removeEscrow(name);
    for (const escrow of above.#escrows.all()) {
      this.#hide(escrowName(escrow));
      this.#escrows.put(escrow);
    }
  }

  /** All but key states and escrows. */
  absorbPast(above: KerlLayer): void {
    for (const [said, entry] of above.#events) this.#events.set(said, entry);
    for (const [place, said] of above.#inForce) this.#inForce.set(place, said);
    for (const said of above.#superseded) this.#superseded.add(said);
    for (const [seal, refs] of above.#anchors) for (const ref of refs) append(this.#anchors, seal, ref);
    for (const [said, signers] of above.#signers) this.addSigners(said, [...signers]);
    for (const [aid, refs] of above.#forks) for (const ref of refs) append(this.#forks, aid, ref);
    for (const [subject, reply] of above.#replies) this.#replies.set(subject, reply);
  }

  /** What it changes about escrows, for an index that holds those below. */
  writeEscrows(index: EscrowIndex): void {
    for (const name of this.#hidden) index.delete(name);
    for (const escrow of this.#escrows.all()) index.put(escrow);
  }

  #hide(name: string): void {
    const escrow = this.#below.escrow(name);
    if (escrow === undefined || this.#hidden.has(name)) return;
    this.#hidden.add(name);
    this.#hiddenBytes += escrowSize(escrow);
  }

  #merged(below: readonly KerlEscrow[], own: readonly KerlEscrow[]): readonly KerlEscrow[] {
    const left = this.#hidden.size === 0 ? below : below.filter((escrow) => !this.#hidden.has(escrowName(escrow)));
    return own.length === 0 ? left : [...left, ...own].sort((a, b) => a.order - b.order);
  }
}

/** Tables may hold what has not been forgotten here yet. */
const joined = (below: readonly EventRef[], own: readonly EventRef[] | undefined): readonly EventRef[] =>
  own === undefined ? below : [...below, ...own.filter(({ said }) => !below.some((known) => known.said === said))];

const eventOf = ({ aid, sn, said, type, inForce, anchor }: KerlEntry): KerlEvent => ({
  aid,
  sn,
  said,
  type,
  inForce,
  anchor,
});

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
