/**
 * The page's store: the history and everything gathered from it, one cursor that every view follows, and where the reader stands.
 * It knows no browser: the shell feeds it entries and writes its link into the address. Reading is cheap; whoever shows it subscribes.
 */
import type { Entry, EntryKey, Gap, SourceDescription } from "../../../../src/host/inspector/contract.ts";
import type { Api } from "./api.ts";
import { Folding, SNAPSHOT_EVERY } from "./folding.ts";
import { ENTRIES_MAX, History } from "./history.ts";
import type { Cursor, Link, Theme } from "./link.ts";
import { Marks } from "./marks.ts";
import type { Moment } from "./moment.ts";
import { ConsensusViews } from "./views-of-consensus.ts";

/** `refused`: no session; `ended`: the recording is read to its end; `lost`: tries again. */
export type Connection = "connecting" | "open" | "lost" | "ended" | "refused";

/** A quarter of the most that is held, in whole distances of the fold's snapshots. */
const FORGOTTEN_AT_ONCE = Math.floor(ENTRIES_MAX / 4 / SNAPSHOT_EVERY) * SNAPSHOT_EVERY;
const FORGOTTEN = "the page holds the newest only";
/** Beyond it only the newest are counted. */
const GAPS_MAX = 1_000;

export class Store {
  readonly api: Api;
  readonly history = new History();
  readonly marks = new Marks();
  readonly gaps: Gap[] = [];
  source: SourceDescription | null = null;
  consensus = new ConsensusViews(null);
  connection: Connection = "connecting";
  /** Why the page has nothing to show, from the server. */
  refusal: string | null = null;
  cursor: Cursor = { kind: "now" };
  /** Name of the view shown; null: the first. */
  view: string | null = null;
  theme: Theme = "system";
  readonly #clock: () => number;
  readonly #focus = new Map<string, string>();
  readonly #listeners = new Set<() => void>();
  #folding = new Folding(this.history, null);
  #moment: Moment | null = null;
  #version = 0;

  /** `clock`: ms since 1970, for what goes on while nothing happens. */
  constructor(api: Api, clock: () => number = () => -Infinity) {
    this.api = api;
    this.#clock = clock;
  }

  /** Grows with every change. */
  get version(): number {
    return this.#version;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    this.#version += 1;
    this.#moment = null;
    for (const listener of this.#listeners) listener();
  }

  /** What is looked at; called once, before the first entry. */
  describe(source: SourceDescription): void {
    this.source = source;
    this.consensus = new ConsensusViews(source);
    this.#folding = new Folding(this.history, source);
    this.#changed();
  }

  setConnection(connection: Connection, refusal: string | null = null): void {
    if (this.connection === connection && this.refusal === refusal) return;
    this.connection = connection;
    this.refusal = refusal;
    this.#changed();
  }

  /** Adds entries of any nodes, in the order of each; those known already are left out. */
  add(batch: readonly Entry[]): void {
    const { from, added } = this.history.add(batch);
    if (added.length === 0) return;
    this.#folding.changedFrom(from);
    for (const entry of added) {
      this.consensus.add(entry);
      this.marks.add(entry);
    }
    if (this.history.length > ENTRIES_MAX) this.#forgetOldest();
    this.#changed();
  }

  #forgetOldest(): void {
    const before = this.history.lives();
    this.#folding.forget(FORGOTTEN_AT_ONCE);
    this.history.forget(FORGOTTEN_AT_ONCE);
    const after = new Map(this.history.lives().map((life) => [`${life.node}:${life.life}`, life.first.n]));
    for (const { node, life, first, last } of before) {
      const to = after.get(`${node}:${life}`) ?? last.n + 1;
      if (to === first.n) continue;
      const known = this.gaps.findIndex((gap) => gap.node === node && gap.life === life && gap.reason === FORGOTTEN);
      const from = known < 0 ? first.n : (this.gaps[known]?.from ?? first.n);
      if (known >= 0) this.gaps.splice(known, 1);
      this.gaps.push({ node, life, from, to, reason: FORGOTTEN });
    }
  }

  /** Gaps that follow each other are one: a page that cannot keep up hears of many. Bounds: GAPS_MAX, the oldest go. */
  addGap(gap: Gap): void {
    const { node, life, from, to, reason } = gap;
    const before = this.gaps.findLastIndex((one) => one.node === node && one.life === life && one.reason === reason);
    const known = this.gaps[before];
    if (known !== undefined && known.to !== null && from <= known.to) {
      if (to !== null && to <= known.to) return;
      this.gaps.splice(before, 1);
      this.gaps.push({ ...known, to });
    } else this.gaps.push(gap);
    if (this.gaps.length > GAPS_MAX) this.gaps.shift();
    this.#changed();
  }

