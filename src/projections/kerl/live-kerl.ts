/**
 * Key event receipt logs as the last whole block left them, on the host thread (DESIGN §3, §5). Every identifier's key state and
 * every escrow are in memory; what else the rules ask is read from the tables, and from memory until these hold it.
 */
import type { Aid, Said } from "../../base/brands.ts";
import { assert } from "../../base/errors.ts";
import type { EventRef, KerlEscrow, KerlEvent, KerlReply } from "../../keri/kerl.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { EventSeal } from "../../keri/messages.ts";
import { ByteTable } from "./byte-table.ts";
import { EscrowIndex } from "./escrows.ts";
import { KerlLayer } from "./layer.ts";
import { EMPTY_ARCHIVE, type KerlArchive, type KerlSource } from "./source.ts";
import { decodeState, encodeState } from "./state-codec.ts";

/** Key states kept decoded, at some 2 KB each; decoding one anew takes 5 µs. */
const DECODED_MAX = 8192;

/** What is whole: key states and escrows in memory, the past in the archive. */
class Settled implements KerlSource {
  readonly states: ByteTable;
  readonly index = new EscrowIndex();
  readonly #archive: KerlArchive;
  readonly #decoded = new Map<Aid, KeyState>();

  constructor(archive: KerlArchive, seed: number) {
    this.#archive = archive;
    this.states = new ByteTable(seed);
  }

  write(state: KeyState): void {
    this.states.set(state.aid, encodeState(state));
    this.#remember(state);
  }

  keyState(aid: Aid): KeyState | undefined {
    const known = this.#decoded.get(aid);
    if (known !== undefined) return known;
    const bytes = this.states.get(aid);
    if (bytes === undefined) return undefined;
    const state = decodeState(aid, bytes);
    this.#remember(state);
    return state;
  }

  keyStateAt(aid: Aid, sn: number): KeyState | undefined {
    return this.#archive.keyStateAt(aid, sn);
  }

  eventAt(aid: Aid, sn: number): KerlEvent | undefined {
    return this.#archive.eventAt(aid, sn);
  }

  event(said: Said): KerlEvent | undefined {
    return this.#archive.event(said);
  }

  eventBytes(said: Said): Uint8Array | undefined {
    return this.#archive.eventBytes(said);
  }

  anchors(delegator: Aid, seal: EventSeal): readonly EventRef[] {
    return this.#archive.anchors(delegator, seal);
  }

  signers(said: Said): ReadonlySet<string> {
    return this.#archive.signers(said);
  }

  escrow(name: string): KerlEscrow | undefined {
    return this.index.get(name);
  }

  escrows(): Iterable<KerlEscrow> {
    return this.index.all();
  }

  waitingFor(aid: Aid): readonly KerlEscrow[] {
    return this.index.waitingFor(aid);
  }

  escrowsOf(aid: Aid): readonly KerlEscrow[] {
    return this.index.of(aid);
  }

  escrowCount(): number {
    return this.index.size;
  }

  escrowBytes(): number {
    return this.index.bytes;
  }

  newestOrder(): number {
    return this.index.newestOrder;
  }

  forks(aid: Aid): readonly EventRef[] {
    return this.#archive.forks(aid);
  }

  reply(subject: string): KerlReply | undefined {
    return this.#archive.reply(subject);
  }

  #remember(state: KeyState): void {
    if (this.#decoded.size >= DECODED_MAX && !this.#decoded.has(state.aid)) this.#decoded.clear();
    this.#decoded.set(state.aid, state);
  }
}

export interface LiveKerlOptions {
  /** Absent: everything is kept in memory. */
  readonly archive?: KerlArchive;
  /** Of the table of states: by chance, so that nobody can choose identifiers that collide. */
  readonly seed?: number;
}

const NONE: readonly KeyState[] = [];

/** One block's changes, kept until the archive holds them. */
interface Unarchived {
  readonly height: number;
  readonly layer: KerlLayer;
}

export class LiveKerl {
  readonly #settled: Settled;
  readonly #isArchived: boolean;
  #recent: KerlLayer;
  #unarchived: Unarchived[] = [];
  #archivedHeight = -1;

  constructor({ archive, seed }: LiveKerlOptions = {}) {
    this.#isArchived = archive !== undefined;
    this.#settled = new Settled(archive ?? EMPTY_ARCHIVE, seed ?? 0);
    this.#recent = new KerlLayer(this.#settled);
  }

  /** What readers see: all of a block or nothing of it. Ask for it each time: it is another one when something was archived. */
  get view(): KerlSource {
    return this.#recent;
  }

  keyState(aid: Aid): KeyState | undefined {
    return this.#settled.keyState(aid);
  }

  /** Identifiers there are. */
  get size(): number {
    return this.#settled.states.size;
  }

  /** Memory of the key states. Units: bytes. */
  get bytes(): number {
    return this.#settled.states.bytes;
  }

  /** Blocks whose events are still in memory. */
  get unarchived(): number {
    return this.#unarchived.length;
  }

  /** A layer to work in; `merge` makes it visible. */
  layer(): KerlLayer {
    return new KerlLayer(this.#recent);
  }

  /** Makes a block's changes visible, in one step. One layer at a time is in work. Returns key states that set other keys than before. */
  merge(height: number, layer: KerlLayer): readonly KeyState[] {
    if (layer.isEmpty) return NONE;
    const rekeyed = [...layer.states()].filter(({ aid, said }) => this.#settled.keyState(aid)?.said !== said);
    for (const state of layer.states()) this.#settled.write(state);
    layer.writeEscrows(this.#settled.index);
    this.#recent.absorbPast(layer);
    if (this.#isArchived) this.#unarchived.push({ height, layer });
    return rekeyed;
  }

  /** Of identifiers that the archive holds. */
  load(aid: Aid, state: Uint8Array): void {
    assert(this.#unarchived.length === 0, "loaded before the first block");
    this.#settled.states.set(aid, state);
  }

  /** Encoded state of an identifier, to be read at once. */
  loaded(aid: Aid): Uint8Array | undefined {
    return this.#settled.states.get(aid);
  }

  loadEscrow(escrow: KerlEscrow): void {
    this.#settled.index.put(escrow);
  }

  /**
   * The archive holds everything up to this height: it need not be here. Done when half of what is kept can go, since what is
   * left is put together anew.
   */
  archived(height: number): void {
    if (!this.#isArchived) return;
    this.#archivedHeight = Math.max(this.#archivedHeight, height);
    const count = this.#unarchived.findIndex((block) => block.height > this.#archivedHeight);
    const gone = count < 0 ? this.#unarchived.length : count;
    if (gone === 0 || 2 * gone < this.#unarchived.length) return;
    this.#unarchived = this.#unarchived.slice(gone);
    this.#recent = new KerlLayer(this.#settled);
    for (const { layer } of this.#unarchived) this.#recent.absorbPast(layer);
  }
}