  // ---- where the reader stands ----

  /** Whether the page shows the newest entry and goes on doing so. */
  get isFollowing(): boolean {
    return this.cursor.kind === "now";
  }

  /** Position of the cursor now, and whether it is exactly what was asked for. */
  get place(): { readonly position: number; readonly isExact: boolean } {
    const end = this.history.length - 1;
    const { cursor } = this;
    if (cursor.kind === "now") return { position: end, isExact: true };
    if (cursor.kind === "height") return this.#placeOfHeight(cursor.height);
    const found = this.history.positionOf(cursor.key);
    return found.position < 0 ? { position: end, isExact: false } : found;
  }

  #placeOfHeight(height: number): { readonly position: number; readonly isExact: boolean } {
    const row = this.consensus.all().find(({ block }) => block !== null && block.height >= height);
    const entry = row?.finalEntry ?? null;
    const position = entry === null ? -1 : this.history.positionOf(entry).position;
    if (position < 0) return { position: this.history.length - 1, isExact: false };
    return { position, isExact: row?.block?.height === height };
  }

  get position(): number {
    return this.place.position;
  }

  /** Where everything stands at the cursor. */
  get moment(): Moment {
    this.#moment ??= this.#folding.momentAt(this.position);
    return this.#moment;
  }

  /** The time that the page shows: the cursor's; the clock's while it follows what is live. Units: ms of the entries' clock. */
  get now(): number | null {
    const { at } = this.moment;
    if (at === null || !this.isFollowing || this.source?.live !== true || this.connection !== "open") return at;
    return Math.max(at, this.#clock());
  }

  /**
   * Whether a question about a node (about what one of its lives knew) finds the process that answers it, wherever the cursor is: of
   * recordings and logs everything can be asked.
   */
  answers(node: string, life?: number): boolean {
    return this.source?.live !== true || !this.marks.hasEnded(node, life);
  }

  momentAt(position: number): Moment {
    return this.#folding.momentAt(position);
  }

  go(cursor: Cursor): void {
    this.cursor = cursor;
    this.#changed();
  }

  goToEntry({ node, life, n }: EntryKey): void {
    this.go({ kind: "entry", key: { node, life, n } });
  }

  /** Bounds: positions outside the history count as its ends. */
  goToPosition(position: number): void {
    const entry = this.history.at(Math.max(0, Math.min(position, this.history.length - 1)));
    if (entry !== undefined) this.goToEntry(entry);
  }

  follow(): void {
    this.go({ kind: "now" });
  }

  /** Stays where it is while entries go on coming. */
  pause(): void {
    this.goToPosition(this.position);
  }

  /** To the next or last place where a block became final first. */
  stepHeight(direction: 1 | -1): void {
    const places = this.consensus
      .all()
      .flatMap(({ finalEntry }) => (finalEntry === null ? [] : this.history.positionOf(finalEntry).position));
    const here = this.position;
    const sorted = places.filter((place) => place >= 0).sort((a, b) => a - b);
    const next = direction > 0 ? sorted.find((place) => place > here) : sorted.findLast((place) => place < here);
    this.goToPosition(next ?? (direction > 0 ? this.history.length - 1 : 0));
  }

  show(view: string): void {
    this.view = view;
    this.#changed();
  }

  /** What a view looks at, in its own words; null until it was told. */
  focusOf(view: string): string | null {
    return this.#focus.get(view) ?? null;
  }

  setFocus(view: string, focus: string | null): void {
    if (focus === null) this.#focus.delete(view);
    else this.#focus.set(view, focus);
    this.#changed();
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    this.#changed();
  }

  /** What the address says of this moment. */
  get link(): Link {
    const { view, cursor, theme } = this;
    return { view, cursor, focus: view === null ? null : this.focusOf(view), theme };
  }

  /** Stands where a link says. A link without a theme leaves the reader's. */
  open({ view, cursor, focus, theme }: Link): void {
    this.view = view ?? this.view;
    this.cursor = cursor;
    if (this.view !== null && focus !== null) this.#focus.set(this.view, focus);
    this.theme = theme ?? this.theme;
    this.#changed();
  }
}
